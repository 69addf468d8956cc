"""What several processes share: made once, locked by content, never read damaged, bounded."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import warnings

import numpy as np
import pytest

from harness.cache.shared import SharedCache, entry_name, entry_names, evict, size_of, verify_entry
from harness.cache.store import Cache
from harness.core.errors import SpecError
from harness.core.files import write_atomically
from harness.core.locks import lock_path, locked, sweep, try_lock
from harness.core.signed import signed, unsigned

SLOW = """
import sys, time
import numpy as np
from harness.cache.shared import SharedCache
def make():
    with open(sys.argv[2], "a") as log:
        print("made", file=log)
    time.sleep(0.5)
    return {"x": np.arange(3)}
made = SharedCache(__import__("pathlib").Path(sys.argv[1])).get_or_make({"stage": "slow"}, make)
assert made.arrays["x"].tolist() == [0, 1, 2]
"""


def arrays(n: int = 3):
    return {"x": np.arange(n)}


def fill(folder, names, n=1000):
    for position, name in enumerate(names):
        SharedCache(folder).get_or_make({"stage": name}, lambda: arrays(n))
        stamp = time.time() - 1000 + position
        os.utime(folder / f"{entry_name({'stage': name})}.json", (stamp, stamp))
        os.utime(folder / f"{entry_name({'stage': name})}.npz", (stamp, stamp))


def test_every_flipped_bit_and_every_cut_of_a_signed_text_is_seen():
    text = signed({"id": "x", "values": [1, 2.5, None], "é": "ü"})
    assert unsigned(text) == {"id": "x", "values": [1, 2.5, None], "é": "ü"}
    for position in range(len(text)):
        for bit in range(8):
            flipped = bytearray(text)
            flipped[position] ^= 1 << bit
            with pytest.raises(ValueError, match="."):
                unsigned(bytes(flipped))
        with pytest.raises(ValueError, match="."):
            unsigned(text[:position])


def test_an_entry_is_made_once_however_many_processes_want_it(tmp_path):
    log = tmp_path / "log"
    command = [sys.executable, "-c", SLOW, str(tmp_path / "cache"), str(log)]
    children = [subprocess.Popen(command) for _ in range(4)]
    assert [child.wait() for child in children] == [0] * 4
    assert log.read_text() == "made\n"
    assert sorted(path.suffix for path in (tmp_path / "cache").iterdir()) == [".json", ".npz"]


def test_the_lock_of_a_killed_process_holds_nobody_up(tmp_path):
    code = "import sys, time; from pathlib import Path; from harness.core.locks import try_lock\n"
    code += "held = try_lock(Path(sys.argv[1]), 'x'); print('held', flush=True); time.sleep(60)"
    child = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    child.stdout.readline()
    assert try_lock(tmp_path, "x") is None
    (tmp_path / ".x.json.abc123.tmp").write_text("half")
    assert sweep(tmp_path) == []
    child.kill()
    child.wait()
    assert lock_path(tmp_path, "x").exists()
    assert [path.name for path in sweep(tmp_path)] == [".x.json.abc123.tmp"]
    assert list(tmp_path.iterdir()) == []


def test_a_lock_leaves_no_file_and_is_free_after_an_error(tmp_path):
    def fail():
        with locked(tmp_path, "x"):
            assert try_lock(tmp_path, "x") is None
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    held = try_lock(tmp_path, "x")
    assert held is not None
    held.release()
    assert list(tmp_path.iterdir()) == []


def test_entries_of_the_plain_cache_are_read_and_the_other_way_round(tmp_path):
    Cache(tmp_path).get_or_make({"stage": "a"}, arrays)
    shared = SharedCache(tmp_path)
    assert shared.get_or_make({"stage": "a"}, lambda: pytest.fail("made again")).cost.cached
    shared.get_or_make({"stage": "b"}, arrays)
    assert Cache(tmp_path).get_or_make({"stage": "b"}, lambda: pytest.fail("made again")).cost.cached


def test_a_full_disk_costs_nothing_but_the_entry(tmp_path, monkeypatch):
    def full(path, content):
        if path.suffix == ".json":
            raise OSError(28, "No space left on device")
        write_atomically(path, content)

    monkeypatch.setattr("harness.cache.shared.write_atomically", full)
    with pytest.warns(UserWarning, match="No space left"):
        made = SharedCache(tmp_path).get_or_make({"stage": "a"}, arrays)
    assert made.arrays["x"].tolist() == [0, 1, 2]
    assert list(tmp_path.iterdir()) == []


def test_the_least_recently_used_go_first_and_what_is_in_use_stays(tmp_path):
    fill(tmp_path, "abcd")
    names = [entry_name({"stage": stage}) for stage in "abcd"]
    assert entry_names(tmp_path) == names
    SharedCache(tmp_path).get_or_make({"stage": "a"}, lambda: pytest.fail("made again"))  # now the latest
    held = try_lock(tmp_path, names[1])
    assert held is not None
    size = sum(path.stat().st_size for path in tmp_path.glob(f"{names[0]}.*"))
    assert evict(tmp_path, int(2.5 * size)) == [names[2], names[3]]
    held.release()
    assert sorted(entry_names(tmp_path)) == sorted(names[:2])


def test_a_limit_holds_after_every_write(tmp_path, monkeypatch):
    monkeypatch.setenv("HARNESS_CACHE_LIMIT", "20K")
    for stage in "abcdef":
        SharedCache(tmp_path).get_or_make({"stage": stage}, lambda: arrays(1000))
        assert sum(path.stat().st_size for path in tmp_path.iterdir()) <= 20 * 1024
    assert entry_name({"stage": "f"}) in entry_names(tmp_path)


@pytest.mark.parametrize(
    ("text", "size"), [("0", 0), ("1500", 1500), ("2K", 2048), ("1.5GiB", 3 * 2**29), ("1tb", 2**40)]
)
def test_sizes(text, size):
    assert size_of(text) == size


def test_a_bad_size_is_the_users_mistake():
    with pytest.raises(SpecError, match="no size"):
        size_of("much")


def test_an_entry_under_another_name_is_damaged(tmp_path):
    fill(tmp_path, "ab")
    first, second = (entry_name({"stage": stage}) for stage in "ab")
    (tmp_path / f"{first}.json").write_bytes((tmp_path / f"{second}.json").read_bytes())
    assert "another entry" in verify_entry(tmp_path, first)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        SharedCache(tmp_path).get_or_make({"stage": "a"}, arrays)
    assert first in str(caught[0].message)
