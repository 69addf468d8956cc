"""Label propagation on the graph: pseudo-labels, class probabilities and entropy weights (thesis 3.8-3.10)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from harness.core.errors import InvalidInput

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, DTypeLike, NDArray

    from harness.graph.solver import SolveReport
    from harness.graph.weights import Matrix

    Floats = NDArray[np.float64]

Preset = Literal["recommended", "thesis", "released-code"]

_RELEASED_ITERATIONS = 20  # Iscen et al. 2019, released code


@dataclass(frozen=True)
class Propagation:
    """What the labelled rows say about all n rows.

    Attributes:
        labels: (n,) int64 in [0, n_classes); the true label where labelled, -1 where no label reaches.
        probabilities: (n, n_classes) in the precision of the solve, rows sum to 1; one-hot where labelled, 0 where
            no label reaches.
        weights: (n,) certainty ``1 - entropy / ln n_classes`` in [0, 1]; 1 where labelled, 0 where no label reaches.
        report: how the solve went, one column a class.
        unreached: number of rows that no label reaches.
        empty_classes: classes without a labelled row; they are never predicted.
    """

    labels: NDArray[np.int64]
    probabilities: Floats
    weights: Floats
    report: SolveReport
    unreached: int
    empty_classes: tuple[int, ...]


def propagate(
    normalised: Matrix,
    labels: ArrayLike,
    n_classes: int,
    *,
    alpha: float = 0.99,  # thesis 3.5.1
    tol: float = 1e-6,  # Iscen et al. 2019, released code
    preset: Preset = "recommended",
    max_iter: int | None = None,
    dtype: DTypeLike = np.float64,
    device: str | None = None,
) -> Propagation:
    """Spread the known labels over the graph.

    ``F = (1 - alpha)(I - alpha S)^-1 Y`` is solved for all classes together, clamped at 0 and divided by its row
    sums. Presets differ in Y, weights and cap (the graph is the caller's: reciprocal, for ``released-code`` union):

    - ``thesis``: Y is one-hot (3.8); weights as in (3.10).
    - ``released-code``: columns of Y divided by the size of the class, weights divided by the largest of them,
      20 iterations.
    - ``recommended``: columns of Y divided by the size of the class, weights as in (3.10), run to ``tol``.

    Args:
        normalised: (n, n) the result of ``normalise``.
        labels: (n,) integers in [0, n_classes), -1 where unknown.
        n_classes: number of classes; classes without a label are allowed.
        alpha: in [0, 1).
        tol: relative residual of each column.
        preset: see above.
        max_iter: cap on the iterations in place of the preset's.
        dtype: precision of the solve; float32 is about twice as fast.
        device: ``cpu`` or a torch device; None: that of the run under way, else the CPU.

    Raises:
        InvalidInput: labels that do not fit the graph or the classes, parameters out of range.
    """
    from harness.graph.solver import REORDER_FROM, Solver

    known = _checked(labels, n_classes, preset)
    solver = Solver(normalised, alpha=alpha, dtype=dtype, reorder=n_classes >= REORDER_FROM, device=device)
    if solver.n != len(known):
        raise InvalidInput(
            f"there are {len(known)} labels for {solver.n} rows of the graph", fix="pass one label a row"
        )
    if max_iter is None and preset == "released-code":
        max_iter = _RELEASED_ITERATIONS
    labelled = np.flatnonzero(known >= 0)
    counts = np.bincount(known[labelled], minlength=n_classes)
    y = np.zeros((len(known), n_classes), solver.dtype)
    y[labelled, known[labelled]] = 1 if preset == "thesis" else 1 / counts[known[labelled]]
    scores, report = solver.solve(y, tol=tol, max_iter=max_iter)
    probabilities, weights = _certainty(scores)
    if preset == "released-code" and weights.any():
        weights /= weights.max()
    reached = probabilities.any(axis=1) if len(known) else np.zeros(0, bool)
    spread = np.where(reached, probabilities.argmax(axis=1), -1)
    spread[labelled], weights[labelled], probabilities[labelled] = known[labelled], 1, 0
    probabilities[labelled, known[labelled]] = 1
    unreached = int((spread < 0).sum())
    return Propagation(spread, probabilities, weights, report, unreached, tuple(np.flatnonzero(counts == 0).tolist()))


def _checked(labels: ArrayLike, n_classes: int, preset: str) -> NDArray[np.int64]:
    known = np.asarray(labels)
    if preset not in ("recommended", "thesis", "released-code"):
        raise InvalidInput(f"no preset is called {preset!r}", fix="use recommended, thesis or released-code")
    if n_classes < 1:
        raise InvalidInput(f"n_classes is {n_classes}", fix="use at least 1")
    if known.ndim != 1 or not np.issubdtype(known.dtype, np.integer):
        raise InvalidInput(f"labels are {known.dtype} of shape {known.shape}", fix="pass integers of shape (n,)")
    if len(known) and not -1 <= known.min() <= known.max() < n_classes:
        raise InvalidInput(
            f"labels go from {known.min()} to {known.max()}", fix=f"use 0..{n_classes - 1}, or -1 where unknown"
        )
    return known.astype(np.int64)


def _certainty(scores: Floats) -> tuple[Floats, Floats]:
    """Probabilities and weights (3.9-3.10) of scores (n, c); zero for rows without a positive score."""
    np.maximum(scores, 0, out=scores)
    largest = scores.max(axis=1, keepdims=True)
    scores /= np.where(largest > 0, largest, 1)  # far rows have scores near the smallest number that there is
    total = scores.sum(axis=1, keepdims=True)
    probabilities = scores / np.where(total > 0, total, 1)
    logarithms = np.log(probabilities, out=np.zeros_like(probabilities), where=probabilities > 0)
    entropy = -(probabilities * logarithms).sum(axis=1)
    classes = scores.shape[1]
    certainty = 1 - entropy / np.log(classes) if classes > 1 else np.ones_like(entropy)
    return probabilities, np.where(total[:, 0] > 0, np.clip(certainty, 0, 1), 0)
