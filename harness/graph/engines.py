"""The three steps of conjugate gradient that touch whole blocks of vectors, on the CPU and through torch.

An engine knows ``A = I - alpha S`` and dense blocks (n, m) of its own array type; everything about convergence is in
``harness.graph.solver``. Scalars per column travel as float64 numpy arrays (m,).
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, Protocol

import numpy as np
from scipy.sparse import csr_array

from harness.core.threads import shared_threads, threads_here

if TYPE_CHECKING:
    from numpy.typing import DTypeLike, NDArray

    Scalars = NDArray[np.float64]

Block = Any
"""A dense block (n, m) in the engine's own array type."""

_CHUNK_ROWS: Final = 1024
"""Rows handled at a time, so that four blocks of 64 columns stay in a core's second-level cache."""
_SERIAL: Final = 1 << 15
"""Blocks with fewer entries are not worth a second thread."""


class Engine(Protocol):
    """Blocks are C-ordered; ``out`` arguments are overwritten."""

    def load(self, block: NDArray[Any]) -> Block:
        """A block of the engine's own from a numpy array, copied."""
        ...

    def fetch(self, block: Block) -> NDArray[Any]:
        """The numpy array of a block."""
        ...

    def select(self, block: Block, columns: NDArray[np.intp]) -> Block:
        """A new block of these columns."""
        ...

    def multiply(self, p: Block, out: Block) -> Scalars:
        """``out = A p``; returns the inner products of the columns of p and out."""
        ...

    def residual(self, b: Block, x: Block, out: Block) -> Scalars:
        """``out = b - A x``; returns the squared norms of the columns of out."""
        ...

    def advance(self, x: Block, r: Block, p: Block, q: Block, step: Scalars) -> Scalars:
        """``x += step p`` and ``r -= step q``; returns the squared norms of the columns of r."""
        ...

    def redirect(self, p: Block, r: Block, ratio: Scalars) -> None:
        """``p = r + ratio p``."""
        ...


class CpuEngine:
    """Compiled kernels on groups of rows, on several threads.

    Sums are kept per group and added in order, so the number of threads does not show in the result.
    """

    def __init__(self, alpha_s: csr_array) -> None:
        """An engine for any number of solves with ``alpha S``."""
        from harness.graph import kernels

        self._kernels = kernels
        self._matrix = (_unsigned(alpha_s.indptr), _unsigned(alpha_s.indices), alpha_s.data)
        n = alpha_s.shape[0]
        self._groups = [(i, min(i + _CHUNK_ROWS, n)) for i in range(0, n, _CHUNK_ROWS)]
        self._threads = max(1, min(threads_here(), len(self._groups)))

    def load(self, block: NDArray[Any]) -> NDArray[Any]:
        """As ``Engine.load``."""
        return np.array(block, order="C")

    def fetch(self, block: NDArray[Any]) -> NDArray[Any]:
        """As ``Engine.fetch``."""
        return block

    def select(self, block: NDArray[Any], columns: NDArray[np.intp]) -> NDArray[Any]:
        """As ``Engine.select``."""
        return np.take(block, columns, axis=1)

    def multiply(self, p: NDArray[Any], out: NDArray[Any]) -> Scalars:
        """As ``Engine.multiply``."""
        return self._sum(p, lambda first, last: self._kernels.multiply(*self._matrix, p, out, first, last))

    def residual(self, b: NDArray[Any], x: NDArray[Any], out: NDArray[Any]) -> Scalars:
        """As ``Engine.residual``."""
        return self._sum(x, lambda first, last: self._kernels.residual(*self._matrix, b, x, out, first, last))

    def advance(self, x: NDArray[Any], r: NDArray[Any], p: NDArray[Any], q: NDArray[Any], step: Scalars) -> Scalars:
        """As ``Engine.advance``."""
        factor = step.astype(x.dtype)
        return self._sum(x, lambda first, last: self._kernels.advance(x, r, p, q, factor, first, last))

    def redirect(self, p: NDArray[Any], r: NDArray[Any], ratio: Scalars) -> None:
        """As ``Engine.redirect``."""
        factor = ratio.astype(p.dtype)
        self._each(p, lambda first, last: self._kernels.redirect(p, r, factor, first, last))

    def _sum(self, block: NDArray[Any], work: Callable[[int, int], NDArray[Any]]) -> Scalars:
        parts = self._each(block, work)
        return np.asarray(np.sum(parts, axis=0)) if parts else np.zeros(block.shape[1])

    def _each(self, block: NDArray[Any], work: Callable[[int, int], Any]) -> list[Any]:
        """``work`` on every group of rows, the results in order."""
        if self._threads == 1 or block.size < _SERIAL:
            return [work(*group) for group in self._groups]
        results: list[Any] = [None] * len(self._groups)
        waiting = iter(enumerate(self._groups))

        def drain() -> None:
            # The threads share one iterator: a slow one takes fewer groups.
            for number, group in waiting:
                results[number] = work(*group)

        pool = shared_threads(self._threads, os.getpid())
        for done in [pool.submit(drain) for _ in range(self._threads)]:
            done.result()
        return results


