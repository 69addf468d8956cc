"""What a plugin is made of: one protocol a kind, with the shapes that are part of the contract.

A method is a frozen dataclass. Its fields are its parameters: typed, defaulted, ranges as ``Annotated[float, Gt(0)]``
(``annotated_types``). Its one or two methods are the protocol of its kind. What it learns from data it returns from
``fit`` as a new object; the parameters object itself never changes. Same parameters, data and seed: same bytes.

Nothing here imports torch, numpy or anything else that is slow to load.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.plugin_api.active_learning import (
    AcquisitionFunction,
    AsksLabels,
    ChangesByCycle,
    HasReport,
    KeepsFeatures,
    LearningScheme,
    LinearHead,
    Network,
    PoolView,
    Remembers,
    RestoresModel,
    SeesLabels,
    TrainingSet,
)
from harness.plugin_api.backbone import Backbone, GivesSignedMaps, HasCheckpoint, HasModule, SeesBatches
from harness.plugin_api.datasets import (
    Box,
    ClassificationSet,
    DataFolders,
    Dataset,
    FileListing,
    HasInstances,
    KnowsLabels,
    ListsFiles,
    Orientation,
    RetrievalSet,
    Task,
)
from harness.plugin_api.evidence import Comparison, Create, Evidence, EvidenceFunction
from harness.plugin_api.hooks import RecordView, RunView, SinkHooks, hookimpl
from harness.plugin_api.optional import OPTIONAL_HOOKS
from harness.plugin_api.pooling import (
    DetectsRegions,
    GivesRegions,
    HasFirstPass,
    HasSaliency,
    LearnsFromMaps,
    MayLearn,
    Pooling,
    PoolsAnywhere,
    PoolsQueries,
    PoolsUncroppedQueries,
    Region,
    ShowsDetection,
    TakesSignedMaps,
)
from harness.plugin_api.registration import KINDS, Check, Registrar
from harness.plugin_api.reranking import (
    DescribesImages,
    DrawsMatches,
    GuidesTraining,
    LearnsFromFeatures,
    LearntReranker,
    Packs,
    Reranker,
    Role,
    SeesRotations,
    UsesSimilarity,
)
from harness.plugin_api.retrieval import (
    ExpandsRegions,
    FittedExpansion,
    FittedRegionalExpansion,
    FittedWhitening,
    HasRank,
    LearnsElsewhere,
    LeavesOut,
    QueryExpansion,
    Ranking,
    Whitening,
)
from harness.plugin_api.verification import ORDERING, OrderDefaults, Verification
from harness.plugin_api.version import OLDEST_PLUGIN_API, PLUGIN_API_VERSION

if TYPE_CHECKING:
    from harness.plugin_api.arrays import Floats as Floats
    from harness.plugin_api.arrays import Ids as Ids

__all__ = [
    "AcquisitionFunction",
    "AsksLabels",
    "Backbone",
    "Box",
    "ChangesByCycle",
    "Check",
    "ClassificationSet",
    "Comparison",
    "Create",
    "DataFolders",
    "Dataset",
    "DescribesImages",
    "DetectsRegions",
    "DrawsMatches",
    "Evidence",
    "EvidenceFunction",
    "ExpandsRegions",
    "FileListing",
    "FittedExpansion",
    "FittedRegionalExpansion",
    "FittedWhitening",
    "GivesRegions",
    "GivesSignedMaps",
    "GuidesTraining",
    "HasCheckpoint",
    "HasFirstPass",
    "HasInstances",
    "HasModule",
    "HasRank",
    "HasReport",
    "HasSaliency",
    "KINDS",
    "KeepsFeatures",
    "KnowsLabels",
    "LearningScheme",
    "LearnsElsewhere",
    "LearnsFromFeatures",
    "LearnsFromMaps",
    "LearntReranker",
    "LeavesOut",
    "LinearHead",
    "ListsFiles",
    "MayLearn",
    "Network",
    "OLDEST_PLUGIN_API",
    "OPTIONAL_HOOKS",
    "ORDERING",
    "OrderDefaults",
    "Orientation",
    "PLUGIN_API_VERSION",
    "Packs",
    "PoolView",
    "Pooling",
    "PoolsAnywhere",
    "PoolsQueries",
    "PoolsUncroppedQueries",
    "QueryExpansion",
    "Ranking",
    "RecordView",
    "Region",
    "Registrar",
    "SinkHooks",
    "Remembers",
    "Reranker",
    "RestoresModel",
    "RetrievalSet",
    "Role",
    "RunView",
    "SeesBatches",
    "SeesLabels",
    "SeesRotations",
    "ShowsDetection",
    "TakesSignedMaps",
    "Task",
    "TrainingSet",
    "UsesSimilarity",
    "Verification",
    "Whitening",
    "hookimpl",
]
