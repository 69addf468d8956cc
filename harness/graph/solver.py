"""``(I - alpha S) X = B`` by conjugate gradient for many right-hand sides at once (thesis 2.10).

``solve(s, rhs)`` is the whole of it; ``Solver`` keeps the prepared matrix for several solves. Each column has its own
step lengths and its own end; what they share is the product with the sparse matrix, which reads it once a block.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from harness.core.devices import default_device, usable
from harness.core.errors import InvalidInput
from harness.graph.engines import Block, CpuEngine, Engine, TorchEngine, scaled
from harness.graph.weights import Matrix, symmetric

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, DTypeLike, NDArray

_BLOCK_BYTES: Final = 256
"""Of a row of columns solved together, 64 in float32: wider blocks save little more reading of the matrix, and what
the matrix reads of them leaves the caches."""
REORDER_FROM: Final = 32
"""Columns from which a solve on a graph used once is worth a new order of its rows."""
_ROUNDS: Final = 3
"""A recurrence can end before the true residual is small; so often is it started again from where it stands."""


@dataclass(frozen=True)
class SolveReport:
    """How a solve went, column by column.

    Attributes:
        iterations: (m,) int64 products with the matrix that each column needed.
        residuals: (m,) float64 ``|b - A x| / |b|``, computed from the solution; 0 where b is 0.
        converged: (m,) bool: the residual is at most ``tol``, or at most what rounding in ``dtype`` allows,
            ``4 eps (|x| + |b|) / |b|``.
        tol: relative residual asked for.
        max_iter: cap on the iterations.
        dtype: precision of the solve, ``float32`` or ``float64``.
        device: where it ran.
    """

    iterations: NDArray[np.int64]
    residuals: NDArray[np.float64]
    converged: NDArray[np.bool_]
    tol: float
    max_iter: int
    dtype: str
    device: str

    @property
    def all_converged(self) -> bool:
        """Whether every column converged."""
        return bool(self.converged.all())


def solve(
    s: Matrix,
    rhs: ArrayLike,
    alpha: float = 0.99,  # Iscen et al. 2017, released code; thesis 3.5.1
    tol: float = 1e-6,  # Iscen et al. 2017, released code
    max_iter: int | None = None,
    x0: ArrayLike | None = None,
    *,
    device: str | None = None,
) -> tuple[NDArray[Any], SolveReport]:
    """Solve ``(I - alpha S) X = B``: the solution has the shape of ``rhs``, in float32 if that is, else in float64.

    Args:
        s: (n, n) symmetric with eigenvalues in [-1, 1]: the result of ``normalise``.
        rhs: (n,) or (n, m), finite.
        alpha: in [0, 1).
        tol: ``|b - A x| <= tol |b|`` ends a column.
        max_iter: cap a column; None: more than conjugate gradient can need in exact arithmetic.
        x0: first guess in the shape of ``rhs``; None: zero.
        device: ``cpu`` (several threads, the same bytes each time) or a torch device such as ``cuda``; None: that of
            the run under way, else the CPU.

    Raises:
        InvalidInput: shapes that do not fit, values that are not finite, parameters out of range.
    """
    array = np.asarray(rhs)
    reorder = array.ndim == 2 and array.shape[1] >= REORDER_FROM
    solver = Solver(s, alpha=alpha, dtype=_precision(array), reorder=reorder, device=device)
    return solver.solve(array, tol=tol, max_iter=max_iter, x0=x0)


class Solver:
    """``I - alpha S`` prepared for several solves: checked, cast, reordered and cut into groups of rows once.

    Args:
        s: (n, n) symmetric with eigenvalues in [-1, 1]: the result of ``normalise``.
        alpha: in [0, 1).
        dtype: float32 or float64, the precision of every solve.
        reorder: reverse Cuthill-McKee ordering, so that neighbours are near in memory; the solution is in the
            caller's order all the same.
        device: as for ``solve``.

    Raises:
        InvalidInput: S is not square and symmetric, a parameter is out of range, or there is no such device.
    """

    def __init__(
        self,
        s: Matrix,
        *,
        alpha: float = 0.99,  # Iscen et al. 2017, released code; thesis 3.5.1
        dtype: DTypeLike = np.float64,
        reorder: bool = True,
        device: str | None = None,
    ) -> None:
        """Prepare; see the class."""
        if not 0 <= alpha < 1:
            raise InvalidInput(f"alpha is {alpha}", fix="use a number in [0, 1)")
        self.alpha, self.dtype, self.device = alpha, np.dtype(dtype), device or default_device()
        if self.dtype not in (np.float32, np.float64):
            raise InvalidInput(f"dtype is {self.dtype}", fix="use float32 or float64")
        graph = symmetric(s)
        if not np.isfinite(graph.data).all():
            raise InvalidInput("the matrix has an entry that is not finite", fix="use normalise(...)")
        self.n: int = graph.shape[0]
        self._order = _cuthill_mckee(graph) if reorder else None
        if self._order is not None:
            graph = graph[self._order][:, self._order]
        self._engine = _engine(scaled(graph, alpha, self.dtype), self.device)

    def solve(
        self, rhs: ArrayLike, *, tol: float = 1e-6, max_iter: int | None = None, x0: ArrayLike | None = None
    ) -> tuple[NDArray[Any], SolveReport]:
        """As the function ``solve``, in the precision of this solver.

        Raises:
            InvalidInput: shapes that do not fit, values that are not finite, parameters out of range.
        """
        b = self._checked(rhs, "rhs")
        guess = None if x0 is None else self._checked(x0, "x0")
        if guess is not None and guess.shape != b.shape:
            raise InvalidInput(f"x0 has shape {guess.shape}, rhs {b.shape}", fix="give them one shape")
        if not tol > 0 or (max_iter is not None and max_iter < 0):
            raise InvalidInput(f"tol is {tol}, max_iter {max_iter}", fix="use tol > 0 and max_iter >= 0 or None")
        cap = _enough(self.alpha, tol) if max_iter is None else max_iter
        solution, parts = self._blocks(b if b.ndim == 2 else b[:, None], guess, tol, cap)
        iterations, residuals, converged = (np.concatenate(ends) for ends in zip(*parts, strict=True))
        report = SolveReport(iterations, residuals, converged, tol, cap, str(self.dtype), self.device)
        return solution.reshape(b.shape), report

    def _blocks(
        self, b: NDArray[Any], guess: NDArray[Any] | None, tol: float, cap: int
    ) -> tuple[NDArray[Any], list[_Convergence]]:
        solution = np.empty(b.shape, self.dtype)
        count = max(1, math.ceil(b.shape[1] * self.dtype.itemsize / _BLOCK_BYTES))
        rows = slice(None) if self._order is None else self._order
        parts = []
        for columns in np.array_split(np.arange(b.shape[1]), count):
            block = slice(columns[0], columns[-1] + 1) if len(columns) else slice(0)
            start = None if guess is None else guess.reshape(b.shape)[rows, block]
            x, ends = _block(self._engine, b[rows, block], start, tol, cap)
            solution[rows, block] = x
            parts.append(ends)
        return solution, parts

    def _checked(self, values: ArrayLike, name: str) -> NDArray[Any]:
        array = np.asarray(values, dtype=self.dtype)
        if array.ndim not in (1, 2) or array.shape[0] != self.n:
            raise InvalidInput(f"{name} has shape {array.shape}", fix=f"pass ({self.n},) or ({self.n}, m)")
        if not np.isfinite(array).all():
            raise InvalidInput(f"{name} is not finite", fix="remove NaN and infinity")
        return array


_Convergence = tuple["NDArray[np.int64]", "NDArray[np.float64]", "NDArray[np.bool_]"]


def _block(
    engine: Engine, b: NDArray[Any], guess: NDArray[Any] | None, tol: float, cap: int
) -> tuple[Any, _Convergence]:
    """One block of columns to its end: conjugate gradient, started again where the true residual stayed too large."""
    size = np.linalg.norm(b.astype(np.float64), axis=0)
    iterations = np.zeros(b.shape[1], np.int64)
    loaded, x = engine.load(b), engine.load(np.zeros_like(b) if guess is None else guess)
    if guess is not None and not size.all():
        x = engine.load(guess * (size > 0).astype(b.dtype))  # the solution for b = 0 is 0 exactly
    for left in range(_ROUNDS, -1, -1):
        r = engine.load(b)
        # From zero the first residual is b itself.
        norms = size if guess is None and left == _ROUNDS else np.sqrt(engine.residual(loaded, x, r))
        rounding = 4 * np.finfo(b.dtype).eps * (np.linalg.norm(engine.fetch(x), axis=0) + size)
        converged = norms <= np.maximum(tol * size, rounding)
        todo = np.flatnonzero(~converged & (norms > 0) & (iterations < cap))
        if not left or not len(todo):
            break
        whole = len(todo) == len(size)
        start, direction = (x, r) if whole else (engine.select(x, todo), engine.select(r, todo))
        improved, used = _conjugate_gradient(engine, start, direction, tol * size[todo], cap - iterations[todo])
        iterations[todo] += used
        x = _replaced(engine, x, todo, improved)
    relative = np.divide(norms, size, out=np.zeros_like(norms), where=size > 0)
    return engine.fetch(x), (iterations, relative, converged)


def _replaced(engine: Engine, x: Block, columns: NDArray[np.intp], values: NDArray[Any]) -> Block:
    whole = engine.fetch(x)
    whole[:, columns] = values
    return engine.load(whole)


def _conjugate_gradient(
    engine: Engine, x: Block, r: Block, ends: NDArray[np.float64], caps: NDArray[np.int64]
) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """Hestenes and Stiefel 1952 with one set of scalars a column, from the guess x with its residual r.

    Columns that ended stand still until half of the block has, then leave it.
    """
    result, live = engine.fetch(x).copy(), np.arange(len(ends))
    used = np.zeros(len(ends), np.int64)
    p, q = engine.load(engine.fetch(r)), engine.load(engine.fetch(r))
    power = engine.advance(x, r, p, q, np.zeros(len(ends)))
    moving = np.ones(len(ends), bool)
    while moving.any():
        curvature = engine.multiply(p, q)
        moving &= curvature > 0
        step = np.divide(power, curvature, out=np.zeros_like(power), where=moving)
        before, power = power, engine.advance(x, r, p, q, step)
        used[live] += moving
        moving &= (np.sqrt(power) > ends[live]) & (used[live] < caps[live])
        if moving.mean() <= 0.5:
            result[:, live[~moving]] = engine.fetch(engine.select(x, np.flatnonzero(~moving)))
            keep = np.flatnonzero(moving)
            if not len(keep):
                break
            x, r, p, q = (engine.select(block, keep) for block in (x, r, p, q))
            live, power, before, moving = live[keep], power[keep], before[keep], moving[keep]
        engine.redirect(p, r, np.divide(power, before, out=np.zeros_like(power), where=moving & (before > 0)))
    return result, used


def _precision(array: NDArray[Any]) -> np.dtype[Any]:
    return np.dtype(np.float32 if array.dtype == np.float32 else np.float64)


def _enough(alpha: float, tol: float) -> int:
    """Twice the iterations after which the bound on conjugate gradient's error promises the residual."""
    root = math.sqrt((1 + alpha) / (1 - alpha))
    return math.ceil(root * math.log(2 * root / min(tol, 1.0))) + 10


def _engine(alpha_s: Matrix, device: str) -> Engine:
    return CpuEngine(alpha_s) if device == "cpu" else TorchEngine(alpha_s, usable(device))


def _cuthill_mckee(graph: Matrix) -> NDArray[Any]:
    from scipy.sparse.csgraph import reverse_cuthill_mckee

    if graph.shape[0] == 0:  # scipy has no order of nothing
        return np.zeros(0, np.int32)
    return np.asarray(reverse_cuthill_mckee(graph, symmetric_mode=True))
