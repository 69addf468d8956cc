"""Which points of the graph matter: six centralities (thesis 5.3.7)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final, Literal

import numpy as np

from harness.core.errors import InvalidInput

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray
    from scipy.sparse import csr_array

    from harness.graph.weights import Matrix

    Values = NDArray[np.float64]

Kind = Literal["degree", "eigenvector", "pagerank", "katz", "betweenness", "closeness"]

_NO_DISTANCE: Final = 1e-9
"""Cost of an edge between duplicates, relative to the costliest edge: igraph's shortest paths need costs above 0."""
_DENSE: Final = 256
"""Components up to this size get a dense eigenvalue decomposition."""


def centrality(
    w: Matrix,
    kind: Kind,
    *,
    alpha: float = 0.99,  # Iscen et al. 2017, released code; thesis 5.3.7 states none
    tol: float = 1e-8,
    max_iter: int | None = None,
    descriptors: ArrayLike | None = None,
    costs: Matrix | None = None,
) -> Values:
    """Centrality of every point: (n,) float64, not negative.

    - ``degree``: sum of the weights.
    - ``eigenvector``: dominant eigenvector of W, of length 1; zero outside the component with the largest
      eigenvalue (the first of equals), and everywhere if there is no edge.
    - ``pagerank``: dominant left eigenvector of ``alpha D^-1 W + (1 - alpha) J / n``, sums to 1; from an isolated
      point the walk goes anywhere.
    - ``katz``: ``(I - alpha S) u = (1 - alpha) 1`` with S the normalised W (thesis 5.13); 1 - alpha if isolated.
    - ``betweenness``: pairs whose shortest path goes through the point, undirected, not normalised.
    - ``closeness``: inverse of the mean length of the shortest paths to the points that can be reached; 0 if
      isolated. (The formula printed in the thesis sums inverse lengths; its text says this.)

    The last two go by the Euclidean cost of an edge, not by its weight, and by igraph; they take time in n times edges.

    Args:
        w: (n, n) symmetric affinity, not negative.
        kind: which centrality.
        alpha: damping of ``pagerank`` and ``katz``, in [0, 1).
        tol: relative residual of ``pagerank`` and ``katz``.
        max_iter: cap on their iterations; None: as many as needed.
        descriptors: (n, d), for the costs of edges ``|v_i - v_j|``.
        costs: (n, n) sparse in place of ``descriptors``: the cost of every edge of W.

    Raises:
        InvalidInput: W is not square, symmetric and non-negative; an unknown kind; costs missing or not fitting.
    """
    from harness.graph.weights import symmetric

    graph = symmetric(w)
    if graph.nnz and not (graph.data.min() >= 0 and np.isfinite(graph.data).all()):
        raise InvalidInput("the affinity has a weight that is negative or not finite", fix="clip similarities at 0")
    graph = graph.copy()
    graph.eliminate_zeros()
    if kind == "degree":
        return _degree(graph)
    if kind == "eigenvector":
        return _eigenvector(graph)
    if kind in ("pagerank", "katz"):
        return (_pagerank if kind == "pagerank" else _katz)(graph, alpha, tol, max_iter)
    if kind in ("betweenness", "closeness"):
        return _by_paths(graph, kind, _edge_costs(graph, descriptors, costs))
    raise InvalidInput(
        f"no centrality is called {kind!r}", fix="use degree, eigenvector, pagerank, katz, betweenness or closeness"
    )


def _degree(graph: csr_array) -> Values:
    return np.asarray(graph.sum(axis=1, dtype=np.float64))


def _katz(graph: csr_array, alpha: float, tol: float, max_iter: int | None) -> Values:
    from harness.graph.solver import solve
    from harness.graph.weights import normalise

    wide = normalise(graph.astype(np.float64))
    return solve(wide, np.full(graph.shape[0], 1 - alpha), alpha, tol, max_iter)[0]


