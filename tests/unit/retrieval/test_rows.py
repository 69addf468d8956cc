"""Rows of a collection that is described in parts: none is computed twice, and none read by another part."""

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor
from threading import Event

import numpy as np
import pytest

from harness.cache import Cache
from harness.cache.entries import EntryFolder
from harness.retrieval import rows
from harness.retrieval.rows import add_rows, stored_rows

KEY = {"of": "a collection"}


@pytest.fixture(autouse=True)
def portions_of_four(monkeypatch, clean_process):
    monkeypatch.setattr(rows, "PORTION", 4)


@pytest.fixture
def images():
    return [hashlib.sha256(bytes([i])).digest() for i in range(48)]


def described(images, computed=None):
    def compute(positions, done):
        if computed is not None:
            computed.extend(images[i] for i in positions)
        return np.array([np.frombuffer(images[i], np.uint8)[:6] for i in positions], np.float32)[:, None]

    return compute


def test_a_part_reads_which_images_others_described_and_no_row_of_them(tmp_path, images, monkeypatch):
    cache, entries, arrays = Cache(tmp_path), [], []
    read, array = EntryFolder.read, EntryFolder.array
    monkeypatch.setattr(EntryFolder, "read", lambda self, name: entries.append(name) or read(self, name))

    def one(self, name, which):
        found = array(self, name, which)
        arrays.append(found.nbytes)
        return found

    monkeypatch.setattr(EntryFolder, "array", one)
    for part in range(6):
        entries.clear()
        arrays.clear()
        own = images[8 * part : 8 * part + 8]
        add_rows(own, described(own), KEY, cache)
        assert sum(arrays) <= 32 * 8 * (part + 1)  # each identity once
        assert len(set(entries)) <= 2  # its own, which it looks for before it writes them
    found, cost = stored_rows(images, pytest.fail, "pooling", KEY, cache)
    assert np.array_equal(found, described(images)(range(48), 0))
    assert cost.cached


def test_what_others_append_meanwhile_is_neither_read_nor_overwritten(tmp_path, images, monkeypatch):
    cache, computed = Cache(tmp_path), []
    mine, theirs = images[:12], images[12:]
    part = described(mine, computed)

    def compute(positions, done):
        if not done:
            add_rows(theirs, described(theirs), KEY, Cache(tmp_path))
            monkeypatch.setattr(EntryFolder, "read", only_mine)
        return part(positions, done)

    read = EntryFolder.read

    def only_mine(self, name):
        entry = read(self, name)
        assert {row.tobytes() for row in entry.arrays["images"]} <= set(mine)
        return entry

    add_rows(mine, compute, KEY, cache)
    monkeypatch.setattr(EntryFolder, "read", read)
    assert sorted(computed) == sorted(mine)
    assert np.array_equal(stored_rows(images, pytest.fail, "pooling", KEY, cache)[0], described(images)(range(48), 0))


def test_what_is_stored_is_not_described_again_and_what_is_damaged_is(tmp_path, images):
    cache, computed = Cache(tmp_path), []
    add_rows(images[:8], described(images), KEY, cache)
    add_rows(images[:12], described(images, computed), KEY, cache)
    assert computed == images[8:12]
    damaged = next(path for path in tmp_path.glob("*.npz") if images[0] in path.read_bytes())
    damaged.write_bytes(damaged.read_bytes()[:-40])
    with pytest.warns(UserWarning, match="its checksum differs"):
        add_rows(images[:12], described(images, computed), KEY, cache)
    assert computed[4:] == images[:4]


def test_of_two_who_describe_the_same_part_one_waits_and_finds_it(tmp_path, images):
    computed, begun = [], Event()

    def compute(positions, done):
        begun.set()
        return described(images, computed)(positions, done)

    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(add_rows, images[:8], compute, KEY, Cache(tmp_path))
        assert begun.wait(60)
        second = pool.submit(add_rows, images[:8], compute, KEY, Cache(tmp_path))
        for user in (first, second):
            user.result(60)
    assert computed == images[:8]


def test_what_another_part_of_more_images_stored_meanwhile_is_not_stored_again(tmp_path, images):
    def compute(positions, done):
        if not done:
            add_rows(images[:12], described(images), KEY, Cache(tmp_path))
        return described(images)(positions, done)

    add_rows(images[:8], compute, KEY, Cache(tmp_path))
    assert len(list(tmp_path.glob("*.npz"))) == 3
