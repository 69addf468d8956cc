"""A dataset as a backbone sees it: its images under a protocol, and what a pooling learns from them. Loads torch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from torch import Tensor

from harness.core.progress import Progress
from harness.plugin_api import LearnsFromMaps, Pooling, RetrievalSet, Role
from harness.retrieval.extraction import ImageList, MapStream, NamedBackbone
from harness.retrieval.joint import JointPooling
from harness.retrieval.pooled import near
from harness.retrieval.protocol import RetrievalProtocol


@dataclass(frozen=True)
class SeenDataset:
    """A dataset seen through a backbone.

    Attributes:
        dataset: images, queries and boxes.
        protocol: size and scales.
        backbone: gives the maps.
        progress: shows how far it is.
        joint_poolings: of other runs that want descriptors of the same images: they are computed in the same pass.
    """

    dataset: RetrievalSet
    protocol: RetrievalProtocol
    backbone: NamedBackbone
    progress: Progress
    joint_poolings: Sequence[JointPooling] = ()

    def images(self, role: Role) -> ImageList:
        """The images of one role as the protocol shows them; only queries are cropped to their box."""
        seen = self.protocol.device, self.protocol.numerics
        shown = self.protocol.image_size, self.protocol.scales, self.dataset.orientation, *seen
        if role == "query":
            return ImageList(self.dataset.queries, self.dataset.boxes, *shown)
        return ImageList(self.dataset.images, [None] * len(self.dataset.images), *shown)

    @property
    def first_distractor(self) -> int:
        """Images of the database before its distractors."""
        return len(self.dataset.images) - self.dataset.distractors

    def without_distractors(self, role: Role) -> ImageList:
        """The images of one role that may be learnt from."""
        images = self.images(role)
        return images.some(range(self.first_distractor)) if role == "database" and self.dataset.distractors else images

    def fitted(self, pooling: Pooling) -> Pooling:
        """The pooling with what it learns from the database; itself where it learns nothing."""
        if not isinstance(pooling, LearnsFromMaps):
            return pooling
        images = self.without_distractors("database")
        # A partial of what the fit may see: a closure would lead to the relevance judgements.
        return pooling.fit(MapStream(partial(_shown, self.backbone, images, self.progress, pooling)))


def _shown(backbone: NamedBackbone, images: ImageList, progress: Progress, pooling: Pooling) -> Iterator[list[Tensor]]:
    """The maps that a pooling learns from, where it can work on them."""
    for scales in backbone.maps(images, "fit pooling", progress):
        yield near(pooling, scales)
