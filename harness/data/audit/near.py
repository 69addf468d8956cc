"""Near-duplicates: images that are almost the same by a small grey thumbnail. On request: it says what to look at."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from harness.data.audit.finding import Finding, finding

LEAST: Final = 0.99
"""Correlation of two thumbnails that counts as almost the same."""


def near_findings(
    asked: NDArray[Any],
    among: NDArray[Any],
    names: tuple[Sequence[str], Sequence[str]],
    parts: tuple[str, str],
) -> Iterator[Finding]:
    """Rows of one part that nearly are a row of another.

    Args:
        asked: (q, d), each compared with all of ``among``.
        among: (n, d).
        names: of both.
        parts: what both are called.
    """
    from harness.search import top_k

    if not len(asked) or not len(among):
        return
    best = top_k(_centred(asked), _centred(among), 1)
    pairs = [
        f"{names[0][query]} = {names[1][int(best.indices[query, 0])]}"
        for query in np.flatnonzero(best.scores[:, 0] >= LEAST).tolist()
    ]
    if pairs:
        text = f"{len(pairs):,} images of {parts[0]} nearly are one of {parts[1]} (correlation {LEAST} or more)"
        yield finding("near-duplicates", "warning", text, pairs)


def _centred(rows: NDArray[Any]) -> NDArray[np.float32]:
    """Rows without their mean, of length 1: inner products are correlations. Constant rows become zero."""
    values = np.asarray(rows, np.float64)
    values = values - values.mean(1, keepdims=True)
    norms = np.linalg.norm(values, axis=1, keepdims=True)
    unit: NDArray[np.float32] = np.divide(values, norms, out=np.zeros_like(values), where=norms > 1e-9).astype(
        np.float32
    )
    return unit
