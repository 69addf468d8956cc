"""From a catalogue of the user's and a mirror on this machine to a dataset in the data folder, and back out."""

from __future__ import annotations

import hashlib
import io
import json
import os
import pickle
import tarfile

import pytest
from PIL import Image

from harness.core.errors import DataDamaged, DataMissing, HarnessError
from harness.data import fetch as module
from harness.data.catalogue import named_dataset
from harness.data.download import DownloadFailed, RetryPolicy
from harness.data.fetch import fetch_dataset
from harness.data.verify import verify_dataset
from harness.plugin_api import DataFolders
from harness.registry import load_registry

QUICK = RetryPolicy(timeout=30, retries=1, pause=0)
NAMES = ["a_000001", "b_000002", "c_000003"]
GND = {"gnd": [{"bbx": [0, 0, 9, 9], "easy": [0], "hard": [], "junk": [1]}], "imlist": NAMES[:2], "qimlist": NAMES[2:]}


def jpeg(shade):
    buffer = io.BytesIO()
    Image.effect_noise((64, 48), shade).convert("RGB").save(buffer, "JPEG")
    return buffer.getvalue()


def tgz(members):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


@pytest.fixture
def folders(tmp_path):
    return DataFolders(tmp_path / "data", tmp_path / "cache")


@pytest.fixture
def tiny(mirror, tmp_path):
    """A set in the layout of rparis6k: a pickle and two archives with folders; ``tiny(**changes)`` gives it."""
    images = {name: jpeg(10 + number) for number, name in enumerate(NAMES)}
    mirror.files = {
        "gnd.pkl": pickle.dumps(GND, protocol=2),
        "one.tgz": tgz({f"paris/a/{name}.jpg": images[name] for name in NAMES[:2]} | {"README": b"text"}),
        "two.tgz": tgz({f"paris/c/{NAMES[2]}.jpg": images[NAMES[2]]}),
    }

    def make(ways=("good",), gnd_checksum="", counts="images: 2, queries: 1, easy: 1, hard: 0, junk: 1", to="tiny/jpg"):
        urls = {name: [way if ":" in way else mirror.url(way, name) for way in ways] for name in mirror.files}
        checksum = f", checksum: '{gnd_checksum}'" if gnd_checksum else ""
        text = f"""\
tiny:
  loader: revisited
  task: retrieval
  parameters: {{path: tiny, ground_truth: gnd.pkl}}
  description: d
  protocol: revisited
  source: put gnd.pkl into tiny and the photographs into tiny/jpg
  licence: mine
  checksum_source: me
  counts: {{{counts}}}
  files:
    - {{name: gnd.pkl, to: tiny, urls: {json.dumps(urls["gnd.pkl"])}{checksum}}}
    - {{name: one.tgz, to: {to}, or_at: [other/jpg], unpack: flat, keep: [.jpg], holds: 3,
        urls: {json.dumps(urls["one.tgz"])}}}
    - {{name: two.tgz, to: {to}, or_at: [other/jpg], unpack: flat, keep: [.jpg], holds: 3,
        urls: {json.dumps(urls["two.tgz"])}}}
"""
        path = tmp_path / "datasets.yaml"
        path.write_text(text)
        return named_dataset("tiny", load_registry(), (path,))

    return make


