"""What a method is: one protocol a kind, with the shapes that are part of the contract.

A method is a frozen dataclass. Its fields are its parameters: typed, defaulted, ranges as ``Annotated[float, Gt(0)]``
(``annotated_types``). Its one or two methods are the protocol of its kind. What it learns from data it returns from
``fit`` as a new object; the parameters object itself never changes. Same parameters, data and seed: same bytes.

This module imports neither torch nor anything else that is slow to load.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor
    from torch.nn import Module

    Floats = NDArray[np.float32]
    Ids = NDArray[np.int64]

PROTOCOL_VERSION: Final = 1
"""Raised when a protocol below changes in a way that an existing plugin would notice (docs/protocol-version.md)."""

OLDEST_PROTOCOL: Final = 1
"""Plugins written for this version still work; a plugin says ``harness_protocol = N`` in the module that registers."""

KINDS: Final = (
    "acquisition",
    "learning",
    "network",
    "backbone",
    "pooling",
    "whitening",
    "reranking",
    "expansion",
    "dataset",
)
"""Kinds of method, in the order in which tables and listings show them."""

Task = Literal["active-learning", "retrieval"]
Role = Literal["database", "query"]
Box = tuple[float, float, float, float]
"""x0, y0, x1, y1 in pixels of the full image; the right and lower border are outside."""


# --- datasets -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class DataFolders:
    """Where a dataset plugin may look and write.

    ``root`` holds what the user brought or downloaded; ``cache`` what the harness made and can make again.
    """

    root: Path
    cache: Path


@dataclass(frozen=True)
class ClassificationSet:
    """Images with labels, split into a training pool and a test set.

    Attributes:
        train_images: (n, C, H, W) uint8; or features (n, d, 1, 1) float32.
        train_labels: (n,) int64 in [0, number of classes).
        test_images: (m, C, H, W) uint8.
        test_labels: (m,) int64.
        classes: names of the classes, in the order of their labels.
        flip: whether a mirrored image keeps its label (false for digits).
    """

    name: str
    train_images: NDArray[np.uint8]
    train_labels: Ids
    test_images: NDArray[np.uint8]
    test_labels: Ids
    classes: tuple[str, ...]
    flip: bool = True


@dataclass(frozen=True)
class RetrievalSet:
    """Database images, queries, and who answers whom.

    Attributes:
        images: files of the database; position = the id that ground truth and rankings use.
        queries: files of the queries.
        boxes: per query the object's box in pixels of the full image, or None for the whole image.
        ground_truth: per query ``easy``, ``hard``, ``junk``: lists of ids (the revisited structure).
        pairs: (p, 2) int64 database ids that show the same object, for supervised whitening; empty if unknown.
        image_boxes: per database image the object's box where known (saliency precision), else None.
        distractors: how many images at the end of ``images`` only stand in the way: no query asks for them, nothing is
            learnt from them, and their descriptors stay on disk.
    """

    name: str
    images: Sequence[Path]
    queries: Sequence[Path]
    boxes: Sequence[Box | None]
    ground_truth: Sequence[Mapping[str, Sequence[int]]]
    pairs: Ids | None = None
    image_boxes: Sequence[Box | None] | None = None
    distractors: int = 0


class Dataset(Protocol):
    """Loads one dataset. ``task`` is a class variable."""

    task: Task

    def fingerprint(self, folders: DataFolders) -> str:
        """Hex digest of what the data are; cheap on a second call. Raises ``DataMissing``."""
        ...

    def load(self, folders: DataFolders) -> ClassificationSet | RetrievalSet:
        """The data themselves; made or read, checked. Raises ``DataMissing`` or ``DataDamaged``."""
        ...


# --- active learning ------------------------------------------------------------------------------------------------


class PoolView(Protocol):
    """What an acquisition sees: everything but the hidden labels. Arrays are read-only.

    ``features`` (n, d) float32 · ``probabilities`` (n, c) float32 · ``labels`` (n,) int64, -1 where not labelled ·
    ``labelled`` and ``unlabelled`` sorted int64 positions · ``affinity`` the normalised reciprocal k-NN graph (lazy) ·
    ``dropout_probabilities(t)`` (t, n, c) float32 · ``images(indices)`` (b, C, H, W) uint8.
    """

    @property
    def features(self) -> Floats: ...
    @property
    def probabilities(self) -> Floats: ...
    @property
    def labels(self) -> Ids: ...
    @property
    def labelled(self) -> Ids: ...
    @property
    def unlabelled(self) -> Ids: ...
    @property
    def affinity(self) -> Any: ...  # scipy.sparse.csr_array, which has no useful static type
    def dropout_probabilities(self, t: int) -> Floats: ...
    def images(self, indices: Ids) -> NDArray[np.uint8]: ...


class AcquisitionFunction(Protocol):
    """Chooses which examples to label next."""

    def select(self, pool: PoolView, budget: int, rng: np.random.Generator) -> Ids:
        """``budget`` unlabelled positions, unique, int64, in the order acquired; ties go to the lowest position."""
        ...


class Network(Protocol):
    """A classifier that also gives features."""

    def build(self, shape: tuple[int, int, int], n_classes: int) -> Module:
        """A module for images (C, H, W) whose ``forward(images)`` returns ``(logits, features)``.

        Initial weights come from torch's global generator, which the caller has seeded.
        """
        ...


@dataclass(frozen=True)
class TrainingSet:
    """What a learning scheme may see in one cycle: all images, only the labels that were asked for.

    Attributes:
        images: (n, C, H, W) uint8.
        labels: (n,) int64, -1 where not labelled.
        n_classes: number of classes.
        flip: whether a mirrored image keeps its label.
        cycle: number of the cycle, from 0.
        previous: (n, n_classes) float32 class probabilities by the model of the cycle before; None in the first.
    """

    images: NDArray[np.uint8]
    labels: Ids
    n_classes: int
    flip: bool = True
    cycle: int = 0
    previous: Floats | None = None


class LearningScheme(Protocol):
    """How one cycle trains: supervised, semi-supervised, ...

    ``train`` may leave a mapping ``report`` on the model it returns: plain values that the record keeps for the cycle.
    """

    def prepare(self, model: Module, data: TrainingSet, rng: np.random.Generator) -> Mapping[str, Tensor] | None:
        """Initial weights learnt once per dataset and seed without labels (PRE), or None for the network's own."""
        ...

    def train(self, model: Module, data: TrainingSet, rng: np.random.Generator) -> Module:
        """Train ``model`` (already initialised) in place and return it."""
        ...


