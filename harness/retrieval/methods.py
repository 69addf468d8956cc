"""What a run of the retrieval task is given: its methods, and what a whitening is learnt on elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from harness.plugin_api import Backbone, Pooling, QueryExpansion, Reranker, RetrievalSet, Whitening
from harness.retrieval.descriptors import DescriptorFiles


@dataclass(frozen=True)
class RetrievalMethods:
    """The methods of one run; None leaves a stage out. Either backbone and pooling describe images, or files do."""

    backbone: Backbone | None = None
    pooling: Pooling | None = None
    whitening: Whitening | None = None
    reranking: Reranker | None = None
    expansion: QueryExpansion | None = None
    descriptors: DescriptorFiles | None = None


@dataclass(frozen=True)
class LearningSet:
    """What a whitening is learnt on in place of the database that is searched, and what identifies its data."""

    dataset: RetrievalSet
    key: Mapping[str, Any]
