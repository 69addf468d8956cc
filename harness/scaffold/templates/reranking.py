"""A re-ranker for vision-evaluation-harness."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import numpy as np
from annotated_types import Gt

if TYPE_CHECKING:
    from torch import Tensor

    from harness.plugin_api import Floats, Role


@dataclass(frozen=True)
class MyMethod:
    """Each cell of the query's grid finds its most similar cell (say here who invented it, and when).

    Formula:
        score = sum over cells i of the query of max_j <x_i, y_j>, with vectors of unit length

    Attributes:
        top: number of images of a ranking that are reordered; below it nothing moves.
        grid: cells a side into which the maps are averaged.
    """

    top: Annotated[int, Gt(0)] = 20
    grid: Annotated[int, Gt(0)] = 4

    def describe(self, maps: Sequence[Tensor], role: Role) -> Floats:
        """What is stored for one image.

        Args:
            maps: one tensor (C, h, w) float32 a scale; h and w may be 1.
            role: ``database`` or ``query``.

        Returns:
            Anything that pickles; here (scales * grid * grid, C) float32, rows of norm 1 or zero.
        """
        from torch.nn.functional import adaptive_avg_pool2d, normalize

        cells = [adaptive_avg_pool2d(scale[None], self.grid)[0].flatten(1).T for scale in maps]
        return np.concatenate([normalize(rows, dim=1).cpu().numpy() for rows in cells])

    def score(self, query: Floats, candidates: Sequence[Floats]) -> Floats:
        """Compare a query with candidates.

        Args:
            query: what ``describe`` gave for the query.
            candidates: what it gave for images of the database; each is scored on its own.

        Returns:
            (len(candidates),) float32, finite, higher is better; ties keep the order of the ranking.
        """
        return np.array([(query @ candidate.T).max(axis=1).sum() for candidate in candidates], np.float32)
