"""Operations use a fixed number of threads while a run is done, whatever the process may use."""

from __future__ import annotations

import os
import tracemalloc
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch

from harness.core import threads


@pytest.fixture
def two(monkeypatch):
    """A process that may use two threads."""
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def test_numbers_of_threads_come_back_after_an_error(two):
    def fail():
        with threads.reproducible():
            assert torch.get_num_threads() == threads.OPERATION
            assert threads.threads_here() == 2
            assert os.environ["OMP_NUM_THREADS"] == "1"
            raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        fail()
    assert torch.get_num_threads() == 2
    assert os.environ["OMP_NUM_THREADS"] == "2"
    assert threads.threads_here() == 2


def test_parts_are_shared_out_and_each_operation_in_them_uses_one_thread(two):
    def look(part):
        seen.append((part, torch.get_num_threads()))
        if part == 3:
            raise RuntimeError("stop")

    for parts in ([1], [1, 2, 4, 5]):
        seen = []
        with threads.reproducible():
            threads.on_all_threads(look, parts)
        threads.on_all_threads(look, parts)
        assert sorted(seen) == sorted([(part, 1) for part in parts] * 2)
    seen = []
    with pytest.raises(RuntimeError, match="stop"):
        threads.on_all_threads(look, [1, 3, 4])
    assert len(seen) == 3  # nothing is left running
    assert torch.get_num_threads() == 2


def test_parts_may_be_many(two):
    done = []
    tracemalloc.start()
    try:
        threads.on_all_threads(done.append, [1] * 5000)
        assert tracemalloc.get_traced_memory()[1] < 500 * 5000
    finally:
        tracemalloc.stop()
    assert len(done) == 5000


@pytest.mark.parametrize("started_in", ["1", "2", "5"])
def test_a_network_gives_the_same_bytes_however_many_threads_there_were(monkeypatch, started_in):
    monkeypatch.setenv("OMP_NUM_THREADS", started_in)
    before = torch.get_num_threads()
    torch.set_num_threads(int(started_in))
    torch.manual_seed(0)
    network = torch.nn.Sequential(torch.nn.Conv2d(3, 64, 3), torch.nn.ReLU(), torch.nn.Conv2d(64, 64, 3)).eval()
    image = torch.rand(1, 3, 48, 64)
    matrix = np.random.default_rng(0).normal(size=(300, 300)).astype(np.float32)

    def answer(_=None):
        with torch.inference_mode():
            return network(image).mean().numpy().tobytes(), (matrix @ matrix).tobytes()

    try:
        with threads.reproducible():
            here = answer()
            with ThreadPoolExecutor(2, initializer=threads.settle_thread) as pool:
                assert list(pool.map(answer, range(4))) == [here] * 4
        torch.set_num_threads(1)
        with threads.reproducible():
            assert answer() == here
    finally:
        torch.set_num_threads(before)
