"""SuperGlobal re-ranking: the top of a ranking ordered by descriptors that are refined among themselves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar, Final, Literal

import numpy as np
from annotated_types import Ge

from harness_expansion.order import stacked, top_reordered
from harness_expansion.sizes import Auto, k_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harness.plugin_api import Floats, Ids, Ranking

    Doubles = NDArray[np.float64]

_MOST: Final = 9  # Shao et al. 2023, released code


@dataclass(frozen=True)
class SuperGlobal:
    """Top images compared by means with their neighbours, and with what the best have in common (Shao et al. 2023).

    It looks at global descriptors only. Each of the ``top`` images is replaced by a mean with its ``k`` most similar
    ones among them; a second query is the entrywise maximum over the ``k + 1`` means that are most similar to the
    query. Below ``top`` nothing moves. A ranking that is cut above ``top`` (``depth``) is reordered as far as it goes,
    so its depth counts. An image without descriptor stays without.

    The numbers of the released code are those of collections with dozens of relevant images. Where few images show an
    object such means mix in others.

    Time O(top^2 d) a query.

    Formula:
        r_i = (x_i + beta sum_j s_ij x_j) / (1 + beta sum_j s_ij), s_ij = <x_i, x_j>, j the k neighbours of i in the top
        e = max of r_i, entry by entry, over the k + 1 images i with the largest <q, r_i>
        score_i = (<q, r_i> + <e, r_i>) / 2
        recommended, of n images: k = n / 600 from 0 to 9

    Attributes:
        top: images of each ranking that are reordered.
        k: neighbours of an image, itself not counted; ``auto``: as the preset says.
        beta: weight of a neighbour of similarity 1. A negative similarity weighs negatively, as in the released code.
        preset: ``recommended`` bounds k by the size of the database, ``released-code`` takes 9.
    """

    result_version: ClassVar[int] = 2  # k by the size of the database

    top: Annotated[int, Ge(1)] = 400  # Shao et al. 2023, released code (RerankwMDA.py)
    k: Annotated[int, Ge(0)] | Auto = "auto"
    beta: Annotated[float, Ge(0)] = 0.15  # Shao et al. 2023, released code
    preset: Literal["released-code", "recommended"] = "recommended"

    def k_of(self, n: int) -> int:
        """The number ``k`` for a database of n images."""
        return k_of(self.k, n, 600, 0, _MOST, bounded=self.preset == "recommended")

    def fit(self, database: Floats) -> FittedSuperGlobal:
        """Bind to a database (n, d) float32 of L2-normalised descriptors."""
        return FittedSuperGlobal(self, database, self.k_of(len(database)))


@dataclass(frozen=True)
class FittedSuperGlobal:
    """The method bound to a database (n, d)."""

    parameters: SuperGlobal
    database: Floats
    k: int

    def expand(self, queries: Floats, ranking: Ranking) -> Ranking:
        """The ranking with its top reordered, for each query (q, d) on its own."""
        table = zip(queries, ranking.indices, ranking.scores, ranking.tied, strict=True)
        return stacked([top_reordered(self._keys(query, row[0]), *row) for query, *row in table], ranking)

    def _keys(self, query: Floats, ranked: Ids) -> tuple[Doubles, Doubles]:
        """Score of each of the top images (m,), and its similarity to the query alone, which decides between equals."""
        top = self.database[ranked[: self.parameters.top]].astype(np.float64)
        means = refined(top, self.k, self.parameters.beta)
        similarities = means @ query.astype(np.float64)
        best = np.argsort(-similarities.astype(np.float32), kind="stable")[: self.k + 1]
        common = means[best].max(axis=0, initial=-np.inf) if len(means) else query.astype(np.float64)
        return (similarities + means @ common) / 2, similarities


def refined(rows: Doubles, k: int, beta: float) -> Doubles:
    """Each of the rows (m, d) in the mean with its ``k`` most similar others; not normalised."""
    similarities = rows @ rows.T
    # Compared as float32: rounding in the last place of float64 must not decide between equals.
    near = np.argsort(-similarities.astype(np.float32), axis=1, kind="stable")[:, : k + 1]
    weights = beta * np.take_along_axis(similarities, near, axis=1)
    weights[:, :1] = 1  # the row itself, or one that equals it
    total = weights.sum(axis=1, keepdims=True)
    spread = np.zeros_like(similarities)
    np.put_along_axis(spread, near, weights / np.where(total > 0, total, 1), axis=1)
    usable = (total[:, 0] > 0) & rows.any(axis=1)
    means: Doubles = np.where(usable[:, None], spread @ rows, rows)
    return means
