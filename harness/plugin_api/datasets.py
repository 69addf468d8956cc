"""What a dataset is: where its files lie, and the two forms in which data are given."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol, runtime_checkable

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from harness.plugin_api.arrays import Floats, Ids

Task = Literal["active-learning", "retrieval"]
Box = tuple[float, float, float, float]
"""x0, y0, x1, y1 in pixels of the full image; the right and lower border are outside."""
Orientation = Literal["upright", "stored"]
"""How image files are shown: turned as their EXIF says, or with the pixels as they lie in the file."""


@dataclass(frozen=True)
class DataFolders:
    """Where a dataset plugin may look and write.

    ``root`` holds user-supplied and downloaded data; ``cache`` what the harness computed and can compute again.
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
        selection_features: (n, d) float32, what acquisitions see of the images in place of the network's features, such
            as those of a self-supervised network. None: the network's.
    """

    name: str
    train_images: NDArray[np.uint8]
    train_labels: Ids
    test_images: NDArray[np.uint8]
    test_labels: Ids
    classes: tuple[str, ...]
    flip: bool = True
    selection_features: Floats | None = None


@dataclass(frozen=True)
class RetrievalSet:
    """Database images, queries, and relevance judgements.

    Attributes:
        images: files of the database; position = the id that ground truth and rankings use.
        queries: files of the queries.
        boxes: per query the object's box in pixels of the full image, or None for the whole image.
        ground_truth: per query ``easy``, ``hard``, ``junk``: lists of ids (the revisited structure).
        pairs: (p, 2) int64 database ids that show the same object, for supervised whitening; empty if unknown.
        image_boxes: per database image the object's box where known (saliency precision), else None.
        distractors: how many images at the end of ``images`` are relevant to no query: nothing is learnt from them,
            and their descriptors stay on disk.
        clusters: (n,) int64, per database image what it shows, such as a 3D model: images of different clusters are
            non-matching pairs of training. None where unknown.
        orientation: how images are shown and which pixels boxes count; ``stored`` is that of the published protocols.
        leave_one_out: whether a query whose own image is in the database does not find it, as in use, where a query is
            new. Off for published protocols, which say themselves what becomes of it.
        groups: per query what it shows, such as a landmark; queries of one group are no independent evidence. None, for
            all or for one, where unknown: then queries with the same relevant images are a group.
    """

    name: str
    images: Sequence[Path]
    queries: Sequence[Path]
    boxes: Sequence[Box | None]
    ground_truth: Sequence[Mapping[str, Sequence[int]]]
    pairs: Ids | None = None
    image_boxes: Sequence[Box | None] | None = None
    distractors: int = 0
    clusters: Ids | None = None
    orientation: Orientation = "stored"
    groups: Sequence[str | int | None] | None = None
    leave_one_out: bool = False


@dataclass(frozen=True)
class FileListing:
    """Which files a loader reads, and which lie beside them.

    Attributes:
        classes: of a classification set, by label.
        files: of a classification set: part (``train``, ``test``) -> the file of each image, in the order of ``load``.
        labels: part -> label of each image.
        skipped: files that are not read, each with the reason.
        orientation: how the files are shown.
    """

    classes: tuple[str, ...] = ()
    files: Mapping[str, Sequence[Path]] = field(default_factory=dict)
    labels: Mapping[str, Sequence[int]] = field(default_factory=dict)
    skipped: Sequence[tuple[Path, str]] = ()
    orientation: Orientation = "stored"


class Dataset(Protocol):
    """Loads one dataset. ``task`` is a class variable. Optional: ``HasInstances``, ``KnowsLabels``, ``ListsFiles``."""

    task: Task

    def fingerprint(self, folders: DataFolders) -> str:
        """Hex digest of what the data are; cheap on a second call. Raises ``DataMissing``."""
        ...

    def load(self, folders: DataFolders) -> ClassificationSet | RetrievalSet:
        """The data themselves; generated or read, and checked. Raises ``DataMissing`` or ``DataDamaged``."""
        ...


@runtime_checkable
class KnowsLabels(Protocol):
    """A classification set that reads its labels without its images: mistakes are then found when planning."""

    def labels(self, folders: DataFolders) -> Ids:
        """The labels (n,) of the pool, as ``load`` gives them. Raises ``DataMissing`` or ``DataDamaged``."""
        ...


@runtime_checkable
class HasInstances(Protocol):
    """A retrieval set that knows its ground truth without its images: ``harness datasets show --ground-truth``."""

    def instances(self, folders: DataFolders) -> Any:
        """The ground truth, a ``harness.data.instances.Instances``. Raises ``DataMissing``."""
        ...


@runtime_checkable
class ListsFiles(Protocol):
    """A loader that can say which files it reads: the audit names them and looks for what is left out."""

    def files(self, folders: DataFolders) -> FileListing:
        """The files; reads none of them. Raises ``DataMissing`` or ``DataDamaged``."""
        ...
