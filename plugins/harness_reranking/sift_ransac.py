"""SIFT with RANSAC: the classical geometric re-ranker, which looks at images and not at maps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
from annotated_types import Gt, Interval

from harness.core.errors import InvalidInput
from harness.plugin_api import Verification

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    from harness.plugin_api import Floats, Role

_LEAST = 4  # correspondences that determine a homography


@dataclass(frozen=True)
class Keypoints:
    """What is stored of an image.

    Attributes:
        positions: (n, 2) float32 x, y in pixels of the image.
        descriptors: (n, 128) uint8.
    """

    positions: NDArray[np.float32]
    descriptors: NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.positions)

    @property
    def nbytes(self) -> int:
        """Bytes of the arrays."""
        return self.positions.nbytes + self.descriptors.nbytes


@dataclass(frozen=True)
class SiftMatch:
    """How a database image matches a query.

    Attributes:
        indices: (m, 2) int64 inliers: keypoint of the query, keypoint of the database image, each at most once.
        transform: (3, 3) float64 homography from the query's pixels to those of the database image.
    """

    indices: NDArray[np.int64]
    transform: NDArray[np.float64]

    @property
    def count(self) -> int:
        """Number of inliers."""
        return len(self.indices)


@dataclass(frozen=True)
class SiftRansac(Verification):
    """Inliers of a homography between SIFT keypoints (Lowe 2004; Fischler and Bolles 1981), with OpenCV.

    It looks at images: they are described by ``describe_image``, and there is nothing to describe in feature maps.

    Formula:
        score = number of pairs of keypoints with |H p - p'| <= error, H the homography with most of them

    Attributes: those of ``Verification``, whose ``auto`` is all inliers, and

        top: number of images that are re-ranked.
        max_keypoints: strongest keypoints of an image that are kept.
        ratio: a nearest neighbour counts if it is nearer than this times the second nearest.
        error: largest transfer error of an inlier in pixels.
        iterations: of RANSAC at most.
    """

    top: Annotated[int, Gt(0)] = 100  # as dsm
    max_keypoints: Annotated[int, Gt(0)] = 1000
    ratio: Annotated[float, Interval(gt=0, le=1)] = 0.8  # Lowe 2004, §7.1
    error: Annotated[float, Gt(0)] = 5.0
    iterations: Annotated[int, Gt(0)] = 2000

    def describe(self, maps: Sequence[Tensor], role: Role) -> Keypoints:
        """Always raises ``InvalidInput``: maps show no keypoints; see ``describe_image``."""
        raise InvalidInput("sift-ransac cannot describe feature maps", fix="describe_image(image, role)")

    def describe_image(self, image: NDArray[np.uint8], role: Role) -> Keypoints:
        """Keypoints of an image (H, W, 3) uint8 RGB; queries and database images alike.

        Raises:
            InvalidInput: another shape or type.
        """
        import cv2

        if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or 0 in image.shape:
            raise InvalidInput(
                f"image of shape {image.shape} and type {image.dtype}", fix="(H, W, 3) uint8 with H, W >= 1"
            )
        grey = cv2.cvtColor(np.ascontiguousarray(image), cv2.COLOR_RGB2GRAY)
        finder = cv2.SIFT.create(self.max_keypoints)
        points, descriptors = finder.detectAndCompute(grey, None)
        if not points:
            return Keypoints(np.empty((0, 2), np.float32), np.empty((0, 128), np.uint8))
        # OpenCV gives more than asked for where the weakest are equally strong; its descriptors are whole numbers.
        positions = np.array([point.pt for point in points[: self.max_keypoints]], np.float32)
        return Keypoints(positions, np.asarray(descriptors[: self.max_keypoints], np.uint8))

    def pack(self, features: Keypoints) -> dict[str, NDArray[Any]]:
        """What is stored of an image as arrays, to be stored in a file."""
        return dict(vars(features))

    def unpack(self, arrays: Mapping[str, NDArray[Any]]) -> Keypoints:
        """The inverse of ``pack``."""
        return Keypoints(**arrays)

    def score(self, query: Keypoints, candidates: Sequence[Keypoints]) -> Floats:
        """(len(candidates),) float32: number of inliers, 0 or at least four."""
        return np.array([self.match(query, candidate).count for candidate in candidates], np.float32)

    def match(self, query: Keypoints, candidate: Keypoints) -> SiftMatch:
        """Inliers and homography; no inlier and the identity where none is found."""
        import cv2

        none = SiftMatch(np.empty((0, 2), np.int64), np.eye(3))
        pairs = self.tentatives(query, candidate)
        if len(pairs) < _LEAST:
            return none
        start, end = query.positions[pairs[:, 0]], candidate.positions[pairs[:, 1]]
        transform, mask = cv2.findHomography(start, end, cv2.USAC_DEFAULT, self.error, maxIters=self.iterations)
        if transform is None:
            return none
        inliers = pairs[mask.ravel() > 0]
        return SiftMatch(inliers, np.asarray(transform, np.float64)) if len(inliers) >= _LEAST else none

    def correspondences(
        self, query: Keypoints, candidate: Keypoints, query_size: tuple[int, int], candidate_size: tuple[int, int]
    ) -> dict[str, NDArray[Any]]:
        """The inliers for pictures: ``query`` and ``image`` (m, 2) x, y in pixels; sizes are not needed."""
        pairs = self.match(query, candidate).indices
        return {"query": query.positions[pairs[:, 0]], "image": candidate.positions[pairs[:, 1]]}

    def tentatives(self, query: Keypoints, candidate: Keypoints) -> NDArray[np.int64]:
        """(m, 2) pairs that pass the ratio test; of several for one keypoint of the candidate the nearest."""
        if not len(query) or len(candidate) < 2:
            return np.empty((0, 2), np.int64)
        left, right = query.descriptors.astype(np.float32), candidate.descriptors.astype(np.float32)
        # Squared distances without the query's own norm, in one product; whole numbers below 2^24, so exact.
        distances = np.column_stack([left, np.ones(len(left), np.float32)]) @ np.vstack(
            [-2 * right.T, (right**2).sum(1)]
        )
        rows, own = np.arange(len(left)), (left**2).sum(1)
        nearest = distances.argmin(axis=1)
        first = distances[rows, nearest] + own
        distances[rows, nearest] = np.inf
        good = np.flatnonzero(first < self.ratio**2 * (distances.min(axis=1) + own))
        good = good[np.argsort(first[good], kind="stable")]
        _, chosen = np.unique(nearest[good], return_index=True)
        chosen = np.sort(good[chosen])
        return np.stack([chosen, nearest[chosen]], axis=1).astype(np.int64)
