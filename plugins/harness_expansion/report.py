"""What a record says of a diffusion: size of the graph, and whether the solves converged."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from harness_expansion.spread import Convergence


@dataclass
class Report:
    """Gathered while a database is fitted and queries are answered, over all calls.

    Attributes:
        k: neighbours of an image in the graph.
        kq: images from which a query starts.
        alpha: of the system; bounds what rounding leaves of a residual.
        tol: relative residual asked for.
        edges: stored entries of the affinity, two an edge.
        fit_seconds: wall time of ``fit``.
        expand_seconds: wall time of all calls of ``expand``.
        queries: queries answered.
        unverified: of these, queries of a verified ranking that had no verified image.
        stored_bytes: what the offline stage keeps.
    """

    k: int
    kq: int
    alpha: float
    tol: float
    edges: int = 0
    fit_seconds: float = 0.0
    expand_seconds: float = 0.0
    queries: int = 0
    unverified: int = 0
    stored_bytes: int = 0
    _solves: int = field(default=0, repr=False)
    _converged: int = field(default=0, repr=False)
    _iterations: int = field(default=0, repr=False)
    _residual: float = field(default=0.0, repr=False)

    def add(self, ends: Convergence) -> None:
        """Count some solves."""
        # |x| <= |b| / (1 - alpha), and a residual cannot be computed more exactly than to some eps (|x| + |b|).
        rounding = 4 * np.finfo(np.float64).eps * (1 + 1 / (1 - self.alpha))
        self._solves += len(ends.residuals)
        self._converged += int((ends.residuals <= max(self.tol, rounding)).sum())
        self._iterations = max(self._iterations, int(ends.iterations.max(initial=0)))
        self._residual = max(self._residual, float(ends.residuals.max(initial=0)))

    def as_dict(self) -> dict[str, Any]:
        """JSON-able: most iterations and largest residual of a solve, share that converged, and the attributes."""
        return {
            "k": self.k,
            "kq": self.kq,
            "alpha": self.alpha,
            "edges": self.edges,
            "solves": self._solves,
            "iterations": self._iterations,
            "converged": self._converged / self._solves if self._solves else 1.0,
            "residual": self._residual,
            "queries": self.queries,
            "unverified": self.unverified,
            "stored_bytes": self.stored_bytes,
            "fit_seconds": round(self.fit_seconds, 4),
            "expand_seconds": round(self.expand_seconds, 4),
        }
