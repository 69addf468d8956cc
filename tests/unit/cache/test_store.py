"""What several processes share: computed once, locked by content, never read damaged, bounded."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import warnings

import numpy as np
import pytest

from harness.cache import Cache, parse_size
from harness.cache.entries import EntryFolder, entry_name
from harness.core.digest import digest
from harness.core.errors import SpecError
from harness.core.files import write_atomically
from harness.core.locks import try_lock

SLOW = """
import sys, time
import numpy as np
from harness.cache import Cache
def compute():
    with open(sys.argv[2], "a") as log:
        print("computed", file=log)
    time.sleep(0.5)
    return {"x": np.arange(3)}
entry = Cache(__import__("pathlib").Path(sys.argv[1])).get_or_compute({"stage": "slow"}, compute)
assert entry.arrays["x"].tolist() == [0, 1, 2]
"""

pytestmark = pytest.mark.usefixtures("clean_process")


def arrays(n: int = 3):
    return {"x": np.arange(n)}


def fill(folder, names, n=1000):
    for position, name in enumerate(names):
        Cache(folder).get_or_compute({"stage": name}, lambda: arrays(n))
        stamp = time.time() - 1000 + position
        os.utime(folder / f"{entry_name({'stage': name})}.json", (stamp, stamp))
        os.utime(folder / f"{entry_name({'stage': name})}.npz", (stamp, stamp))


def test_an_entry_is_computed_once_however_many_processes_want_it(tmp_path):
    log = tmp_path / "log"
    command = [sys.executable, "-c", SLOW, str(tmp_path / "cache"), str(log)]
    children = [subprocess.Popen(command) for _ in range(4)]
    assert [child.wait() for child in children] == [0] * 4
    assert log.read_text() == "computed\n"
    assert sorted(path.suffix for path in (tmp_path / "cache").iterdir()) == [".json", ".npz"]


def test_a_full_disk_costs_nothing_but_the_entry(tmp_path, monkeypatch):
    def full(path, content):
        if path.suffix == ".json":
            raise OSError(28, "No space left on device")
        write_atomically(path, content)

    monkeypatch.setattr("harness.cache.entries.write_atomically", full)
    with pytest.warns(UserWarning, match="No space left"):
        entry = Cache(tmp_path).get_or_compute({"stage": "a"}, arrays)
    assert entry.arrays["x"].tolist() == [0, 1, 2]
    assert list(tmp_path.iterdir()) == []


def test_the_least_recently_used_go_first_and_what_is_in_use_stays(tmp_path):
    fill(tmp_path, "abcd")
    names = [entry_name({"stage": stage}) for stage in "abcd"]
    assert EntryFolder(tmp_path).names() == names
    Cache(tmp_path).get_or_compute({"stage": "a"}, lambda: pytest.fail("computed again"))  # now the latest
    lock = try_lock(tmp_path, names[1])
    assert lock is not None
    size = sum(path.stat().st_size for path in tmp_path.glob(f"{names[0]}.*"))
    assert EntryFolder(tmp_path).evict(int(2.5 * size)) == [names[2], names[3]]
    lock.release()
    assert sorted(EntryFolder(tmp_path).names()) == sorted(names[:2])


def test_a_limit_holds_after_every_write(tmp_path, monkeypatch):
    monkeypatch.setenv("HARNESS_CACHE_LIMIT", "20K")
    for stage in "abcdef":
        Cache(tmp_path).get_or_compute({"stage": stage}, lambda: arrays(1000))
        assert sum(path.stat().st_size for path in tmp_path.iterdir()) <= 20 * 1024
    assert entry_name({"stage": "f"}) in EntryFolder(tmp_path).names()


@pytest.mark.parametrize(
    ("text", "size"), [("0", 0), ("1500", 1500), ("2K", 2048), ("1.5GiB", 3 * 2**29), ("1tb", 2**40)]
)
def test_sizes(text, size):
    assert parse_size(text) == size


def test_a_bad_size_is_the_users_mistake():
    with pytest.raises(SpecError, match="not a valid size"):
        parse_size("much")


def test_an_entry_under_another_name_is_damaged(tmp_path):
    fill(tmp_path, "ab")
    first, second = (entry_name({"stage": stage}) for stage in "ab")
    (tmp_path / f"{first}.json").write_bytes((tmp_path / f"{second}.json").read_bytes())
    assert "another entry" in EntryFolder(tmp_path).damage(first)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        Cache(tmp_path).get_or_compute({"stage": "a"}, arrays)
    assert first in str(caught[0].message)


def counting(values):
    calls = []

    def compute():
        calls.append(1)
        return {"x": np.asarray(values, dtype=np.float32)}

    return compute, calls


def test_computed_once_and_the_cost_travels(tmp_path):
    compute, calls = counting([1, 2, 3])
    first = Cache(tmp_path).get_or_compute({"stage": "a"}, compute)
    second = Cache(tmp_path).get_or_compute({"stage": "a"}, compute)
    assert len(calls) == 1
    np.testing.assert_array_equal(first.arrays["x"], second.arrays["x"])
    assert second.cost.cached
    assert not first.cost.cached
    assert second.cost.wall_s == first.cost.wall_s


def test_another_key_is_another_entry_and_order_does_not_count(tmp_path):
    compute, calls = counting([1])
    cache = Cache(tmp_path)
    cache.get_or_compute({"a": 1, "b": 2}, compute)
    cache.get_or_compute({"b": 2, "a": 1}, compute)
    cache.get_or_compute({"a": 1, "b": 3}, compute)
    assert len(calls) == 2
    assert digest({"a": 1, "b": 2}) == digest({"b": 2, "a": 1})


@pytest.mark.parametrize("damage", ["flip", "truncate", "empty", "sidecar"])
def test_a_damaged_entry_is_named_and_computed_again(tmp_path, damage):
    compute, calls = counting([1, 2])
    Cache(tmp_path).get_or_compute({"k": 1}, compute)
    array, sidecar = next(tmp_path.glob("*.npz")), next(tmp_path.glob("*.json"))
    content = bytearray(array.read_bytes())
    if damage == "flip":
        content[len(content) // 2] ^= 1
        array.write_bytes(content)
    elif damage == "truncate":
        array.write_bytes(content[:-5])
    elif damage == "empty":
        array.write_bytes(b"")
    else:
        sidecar.write_text("{")
    with pytest.warns(UserWarning, match=array.stem):
        entry = Cache(tmp_path).get_or_compute({"k": 1}, compute)
    assert len(calls) == 2
    assert entry.arrays["x"].tolist() == [1, 2]
    assert json.loads(sidecar.read_text())["key"] == {"k": 1}


def test_an_array_without_its_sidecar_does_not_exist(tmp_path):
    compute, calls = counting([1])
    Cache(tmp_path).get_or_compute({"k": 1}, compute)
    next(tmp_path.glob("*.json")).unlink()
    Cache(tmp_path).get_or_compute({"k": 1}, compute)
    assert len(calls) == 2


def test_without_a_folder_nothing_is_stored():
    compute, calls = counting([1])
    cache = Cache(None)
    cache.get_or_compute({"k": 1}, compute)
    cache.get_or_compute({"k": 1}, compute)
    assert len(calls) == 2


def test_one_array_of_a_damaged_file_is_none_whatever_is_damaged(tmp_path):
    """A changed directory of the archive may name a password, another method or a later version."""
    cache, images = Cache(tmp_path), np.arange(64, dtype=np.uint8).reshape(2, 32)
    cache.get_or_compute({"a": 1}, lambda: {"images": images, "rows": np.ones((2, 3), np.float32)})
    (file,) = tmp_path.glob("*.npz")
    whole = file.read_bytes()
    for place in range(whole.index(b"PK\x01\x02"), len(whole)):
        file.write_bytes(whole[:place] + bytes([whole[place] ^ 9]) + whole[place + 1 :])
        found = cache.array({"a": 1}, "images")
        assert found is None or np.array_equal(found, images), place
