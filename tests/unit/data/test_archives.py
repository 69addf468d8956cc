"""Archives from outside: what is refused, and that nothing of it reaches the disk."""

from __future__ import annotations

import errno
import io
import os
import stat
import tarfile
import zipfile

import pytest

from harness.core.errors import DataDamaged, DataMissing
from harness.data import archives
from harness.data.archives import Limits, unpack
from harness.data.disk import NoSpace

SMALL = Limits(ratio=20, grace=10_000)


def tar(path, members, mode="w:gz"):
    """A tar of (name, bytes) or (TarInfo, bytes)."""
    with tarfile.open(path, mode) as archive:
        for name, content in members:
            info = name if isinstance(name, tarfile.TarInfo) else tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return path


def special(name, kind, target=""):
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


def below(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:bz2", "w:xz"])
def test_files_and_folders(tmp_path, mode):
    path = tar(tmp_path / "a", [("paris/defense/a.jpg", b"1"), ("./paris/b.JPG", b"22"), ("README", b"x")], mode)
    assert unpack(path, tmp_path / "tree") == 3
    assert below(tmp_path / "tree") == ["README", "paris/b.JPG", "paris/defense/a.jpg"]
    assert unpack(path, tmp_path / "flat", flat=True, keep=(".jpg",)) == 2
    assert below(tmp_path / "flat") == ["a.jpg", "b.JPG"]
    assert (tmp_path / "flat" / "b.JPG").read_bytes() == b"22"


def test_zip(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("x/a.jpg", b"1")
        archive.mkdir("empty")
    assert unpack(tmp_path / "a.zip", tmp_path / "out") == 1
    assert below(tmp_path / "out") == ["x/a.jpg"]


def test_two_archives_fill_one_folder(tmp_path):
    for number in (1, 2):
        unpack(tar(tmp_path / f"{number}", [(f"p/{number}.jpg", b"1")]), tmp_path / "out")
    assert below(tmp_path / "out") == ["p/1.jpg", "p/2.jpg"]


OUTSIDE = [
    ([("../evil", b"x")], "leaves the folder"),
    ([("a/../../evil", b"x")], "leaves the folder"),
    ([("/tmp/evil", b"x")], "absolute"),
    ([("C:/evil", b"x")], "absolute"),
    ([("a\\..\\evil", b"x")], "portable"),
    ([(special("link", tarfile.SYMTYPE, "/etc"), b"")], "is a link"),
    ([(special("link", tarfile.SYMTYPE, ".."), b""), ("link/evil", b"x")], "is a link"),
    ([("a", b"x"), (special("hard", tarfile.LNKTYPE, "a"), b"")], "is a link"),
    ([(special("hard", tarfile.LNKTYPE, "/etc/passwd"), b"")], "is a link"),
    ([(special("fifo", tarfile.FIFOTYPE), b"")], "not a regular file"),
    ([(special("device", tarfile.CHRTYPE), b"")], "not a regular file"),
    ([(special("../dir", tarfile.DIRTYPE), b"")], "leaves the folder"),
    ([("a.jpg", b"x"), ("A.JPG", b"y")], "second file"),
    ([("x" * 300, b"x")], "portable"),
]


@pytest.mark.parametrize(("members", "words"), OUTSIDE, ids=range(len(OUTSIDE)))
def test_what_leads_elsewhere_is_refused_and_nothing_is_unpacked(tmp_path, members, words):
    inner = tmp_path / "inner"
    inner.mkdir()
    path = tar(inner / "a.tgz", [("good.jpg", b"1"), *members])
    with pytest.raises(DataDamaged, match=words):
        unpack(path, inner / "out")
    assert below(tmp_path) == ["inner/a.tgz"]
    assert not list((inner / "out").iterdir())


@pytest.mark.parametrize("name", ["../evil", "/tmp/evil", "a/../../evil"])
def test_a_zip_that_leads_elsewhere(tmp_path, name):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr(name, b"x")
    with pytest.raises(DataDamaged, match="refused"):
        unpack(tmp_path / "a.zip", tmp_path / "inner" / "out")
    assert below(tmp_path) == ["a.zip"]


def test_a_link_in_a_zip(tmp_path):
    info = zipfile.ZipInfo("link")
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr(info, "/etc")
    with pytest.raises(DataDamaged, match="is a link"):
        unpack(tmp_path / "a.zip", tmp_path / "out")


def test_a_zip_bomb(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.jpg", bytes(5_000_000))
    with pytest.raises(DataDamaged, match="far more"):
        unpack(tmp_path / "a.zip", tmp_path / "out", limits=SMALL)
    assert below(tmp_path) == ["a.zip"]


def test_a_tar_bomb_even_in_what_is_not_kept(tmp_path):
    path = tar(tmp_path / "a.tgz", [("a.txt", bytes(5_000_000))])
    with pytest.raises(DataDamaged, match="far more"):
        unpack(path, tmp_path / "out", keep=(".jpg",), limits=SMALL)
    assert below(tmp_path) == ["a.tgz"]


def test_a_bomb_behind_the_end_of_the_tar(tmp_path):
    import gzip

    plain = tar(tmp_path / "plain", [("a.jpg", b"1")], "w").read_bytes()
    (tmp_path / "a.tgz").write_bytes(gzip.compress(plain + bytes(5_000_000)))
    with pytest.raises(DataDamaged, match="far more"):
        unpack(tmp_path / "a.tgz", tmp_path / "out", limits=SMALL)


def test_a_header_that_would_fill_the_memory(tmp_path):
    path = tar(tmp_path / "a.tar", [(special("x", tarfile.XHDTYPE), bytes(2 << 20))], "w")
    with pytest.raises(DataDamaged, match=r"header of 2\.1 MB"):
        unpack(path, tmp_path / "out")


def test_too_many_members(tmp_path):
    path = tar(tmp_path / "a.tgz", [(f"{number}.jpg", b"1") for number in range(5)])
    with pytest.raises(DataDamaged, match="too many"):
        unpack(path, tmp_path / "out", limits=Limits(members=4))


def test_text_that_compresses_well_is_no_bomb(tmp_path):
    path = tar(tmp_path / "a.tgz", [("gt.txt", b"all_souls_000013\n" * 50_000)])
    assert unpack(path, tmp_path / "out") == 1


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:bz2", "w:xz"])
def test_an_archive_that_is_cut_off(tmp_path, mode):
    path = tar(tmp_path / "a", [(f"{number}.jpg", os.urandom(2000)) for number in range(9)], mode)
    path.write_bytes(path.read_bytes()[:9000])
    with pytest.raises(DataDamaged, match="cannot be unpacked"):
        unpack(path, tmp_path / "out")
    assert below(tmp_path) == ["a"]


def test_a_page_of_html_is_no_archive(tmp_path):
    (tmp_path / "a.tgz").write_bytes(b"<html>404</html>" * 100)
    with pytest.raises(DataDamaged, match="cannot be unpacked"):
        unpack(tmp_path / "a.tgz", tmp_path / "out")
    with pytest.raises(DataMissing):
        unpack(tmp_path / "gone.tgz", tmp_path / "out")


def test_a_full_disk(tmp_path, monkeypatch):
    path = tar(tmp_path / "a.tgz", [("a.jpg", b"1"), ("b.jpg", b"2")])

    def full(self, *_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(archives._Unpacking, "write", full)
    with pytest.raises(NoSpace, match="is full"):
        unpack(path, tmp_path / "out")
    assert below(tmp_path) == ["a.tgz"]
