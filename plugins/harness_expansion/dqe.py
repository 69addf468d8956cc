"""Discriminative query expansion: a linear classifier of the first images against the last ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Final

import numpy as np
from annotated_types import Ge, Gt

from harness_expansion.rewritten import FittedRewrite

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harness.plugin_api import Floats

    Doubles = NDArray[np.float64]

_TOLERANCE: Final = 1e-10
"""Of the conditions of optimality of the classifier: few rows, so exact costs nothing."""


@dataclass(frozen=True)
class DQE:
    """Images ranked by a linear SVM of the query and its first images against the last (Arandjelovic, Zisserman 2012).

    Labels are those of the ranking, never of the ground truth. Released code has a hard margin, which has no solution
    where rows cannot be separated; here the margin is soft, with so large a ``c`` that it is the hard one where that
    exists. Where there is nothing to separate (no image left for the end of the ranking, or rows all alike) the query
    stays as it is.

    Time O(n d + (k + m)^2 d) a query.

    Formula:
        min |w|^2 / 2 + c sum_i max(0, 1 - y_i (<w, x_i> + b)), y = 1 for q and the first k images, -1 for the last m
        score_i = <w, x_i> / |w|

    Attributes:
        k: positives taken from the top of the ranking, beside the query.
        m: negatives taken from its end. None of the first k is among them.
        c: weight of an error.
    """

    k: Annotated[int, Ge(0)] = 20  # released code of a common implementation (qe_reranking.py)
    m: Annotated[int, Ge(1)] = 20  # released code of a common implementation (qe_reranking.py)
    c: Annotated[float, Gt(0)] = 1e3

    def fit(self, database: Floats) -> FittedRewrite:
        """Bind to a database (n, d) float32 of L2-normalised descriptors."""
        return FittedRewrite(database, self._normal, self.k, self.m)

    def _normal(self, query: Doubles, best: Doubles, worst: Doubles) -> Doubles | None:
        """The normal (d,) of the classifier, not normalised; None where there is nothing to separate."""
        rows = np.vstack([query[None], best, worst])
        if not len(worst) or (rows == rows[0]).all():
            return None
        from sklearn.svm import SVC

        labels = np.r_[np.ones(1 + len(best)), -np.ones(len(worst))]
        machine = SVC(kernel="linear", C=self.c, tol=_TOLERANCE, random_state=0).fit(rows, labels)
        normal: Doubles = machine.coef_[0]
        # Rows that no plane tells apart leave rounding errors of the dual, which point nowhere.
        return normal if np.abs(normal).max() > 1e-6 * np.abs(machine.dual_coef_).max() else None
