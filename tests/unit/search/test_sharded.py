"""Search by shards: the answer of one process, bit for bit, wherever the rows lie and however they are cut."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from harness.core.cost import measured
from harness.core.errors import DataMissing, FileUnusable, InvalidInput
from harness.search import stored_rows, top_k
from harness.search.sharded import ShardedSearch, here, libraries
from harness.search.stored_rows import StoredRows, bounds, shards_of


@pytest.fixture
def small_shards(monkeypatch):
    monkeypatch.setattr(stored_rows, "LEAST_ROWS", 16)
    monkeypatch.setattr(stored_rows, "_NUMBERS", 8 * 30)  # blocks of 30 rows


def data(rng, n=400, q=12):
    rows = rng.integers(-2, 3, (n, 8)).astype(np.float32)  # many equal scores
    return rng.integers(-2, 3, (q, 8)).astype(np.float32), rows


def same(a, b):
    assert all(np.array_equal(left, right) for left, right in zip(a[:2], b[:2], strict=True))
    for left, right in zip(a[2:], b[2:], strict=True):
        assert len(left) == len(right)
        assert all(np.array_equal(x, y) for x, y in zip(left, right, strict=True))


@pytest.mark.parametrize("count", [1, 3, 8])
@pytest.mark.parametrize("k", [1, 25, None, 0])
def test_the_answer_is_that_of_one_process(tmp_path, small_shards, count, k):
    rng = np.random.default_rng(0)
    queries, rows = data(rng)
    labelled = [rng.choice(400, rng.integers(0, 6), replace=False) for _ in queries]
    search = ShardedSearch(count, here, tmp_path)
    for wanted in ((), labelled):
        same(search(queries, rows, k, ranks_of=wanted), top_k(queries, rows, k, ranks_of=wanted))
    assert list(tmp_path.iterdir()) == []  # what was written for the jobs is gone


@pytest.mark.parametrize(("n", "have"), [(60, "1 job of a search has"), (1500, "2 jobs of a search have")])
def test_a_database_that_is_too_small_for_so_many_shards_is_said(tmp_path, n, have):
    queries, rows = data(np.random.default_rng(7), n=n)
    said = f"{n:,} images in 3 shards: {have} work, as a shard has at least 1,024 images"
    with pytest.warns(UserWarning, match=said):
        same(ShardedSearch(3, here, tmp_path)(queries, rows, 5), top_k(queries, rows, 5))


def test_rows_in_files_stay_there(tmp_path, small_shards, monkeypatch):
    rng = np.random.default_rng(1)
    queries, rows = data(rng)
    np.save(tmp_path / "a.npy", rows[:150].astype(np.float16))
    np.save(tmp_path / "b.npy", rows[100:])
    arrays = [
        np.load(tmp_path / "a.npy", mmap_mode="r")[7:140],
        rows[140:170].astype(np.float64),  # in memory: written
        np.load(tmp_path / "b.npy", mmap_mode="c")[70:],
    ]
    written = []
    monkeypatch.setattr(stored_rows, "_written", lambda array, path: written.append(len(array)) or kept(array, path))
    whole = [array.astype(np.float32) for array in arrays]
    same(ShardedSearch(5, here, tmp_path / "cache")(queries, arrays, 40), top_k(queries, whole, 40))
    assert written == [30]


kept = stored_rows._written
FULL = Path("/dev/full")


def test_shards_are_even_and_none_is_empty():
    assert [len(rows) for rows in bounds(10_000, 4)] == [2048, 3072, 2048, 2832]
    assert [len(rows) for rows in bounds(1500, 8)] == [1024, 476]
    assert [len(rows) for rows in bounds(0, 8)] == [0]
    assert bounds(100_000, 7)[-1].stop == 100_000


def test_what_jobs_take_is_counted(tmp_path, monkeypatch):
    queries, rows = data(np.random.default_rng(2))
    answers = []

    def jobs(function, tasks, label):
        answers.extend(replace(function(task), process="of another machine") for task in tasks)
        answers[0].cost.cpu_s += 1000
        answers[0].cost.peak_bytes = 10**15
        return answers

    with measured() as cost:
        ShardedSearch(2, jobs, tmp_path)(queries, rows, 5)
    assert cost.cpu_s > 1000
    assert cost.peak_bytes == 10**15


def test_mistakes_have_one_sentence(tmp_path):
    queries, rows = data(np.random.default_rng(3))
    with pytest.raises(InvalidInput, match="0 shards"):
        ShardedSearch(0, here, tmp_path)
    with pytest.raises(InvalidInput, match="shard 1 has shape"):
        ShardedSearch(2, here, tmp_path)(queries, [rows, rows[:, :3]], 5)
    with pytest.raises(DataMissing, match="seen under the same path"):
        StoredRows(tmp_path / "none", 0, "float32", (3, 4)).mapped()


def test_what_a_killed_process_left_is_removed_and_what_is_in_use_stays(tmp_path):
    left = tmp_path / "harness-shards-0123456789abcdef"
    left.mkdir()
    (left / "0.bin").touch()
    others = tmp_path / "mine"
    others.mkdir()
    rows = [np.eye(3, dtype=np.float32)]
    with shards_of(rows, 1, tmp_path) as (_, used):
        assert not left.exists()
        with shards_of(rows, 1, tmp_path):
            assert (used / "0.bin").is_file()
    assert list(tmp_path.iterdir()) == [others]


def test_shards_that_are_threads_of_one_process_cost_what_it_took(tmp_path):
    rng = np.random.default_rng(4)
    queries, rows = data(rng, n=60_000, q=200)
    answers = []

    def jobs(function, tasks, label):
        with ThreadPoolExecutor(4) as pool:
            answers.extend(pool.map(function, tasks))
        return answers

    before = time.process_time()
    ShardedSearch(8, jobs, tmp_path)(queries, rows, 50)
    assert 0 < sum(answer.cost.cpu_s for answer in answers) <= time.process_time() - before


def test_a_worker_with_other_libraries_is_named_once(tmp_path):
    queries, rows = data(np.random.default_rng(5), n=4096)

    def jobs(function, tasks, label):
        other = {"process": "node7-12", "libraries": {**libraries(), "numpy": "1.0"}}
        return [replace(function(task), **other) for task in tasks]

    with pytest.warns(UserWarning, match=r"worker node7-12 has numpy 1\.0, here \d.*same versions") as told:
        ShardedSearch(4, jobs, tmp_path)(queries, rows, 5)
    assert len(told) == 1


@pytest.mark.skipif(not FULL.exists(), reason="no device that is always full")
def test_a_worker_of_a_harness_that_tells_no_libraries_is_named(tmp_path):
    def older(answer):
        answer = replace(answer, process="node8-3")
        del answer.__dict__["libraries"]  # as it is read from what an older harness pickled
        return answer

    def jobs(function, tasks, label):
        return [older(function(task)) for task in tasks]

    queries, rows = data(np.random.default_rng(5))
    with pytest.warns(UserWarning, match="worker node8-3 runs another version of the harness: its results may differ"):
        found = ShardedSearch(2, jobs, tmp_path)(queries, rows, 5)
    same(found, top_k(queries, rows, 5))


def test_a_full_disk_is_said_with_its_folder(tmp_path, monkeypatch):
    queries, rows = data(np.random.default_rng(6))
    monkeypatch.setattr(stored_rows, "_written", lambda array, path: kept(array, FULL))
    with pytest.raises(FileUnusable, match=f"cannot use {tmp_path}/harness-shards-.*: No space left on device"):
        ShardedSearch(2, here, tmp_path)(queries, rows, 5)
    assert list(tmp_path.iterdir()) == []
