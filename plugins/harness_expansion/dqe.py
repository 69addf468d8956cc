"""Discriminative query expansion: a linear classifier of the first images against the last ones."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar, Final, Literal

import numpy as np
from annotated_types import Ge, Gt

from harness_expansion.rewritten import FittedRewrite
from harness_expansion.sizes import Auto, k_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harness.plugin_api import Floats

    Doubles = NDArray[np.float64]

_MOST: Final = 20  # released code of a common implementation (qe_reranking.py)
_SHARE: Final = 1e-3
"""Of the query in the new one: more than rounding, too little to move an image past others."""
_TOLERANCE: Final = 1e-10
"""Of the conditions of optimality of the classifier: few rows, so exact costs nothing."""
_MOST_STEPS: Final = 1_000_000
"""Of the classifier. Rows that a plane tells apart take hundreds; others, in few dimensions, might take minutes."""


@dataclass(frozen=True)
class DQE:
    """Images ranked by a linear SVM of the query and its first images against the last (Arandjelovic, Zisserman 2012).

    Labels are those of the ranking, never of the ground truth. Released code has a hard margin, which has no solution
    where rows cannot be separated; here the margin is soft, with so large a ``c`` that it is the hard one where that
    exists. Where there is nothing to separate (no image left for the end of the ranking, or rows all alike) the query
    stays as it is.

    In many dimensions nearly all positives lie on the margin: their scores are equal, and in released code rounding
    orders the top of the ranking. By default a thousandth of the query is added, which orders them as before.

    Time O(n d + (k + m)^2 d) a query.

    Formula:
        min |w|^2 / 2 + c sum_i max(0, 1 - y_i (<w, x_i> + b)), y = 1 for q and the first k images, -1 for the last m
        score_i = <w / |w| + q / 1000, x_i>; released code: <w / |w|, x_i>
        recommended, of n images: k = n / 400 from 1 to 20

    Attributes:
        k: positives taken from the top of the ranking, beside the query; ``auto``: as the preset says.
        m: negatives taken from its end. None of the first k is among them.
        c: weight of an error.
        preset: ``recommended`` bounds k by the size of the database and orders images within the margin;
            ``released-code`` takes 20 and leaves their order to rounding.
    """

    result_version: ClassVar[int] = 2  # k by the size of the database, order within the margin by the query

    k: Annotated[int, Ge(0)] | Auto = "auto"
    m: Annotated[int, Ge(1)] = 20  # released code of a common implementation (qe_reranking.py)
    c: Annotated[float, Gt(0)] = 1e3
    preset: Literal["released-code", "recommended"] = "recommended"

    def k_of(self, n: int) -> int:
        """The number ``k`` for a database of n images."""
        return k_of(self.k, n, 400, 1, _MOST, bounded=self.preset == "recommended")

    def fit(self, database: Floats) -> FittedRewrite:
        """Bind to a database (n, d) float32 of L2-normalised descriptors."""
        return FittedRewrite(database, self._query, self.k_of(len(database)), self.m)

    def _query(self, query: Doubles, best: Doubles, worst: Doubles) -> Doubles | None:
        """The normal (d,), with the share of the query that decides between images that score the same."""
        normal = self._normal(query, best, worst)
        if normal is None or self.preset == "released-code":
            return normal
        return normal / np.linalg.norm(normal) + _SHARE * query

    def _normal(self, query: Doubles, best: Doubles, worst: Doubles) -> Doubles | None:
        """The normal (d,) of the classifier, not normalised; None where there is nothing to separate."""
        rows = np.vstack([query[None], best, worst])
        if not len(worst) or (rows == rows[0]).all():
            return None
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.svm import SVC

        labels = np.r_[np.ones(1 + len(best)), -np.ones(len(worst))]
        machine = SVC(kernel="linear", C=self.c, tol=_TOLERANCE, random_state=0, max_iter=_MOST_STEPS)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            machine.fit(rows, labels)
        normal: Doubles = machine.coef_[0]
        # Rows that no plane tells apart leave rounding errors of the dual, which point nowhere.
        return normal if np.abs(normal).max() > 1e-6 * np.abs(machine.dual_coef_).max() else None
