"""Databases, queries and searches that tests of expansions share."""

from __future__ import annotations

import numpy as np

from harness.plugin_api import Ranking


def unit(x):
    x = np.asarray(x, np.float64)
    return (x / np.maximum(np.linalg.norm(x, axis=-1, keepdims=True), 1e-12)).astype(np.float32)


def data(n, d=6, q=3, seed=0):
    """A database (n, d) and queries (q, d) around four centres."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(4, d))
    return [unit(centres[rng.integers(0, 4, m)] + 0.7 * rng.normal(size=(m, d))) for m in (n, q)]


def searched(queries, database, depth=None):
    """The ranking of each query, equal scores by position."""
    scores = queries @ database.T
    order = np.argsort(-scores, axis=1, kind="stable")[:, :depth]
    return Ranking(order.astype(np.int64), np.take_along_axis(scores, order, 1))
