"""Diffusion solved beforehand for every image of the database (Yang et al. 2019); a query only adds up rows.

Loads scipy and numba: imported when a database is fitted.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from scipy.sparse import csr_array, vstack

from harness.search import neighbours_of, own_entries
from harness_expansion.spread import NO_SOLVES, Convergence, Subgraphs, System

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harness.plugin_api import Floats, Ids
    from harness_expansion.seeds import Seed

_ROWS: Final = 4096
"""Images solved between two looks at the memory: 4,096 x 1,000 neighbours are 80 MB."""


class Offline:
    """The column of the inverse of every image among its ``top`` nearest, as sparse rows in float32.

    Attributes:
        ends: how the solves of all images ended.
        stored_bytes: size of the rows.
    """

    block: Final = 16

    def __init__(self, database: Floats, affinity: Any, system: System, top: int, early: bool) -> None:
        """Solve for every image of the database (n, d) with this affinity (n, n)."""
        parts = Subgraphs(affinity, system, early)
        rows, ends = [], []
        for start in range(0, max(len(database), 1), _ROWS):  # one block, also of no image
            kept = _nearest(database, np.arange(start, min(start + _ROWS, len(database))), top)
            unit = np.zeros(kept.shape)
            unit[:, 0] = 1
            solved, ended = parts.solve(kept, unit)
            rows.append(_sparse(kept, solved, len(database)))
            ends.append(ended)
        self._rows = vstack(rows, format="csr")
        self.ends = Convergence(*(np.concatenate(values) for values in zip(*ends, strict=True)))
        self.stored_bytes = sum(a.nbytes for a in (self._rows.data, self._rows.indices, self._rows.indptr))

    def scores(self, queries: Floats, seeds: Sequence[Seed], rankings: Ids) -> tuple[NDArray[np.float64], Convergence]:
        """Diffused similarities (q, n) of ``seeds``, one a query: nothing is left to solve."""
        images = np.concatenate([images for images, _ in seeds])
        values = np.concatenate([values for _, values in seeds])
        ends = np.cumsum([0, *(len(images) for images, _ in seeds)])
        weights = csr_array((values, np.arange(len(images)), ends), shape=(len(seeds), len(images)))
        return (weights @ self._rows[images].astype(np.float64)).toarray(), NO_SOLVES


def _nearest(database: Floats, items: Ids, top: int) -> Ids:
    """The ``top`` images nearest to each item (m, t), itself first."""
    if not len(items):
        return items[:, None]
    lists = neighbours_of(database[items], database, min(top, len(database))).indices
    others = lists[~own_entries(lists, items)]
    return np.concatenate([items[:, None], others.reshape(len(items), -1)], axis=1)


def _sparse(kept: Ids, solved: NDArray[np.float64], n: int) -> Any:
    """Rows (m, n) of what was reached."""
    reached = solved != 0
    ends = np.concatenate([[0], np.cumsum(reached.sum(axis=1))])
    return csr_array((solved[reached].astype(np.float32), kept[reached].astype(np.int32), ends), shape=(len(kept), n))
