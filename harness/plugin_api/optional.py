"""All optional hooks: what a method may offer beyond the protocol of its kind, and the kinds that may offer it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from harness.plugin_api.active_learning import (
    AsksLabels,
    ChangesByCycle,
    HasReport,
    KeepsFeatures,
    Remembers,
    RestoresModel,
    SeesLabels,
)
from harness.plugin_api.backbone import GivesSignedMaps, HasCheckpoint, HasModule, SeesBatches
from harness.plugin_api.datasets import HasInstances, KnowsLabels, ListsFiles
from harness.plugin_api.pooling import (
    DetectsRegions,
    GivesRegions,
    HasFirstPass,
    HasSaliency,
    LearnsFromMaps,
    MayLearn,
    PoolsAnywhere,
    PoolsQueries,
    PoolsUncroppedQueries,
    ShowsDetection,
    TakesSignedMaps,
)
from harness.plugin_api.reranking import (
    DescribesImages,
    DrawsMatches,
    GuidesTraining,
    LearnsFromFeatures,
    Packs,
    SeesRotations,
    UsesSimilarity,
)
from harness.plugin_api.retrieval import ExpandsRegions, HasRank, LearnsElsewhere, LeavesOut

OPTIONAL_HOOKS: Final[Mapping[type, tuple[str, ...]]] = {
    ChangesByCycle: ("acquisition",),
    SeesLabels: ("acquisition",),
    AsksLabels: ("acquisition",),
    Remembers: ("acquisition",),
    KeepsFeatures: ("network",),
    RestoresModel: ("learning",),
    HasReport: ("learning", "whitening", "expansion", "pooling"),
    HasModule: ("backbone",),
    SeesBatches: ("backbone",),
    PoolsAnywhere: ("pooling",),
    GivesSignedMaps: ("backbone",),
    TakesSignedMaps: ("pooling", "reranking"),
    HasCheckpoint: ("backbone",),
    LearnsFromMaps: ("pooling",),
    MayLearn: ("pooling", "reranking"),
    PoolsQueries: ("pooling",),
    PoolsUncroppedQueries: ("pooling",),
    HasSaliency: ("pooling",),
    DetectsRegions: ("pooling",),
    GivesRegions: ("pooling",),
    HasFirstPass: ("pooling",),
    ShowsDetection: ("pooling",),
    HasRank: ("whitening",),
    LearnsElsewhere: ("whitening",),
    ExpandsRegions: ("expansion",),
    LeavesOut: ("expansion",),
    DescribesImages: ("reranking",),
    LearnsFromFeatures: ("reranking",),
    Packs: ("reranking",),
    SeesRotations: ("reranking",),
    UsesSimilarity: ("reranking",),
    DrawsMatches: ("reranking",),
    GuidesTraining: ("reranking",),
    HasInstances: ("dataset",),
    ListsFiles: ("dataset",),
    KnowsLabels: ("dataset",),
}
"""Protocol -> kinds. The core asks with ``isinstance``: of the method, and of what its ``fit`` or ``train`` returns."""
