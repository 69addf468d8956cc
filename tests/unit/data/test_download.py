"""Downloads from a server on this machine that cuts, stalls, lies and forgets."""

from __future__ import annotations

import errno
import gzip
import hashlib
import io
import json
import re
import socket
import threading
import time
from collections import namedtuple

import numpy as np
import pytest

from harness.data import disk, transfer
from harness.data.disk import NoSpace
from harness.data.download import DownloadFailed, RetryPolicy, download
from harness.data.entry import SourceFile

CONTENT = np.random.default_rng(0).bytes(700_000)
MD5 = "md5:" + hashlib.md5(CONTENT, usedforsecurity=False).hexdigest()
SIZE = len(CONTENT)
QUICK = RetryPolicy(timeout=30, retries=1, pause=0)
SHORT = RetryPolicy(timeout=1, retries=1, pause=0)
"""For servers that send nothing: all others get the time that a busy machine needs."""
CLOSED = "http://127.0.0.1:9/closed"


@pytest.fixture
def wanted(mirror):
    """A file that the mirror has, at addresses of these kinds."""
    mirror.files["a.tgz"] = CONTENT

    def make(*ways, checksum=MD5, size=SIZE):
        urls = [way if ":" in way else mirror.url(way, "a.tgz") for way in ways]
        return SourceFile(name="a.tgz", urls=urls, to="x", checksum=checksum, size=size)

    return make


class Seen:
    def __init__(self):
        self.updates = []

    def update(self, label, done, total):
        self.updates.append((label, done, total))


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_file_and_its_progress(wanted, tmp_path):
    seen = Seen()
    path, url = download(wanted("good"), tmp_path / "new", progress=seen, policy=QUICK)
    assert path.read_bytes() == CONTENT
    assert url.endswith("/good/a.tgz")
    assert names(path.parent) == ["a.tgz"]
    done = [done for _, done, _ in seen.updates]
    assert done == sorted(done)
    assert seen.updates[0] == ("a.tgz (kB)", 0, 700)
    assert seen.updates[-1] == ("a.tgz (kB)", 700, 700)
    assert len(done) > 3


def test_a_file_that_is_there_is_not_fetched_again(wanted, tmp_path, mirror):
    for _ in range(2):
        download(wanted("good"), tmp_path, policy=QUICK)
    assert len(mirror.requests) == 1


def test_a_cut_transfer_goes_on_where_it_stopped(wanted, tmp_path, mirror):
    mirror.cuts = 3
    path, _ = download(wanted("cut"), tmp_path, policy=RetryPolicy(30, 0, 0))
    assert path.read_bytes() == CONTENT
    assert [asked for _, asked in mirror.requests] == ["", "bytes=350000-", "bytes=525000-", "bytes=612500-"]


