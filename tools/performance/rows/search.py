"""Exact search beside faiss."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
from comparisons import FEW_ROUNDS, MANY, Comparison, clustered, compared


def _search(n: int, d: int, k: int) -> Comparison:
    import faiss

    from harness.search import top_k

    x = clustered(n, d)

    def same(ours: Any, theirs: Any) -> None:
        np.testing.assert_allclose(ours.scores, theirs[0], rtol=0, atol=1e-5)

    rounds = FEW_ROUNDS if n >= MANY else 0
    return Comparison(
        lambda: top_k(x, x, k), lambda: faiss.knn(x, x, k, metric=faiss.METRIC_INNER_PRODUCT), same, rounds=rounds
    )


for _n, _d in ((20_000, 128), (10_000, 512), (50_000, 128)):
    compared("exact nearest neighbours", f"{_n:,} x {_d}, 50 each", "faiss.knn", "similarities to 1e-5", "faiss-cpu")(
        partial(_search, _n, _d, 50)
    )
