from __future__ import annotations

import json

import numpy as np
import pytest

from harness.cache.store import Cache
from harness.core.digest import digest
from harness.core.files import write_atomically


def counting(values):
    calls = []

    def make():
        calls.append(1)
        return {"x": np.asarray(values, dtype=np.float32)}

    return make, calls


def test_made_once_and_the_cost_travels(tmp_path):
    make, calls = counting([1, 2, 3])
    first = Cache(tmp_path).get_or_make({"stage": "a"}, make)
    second = Cache(tmp_path).get_or_make({"stage": "a"}, make)
    assert len(calls) == 1
    np.testing.assert_array_equal(first.arrays["x"], second.arrays["x"])
    assert second.cost.cached
    assert not first.cost.cached
    assert second.cost.wall_s == first.cost.wall_s


def test_another_key_is_another_entry_and_order_does_not_count(tmp_path):
    make, calls = counting([1])
    cache = Cache(tmp_path)
    cache.get_or_make({"a": 1, "b": 2}, make)
    cache.get_or_make({"b": 2, "a": 1}, make)
    cache.get_or_make({"a": 1, "b": 3}, make)
    assert len(calls) == 2
    assert digest({"a": 1, "b": 2}) == digest({"b": 2, "a": 1})


@pytest.mark.parametrize("damage", ["flip", "truncate", "empty", "sidecar"])
def test_a_damaged_entry_is_named_and_made_again(tmp_path, damage):
    make, calls = counting([1, 2])
    Cache(tmp_path).get_or_make({"k": 1}, make)
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
        made = Cache(tmp_path).get_or_make({"k": 1}, make)
    assert len(calls) == 2
    assert made.arrays["x"].tolist() == [1, 2]
    assert json.loads(sidecar.read_text())["key"] == {"k": 1}


def test_an_array_without_its_sidecar_does_not_exist(tmp_path):
    make, calls = counting([1])
    Cache(tmp_path).get_or_make({"k": 1}, make)
    next(tmp_path.glob("*.json")).unlink()
    Cache(tmp_path).get_or_make({"k": 1}, make)
    assert len(calls) == 2


def test_without_a_folder_nothing_is_kept():
    make, calls = counting([1])
    cache = Cache(None)
    cache.get_or_make({"k": 1}, make)
    cache.get_or_make({"k": 1}, make)
    assert len(calls) == 2


def test_an_interrupted_write_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "x.json"
    write_atomically(path, b"old")
    monkeypatch.setattr("os.replace", lambda *a: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        write_atomically(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]
