"""The data of one run in the order in which they are searched, and what its rankings are judged by."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from harness.cache import Cache
from harness.plugin_api import RetrievalSet
from harness.retrieval.canonical import CanonicalSet, canonical, unchanged
from harness.retrieval.leave_one_out import OwnImages, as_junk, leaves_out, own_images
from harness.retrieval.protocol import RetrievalProtocol


@dataclass(frozen=True)
class SearchedData:
    """A dataset in canonical order.

    Attributes:
        loaded: as its loader gave it.
        protocol: says with the dataset whether own images are left out.
        key: what the data are.
        cache: where digests of images are stored.
        files: whether images are files; else descriptors come from files, in the order of the ground truth.
    """

    loaded: RetrievalSet
    protocol: RetrievalProtocol
    key: Any
    cache: Cache
    files: bool

    @cached_property
    def canonical(self) -> CanonicalSet:
        """The order."""
        return canonical(self.loaded, self.key, self.cache) if self.files else unchanged(self.loaded)

    @property
    def dataset(self) -> RetrievalSet:
        """The dataset in it."""
        return self.canonical.dataset

    @cached_property
    def labelled(self) -> list[list[int]]:
        """Per query all ids that the ground truth names."""
        levels = ("easy", "hard", "junk")
        return [[int(i) for level in levels for i in truth.get(level, ())] for truth in self.truth]

    @cached_property
    def own(self) -> OwnImages:
        """The queries that stand in the database; of data that do not leave them out, by name."""
        return own_images(self.dataset, self.key, self.cache, files=self.files and self.loaded.leave_one_out)

    @cached_property
    def leaves_out(self) -> bool:
        """Whether queries do not find their own images."""
        return leaves_out(self.loaded, self.protocol)

    @cached_property
    def truth(self) -> Sequence[Mapping[str, Any]]:
        """The ground truth; own images that are left out are junk."""
        return as_junk(self.dataset.ground_truth, self.own) if self.leaves_out else self.dataset.ground_truth
