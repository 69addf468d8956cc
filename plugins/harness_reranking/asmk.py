"""Aggregated selective match kernels on local features of a backbone, as HOW describes images."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Final

import numpy as np
from annotated_types import Gt, Interval

from harness.core.errors import InvalidInput

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    from harness.plugin_api import Floats, Ids, Role

    Doubles = NDArray[np.float64]

_LEARNT_FROM: Final = 200_000
"""Local features at most from which whitening and codebook are learnt."""
_NO_VARIANCE: Final = 1e-10
"""Share of the largest variance below which a direction is left out: what is in it is rounding."""
_BITS: Final = 32  # released code of ASMK: bits are stored, and compared, in words of so many


@dataclass(frozen=True)
class Cells:
    """What is stored of an image.

    Attributes:
        vectors: (m, C) float16, the cells of its maps with the largest attention, smoothed.
        query: (1,) bool, whether it is a query.
    """

    vectors: NDArray[np.float16]
    query: NDArray[np.bool_]


@dataclass(frozen=True)
class Aggregate:
    """An image by visual words.

    Attributes:
        words: (w,) int64, ascending.
        residuals: (w, bytes) uint8 bits, or (w, d) float64 of length about 1.
    """

    words: Ids
    residuals: NDArray[Any]


@dataclass(frozen=True)
class ASMK:
    """Local features of maps compared word by word of a codebook (Tolias et al. 2013 and, on maps, 2020: HOW).

    Features are the cells of the maps of all ``scales`` with the largest norm, averaged over 3 x 3 cells, whitened and
    reduced. Whitening and codebook are learnt from the database. The paper cuts the network before its last stage and
    has seven scales, ``[2.0, 1.414, 1.0, 0.7071, 0.5, 0.3536, 0.25]``. To rank by it alone, let ``top`` be the number
    of images. Without what it learns there is one word, at the origin, and vectors are compared as they are.

    Time O(f K d) an image, once, for f features and K words, and O(w d / 32) a pair of w common words. All images of
    the database are described for it: 2 f C bytes each while it learns, C maps.

    Formula:
        V_x(w) = sum of x - c_w over the features x of an image that have w among their words
        score = sum_w idf_w s(u(V_q(w), V_x(w))) / sqrt(sum_{w in x} idf_w sum_{w in q} idf_w), over common words w
        s(u) = u^alpha where u >= threshold, else 0; u = 1 - 2 hamming / d of the signs, or the inner product

    Attributes:
        top: number of images that are re-ranked.
        features: cells of an image that are kept, those with the largest attention.
        dim: dimensions after whitening, at most.
        words: size of the codebook; 65,536 in the paper, whose images are assigned in half an hour.
        assignments: words of a feature of a query; features of the database have one.
        alpha: exponent of the similarity of two residuals.
        threshold: least similarity that counts.
        binary: compare signs. Of dimensions that are no multiple of 32 the padding agrees, as in the released code.
        idf: weigh a word by ln(N / N_w)^2, N_w of N images of the database having it.
    """

    top: Annotated[int, Gt(0)] = 100  # as dsm
    features: Annotated[int, Gt(0)] = 1000  # Tolias et al. 2020, §5
    dim: Annotated[int, Gt(0)] = 128  # Tolias et al. 2020, §5
    words: Annotated[int, Gt(0)] = 4096
    assignments: Annotated[int, Gt(0)] = 5  # Tolias et al. 2020, §5
    alpha: Annotated[float, Gt(0)] = 3.0  # released code of HOW
    threshold: Annotated[float, Interval(ge=0, lt=1)] = 0.0  # released code of HOW
    binary: bool = True
    idf: bool = False

    def describe(self, maps: Sequence[Tensor], role: Role) -> Cells:
        """The strongest cells of all scales (C, h, w); cells without any activation are left out."""
        import torch
        from torch.nn.functional import avg_pool2d

        vectors, squares = [], []
        for scale in maps:
            smooth = avg_pool2d(scale[None].float(), 3, 1, 1, count_include_pad=False)[0]
            vectors.append(smooth.flatten(1).T)
            squares.append(scale.double().pow(2).sum(0).flatten())
        attention = torch.cat(squares)  # squared, which orders alike
        best = torch.argsort(attention, descending=True, stable=True)[: self.features]
        best = best[attention[best] > 0]
        largest = float(np.finfo(np.float16).max)
        chosen = torch.cat(vectors)[best].clamp(-largest, largest).half().cpu().numpy()
        return Cells(chosen, np.array([role == "query"]))

    def pack(self, features: Cells) -> dict[str, NDArray[Any]]:
        """What is stored of an image as arrays, to be stored in a file."""
        return dict(vars(features))

    def unpack(self, arrays: Mapping[str, NDArray[Any]]) -> Cells:
        """The inverse of ``pack``."""
        return Cells(**arrays)

    def fit(self, features: Iterator[Cells]) -> FittedASMK:
        """Learn whitening and codebook, and how frequent words are, from the images of a database.

        Raises:
            InvalidInput: fewer features than words.
        """
        from harness.search import k_means

        images = list(features)
        mean, projection = whitening(_some(images), self.dim)
        parts = [_whitened(image, mean, projection) for image in _some(images)]
        rows = np.concatenate([np.zeros((0, len(projection))), *parts])
        if len(rows) < self.words:
            raise InvalidInput(
                f"asmk has {len(rows):,} features of the database for {self.words:,} words",
                fix=f"asmk: {{words: {max(1, len(rows) // 8)}}}",
            )
        centres, _ = k_means(rows.astype(np.float32), self.words, seed=0, iterations=10)
        learnt = FittedASMK(self, mean, projection, np.asarray(centres, np.float64), np.ones(self.words), len(rows))
        return learnt.with_frequencies(images) if self.idf else learnt

    def score(self, query: Cells, candidates: Sequence[Cells]) -> Floats:
        """(len(candidates),) float32 without anything learnt: one word at the origin."""
        from dataclasses import replace

        dim = query.vectors.shape[1]
        plain = FittedASMK(replace(self, binary=False), np.zeros(dim), np.eye(dim), np.zeros((1, dim)), np.ones(1), 0)
        return plain.score(plain.prepared(query), [plain.prepared(candidate) for candidate in candidates])


@dataclass(frozen=True)
class FittedASMK:
    """The kernel with what it learnt from a database.

    Attributes:
        method: its parameters.
        mean: (C,) of the features.
        projection: (d, C) whitens them.
        centres: (K, d) the codebook.
        weights: (K,) idf.
        seen: features it was learnt from.
    """

    method: ASMK
    mean: Doubles
    projection: Doubles
    centres: Doubles
    weights: Doubles
    seen: int

    @property
    def report(self) -> dict[str, Any]:
        """What a record says of the codebook."""
        return {"words": len(self.centres), "dimension": len(self.projection), "features": self.seen}

    def with_frequencies(self, images: Sequence[Cells]) -> FittedASMK:
        """With words weighted by how many of the images have them; a word of none keeps 1, as in the released code."""
        from dataclasses import replace

        counts = np.zeros(len(self.centres))
        for image in images:
            counts[self.prepared(image).words] += 1
        shares = np.log(len(images) / np.maximum(counts, 1)) ** 2
        return replace(self, weights=np.where(counts > 0, shares, 1.0))

    def prepared(self, features: Cells) -> Aggregate:
        """The residuals of an image, word by word."""
        rows = _whitened(features, self.mean, self.projection)
        count = self.method.assignments if features.query[0] else 1
        words, of_row = _nearest(rows, self.centres, min(count, len(self.centres)))
        names, place = np.unique(words, return_inverse=True)
        residuals = np.zeros((len(names), len(self.projection)))
        np.add.at(residuals, place, rows[of_row] - self.centres[words])
        if not self.method.binary:
            lengths = np.linalg.norm(residuals, axis=1, keepdims=True)
            return Aggregate(names, residuals / (lengths + 1e-6))  # released code of ASMK
        padding = -residuals.shape[1] % _BITS
        return Aggregate(names, np.packbits(np.pad(residuals > 0, ((0, 0), (0, padding))), axis=1))

    def score(self, query: Aggregate, candidates: Sequence[Aggregate]) -> Floats:
        """(len(candidates),) float32: the normalised kernel; 0 of images without a common word."""
        norm = self.weights[query.words].sum()
        scores = np.zeros(len(candidates))
        for number, image in enumerate(candidates):
            common, left, right = np.intersect1d(query.words, image.words, assume_unique=True, return_indices=True)
            total = norm * self.weights[image.words].sum()
            if len(common) and total > 0:
                alike = self._similarities(query.residuals[left], image.residuals[right])
                counted = np.where(alike >= self.method.threshold, np.maximum(alike, 0) ** self.method.alpha, 0)
                scores[number] = self.weights[common] @ counted / np.sqrt(total)
        return scores.astype(np.float32)

    def _similarities(self, left: NDArray[Any], right: NDArray[Any]) -> Doubles:
        """Of residuals of the same words, (w,)."""
        if self.method.binary:
            apart = np.bitwise_count(left ^ right).sum(axis=1)
            return np.asarray(1 - 2 * apart / (8 * left.shape[1]), np.float64)
        return np.asarray((left * right).sum(axis=1))


def whitening(images: Sequence[Cells], dim: int) -> tuple[Doubles, Doubles]:
    """Mean (C,) and projection (d, C) on at most ``dim`` principal components, each divided by its deviation."""
    total = sum(len(image.vectors) for image in images)
    width = images[0].vectors.shape[1] if images else 1
    if not total:
        return np.zeros(width), np.eye(min(dim, width), width)
    mean = sum(image.vectors.sum(axis=0, dtype=np.float64) for image in images) / total
    covariance = np.zeros((width, width))
    for image in images:
        centred = image.vectors.astype(np.float64) - mean
        covariance += centred.T @ centred
    values, vectors = np.linalg.eigh(covariance / total)
    values, vectors = values[::-1][:dim], vectors[:, ::-1][:, :dim]
    kept = values > max(_NO_VARIANCE * values[0], np.finfo(np.float64).tiny)
    if not kept.any():
        return np.asarray(mean), np.eye(min(dim, width), width)
    return np.asarray(mean), (vectors[:, kept] / np.sqrt(values[kept])).T


def _whitened(image: Cells, mean: Doubles, projection: Doubles) -> Doubles:
    return np.asarray((image.vectors.astype(np.float64) - mean) @ projection.T)


def _nearest(rows: Doubles, centres: Doubles, count: int) -> tuple[Ids, Ids]:
    """The ``count`` nearest centres of each row, (m * count,), and the rows that they are of; of equals the first."""
    distances = (centres**2).sum(axis=1) - 2 * rows @ centres.T
    own = np.arange(len(rows))
    found = []
    for _ in range(count):
        found.append(distances.argmin(axis=1))
        distances[own, found[-1]] = np.inf
    return np.concatenate(found), np.tile(own, count)


def _some(images: Sequence[Cells]) -> Sequence[Cells]:
    """Every n-th image, so that there are not too many features to learn from."""
    total = sum(len(image.vectors) for image in images)
    return images[:: max(1, -(-total // _LEARNT_FROM))]