def below(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


COMPLETE = [".harness/tiny.json", "tiny/gnd.pkl", *(f"tiny/jpg/{name}.jpg" for name in NAMES)]


def test_fetch_then_nothing_then_verify(tiny, folders, mirror):
    dataset = tiny()
    fetched = fetch_dataset(dataset, folders, policy=QUICK)
    assert sorted(fetched.downloaded) == ["gnd.pkl", "one.tgz", "two.tgz"]
    assert fetched.counts == {"images": 2, "queries": 1, "easy": 1, "hard": 0, "junk": 1}
    assert below(folders.root) == COMPLETE
    kept = json.loads((folders.root / ".harness" / "tiny.json").read_text())
    content = mirror.files["one.tgz"]
    assert kept["files"]["one.tgz"] == {
        "sha256": hashlib.sha256(content).hexdigest(),
        "size": len(content),
        "url": mirror.url("good", "one.tgz"),
        "published": False,
    }
    asked = len(mirror.requests)
    again = fetch_dataset(dataset, folders, policy=QUICK)
    assert (again.downloaded, again.verification, len(mirror.requests)) == ({}, None, asked)
    verified = verify_dataset(dataset, folders)
    assert verified.problems == ()
    assert verified.decoded == 3
    assert verified.fingerprint == kept["fingerprint"] == dataset.loader.fingerprint(folders)
    assert verified.checksums == {"gnd.pkl": "recorded"}


def test_what_changed_since_is_found(tiny, folders, mirror):
    dataset = tiny()
    fetch_dataset(dataset, folders, policy=QUICK)
    changed = {**GND, "gnd": [{"bbx": [0, 0, 9, 9], "easy": [1], "hard": [], "junk": [0]}]}
    (folders.root / "tiny" / "gnd.pkl").write_bytes(pickle.dumps(changed))
    problems = verify_dataset(dataset, folders).problems
    assert "differs from the first download" in problems[0]
    assert "the data have changed since" in problems[1]


def test_a_second_download_must_equal_the_first(tiny, folders, mirror):
    dataset = tiny()
    fetch_dataset(dataset, folders, policy=QUICK)
    (folders.root / "tiny" / "gnd.pkl").unlink()
    mirror.files["gnd.pkl"] = pickle.dumps({**GND, "imlist": NAMES[:2][::-1]})
    with pytest.raises(DataDamaged, match="differs from the first download"):
        fetch_dataset(dataset, folders, policy=QUICK)
    assert not (folders.root / "tiny" / "gnd.pkl").exists()


def test_an_interrupted_fetch_goes_on_and_shows_nothing_half(tiny, folders, mirror, monkeypatch):
    dataset, real = tiny(), module.unpack

    def killed(archive, *arguments, **options):
        if archive.name == "two.tgz":
            raise KeyboardInterrupt
        return real(archive, *arguments, **options)

    monkeypatch.setattr(module, "unpack", killed)
    with pytest.raises(KeyboardInterrupt):
        fetch_dataset(dataset, folders, policy=QUICK)
    assert not (folders.root / "tiny").exists()
    with pytest.raises(DataMissing):
        dataset.loader.load(folders)
    monkeypatch.undo()
    fetch_dataset(dataset, folders, policy=QUICK)
    assert below(folders.root) == COMPLETE
    assert mirror.counts["/good/one.tgz"] == mirror.counts["/good/two.tgz"] == mirror.counts["/good/gnd.pkl"] == 1
    kept = json.loads((folders.root / ".harness" / "tiny.json").read_text())
    assert sorted(kept["files"]) == ["gnd.pkl", "one.tgz", "two.tgz"]  # also what came before the interruption


def test_what_a_killed_process_left_is_swept_up(tiny, folders):
    left = folders.root / ".fetching" / "tiny" / ".jpg.unpacking-abc"
    left.mkdir(parents=True)
    (left / "half.jpg").write_bytes(b"half")
    fetch_dataset(tiny(), folders, policy=QUICK)
    assert below(folders.root) == COMPLETE


BAD = {
    "a truncated image": (f"paris/c/{NAMES[2]}.jpg", jpeg(9)[:900], "cannot be read"),
    "a wrong header": (f"paris/c/{NAMES[2]}.jpg", b"302 Found" + jpeg(9)[9:], "it is not an image"),
    "a page of HTML": (f"paris/c/{NAMES[2]}.jpg", b"<html>302 Found</html>", "first bytes are b'<html>302"),
    "an empty image": (f"paris/c/{NAMES[2]}.jpg", b"", "it is not an image"),
    "a missing image": ("paris/c/d_000004.jpg", jpeg(9), f"1 of 3 images are not in .*{NAMES[2]}"),
    "a way out": ("../../evil.jpg", jpeg(9), "leaves the folder"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_archive_never_reaches_the_data_folder(tiny, folders, mirror, tmp_path, case):
    name, content, words = BAD[case]
    good = mirror.files["two.tgz"]
    mirror.files["two.tgz"] = tgz({name: content})
    with pytest.raises(HarnessError, match=words) as caught:
        fetch_dataset(tiny(), folders, policy=QUICK)
    assert caught.value.exit_code == 4
    assert not (folders.root / "tiny").exists()
    assert not (folders.root / ".harness").exists()
    assert not (tmp_path / "evil.jpg").exists()
    mirror.files["two.tgz"] = good
    archive = folders.root / ".fetching" / "tiny" / "two.tgz"
    archive.unlink(missing_ok=True)  # kept where unpacking it worked, as the message says
    fetch_dataset(tiny(), folders, policy=QUICK)
    assert below(folders.root) == COMPLETE


def test_a_malicious_ground_truth(tiny, folders, mirror, tmp_path):
    class Attack:
        def __reduce__(self):
            return os.system, (f"touch {tmp_path / 'ran'}",)

    mirror.files["gnd.pkl"] = pickle.dumps({**GND, "gnd": [Attack()]})
    with pytest.raises(DataDamaged, match=r"asks for posix\.system"):
        fetch_dataset(tiny(), folders, policy=QUICK)
    assert not (tmp_path / "ran").exists()
    assert not (folders.root / "tiny").exists()


def test_wrong_counts(tiny, folders):
    with pytest.raises(DataDamaged, match="2 images, there should be 3"):
        fetch_dataset(tiny(counts="images: 3"), folders, policy=QUICK)
    assert not (folders.root / "tiny").exists()


def test_a_published_checksum(tiny, folders, mirror):
    right = "sha256:" + hashlib.sha256(mirror.files["gnd.pkl"]).hexdigest()
    with pytest.raises(DownloadFailed, match="could not be downloaded") as caught:
        fetch_dataset(tiny(gnd_checksum="sha256:" + "0" * 64), folders, policy=QUICK)
    assert "sends another file" in caught.value.why
    fetch_dataset(tiny(gnd_checksum=right), folders, policy=QUICK)
    verified = verify_dataset(tiny(gnd_checksum=right), folders)
    assert verified.checksums == {"gnd.pkl": "published"}
    (folders.root / "tiny" / "gnd.pkl").write_bytes(pickle.dumps(GND, protocol=4))
    assert "not the published file" in verify_dataset(tiny(gnd_checksum=right), folders).problems[0]


def test_without_a_network_one_sentence_says_what_to_put_where(tiny, folders):
    with pytest.raises(DownloadFailed) as caught:
        fetch_dataset(tiny(ways=("http://127.0.0.1:9/x",)), folders, policy=QUICK)
    assert f"put gnd.pkl into {folders.root / 'tiny'}" in caught.value.fix
    assert "put gnd.pkl into tiny and the photographs into tiny/jpg" in caught.value.fix
    assert "no connection" in caught.value.why
    assert caught.value.exit_code == 4


def test_files_that_were_put_there_need_no_network(tiny, folders, mirror):
    (folders.root / "tiny").mkdir(parents=True)
    (folders.root / "tiny" / "gnd.pkl").write_bytes(mirror.files["gnd.pkl"])
    (folders.root / "one.tgz").write_bytes(mirror.files["one.tgz"])
    (folders.root / "tiny" / "two.tgz").write_bytes(mirror.files["two.tgz"])
    fetched = fetch_dataset(tiny(ways=("http://127.0.0.1:9/x",)), folders, policy=QUICK)
    assert fetched.downloaded == {}
    assert set(COMPLETE) < set(below(folders.root))
    assert (folders.root / "one.tgz").exists()


def test_photographs_of_another_dataset_are_not_fetched_again(tiny, folders, mirror):
    fetch_dataset(tiny(), folders, policy=QUICK)
    (folders.root / "other").mkdir()
    (folders.root / "tiny" / "jpg").rename(folders.root / "other" / "jpg")
    dataset = tiny()
    asked = len(mirror.requests)
    with pytest.raises(DataMissing):
        dataset.loader.load(folders)
    # The loader does not look into other/jpg, which the catalogue allows: fetching says so instead of half a dataset.
    fetch_dataset(dataset, folders, policy=QUICK)
    assert len(mirror.requests) == asked


def test_a_half_dataset_of_the_user_is_completed(tiny, folders, mirror):
    jpg = folders.root / "tiny" / "jpg"
    jpg.mkdir(parents=True)
    (jpg / f"{NAMES[0]}.jpg").write_bytes(jpeg(1))
    fetch_dataset(tiny(), folders, policy=QUICK)
    assert below(folders.root) == COMPLETE


def test_archives_with_folders_beside_a_single_file(tiny, folders, mirror, tmp_path):
    """As instre: the ground truth and the folders of the archive end up in one folder."""
    text = tiny(to="tiny") and (tmp_path / "datasets.yaml").read_text()
    (tmp_path / "datasets.yaml").write_text(text.replace("unpack: flat", "unpack: tree"))
    dataset = named_dataset("tiny", load_registry(), (tmp_path / "datasets.yaml",))
    fetch_dataset(dataset, folders, policy=QUICK)
    paths = [*(f"tiny/paris/a/{name}.jpg" for name in NAMES[:2]), f"tiny/paris/c/{NAMES[2]}.jpg"]
    assert below(folders.root) == [".harness/tiny.json", "tiny/gnd.pkl", *paths]
    (folders.root / "tiny" / "gnd.pkl").unlink()
    fetched = fetch_dataset(dataset, folders, policy=QUICK)
    assert list(fetched.downloaded) == ["gnd.pkl"]
    assert (folders.root / "tiny" / "gnd.pkl").is_file()


def test_archives_are_kept_on_request(tiny, folders):
    fetch_dataset(tiny(), folders, policy=QUICK, keep_archives=True)
    assert (folders.root / ".fetching" / "tiny" / "one.tgz").is_file()


def test_one_fetch_at_a_time(tiny, folders):
    (folders.root / ".fetching").mkdir(parents=True)
    held = module.try_lock(folders.root / ".fetching", "tiny")
    with pytest.raises(HarnessError, match="another process is fetching"):
        fetch_dataset(tiny(), folders, policy=QUICK)
    held.release()


def test_embedded_data_need_no_fetching_and_own_images_say_what_to_do(folders):
    assert fetch_dataset(named_dataset("digits", load_registry()), folders).counts["train"] == 1297
    with pytest.raises(HarnessError, match="needs the parameter path"):
        named_dataset("image-classes", load_registry())
    with pytest.raises(HarnessError, match='unknown dataset "mnits"'):
        named_dataset("mnits", load_registry())