def _unsigned(positions: NDArray[Any]) -> NDArray[Any]:
    """The same bytes as unsigned integers; there are no negative ones among them."""
    return positions.view(np.dtype(f"u{positions.itemsize}"))


class TorchEngine:
    """The same steps by torch on any of its devices, with float64 sums."""

    def __init__(self, alpha_s: csr_array, device: str) -> None:
        """An engine for any number of solves with ``alpha S`` on a torch device."""
        import torch

        self._torch, self._device = torch, device
        parts = (alpha_s.indptr.astype(np.int64), alpha_s.indices.astype(np.int64), alpha_s.data)
        ends, columns, data = (torch.from_numpy(part).to(device) for part in parts)
        with warnings.catch_warnings():  # torch calls all of its CSR format beta
            warnings.filterwarnings("ignore", message="Sparse", category=UserWarning)
            self._alpha_s = torch.sparse_csr_tensor(ends, columns, data, size=alpha_s.shape, check_invariants=False)

    def load(self, block: NDArray[Any]) -> Block:
        """As ``Engine.load``."""
        return self._torch.from_numpy(np.array(block, order="C")).to(self._device)

    def fetch(self, block: Block) -> NDArray[Any]:
        """As ``Engine.fetch``."""
        return np.asarray(block.cpu().numpy())

    def select(self, block: Block, columns: NDArray[np.intp]) -> Block:
        """As ``Engine.select``."""
        return block[:, self._torch.from_numpy(columns).to(self._device)].contiguous()

    def multiply(self, p: Block, out: Block) -> Scalars:
        """As ``Engine.multiply``."""
        self._torch.sub(p, self._alpha_s @ p, out=out)
        return self._products(p, out)

    def residual(self, b: Block, x: Block, out: Block) -> Scalars:
        """As ``Engine.residual``."""
        self._torch.add(b - x, self._alpha_s @ x, out=out)
        return self._products(out, out)

    def advance(self, x: Block, r: Block, p: Block, q: Block, step: Scalars) -> Scalars:
        """As ``Engine.advance``."""
        factor = self._factor(step, x)
        x.addcmul_(p, factor)
        r.addcmul_(q, factor, value=-1)
        return self._products(r, r)

    def redirect(self, p: Block, r: Block, ratio: Scalars) -> None:
        """As ``Engine.redirect``."""
        p.mul_(self._factor(ratio, p)).add_(r)

    def _factor(self, scalars: Scalars, like: Block) -> Block:
        return self._torch.from_numpy(scalars).to(like)

    def _products(self, a: Block, b: Block) -> Scalars:
        return np.asarray((a * b).sum(0, dtype=self._torch.float64).cpu().numpy())


def scaled(s: csr_array, alpha: float, dtype: DTypeLike) -> csr_array:
    """``alpha S`` in the precision of the solve."""
    return csr_array(((s.data * alpha).astype(dtype), s.indices, s.indptr), shape=s.shape)