def _pagerank(graph: csr_array, alpha: float, tol: float, max_iter: int | None) -> Values:
    """By the same solve: with p = D^1/2 q, ``p = alpha W D^-1 p + v`` becomes ``(I - alpha S) q = D^-1/2 v``.

    Isolated points only add to the uniform v, so they change the scale of p, which the sum fixes.
    """
    from harness.graph.solver import solve
    from harness.graph.weights import normalise

    root = np.sqrt(_degree(graph))
    inverse = np.divide(1, root, out=np.ones_like(root), where=root > 0)
    q, _ = solve(normalise(graph.astype(np.float64)), inverse, alpha, tol, max_iter)
    p = np.maximum(q, 0) / inverse
    return np.asarray(p / p.sum()) if len(p) else p


def _eigenvector(graph: csr_array) -> Values:
    from scipy.sparse.csgraph import connected_components

    result = np.zeros(graph.shape[0])
    if not graph.nnz:
        return result
    count, component = connected_components(graph, directed=False)
    degrees = _degree(graph)
    highest = np.zeros(count)
    np.maximum.at(highest, component, degrees)
    mean = np.bincount(component, degrees, count) / np.bincount(component, minlength=count)
    best, members, vector = 0.0, np.zeros(0, np.intp), np.zeros(0)
    # The eigenvalue of a component lies between its mean and its largest degree: most need no decomposition.
    for number in np.flatnonzero(highest >= mean.max() * (1 - 1e-12)):
        inside = np.flatnonzero(component == number)
        value, candidate = _dominant(graph[inside][:, inside].astype(np.float64))
        if value > best * (1 + 1e-9):
            best, members, vector = value, inside, candidate
    result[members] = np.abs(vector)
    return result


def _dominant(block: csr_array) -> tuple[float, Values]:
    """Largest eigenvalue of a connected component and its eigenvector of length 1."""
    from scipy.sparse.linalg import eigsh

    if block.shape[0] <= _DENSE:
        values, vectors = np.linalg.eigh(block.toarray())
        return float(values[-1]), vectors[:, -1]
    values, vectors = eigsh(block, k=1, which="LA", v0=_degree(block))
    return float(values[0]), vectors[:, 0]


def _edge_costs(graph: csr_array, descriptors: ArrayLike | None, costs: Matrix | None) -> Callable[..., Values]:
    """A function (rows, columns) -> costs (e,)."""
    from harness.graph.weights import square

    n = graph.shape[0]
    if (descriptors is None) == (costs is None):
        raise InvalidInput("paths need the cost of edges", fix="pass either descriptors=... or costs=...")
    if costs is not None:
        if costs.shape != graph.shape:
            raise InvalidInput(f"costs have shape {costs.shape}, the graph {graph.shape}", fix="give them one shape")
        stored = square(costs)
        return lambda rows, columns: np.asarray(stored[rows, columns], np.float64) if len(rows) else np.zeros(0)
    points = np.asarray(descriptors, np.float64)
    if points.ndim != 2 or len(points) != n:
        raise InvalidInput(f"descriptors have shape {points.shape}", fix=f"pass ({n}, d)")
    return lambda rows, columns: _distances(points, rows, columns)


def _distances(points: Values, rows: NDArray[np.intp], columns: NDArray[np.intp]) -> Values:
    result = np.empty(len(rows))
    for start in range(0, len(rows), 65536):  # bounded memory: an edge has two descriptors
        part = slice(start, start + 65536)
        result[part] = np.linalg.norm(points[rows[part]] - points[columns[part]], axis=1)
    return result


def _by_paths(graph: csr_array, kind: str, costs: Callable[..., Values]) -> Values:
    import igraph
    from scipy.sparse import triu

    upper = triu(graph, 1).tocoo()
    weights = costs(upper.row, upper.col)
    if not np.isfinite(weights).all() or (weights < 0).any():
        raise InvalidInput("an edge costs less than 0 or is not finite", fix="use distances")
    if len(weights):
        weights = np.maximum(weights, (weights.max() or 1.0) * _NO_DISTANCE)
    network = igraph.Graph(n=graph.shape[0], edges=np.column_stack((upper.row, upper.col)), directed=False)
    if kind == "betweenness":
        return np.asarray(network.betweenness(directed=False, weights=weights.tolist()), np.float64)
    values = network.closeness(weights=weights.tolist(), normalized=True)
    return np.nan_to_num(np.asarray(values, np.float64), nan=0.0)
