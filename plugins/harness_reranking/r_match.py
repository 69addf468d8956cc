"""R-Match: regional descriptors of two images compared one by one, the costly baseline of global descriptors."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Final, Literal

import numpy as np
from annotated_types import Ge, Gt

from harness.search import unit_rows

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    from harness.plugin_api import Floats, Role
    from harness_whitening.linear import LinearWhitening

    Doubles = NDArray[np.float64]

_TURNS: Final = 20
"""Turns of expectation and maximisation; a few dozen vectors come to rest before."""
_LEARNT_FROM: Final = 200_000
"""Regions at most from which a whitening is learnt."""


@dataclass(frozen=True)
class RMatch:
    """Each region of the query finds its most similar one; similarities are added (Razavian et al. 2016; thesis 5.4.3).

    To rank by it alone, let ``top`` be the number of images. Its regions are not those of the pooling and are whitened
    by themselves, if at all: by ``pca`` as it recommends, learnt from the regions of all images of the
    database, which are all described for it.

    Formula:
        score = sum_r max_s <q_r, x_s>, over regions r of the query and s of the image

    Attributes:
        top: number of images that are re-ranked.
        regions: ``grid``, that of R-MAC with the whole map, or ``egm``, those that ``fs-egm`` finds in database images
            (queries have the grid all the same: they show little else than the object).
        levels: number of region sizes of the grid.
        p: exponent of the generalised mean over a region.
        keep: vectors an image is reduced to; 0: all. Queries keep all.
        reduction: ``gmm``, the means of a Gaussian mixture with one variance (Iscen et al. 2017, who say no more of
            it), or ``k-means``.
        whiten: whether regions are whitened, after a reduction; ``auto``: as the preset says.
        preset: ``recommended`` whitens, ``thesis`` does not.
    """

    result_version: ClassVar[int] = 5  # generalised means in float64

    top: Annotated[int, Gt(0)] = 100  # as dsm
    regions: Literal["grid", "egm"] = "grid"
    levels: Annotated[int, Ge(1)] = 3  # thesis 5.4.3
    p: Annotated[float, Gt(0)] = 3.0  # Radenovic et al. 2018, §5: initial value
    keep: Annotated[int, Ge(0)] = 0
    reduction: Literal["gmm", "k-means"] = "gmm"
    whiten: bool | Literal["auto"] = "auto"
    preset: Literal["thesis", "recommended"] = "recommended"

    @property
    def learns(self) -> bool:
        """Whether regions are whitened."""
        return self.preset == "recommended" if self.whiten == "auto" else self.whiten

    def fit(self, features: Iterator[Floats]) -> WhitenedRMatch:
        """Learn the whitening of regions from those of each image (r, C); of very many images from some of them."""
        from harness_whitening.pca import PCA

        kept: list[Floats] = []
        step = 1
        for number, rows in enumerate(features):
            if number % step == 0:
                kept.append(rows)
            if sum(map(len, kept)) > _LEARNT_FROM:
                kept, step = kept[::2], 2 * step
        return WhitenedRMatch(self, PCA().fit(np.concatenate(kept or [np.zeros((0, 1), np.float32)])))

    def describe(self, maps: Sequence[Tensor], role: Role) -> Floats:
        """(r, C) float32, rows of norm 1 or zero: the regions of all scales together."""
        rows = np.concatenate([self._regions(scale, role) for scale in maps])
        if role == "query" or not self.keep or len(rows) <= self.keep:
            return rows
        return reduced(rows, self.keep, soft=self.reduction == "gmm")

    def score(self, query: Floats, candidates: Sequence[Floats]) -> Floats:
        """(len(candidates),) float32: sum over regions of the query of the largest cosine; lowest without regions."""
        scores = np.full(len(candidates), -1.0 - len(query), np.float32)
        filled = [i for i, rows in enumerate(candidates) if len(rows)]
        if filled and len(query):
            starts = np.cumsum([0, *(len(candidates[i]) for i in filled[:-1])])
            cosines = query @ np.concatenate([candidates[i] for i in filled]).T
            scores[filled] = np.maximum.reduceat(cosines, starts, axis=1).sum(axis=0)
        return scores

    def pack(self, features: Floats) -> Mapping[str, NDArray[Any]]:
        """What is stored of an image as named arrays."""
        return {"regions": features}

    def unpack(self, arrays: Mapping[str, NDArray[Any]]) -> Floats:
        """The inverse of ``pack``."""
        return arrays["regions"]

    def _regions(self, maps: Tensor, role: Role) -> Floats:
        """Of one scale (C, h, w): (r, C), each normalised."""
        from harness_pooling.fs_egm import FeatureSaliencyEGM
        from harness_pooling.gem import region_means
        from harness_pooling.regions import region_grid

        regions = list(region_grid(maps.shape[-2], maps.shape[-1], self.levels))
        if self.regions == "egm" and role == "database":
            method = FeatureSaliencyEGM(p=self.p)
            regions = method.detect(np.asarray(method.saliency(maps).cpu()))
        return unit_rows(region_means(maps, regions, self.p).cpu().numpy())


@dataclass(frozen=True)
class WhitenedRMatch:
    """Cross-matching of whitened regions."""

    method: RMatch
    whitening: LinearWhitening

    @property
    def report(self) -> Mapping[str, Any]:
        """What a record says of the whitening of regions."""
        return {"regions": "whitened", "dimension": len(self.whitening.projection), **self.whitening.report}

    def prepared(self, features: Floats) -> Floats:
        """Regions (r, C) -> (r, d) whitened."""
        return self.whitening.apply(features)

    def score(self, query: Floats, candidates: Sequence[Floats]) -> Floats:
        """As that of the method, of whitened regions."""
        return self.method.score(query, candidates)


def reduced(rows: Floats, count: int, soft: bool) -> Floats:
    """``count`` normalised means of vectors (r, C): of a Gaussian mixture with one variance (soft), or of k-means.

    The first mean is the vector nearest to the middle, each further one the vector farthest from those before.
    """
    vectors = rows.astype(np.float64)
    means = vectors[_spread(vectors, count)]
    shares = np.full(count, 1 / count)
    variance = float(_squares(vectors, means).min(axis=1).mean()) / vectors.shape[1]
    for _ in range(_TURNS):
        weights = _memberships(_squares(vectors, means), shares, variance if soft else 0.0)
        sizes = weights.sum(axis=0)
        before = means
        means = np.where(sizes[:, None] > 0, weights.T @ vectors / np.where(sizes > 0, sizes, 1)[:, None], means)
        shares = np.maximum(sizes, 1e-12) / len(vectors)
        variance = float((weights * _squares(vectors, means)).sum()) / vectors.size
        if np.allclose(means, before, rtol=0, atol=1e-9):
            break
    return unit_rows(means)


def _memberships(squares: Doubles, shares: Doubles, variance: float) -> Doubles:
    """Of each vector in each component (r, count), rows of sum 1; of no variance: all in the nearest."""
    if variance <= 1e-12:
        nearest: Doubles = np.eye(squares.shape[1])[squares.argmin(axis=1)]
        return nearest
    logs = np.log(shares) - squares / (2 * variance)
    densities = np.exp(logs - logs.max(axis=1, keepdims=True))
    memberships: Doubles = densities / densities.sum(axis=1, keepdims=True)
    return memberships


def _spread(vectors: Doubles, count: int) -> list[int]:
    chosen = [int(_squares(vectors, vectors.mean(axis=0)[None])[:, 0].argmin())]
    nearest = _squares(vectors, vectors[chosen])[:, 0]
    while len(chosen) < count:
        chosen.append(int(nearest.argmax()))
        nearest = np.minimum(nearest, _squares(vectors, vectors[chosen[-1:]])[:, 0])
    return chosen


def _squares(vectors: Doubles, means: Doubles) -> Doubles:
    """Squared distances (r, count)."""
    squares: Doubles = ((vectors[:, None, :] - means) ** 2).sum(axis=2)
    return squares