def test_a_later_call_goes_on_too(wanted, tmp_path, mirror, monkeypatch):
    def killed(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(transfer.time, "sleep", killed)
    with pytest.raises(KeyboardInterrupt):
        download(wanted("cut"), tmp_path, policy=QUICK)
    assert names(tmp_path) == [".a.tgz.part", ".a.tgz.part.json"]
    monkeypatch.undo()
    path, _ = download(wanted("cut"), tmp_path, policy=QUICK)
    assert path.read_bytes() == CONTENT
    assert mirror.requests[-1][1] == "bytes=350000-"
    assert names(tmp_path) == ["a.tgz"]


def test_a_file_that_changed_meanwhile_starts_anew(wanted, tmp_path, mirror, monkeypatch):
    def changed(*_):
        mirror.version = '"2"'
        mirror.files["a.tgz"] = CONTENT[::-1]

    monkeypatch.setattr(transfer.time, "sleep", changed)
    path, _ = download(wanted("cut", checksum=""), tmp_path, policy=QUICK)
    assert path.read_bytes() == CONTENT[::-1]


def test_a_server_that_cannot_resume(wanted, tmp_path, mirror, monkeypatch):
    (tmp_path / ".a.tgz.part").write_bytes(b"junk")
    (tmp_path / ".a.tgz.part.json").write_text(json.dumps({"url": mirror.url("rangeless", "a.tgz")}))
    assert download(wanted("rangeless"), tmp_path, policy=QUICK)[0].read_bytes() == CONTENT


def test_a_part_longer_than_the_file_starts_anew(wanted, tmp_path, mirror):
    (tmp_path / ".a.tgz.part").write_bytes(CONTENT + b"more")
    (tmp_path / ".a.tgz.part.json").write_text(json.dumps({"url": mirror.url("good", "a.tgz")}))
    assert download(wanted("good"), tmp_path, policy=QUICK)[0].read_bytes() == CONTENT


def test_a_part_of_another_address_is_not_gone_on_with(wanted, tmp_path, mirror):
    (tmp_path / ".a.tgz.part").write_bytes(b"of another mirror")
    (tmp_path / ".a.tgz.part.json").write_text('{"url": "http://elsewhere/a.tgz"}')
    assert download(wanted("good"), tmp_path, policy=QUICK)[0].read_bytes() == CONTENT
    assert mirror.requests[0][1] == ""


def test_404_then_the_mirror(wanted, tmp_path, mirror):
    path, url = download(wanted("missing", "good"), tmp_path, policy=QUICK)
    assert path.read_bytes() == CONTENT
    assert "/good/" in url
    assert mirror.counts["/missing/a.tgz"] == 1


def test_a_wrong_file_then_the_mirror(wanted, tmp_path):
    assert download(wanted("wrong", "good"), tmp_path, policy=QUICK)[0].read_bytes() == CONTENT


def test_a_busy_server_is_asked_again(wanted, tmp_path, mirror):
    assert download(wanted("ill"), tmp_path, policy=QUICK)[0].read_bytes() == CONTENT
    assert mirror.counts["/ill/a.tgz"] == 2


def test_a_server_that_stalls_is_cut_and_gone_on_with(wanted, tmp_path, mirror):
    assert download(wanted("stall"), tmp_path, policy=SHORT)[0].read_bytes() == CONTENT
    assert not mirror.hung_up_first
    assert mirror.requests[-1][1].startswith("bytes=")


def test_without_a_length(wanted, tmp_path):
    assert download(wanted("unsized"), tmp_path, policy=QUICK)[0].read_bytes() == CONTENT


def test_an_archive_that_is_called_a_compressed_answer_stays_packed(wanted, tmp_path, mirror):
    mirror.files["a.tgz"] = packed = gzip.compress(b"a tar")
    assert download(wanted("compressed", checksum="", size=None), tmp_path, policy=QUICK)[0].read_bytes() == packed


@pytest.mark.parametrize(
    ("way", "words"),
    [
        ("missing", "answers 404"),
        ("wrong", f"another file: its checksum is not {MD5}"),
        ("longer", "more than the 700 kB that the file has"),
        ("silent", "sent nothing for 1 seconds"),
        (CLOSED, "no connection"),
    ],
)
def test_what_failed_is_said_and_nothing_is_left(wanted, tmp_path, way, words):
    with pytest.raises(DownloadFailed) as caught:
        download(wanted(way, "missing"), tmp_path, policy=SHORT)
    text = str(caught.value)
    assert words in text
    assert "answers 404" in text
    assert f"put a.tgz into {tmp_path}" in text
    assert caught.value.exit_code == 4
    assert names(tmp_path) == []


def test_a_host_without_name(wanted, tmp_path, monkeypatch):
    def unknown(*_, **__):
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    monkeypatch.setattr(transfer.time, "sleep", None)  # nobody waits for a network that is not there
    with pytest.raises(DownloadFailed, match="could not be downloaded") as caught:
        download(wanted("http://nowhere.invalid/a.tgz"), tmp_path, policy=QUICK)
    assert "no network?" in caught.value.why


def test_a_disk_that_is_too_small(wanted, tmp_path, monkeypatch):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(disk.shutil, "disk_usage", lambda _: usage(10**6, 10**6 - 1000, 1000))
    with pytest.raises(NoSpace, match=r"a\.tgz needs 700 kB.*1\.0 kB left"):
        download(wanted("good"), tmp_path, policy=QUICK)
    assert "a.tgz" not in names(tmp_path)


def test_a_disk_that_gets_full(wanted, tmp_path, monkeypatch):
    class Full(io.FileIO):
        def write(self, _):
            raise OSError(errno.ENOSPC, "No space left on device")

    real = transfer.Path.open
    monkeypatch.setattr(
        transfer.Path, "open", lambda self, mode="r", **k: Full(self, mode) if mode == "ab" else real(self, mode, **k)
    )
    with pytest.raises(NoSpace, match="is full"):
        download(wanted("good"), tmp_path, policy=QUICK)
    assert "a.tgz" not in names(tmp_path)


def test_a_folder_that_is_closed(wanted, tmp_path, monkeypatch):
    def closed(*_, **__):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr("pathlib.Path.mkdir", closed)
    with pytest.raises(NoSpace, match="cannot be written to"):
        download(wanted("good"), tmp_path / "new", policy=QUICK)


def ftp_server(content, cut_at=0):
    """Answers one client after another; sends only ``cut_at`` bytes to the first one."""
    listener = socket.create_server(("127.0.0.1", 0))
    log = []

    def session(client, first):
        lines = client.makefile("r")
        say = lambda text: client.sendall(text.encode() + b"\r\n")  # noqa: E731
        say("220 ready")
        rest, passive = 0, None
        for line in lines:
            command, _, argument = line.strip().partition(" ")
            log.append(line.strip())
            if command in ("USER", "PASS", "TYPE", "REST"):
                rest = int(argument) if command == "REST" else rest
                say({"USER": "331 go on", "PASS": "230 in", "TYPE": "200 ok", "REST": "350 ok"}[command])
            elif command == "SIZE":
                say(f"213 {len(content)}" if argument == "/pub/a.tgz" else "550 no such file")
            elif command == "EPSV":
                passive = socket.create_server(("127.0.0.1", 0))
                say(f"229 ok (|||{passive.getsockname()[1]}|)")
            elif command == "PASV":
                passive = socket.create_server(("127.0.0.1", 0))
                port = passive.getsockname()[1]
                say(f"227 ok (127,0,0,1,{port // 256},{port % 256})")
            elif command == "RETR":
                say("150 here")
                data, _ = passive.accept()
                data.sendall(content[rest : cut_at if first and cut_at else None])
                data.close()
                if first and cut_at:
                    break
                say("226 done")
            else:
                say("221 bye")
                break
        client.close()

    def serve():
        first = True
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            session(client, first)
            first = False

    threading.Thread(target=serve, daemon=True).start()
    return listener, log


def test_ftp_goes_on_where_it_stopped(wanted, tmp_path):
    listener, log = ftp_server(CONTENT, cut_at=300_000)
    with listener:
        url = f"ftp://127.0.0.1:{listener.getsockname()[1]}/pub/a.tgz"
        path, _ = download(wanted(url), tmp_path, policy=RetryPolicy(30, 1, 0))
    assert path.read_bytes() == CONTENT
    assert "REST 300000" in log


def test_ftp_without_the_file(wanted, tmp_path):
    listener, _ = ftp_server(CONTENT)
    with listener, pytest.raises(DownloadFailed, match="could not") as caught:
        download(wanted(f"ftp://127.0.0.1:{listener.getsockname()[1]}/pub/b.tgz"), tmp_path, policy=QUICK)
    assert "550 no such file" in caught.value.why


@pytest.mark.parametrize(
    ("policy", "words"),
    [
        (RetryPolicy(30, 0, 0, deadline=-1), "not whole after -1 seconds"),
        (RetryPolicy(30, 5, 0, connections=2), "not whole after 2 connections"),
        (RetryPolicy(30, 0, 0, least_rate=1e12, rate_seconds=0, connections=3), "connections|sends less than 1,000 GB"),
    ],
)
def test_a_transfer_has_a_deadline_a_least_rate_and_few_connections(wanted, tmp_path, mirror, policy, words):
    mirror.cuts = 50
    with pytest.raises(DownloadFailed, match="could not be downloaded") as caught:
        download(wanted("cut"), tmp_path, policy=policy)
    assert re.search(words, str(caught.value))
    assert len(mirror.requests) <= policy.connections


def test_the_deadline_is_for_all_addresses_together(wanted, tmp_path, mirror):
    mirror.cuts = 50
    with pytest.raises(DownloadFailed):
        download(wanted("cut", "ill", "cut"), tmp_path, policy=RetryPolicy(30, 5, 0, connections=4))
    assert len(mirror.requests) == 4


def test_a_drip_is_noticed_before_a_block_is_whole(wanted, tmp_path, mirror):
    began = time.monotonic()
    with pytest.raises(DownloadFailed, match="could not be downloaded"):
        download(
            wanted("drip"), tmp_path, policy=RetryPolicy(30, 0, 0, least_rate=1e6, rate_seconds=0.3, connections=2)
        )
    assert time.monotonic() - began < 20
