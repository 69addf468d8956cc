"""The pool that an acquisition sees holds no hidden label, wherever one looks."""

from __future__ import annotations

import numpy as np
import pytest

from harness.active import Pool


def reachable(value, depth=4, seen=None):
    """Every array that attributes, closures, lists and mappings lead to."""
    seen = set() if seen is None else seen
    if depth == 0 or id(value) in seen:
        return
    seen.add(id(value))
    if isinstance(value, np.ndarray):
        yield value
        if value.base is not None:
            yield from reachable(value.base, depth - 1, seen)
        return
    parts = list(getattr(value, "__dict__", {}).values())
    parts += [cell.cell_contents for cell in getattr(value, "__closure__", None) or ()]
    parts += list(value.values()) if isinstance(value, dict) else []
    parts += list(value) if isinstance(value, list | tuple) else []
    for part in parts:
        yield from reachable(part, depth - 1, seen)


def test_no_hidden_label_can_be_reached():
    truth = np.arange(30) % 3
    known = np.where(np.arange(30) < 6, truth, -1)
    rng = np.random.default_rng(0)
    pool = Pool(rng.normal(size=(30, 4)), rng.dirichlet(np.ones(3), 30), known, np.zeros((30, 1, 2, 2), np.uint8))
    for name in ("labels", "labelled", "unlabelled", "features"):
        getattr(pool, name)
    arrays = list(reachable(pool))
    assert len(arrays) >= 5
    for array in arrays:
        if array.shape == truth.shape:
            assert not np.array_equal(array, truth)
            assert (array[6:] == -1).all() or not np.array_equal(array[6:], truth[6:])


def test_what_it_shows_cannot_be_changed():
    pool = Pool(np.zeros((4, 2)), np.full((4, 2), 0.5), [0, -1, -1, 1])
    for name in ("features", "probabilities", "labels", "labelled", "unlabelled"):
        with pytest.raises(ValueError, match="read-only"):
            getattr(pool, name)[0] = 1
