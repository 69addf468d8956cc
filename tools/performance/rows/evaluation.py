"""Evaluation beside a query at a time."""

from __future__ import annotations

from typing import Any

import numpy as np
from comparisons import Comparison, compared


@compared("evaluation", "70 queries, 100,000 ranks, three setups", "numpy, a query at a time", "AP to 1e-10", least=2)
def evaluation() -> Comparison:
    """The revisited protocol against membership tests of whole rankings, as released code has them."""
    from harness.metrics.ranking import evaluate

    n, queries = 100_000, 70
    rng = np.random.default_rng(0)
    ranks = np.stack([rng.permutation(n) for _ in range(queries)])
    chosen = [rng.choice(n, 120, replace=False) for _ in range(queries)]
    truth = [{"easy": ids[:40], "hard": ids[40:80], "junk": ids[80:]} for ids in chosen]

    def precision(row: Any, wanted: Any, removed: Any) -> float:
        found, junk = np.flatnonzero(np.isin(row, wanted)), np.flatnonzero(np.isin(row, removed))
        found = found - np.searchsorted(junk, found)
        hits = np.arange(len(found))
        before = np.where(found == 0, 1.0, hits / np.maximum(found, 1))
        return float(((before + (hits + 1) / (found + 1)) / 2).sum() / len(wanted))

    def plain() -> Any:
        result: dict[str, list[float]] = {"easy": [], "medium": [], "hard": []}
        for row, ids in zip(ranks, truth, strict=True):
            result["easy"].append(precision(row, ids["easy"], np.r_[ids["hard"], ids["junk"]]))
            result["medium"].append(precision(row, np.r_[ids["easy"], ids["hard"]], ids["junk"]))
            result["hard"].append(precision(row, ids["hard"], np.r_[ids["easy"], ids["junk"]]))
        return result

    def same(ours: Any, theirs: Any) -> None:
        for name, values in theirs.items():
            np.testing.assert_allclose(ours[name].ap, values, rtol=1e-10)

    return Comparison(lambda: evaluate(ranks, truth), plain, same)
