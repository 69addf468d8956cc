"""A column gives the same bytes alone and in a block, whatever the number of threads."""

from __future__ import annotations

import numpy as np
import pytest

from harness.graph import Solver, affinity, normalise


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_alone_in_a_block_and_on_several_threads(dtype, monkeypatch):
    rng = np.random.default_rng(0)
    s = normalise(affinity(rng.standard_normal((3000, 6)), 12))
    b = rng.random((3000, 40)).astype(dtype)
    found = {}
    for threads in ("1", "2", "3"):
        monkeypatch.setenv("OMP_NUM_THREADS", threads)
        found[threads], _ = Solver(s, dtype=dtype).solve(b)
    assert np.array_equal(found["1"], found["2"])
    assert np.array_equal(found["1"], found["3"])
    for column in (0, 7, 39):
        alone, _ = Solver(s, dtype=dtype).solve(b[:, column])
        assert np.array_equal(alone, found["1"][:, column])
