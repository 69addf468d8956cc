"""OS.EGM: generalised means of the regions that repeat in the collection."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Annotated, ClassVar, Final, Literal, NamedTuple

import numpy as np
from annotated_types import Ge, Gt, Lt

from harness.core.errors import InvalidInput
from harness_pooling.fs_egm import FeatureSaliencyEGM, RegionPooling
from harness_pooling.gem import region_means
from harness_pooling.region_whitening import RegionWhitening
from harness_pooling.saliency import RegionIndex, Search, patches

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    Floats = NDArray[np.float32]
    Doubles = NDArray[np.float64]

_SAMPLED_MAPS: Final = 32
_SAMPLED_PATCHES: Final = 16
"""Maps, and patches of each, on which the recall of an approximate search is measured."""

Centrality = Literal["degree", "eigenvector", "pagerank", "katz", "betweenness", "closeness"]


@dataclass(frozen=True)
class ObjectSaliencyEGM(RegionPooling):
    """Sum of normalised generalised means over regions that repeat in the database (Simeoni et al. 2019; thesis 5.3).

    First pass (``fit``): regions of high feature saliency become a graph; centrality says which matter. Second pass
    (``pool``): a cell is salient if it is itself and if the regions most similar to it are salient and central.

    Formula:
        f as for fs-egm, on the saliency O in place of F
        O_hw = F_hw^theta sum_(r in N(hw)) <y_hw, y_r> F_r^theta c_r
        y: whitened patch around a cell, whitened region of the database; F_r: mean saliency of a region;
        c_r: its centrality in the graph of regions; N: nearest regions

    Attributes: those of ``RegionPooling``, of which ``exponent`` is that of object saliency (``auto``: 2 with the
    preset ``thesis``, else 1), and

        feature_exponent: exponent of feature saliency in the first pass.
        theta: exponent of feature saliency, of the cell and of regions, within object saliency (eq. 5.14).
        centrality: of regions in their graph.
        k: neighbours in the graph of regions.
        gamma: exponent of similarities in the graph.
        alpha: damping of katz and pagerank.
        dim: dimensions of whitened regions, learnt from the regions themselves as a pooling knows no matching pairs; 0:
            all. The cost of an exact search rises with it, and is higher below 80, where the product of faiss is slow.
        patch: side in cells of the square around a cell.
        patch_pooling: ``max`` as printed, or ``gem`` as regions are.
        neighbours: regions that vote on a cell.
        search: ``exact``, or ``approximate`` (inverted file, one list in 32 searched); the record then has its recall
            on some patches of the database (``details.notes.pooling.recall``).
    """

    result_version: ClassVar[int] = 5

    feature_exponent: Annotated[float, Gt(0)] = 7.0  # thesis 5.4.2
    theta: Annotated[float, Ge(0)] = 3.0  # thesis 5.4.1
    centrality: Centrality = "katz"  # thesis 5.4.2
    k: Annotated[int, Ge(1)] = 50  # Iscen et al. 2017, §5
    gamma: Annotated[float, Gt(0)] = 3.0  # Iscen et al. 2017, §5
    alpha: Annotated[float, Ge(0), Lt(1)] = 0.99  # Iscen et al. 2017, §5
    dim: Annotated[int, Ge(0)] = 96
    patch: Annotated[int, Ge(1)] = 5
    patch_pooling: Literal["max", "gem"] = "max"
    neighbours: Annotated[int, Ge(1)] = 10
    search: Search = "exact"

    def fit(self, maps: Iterator[Tensor]) -> FittedObjectSaliency:
        """Find the regions of high feature saliency in maps (C, H, W), one image and scale after the other.

        The maps are read once and not stored. ``pool`` of the result is the second pass.

        Raises:
            InvalidInput: no maps.
        """
        samples: list[Floats] = []
        regions = self.discover(self._sampled(maps, samples) if self.search == "approximate" else maps)
        whitening = RegionWhitening.learn([regions.descriptors], self.dim)
        descriptors = whitening.apply(regions.descriptors)
        worth = regions.saliency**self.theta * self.significance(descriptors)
        index = RegionIndex(descriptors, worth.astype(np.float32), self.search)
        some = np.concatenate(samples) if samples else np.empty((0, 1), np.float32)
        recall = index.recall(whitening.apply(some), self.neighbours) if len(some) else None
        return FittedObjectSaliency(self, whitening, index, recall)

    def pool(self, maps: Tensor) -> Tensor:
        """Not without a database.

        Raises:
            InvalidInput: always; ``fit`` gives the pooling.
        """
        raise InvalidInput("os-egm has not seen a database", fix="pool with what fit(maps) returns")

    @property
    def contrast(self) -> float:
        """The exponent of object saliency; recommended is measured in docs/representation.md."""
        if self.exponent != "auto":
            return self.exponent
        return 2.0 if self.preset == "thesis" else 1.0  # thesis 5.4.2

    @property
    def first_pass(self) -> FeatureSaliencyEGM:
        """The detection of regions by feature saliency, with its own exponent."""
        shared = {field.name: getattr(self, field.name) for field in fields(RegionPooling)}
        return FeatureSaliencyEGM(**shared | {"exponent": self.feature_exponent})

    def discover(self, maps: Iterator[Tensor]) -> Regions:
        """The regions of all maps (C, H, W) with their saliency; reads the maps once and stores none."""
        import torch

        first, rows, means = self.first_pass, [], []
        with torch.no_grad():
            for image in maps:
                salient = np.asarray(first.saliency(image).cpu())
                regions = first.detect(salient)
                rows.append(np.asarray(region_means(image, regions, self.p).cpu()))
                means += [salient[y : y + h, x : x + w].mean(dtype=np.float64) for y, x, h, w in regions]
        if not rows:
            raise InvalidInput("os-egm cannot learn from zero images", fix="a database of one image or more")
        return Regions(np.concatenate(rows), np.array(means))

    def asked(self, maps: Tensor, features: Tensor) -> tuple[Tensor, Tensor, Floats]:
        """Of an image (C, H, W) with its feature saliency (H, W): what the sum over neighbours is multiplied with.

        Returns:
            The factor (H, W), where it is not negligible (H, W), and the patches there (m, C).
        """
        import torch

        own = features**self.theta
        asked = torch.from_numpy(self.samples(np.asarray(own.detach().cpu())) > 0).to(own.device)
        power = float("inf") if self.patch_pooling == "max" else self.p
        rows = patches(maps, self.patch, power)[:, asked].T
        return own, asked, np.asarray(rows.detach().cpu())

    def _sampled(self, maps: Iterator[Tensor], into: list[Floats]) -> Iterator[Tensor]:
        """The maps as they are; a few patches of the first of them are left in ``into``."""
        import torch

        for number, image in enumerate(maps):
            if number < _SAMPLED_MAPS:
                with torch.no_grad():
                    _, _, rows = self.asked(image, self.first_pass.saliency(image))
                into.append(rows[:: max(1, -(-len(rows) // _SAMPLED_PATCHES))])
            yield image

    def significance(self, descriptors: Floats) -> Doubles:
        """Centrality (n,) of each region in the graph of whitened regions (n, d) (thesis 5.3.6-5.3.7)."""
        from harness.graph import affinity, centrality

        graph = affinity(descriptors, self.k, self.gamma)
        return centrality(graph, self.centrality, alpha=self.alpha, descriptors=descriptors)


class Regions(NamedTuple):
    """Regions of a database: ``descriptors`` (n, C), mean feature ``saliency`` (n,) (thesis eq. 5.9-5.10)."""

    descriptors: Floats
    saliency: Doubles


@dataclass(frozen=True)
class FittedObjectSaliency:
    """What ``os-egm`` learnt of a database; pools as ``fs-egm`` does, on another saliency map."""

    parameters: ObjectSaliencyEGM
    whitening: RegionWhitening
    index: RegionIndex
    recall: float | None = None

    @property
    def report(self) -> dict[str, float]:
        """Recall of the approximate search for regions on some patches of the database; empty where it is exact."""
        return {} if self.recall is None else {"recall": self.recall}

    def pool(self, maps: Tensor) -> Tensor:
        """(..., C, H, W) float32, not negative -> (..., C) float32. Raises ``InvalidInput`` for H = 0 or W = 0."""
        return self.parameters.aggregated(maps, self.saliency(maps))

    def pool_query(self, maps: Tensor) -> Tensor:
        """As ``pool``, of a query with a box."""
        return self.pool(maps) if self.parameters.queries_by_regions(cropped=True) else self.parameters.whole(maps)

    def pool_uncropped_query(self, maps: Tensor) -> Tensor:
        """As ``pool``, of a query without a box."""
        return self.pool(maps) if self.parameters.queries_by_regions(cropped=False) else self.parameters.whole(maps)

    def saliency(self, maps: Tensor) -> Tensor:
        """Object saliency (thesis eq. 5.14) of maps (..., C, H, W): (..., H, W) float32, not negative."""
        import torch

        features = self.parameters.first_pass.saliency(maps)
        images = zip(maps.reshape(-1, *maps.shape[-3:]), features.reshape(-1, *maps.shape[-2:]), strict=True)
        saliencies = [self._saliency(*pair) for pair in images]
        return torch.stack(saliencies).reshape(features.shape) if saliencies else features

    def _saliency(self, maps: Tensor, features: Tensor) -> Tensor:
        """Of one image (C, H, W) with its feature saliency (H, W)."""
        import torch

        # Where the first factor of eq. 5.14 is negligible the sum over neighbours does not matter.
        own, asked, rows = self.parameters.asked(maps, features)
        sums = self.index.regress(self.whitening.apply(rows), self.parameters.neighbours)
        result = torch.zeros_like(own)
        result[asked] = own[asked] * torch.from_numpy(sums).to(own.device)
        return result
