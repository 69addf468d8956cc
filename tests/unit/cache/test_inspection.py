"""``harness cache``: what is stored, what is damaged, how entries differ."""

from __future__ import annotations

import numpy as np
import pytest

from harness.cache import Cache
from harness.cache.entries import entry_name
from harness.cache.inspection import cache_entries, clear_cache, explain_entry, verify_cache
from harness.core.errors import SpecError
from harness.core.locks import try_lock

pytestmark = pytest.mark.usefixtures("clean_process")

KEYS = [{"stage": "maps", "p": p, "method": {"name": "gem", "size": 8}} for p in (1, 2)]


@pytest.fixture
def cache(tmp_path):
    for key in [*KEYS, {"kind": "images"}]:
        Cache(tmp_path / "arrays").get_or_compute(key, lambda: {"x": np.arange(100)})
    return tmp_path


def test_entries_are_listed_with_stage_and_size(cache):
    entries = cache_entries(cache)
    assert sorted(entry.stage for entry in entries) == ["images", "maps", "maps"]
    assert all(entry.bytes > 800 and not entry.damage for entry in entries)


def test_damage_is_named_and_removed_only_when_asked(cache):
    flipped, lonely = entry_name(KEYS[0]), entry_name(KEYS[1])
    path = cache / "arrays" / f"{flipped}.npz"
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    (cache / "arrays" / f"{lonely}.json").unlink()
    for remove in (False, True):
        damaged = {entry.name: entry.damage for entry in verify_cache(cache, remove=remove)}
        assert "its checksum differs" in damaged[flipped]
        assert "is missing" in damaged[lonely]
    assert [entry.stage for entry in cache_entries(cache)] == ["images"]
    assert verify_cache(cache) == []


def test_what_is_being_computed_is_neither_checked_nor_cleared(cache):
    name = entry_name(KEYS[0])
    lock = try_lock(cache / "arrays", name)
    assert lock is not None
    (cache / "arrays" / f"{name}.json").unlink()
    assert verify_cache(cache) == []
    assert len(clear_cache(cache)) == 2
    lock.release()
    assert clear_cache(cache) == [name]


def test_an_entry_is_explained_by_the_one_most_like_it(cache):
    name, other = map(entry_name, KEYS)
    entry, lines = explain_entry(name[:8], cache)
    assert entry.name == name
    assert lines == [f"nearest: {other}", "p: 1, there 2"]
    with pytest.raises(SpecError, match="no entry of the cache begin"):
        explain_entry("zz", cache)
    with pytest.raises(SpecError, match="3 entries of the cache begin"):
        explain_entry("", cache)
