"""Deep spatial matching as a re-ranker: features of every image, inliers of every pair."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import numpy as np
from annotated_types import Gt, Interval

from harness.core.errors import InvalidInput
from harness.plugin_api import OrderDefaults, Verification
from harness_reranking.dsm.detect import Detection, detect
from harness_reranking.dsm.features import Features, join
from harness_reranking.dsm.match import Gates, Match, match

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    from harness.plugin_api import Floats, Role


@dataclass(frozen=True)
class DSM(Detection, Gates, Verification):
    """Deep spatial matching: inliers between local features of the maps (Simeoni et al. 2019; thesis 4.3).

    The preset says how the thesis' numbers are read: as its text does, as the released code does, or (recommended)
    as the released code, but with bright regions only and the shapes of the text. ``detect.Detection`` and
    ``match.Gates`` list what differs. Recommended orders by inliers times similarity, the others by inliers.

    Formula:
        score = max over pairs of scales and affine transforms T of the number of correspondences
        with |T p - p'| within error, p and p' centres of regions of one channel

    Attributes: those of ``Detection``, ``Gates`` and ``Verification``, and

        top: number of images that are re-ranked.
        rotations: a query is described at so many rotations over a full turn, and the most inliers count; 0: as it is.
            The model itself covers turns of some 20 degrees.
    """

    result_version: ClassVar[int] = 3  # cells of a region as poly2mask has them

    top: Annotated[int, Gt(0)] = 100  # Simeoni et al. 2019 (thesis), §4.4.1
    rotations: Annotated[int, Interval(ge=0, le=16)] = 0

    @property
    def order_defaults(self) -> OrderDefaults:
        """The thesis and the released code order by the plain inliers; recommended is measured in docs/dsm.md."""
        return OrderDefaults("product") if self.preset == "recommended" else OrderDefaults()

    def describe(self, maps: Sequence[Tensor], role: Role) -> Features:
        """Local features of one image from its maps (C, h, w), one per scale; overlapping ones go in the database.

        Raises:
            InvalidInput: no map, a wrong shape, or values that are not finite.
        """
        return detect([scale.detach().cpu().float().numpy() for scale in maps], role, self)

    def describe_rotations(self, views: Sequence[Sequence[Tensor]]) -> Features:
        """Local features of a query from the maps (C, h, w) of its views, turned evenly over a full turn.

        Maps of further views stand as further scales.
        """
        features = [self.describe(maps, "query") for maps in views]
        counts = [len(view.sizes) for view in features]
        first = np.cumsum([0, *counts[:-1]]).tolist()
        shifted = [
            replace(view, scales=(view.scales + start).astype(np.uint8))
            for view, start in zip(features, first, strict=True)
        ]
        return replace(join(shifted), turns=np.repeat(360 * np.arange(len(views)) / len(views), counts))

    def pack(self, features: Features) -> dict[str, NDArray[Any]]:
        """What is stored of an image as arrays, to be stored in a file."""
        arrays = {name: value for name, value in vars(features).items() if name != "gain" and value is not None}
        return {**arrays, "gain": np.array([features.gain])}

    def unpack(self, arrays: Mapping[str, NDArray[Any]]) -> Features:
        """The inverse of ``pack``."""
        fields: dict[str, Any] = {**arrays, "gain": float(arrays["gain"][0])}
        return Features(**fields)

    def score(self, query: Features, candidates: Sequence[Features]) -> Floats:
        """(len(candidates),) float32: inliers of the best pair of scales; 0 where there are fewer than three."""
        return np.array([self.match(query, candidate).count for candidate in candidates], np.float32)

    def match(self, query: Features, candidate: Features) -> Match:
        """Inliers and transform of the best pair of scales."""
        return match(query, candidate, self)

    def correspondences(
        self, query: Features, candidate: Features, query_size: tuple[int, int], candidate_size: tuple[int, int]
    ) -> dict[str, NDArray[Any]]:
        """The inliers in pixels, for pictures.

        ``query`` and ``image`` (m, 2) x, y; ``query_shapes`` and ``image_shapes`` (m, 3) covariances xx, xy, yy;
        ``words`` (m,) int64, the channels.

        Args:
            query: features of a query.
            candidate: features of a database image.
            query_size: width and height in pixels of the image as the network saw it.
            candidate_size: the same of the database image.
        """
        inliers = self.match(query, candidate).indices
        left, right = query.take(inliers[:, 0]), candidate.take(inliers[:, 1])
        positions, shapes = left.in_pixels(query_size)
        others, other_shapes = right.in_pixels(candidate_size)
        return {
            "query": positions,
            "image": others,
            "query_shapes": shapes,
            "image_shapes": other_shapes,
            "words": left.channels.astype(np.int64),
        }

    def attention(self, query_maps: Tensor, image_maps: Tensor) -> tuple[Tensor, Tensor]:
        """Where two images match, for spatial training (thesis 4.5.1).

        Args:
            query_maps: (C, h, w), seen as a query.
            image_maps: (C, h', w'), seen as an image of the database.

        Returns:
            Masks (C, h, w) and (C, h', w') bool: the regions of a channel's inliers, all of a channel without any.

        Raises:
            InvalidInput: the preset finds dark regions as well, of which no cells are known.
        """
        import torch

        from harness_reranking.dsm.attention import region_masks

        if self.preset == "released-code":
            raise InvalidInput("preset released-code finds dark regions too", fix="preset: recommended or thesis")
        query, image = self.describe([query_maps], "query"), self.describe([image_maps], "database")
        inliers = self.match(query, image).indices
        left = region_masks(query_maps.detach().cpu().float().numpy(), query, inliers[:, 0])
        right = region_masks(image_maps.detach().cpu().float().numpy(), image, inliers[:, 1])
        return torch.from_numpy(left), torch.from_numpy(right)