# --- retrieval ------------------------------------------------------------------------------------------------------


class Backbone(Protocol):
    """A fully convolutional network."""

    @property
    def stride(self) -> int:
        """Pixels of the image per cell of the map."""
        ...

    def maps(self, image: Tensor) -> Tensor:
        """Image (3, H, W) float32 in [0, 1], RGB -> non-negative maps (C, h, w) float32."""
        ...


class Pooling(Protocol):
    """A global descriptor from feature maps; may have ``fit(maps: Iterator[Tensor]) -> Pooling``.

    With ``fit`` descriptors are those of one database: they are made again when it grows. ``learns = False`` (an
    attribute or property) says that ``fit`` has nothing to learn with these parameters.
    """

    def pool(self, maps: Tensor) -> Tensor:
        """(..., C, H, W) float32 -> (..., D) float32, not normalised."""
        ...


class Whitening(Protocol):
    """Post-processing of descriptors; parameters only, ``fit`` gives the object that applies."""

    def fit(self, descriptors: Floats, pairs: Ids | None = None) -> FittedWhitening:
        """Learn from descriptors (n, D) float32 and, where supervised, matching pairs (p, 2) int64."""
        ...


class FittedWhitening(Protocol):
    """A learnt whitening."""

    def apply(self, descriptors: Floats) -> Floats:
        """(n, D) float32 -> (n, d) float32, each row L2-normalised."""
        ...


@dataclass(frozen=True)
class Ranking:
    """The answer to every query, best first.

    Attributes:
        indices: (q, k) int64 database ids, unique in a row.
        scores: (q, k) float32, descending in a row.
        verified: (q, k) float32 weights from spatial verification in the same order, or None.
    """

    indices: Ids
    scores: Floats
    verified: Floats | None = None


class QueryExpansion(Protocol):
    """Improves rankings from the database's own structure; parameters only."""

    def fit(self, database: Floats) -> FittedExpansion:
        """Prepare for a database (n, d) float32 of L2-normalised descriptors. Never sees a query."""
        ...


class FittedExpansion(Protocol):
    """A query expansion bound to a database."""

    def expand(self, queries: Floats, ranking: Ranking) -> Ranking:
        """Queries (q, d) float32 and their ranking -> the new ranking. Each query is answered on its own."""
        ...


class Reranker(Protocol):
    """Reorders the top of a ranking from what is stored per image.

    ``top`` (a field) says how many images are reordered; below it nothing moves. Optional methods:
    ``describe_image(image (H, W, 3) uint8, role)`` in place of ``describe`` where pixels are needed;
    ``pack(features) -> mapping of arrays`` and ``unpack(arrays) -> features``, with which features are cached;
    ``correspondences(query, candidate)`` for pictures of matches; ``attention`` for spatial training.
    """

    @property
    def top(self) -> int: ...

    def describe(self, maps: Sequence[Tensor], role: Role) -> Any:
        """What is stored for one image: from its maps (C, h, w), one per scale."""
        ...

    def score(self, query: Any, candidates: Sequence[Any]) -> Floats:
        """(len(candidates),) float32, higher is better; ties keep the initial order."""
        ...


# --- registration ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Origin:
    """Where a plugin comes from: shown in listings and kept in records."""

    plugin: str
    version: str
    source: str
    """How it was found: ``entry point``, ``file PATH`` or ``module NAME``."""


@dataclass(frozen=True)
class MethodId:
    """What identifies one configured method in a record: the resolved parameters and the code that runs."""

    kind: str
    name: str
    parameters: Mapping[str, Any]
    plugin: str
    version: str
    digest: str
    origin: str = field(default="", compare=False)


Stream = Iterator["Tensor"]
