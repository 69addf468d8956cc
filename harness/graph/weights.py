"""From neighbours to a graph: affinity (thesis 2.1-2.2) and its symmetric normalisation (thesis 2.3).

Loads ``scipy.sparse``; imported on first use of ``harness.graph``'s names.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from scipy.sparse import csr_array, issparse

from harness.core.errors import InvalidInput

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

Mode = Literal["reciprocal", "union"]
Matrix = Any
"""A scipy sparse array or a numpy array (n, n): scipy has no static types."""


def affinity(
    x: ArrayLike,
    k: int = 50,  # Iscen et al. 2017, released code (global descriptors); thesis 3.5.1
    gamma: float = 3,  # Iscen et al. 2017, released code; thesis 3.5.1
    mode: Mode = "reciprocal",
    preferred: NDArray[np.int64] | None = None,
) -> csr_array:
    """The exact k-nearest-neighbour affinity of the rows of ``x`` (n, d): (n, n) float32, symmetric, zero diagonal.

    Equals ``affinity_from_neighbours(*neighbours(x, k, preferred=preferred)[:2], gamma, mode)``, which say what it is.

    Raises:
        InvalidInput: as ``neighbours`` and ``affinity_from_neighbours``.
    """
    from harness.search.neighbours import neighbours

    nearest = neighbours(x, k, preferred=preferred)
    return affinity_from_neighbours(nearest.indices, nearest.similarities, gamma, mode)


def affinity_from_neighbours(
    indices: ArrayLike, similarities: ArrayLike, gamma: float = 3, mode: Mode = "reciprocal"
) -> csr_array:
    """The affinity of n points from their lists of neighbours: (n, n) float32 without explicit zeros.

    With ``a_ij = max(similarity, 0) ** gamma`` for j in the list of i, and 0 for i = j: ``reciprocal`` keeps
    ``min(a_ij, a_ji)``, an edge only where both list each other (thesis 2.2); ``union`` is ``A + A^T``, as the
    released code of label propagation has it, where a mutual edge counts twice.

    Args:
        indices: (n, k) neighbours of each point, unique in a row; -1 where a list ends early.
        similarities: (n, k) their similarities; negative ones make no edge.
        gamma: exponent, above 0.
        mode: ``reciprocal`` or ``union``.

    Raises:
        InvalidInput: shapes that differ, an index out of range or twice in a row, a bad gamma or mode.
    """
    if mode not in ("reciprocal", "union"):
        raise InvalidInput(f"no affinity is called {mode!r}", fix="use reciprocal or union")
    if not gamma > 0:
        raise InvalidInput(f"gamma is {gamma}", fix="use an exponent above 0")
    directed = _directed(np.asarray(indices), np.asarray(similarities), gamma)
    reverse = directed.T.tocsr()
    graph = directed.minimum(reverse) if mode == "reciprocal" else directed + reverse
    graph.eliminate_zeros()
    return graph


def _directed(indices: NDArray[Any], similarities: NDArray[Any], gamma: float) -> csr_array:
    """One row of edges for every list, columns sorted."""
    if indices.ndim != 2 or indices.shape != similarities.shape:
        raise InvalidInput(
            f"indices {indices.shape} and similarities {similarities.shape} differ", fix="pass two arrays (n, k)"
        )
    n = len(indices)
    if indices.size and (indices.min() < -1 or indices.max() >= n):
        raise InvalidInput(f"a neighbour is not one of the {n} points", fix="use 0..n-1, or -1 for none")
    if np.isnan(similarities).any():
        raise InvalidInput("a similarity is NaN", fix="remove NaN from the descriptors")
    weights = np.maximum(similarities, 0, dtype=np.float32) ** np.float32(gamma)
    edges = (weights > 0) & (indices >= 0) & (indices != np.arange(n)[:, None])
    ends = np.concatenate(([0], np.cumsum(edges.sum(axis=1))))
    index = np.int32 if ends[-1] < 2**31 else np.int64
    graph = csr_array((weights[edges], indices[edges].astype(index), ends.astype(index)), shape=(n, n))
    graph.sort_indices()
    if not graph.has_canonical_format:
        raise InvalidInput("a point lists the same neighbour twice", fix="make every row of indices unique")
    return graph


def normalise(w: Matrix) -> csr_array:
    """``D^-1/2 W D^-1/2`` with D the degrees of W and 0/0 = 0 (thesis 2.3); float32 stays float32, else float64.

    Degrees are summed in float64. A symmetric W gives an exactly symmetric result with eigenvalues in [-1, 1].

    Args:
        w: (n, n) sparse or dense affinity, finite and not negative; it is not changed.

    Raises:
        InvalidInput: W is not square, or has a negative or infinite weight.
    """
    graph = square(w)
    if graph.nnz and not (graph.data.min() >= 0 and np.isfinite(graph.data).all()):
        raise InvalidInput("the affinity has a weight that is negative or not finite", fix="clip similarities at 0")
    degrees = np.asarray(graph.sum(axis=1, dtype=np.float64))
    scale = np.divide(1, np.sqrt(degrees), out=np.zeros_like(degrees), where=degrees > 0)
    rows = np.repeat(scale, np.diff(graph.indptr))
    data = graph.data * (rows * scale[graph.indices])
    return csr_array((data.astype(graph.dtype), graph.indices.copy(), graph.indptr.copy()), shape=graph.shape)


def square(w: Matrix) -> csr_array:
    """``w`` as a square CSR array of float32 or float64 with sorted, unique columns.

    Raises:
        InvalidInput: W is not a square matrix.
    """
    if len(w.shape) != 2 or w.shape[0] != w.shape[1]:
        raise InvalidInput(f"the matrix has shape {w.shape}", fix="pass a square matrix (n, n)")
    graph = csr_array(w) if issparse(w) else csr_array(np.asarray(w))
    if graph.dtype not in (np.float32, np.float64):
        graph = graph.astype(np.float64)
    if not graph.has_canonical_format:
        graph = graph.copy()
        graph.sum_duplicates()
    return graph


def symmetric(w: Matrix) -> csr_array:
    """``square(w)``, refused if it is not symmetric: tested by one product with two fixed irregular vectors.

    Raises:
        InvalidInput: W is not square or not symmetric.
    """
    graph = square(w)
    probe = (np.arange(1, 2 * graph.shape[0] + 1).reshape(2, -1) * 0.6180339887498949) % 1
    forth, back = probe[0] @ (graph @ probe[1]), probe[1] @ (graph @ probe[0])
    if abs(forth - back) > 1e-6 * np.abs(graph.data).sum():
        raise InvalidInput("the matrix is not symmetric", fix="use affinity(...) and normalise(...)")
    return graph
