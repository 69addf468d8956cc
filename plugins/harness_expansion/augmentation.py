"""Database-side augmentation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import numpy as np
from annotated_types import Ge

from harness_expansion.order import reranked, unit

if TYPE_CHECKING:
    from harness.protocols import Floats, Ranking

_ROWS = 1024


@dataclass(frozen=True)
class DatabaseAugmentation:
    """Each database descriptor replaced by a weighted mean with its neighbours (Arandjelovic and Zisserman 2012).

    Attributes:
        count: neighbours of each image, itself not counted; 0 changes nothing.
        alpha: exponent of the similarity that weighs a neighbour; 0 weighs all alike.
    """

    count: Annotated[int, Ge(0)] = 10
    alpha: Annotated[float, Ge(0)] = 0.0

    def fit(self, database: Floats) -> FittedAugmentation:
        """The augmented database of (n, d) L2-normalised descriptors, made in blocks of rows."""
        if self.count == 0 or len(database) < 2:
            return FittedAugmentation(database)
        from harness.graph import neighbours

        found = neighbours(database, min(self.count, len(database) - 1))
        weights = np.maximum(found.similarities, 0) ** self.alpha if self.alpha else (found.indices >= 0) * 1.0
        augmented = np.empty_like(database)
        for start in range(0, len(database), _ROWS):
            part = slice(start, start + _ROWS)
            near = database[found.indices[part]]
            augmented[part] = unit(database[part] + np.einsum("nk,nkd->nd", weights[part], near))
        return FittedAugmentation(augmented)


@dataclass(frozen=True)
class FittedAugmentation:
    """An augmented database."""

    database: Floats

    def expand(self, queries: Floats, ranking: Ranking) -> Ranking:
        """Search the augmented database with the queries (q, d) as they are."""
        return reranked(queries @ self.database.T, ranking)
