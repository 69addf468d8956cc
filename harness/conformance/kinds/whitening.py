"""Whitenings: learnt from a database, applied to rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.conformance import checks
from harness.conformance.case import Case, Inputs, Kind

_D = 6
"""Dimension of the descriptors; a whitening with weights of its own brings them for this dimension."""


class WhiteningKind(Kind):
    """Tried on L2-normalised descriptors with pairs, some of them zero."""

    name = "whitening"
    baseline = "pca"
    what = "what apply returned"

    def cases(self, method: Any) -> Sequence[Case]:
        """From one row to sixty."""
        small, empty, alike = "small-inputs", "empty-inputs", "constant-inputs"
        return (
            Case("a database of one image", lambda: _inputs(1, rows=1), small, may_refuse=True),
            Case("two images", lambda: _inputs(2, rows=1), small, may_refuse=True),
            Case("fewer images than dimensions", lambda: _inputs(5, rows=2), small),
            Case("a plain database", lambda: _inputs(12, rows=3)),
            Case("rows of zeros", lambda: _inputs(12, rows=3, zeros=True), empty),
            Case("a database of zeros", lambda: _changed(12, "zero"), empty, may_refuse=True),
            Case("all images alike", lambda: _changed(12, "alike"), alike, may_refuse=True),
            Case("duplicates", lambda: _changed(12, "duplicates"), alike),
            Case("no pairs", lambda: {**_inputs(12, rows=3), "pairs": None}, empty, may_refuse=True),
            Case("dimensions of very different scale", lambda: _changed(60, "scales"), "scales"),
            Case("a larger database", lambda: _inputs(60, rows=20)),
        )

    def standard(self, method: Any) -> Case:
        """Learnt from and applied to 2,000 descriptors of 128 dimensions."""
        return Case("descriptors (2000, 128)", lambda: _inputs(2000, rows=2000, d=128))

    def prepare(self, method: Any, inputs: Inputs, rng: Any) -> Any:
        """The learnt whitening."""
        return method.fit(inputs["descriptors"], inputs["pairs"])

    def apply(self, fitted: Any, inputs: Inputs, rng: Any) -> Any:
        """The whitened rows."""
        return fitted.apply(inputs["rows"])

    def shape(self, inputs: Inputs, answer: Any) -> None:
        """Rows (n, D) give (n, d)."""
        checks.require_shape(answer, (len(inputs["rows"]), None), "(n, D) -> (n, d)", self.what)


def some_descriptors(n: int, d: int = _D, seed: int = 0) -> NDArray[np.float32]:
    """(n, d) float32 rows of length 1, in overlapping clusters, every fourth of the same."""
    rng = np.random.default_rng([seed, n, d])
    rows = rng.normal(size=(4, d))[np.arange(n) % 4] + 0.5 * rng.normal(size=(n, d))
    return unit(rows)


def unit(rows: NDArray[Any]) -> NDArray[np.float32]:
    """Rows of length 1; rows of zeros stay zero."""
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(rows / np.where(norms > 0, norms, 1), np.float32)


def some_pairs(n: int) -> NDArray[np.int64]:
    """(p, 2) images of the same cluster, two by two."""
    return np.array([(i, j) for i in range(n) for j in range(i + 4, min(n, i + 9), 4)], np.int64).reshape(-1, 2)


def _inputs(n: int, rows: int, zeros: bool = False, d: int = _D) -> Inputs:
    queries = some_descriptors(rows, d, seed=1)
    if zeros:
        queries[1:] = 0
    return {"descriptors": some_descriptors(n, d), "pairs": some_pairs(n), "rows": queries}


def _changed(n: int, how: str) -> Inputs:
    inputs = dict(_inputs(n, rows=3))
    database = inputs["descriptors"]
    if how == "zero":
        database[:] = 0
    elif how == "alike":
        database[:] = database[0]
    elif how == "duplicates":
        database[:] = database[np.arange(n) % 8]
    else:
        scales = np.array([1e-12, 1e-6, 1e-3, 1, 1, 1])
        inputs["descriptors"], inputs["rows"] = unit(database * scales), unit(inputs["rows"] * scales)
    return inputs
