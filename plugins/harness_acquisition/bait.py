"""A batch that reduces the error of the last layer most, by Fisher information."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Final

import numpy as np
from annotated_types import Ge, Gt
from numpy.typing import NDArray

from harness_acquisition.budget import spendable

if TYPE_CHECKING:
    from harness.plugin_api import Floats, Ids, PoolView

Values = NDArray[np.float64]

_WEIGHTS: Final = 4096
"""Weights of the last layer up to which its information matrix is written down."""
_NUMBERS: Final = 12_500_000
"""Numbers kept of all candidates, twice: 100 MB each."""
_ROWS: Final = 2048
"""Candidates worked on at once."""
_TIE: Final = 1e-9
"""Share of a score by which rounding may tell equal ones apart."""


@dataclass(frozen=True)
class Bait:
    """A batch after which the last layer is best known where the pool needs it (Ash et al. 2021).

    The Fisher information of an example is that of a softmax layer on its features. Twice the budget is picked greedily
    and half of it is dropped again, each time so that the trace of (information of the labels)^-1 (information of the
    pool) becomes smallest. Matrices of an example are never written down, but c x c numbers of each candidate are kept:
    where candidates times c^2 exceed 12.5 million so many are drawn by the seed. Features of more than 4,096 / c
    dimensions are replaced by so many principal components, with a warning. For n candidates O(n c^2 d^2) time at first
    and O(n (c^2 d + c^3)) a pick, three picks for each of the budget; memory 200 MB and 8 (cd)^2 numbers: for batches
    of up to some hundred.

    Formula:
        F_i = (diag(p_i) - p_i p_i^T) (x) z_i z_i^T, F = mean_i F_i
        minimise tr(C F), C = (regularisation I + sum_(i in L) F_i / (l + b) + b / (l + b) sum_(i picked) F_i)^-1

    Attributes:
        regularisation: of the inverse; 0.01 in the released code for CIFAR.
        candidates: unlabelled examples that may be picked, drawn by the seed; 0: all, or as many as fit.
    """

    regularisation: Annotated[float, Gt(0)] = 1.0  # Ash et al. 2021, released code
    candidates: Annotated[int, Ge(0)] = 0

    def select(self, pool: PoolView, budget: int, rng: np.random.Generator) -> Ids:
        """``budget`` unlabelled positions in the order of the first choice; equal ones by position."""
        budget, left = spendable(pool, budget), pool.unlabelled
        if budget in (0, len(left)):
            return left[:budget].copy()
        p = pool.probabilities.astype(np.float64)
        p /= np.maximum(p.sum(axis=1, keepdims=True), np.finfo(np.float64).tiny)
        z = reduced(pool.features, p.shape[1])
        candidates = self._candidates(left, budget, p.shape[1], rng)
        count, total = len(pool.labelled), len(pool.labelled) + budget
        known = information(z[pool.labelled], p[pool.labelled]) / total
        known[np.diag_indices_from(known)] += self.regularisation
        inverse = np.linalg.inv(known).astype(np.float64, copy=False)
        design = _Design(inverse, information(z, p) / len(z), z[candidates], p[candidates], budget / total)
        del known, count
        for _ in range(min(2 * budget, len(candidates))):
            design.add()
        while len(design.picked) > budget:
            design.drop()
        return candidates[design.picked]

    def _candidates(self, left: Ids, budget: int, c: int, rng: np.random.Generator) -> Ids:
        wanted = max(min(self.candidates or len(left), _NUMBERS // c**2), 2 * budget)
        return np.sort(rng.choice(left, wanted, replace=False)) if wanted < len(left) else left


class _Design:
    """The inverse C of the information so far, and of each candidate what decides how much it would change.

    With ``W_i`` (c, cd) the root of an example's information ``W_i C W_i^T = s a_i B_i a_i^T``; a_i (c, c) follows from
    p_i alone, ``B_i[k, l] = z_i^T C_kl z_i``; likewise D_i for C F C. Both follow the changes of C, of rank c.
    """

    def __init__(self, inverse: Values, fisher: Values, z: Values, p: Values, scale: float) -> None:
        self.inverse, self.fisher, self.z, self.p, self.scale = inverse, fisher, z, p, scale
        self.picked: list[int] = []
        self.free = np.ones(len(z), dtype=bool)
        self.own = quadratic(inverse, z, p.shape[1])
        self.gain = quadratic(inverse @ fisher @ inverse, z, p.shape[1])

    def add(self) -> None:
        """Pick the candidate that lowers the trace most."""
        free = np.flatnonzero(self.free)
        scores = np.concatenate([self._scores(free[i : i + _ROWS], 1.0) for i in range(0, len(free), _ROWS)])
        place = int(free[np.flatnonzero(scores >= scores.max() - _TIE * abs(scores.max()))[0]])
        self.free[place] = False
        self.picked.append(place)
        self._change(place, 1.0, np.arange(len(self.z)))

    def drop(self) -> None:
        """Give back the pick that raises the trace least."""
        rows = np.array(self.picked)
        losses = -self._scores(rows, -1.0)
        ties = rows[losses <= losses.min() + _TIE * abs(losses.min())]
        place = int(ties.min())
        self.picked.remove(place)
        self._change(place, -1.0, np.array(self.picked, dtype=np.int64))

    def _scores(self, rows: Ids, sign: float) -> Values:
        """tr(W C F C W^T (sign I + W C W^T)^-1)."""
        a = roots(self.p[rows])
        b = self.scale * a @ self.own[rows] @ a.transpose(0, 2, 1)
        d = self.scale * a @ self.gain[rows] @ a.transpose(0, 2, 1)
        b[:, np.arange(b.shape[1]), np.arange(b.shape[1])] += sign
        scores: Values = np.linalg.solve(b, d).trace(axis1=1, axis2=2)
        return scores

    def _change(self, place: int, sign: float, rows: Ids) -> None:
        """C - C W^T (sign I + W C W^T)^-1 W C, and what follows for these candidates."""
        c, d = self.p.shape[1], self.z.shape[1]
        a = roots(self.p[place : place + 1])[0] * self.scale**0.5
        w = (a[:, :, None] * self.z[place]).reshape(c, c * d)
        y = self.inverse @ w.T  # (cd, c)
        middle = np.linalg.inv(sign * np.eye(c) + w @ y)
        x = self.inverse @ (self.fisher @ y)
        inner = middle @ (y.T @ self.fisher @ y) @ middle
        self.inverse -= y @ middle @ y.T
        both = np.hstack([part.reshape(c, d, c).transpose(1, 0, 2).reshape(d, c * c) for part in (y, x)])
        for start in range(0, len(rows), _ROWS):
            part = rows[start : start + _ROWS]
            mine, theirs = np.split((self.z[part] @ both).reshape(len(part), 2 * c, c), 2, axis=1)
            changed = mine @ middle
            self.own[part] -= changed @ mine.transpose(0, 2, 1)
            cross = changed @ theirs.transpose(0, 2, 1)
            self.gain[part] += mine @ inner @ mine.transpose(0, 2, 1) - cross - cross.transpose(0, 2, 1)


def roots(p: Values) -> Values:
    """Matrices a (n, c, c) with ``a^T a = diag(p) - p p^T``: row k is sqrt(p_k) (e_k - p)."""
    a: Values = np.sqrt(p)[:, :, None] * (np.eye(p.shape[1]) - p[:, None, :])
    return a


def information(z: Values, p: Values) -> Values:
    """Sum (cd, cd) of (diag(p_i) - p_i p_i^T) (x) z_i z_i^T."""
    (n, d), c = z.shape, p.shape[1]
    result = np.zeros((c, d, c, d))
    for k in range(c if n else 0):
        for other in range(k + 1):
            weights = -p[:, k] * p[:, other] + (p[:, k] if k == other else 0)
            result[k, :, other] = z.T @ (weights[:, None] * z)
            result[other, :, k] = result[k, :, other].T
    return result.reshape(c * d, c * d)


def quadratic(matrix: Values, z: Values, c: int) -> Values:
    """z_i^T M_kl z_i (n, c, c) of the blocks (d, d) of a symmetric matrix (cd, cd)."""
    d = z.shape[1]
    result = np.empty((len(z), c, c))
    for k in range(c):
        for other in range(k + 1):
            block = matrix[k * d : (k + 1) * d, other * d : (other + 1) * d]
            for start in range(0, len(z), _ROWS):
                rows = slice(start, start + _ROWS)
                result[rows, k, other] = result[rows, other, k] = np.einsum("ij,ij->i", z[rows] @ block, z[rows])
    return result


def reduced(features: Floats, c: int) -> Values:
    """Features in float64; their first 4,096 / c principal components where they have more dimensions."""
    z, most = features.astype(np.float64), max(1, _WEIGHTS // c)
    if z.shape[1] <= most:
        return z
    warnings.warn(f"bait works on {most} principal components of {z.shape[1]} features: {c} classes", stacklevel=2)
    z -= z.mean(axis=0)
    _, axes = np.linalg.eigh(z.T @ z)
    components: Values = z @ axes[:, ::-1][:, :most]
    return components
