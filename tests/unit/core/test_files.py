from __future__ import annotations

import os

import pytest

from harness.core.files import write_atomically


def test_an_interrupted_write_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "x.json"
    write_atomically(path, b"old")
    monkeypatch.setattr("os.replace", lambda *a: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        write_atomically(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("lasting", [True, False])
def test_only_what_has_to_last_waits_for_the_disk(tmp_path, monkeypatch, lasting):
    waited = []
    monkeypatch.setattr(os, "fsync", lambda handle: waited.append(handle))
    write_atomically(tmp_path / "file", b"content", lasting=lasting)
    assert bool(waited) == lasting
    assert (tmp_path / "file").read_bytes() == b"content"
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
