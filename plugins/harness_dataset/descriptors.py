"""A ground truth without images, for descriptors and rankings that were computed elsewhere."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Final, overload

import numpy as np
from annotated_types import Ge

from harness.core.errors import DataDamaged, DataMissing
from harness.data.array_files import ARRAY_ERRORS
from harness.data.fingerprint import value_digest
from harness.data.instances import Instances, read_instances
from harness.plugin_api import RetrievalSet, Task

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from harness.plugin_api import DataFolders

_MOST_RELEVANT: Final = 50_000_000
"""Relevant images of all queries together."""


@dataclass(frozen=True)
class DescriptorGroundTruth:
    """A ground truth without images, for descriptors from files and for rankings.

    The ground truth is the JSON of ``image-instances``, a published pickle of revisited Oxford and Paris, or one label
    an item: integers in an ``.npy`` file, a JSON list, or text with one label a line. With labels every item is a query
    in turn, is junk for itself, and the others of its label are relevant; all of them are easy.

    Attributes:
        ground_truth: the file; looked up beside the spec and in the data folder.
        distractors: images that follow those of the ground truth, relevant to no query.
        leave_one_out: a query that is an image of the database, by its name, does not find itself; an expansion goes
            without it. ``false`` leaves it where it is, as published protocols that count it need.
    """

    result_version: ClassVar[int] = 2  # queries do not find themselves
    task: ClassVar[Task] = "retrieval"
    deviations: ClassVar[dict[str, str]] = {"files": "names in a ground truth stand for images that need not be there"}

    ground_truth: Path
    distractors: Annotated[int, Ge(0)] = 0
    leave_one_out: bool = True

    def fingerprint(self, folders: DataFolders) -> str:
        """Digest of what is relevant to which query. Raises ``DataMissing`` or ``DataDamaged``."""
        content = self._content()
        if isinstance(content, Instances):
            return value_digest(["ground truth", asdict(content), self.distractors])
        return value_digest(["labels", content.tolist(), self.distractors])

    def load(self, folders: DataFolders) -> RetrievalSet:
        """The ground truth with names in place of files.

        Raises:
            DataMissing: there is no such file.
            DataDamaged: it is not a ground truth, or contradicts itself.
        """
        content = self._content()
        if isinstance(content, Instances):
            return RetrievalSet(
                name=self.ground_truth.stem,
                images=_Named(content.images, self.distractors),
                queries=[Path(name) for name in content.queries],
                boxes=content.boxes,
                ground_truth=content.ground_truth,
                pairs=np.array(content.pairs, np.int64).reshape(-1, 2),
                distractors=self.distractors,
                groups=content.groups,
                leave_one_out=self.leave_one_out,
            )
        items = _Items(len(content) + self.distractors)
        queries = items if not self.distractors else items[: len(content)]
        return RetrievalSet(
            name=self.ground_truth.stem,
            images=items,
            queries=queries,
            boxes=[None] * len(content),
            ground_truth=self._of_label(content),
            distractors=self.distractors,
            leave_one_out=self.leave_one_out,
        )

    def instances(self, folders: DataFolders) -> Instances:
        """The ground truth with its names."""
        content = self._content()
        if isinstance(content, Instances):
            return content
        names = tuple(map(str, range(len(content))))
        return Instances(names, names, (None,) * len(names), tuple(self._of_label(content)))

    def _content(self) -> Instances | NDArray[np.int64]:
        """The checked ground truth, or labels (n,)."""
        path = self.ground_truth
        if path.suffix == ".pkl":
            return read_instances(path, exists=lambda name: True)
        try:
            if path.suffix in (".npy", ".npz"):
                return self._labels(np.load(path, allow_pickle=False))
            text = path.read_text(encoding="utf-8-sig")
            if path.suffix != ".json":
                return self._labels(np.array(text.split("\n")[:-1] if text.endswith("\n") else text.split("\n")))
            content = json.loads(text)
        except FileNotFoundError as error:
            raise DataMissing(f"there is no ground truth {path}") from error
        except ARRAY_ERRORS as error:
            if isinstance(error, DataDamaged):
                raise
            raise DataDamaged(f"ground truth {path} cannot be read: {error}") from error
        if isinstance(content, dict):
            return read_instances(path, exists=lambda name: True)
        if not isinstance(content, list) or not all(isinstance(label, str | int) for label in content):
            raise self._damaged()
        return self._labels(np.array(list(map(str, content))))

    def _labels(self, labels: Any) -> NDArray[np.int64]:
        """Labels (n,) numbered by their order."""
        if not isinstance(labels, np.ndarray) or labels.ndim != 1 or labels.dtype.kind not in "iuU" or not len(labels):
            raise self._damaged()
        if labels.dtype.kind == "U" and len(blank := np.flatnonzero(np.char.strip(labels) == "")):
            raise DataDamaged(
                f"{self.ground_truth}: item {blank[0]} has no label", fix="one label an item, no blank line"
            )
        numbers: NDArray[np.int64] = np.unique(labels, return_inverse=True)[1].astype(np.int64)
        return numbers

    def _of_label(self, labels: NDArray[np.int64]) -> list[Mapping[str, tuple[int, ...]]]:
        counts = np.bincount(labels)
        if (relevant := int((counts * (counts - 1)).sum())) > _MOST_RELEVANT:
            raise DataDamaged(
                f"ground truth {self.ground_truth} has {relevant:,} pairs of items with one label",
                fix=f"at most {_MOST_RELEVANT:,}: a JSON ground truth with fewer queries",
            )
        members = np.split(np.argsort(labels, kind="stable"), np.cumsum(counts)[:-1])
        return [
            {"easy": tuple(int(i) for i in members[label] if i != item), "hard": (), "junk": (item,)}
            for item, label in enumerate(labels.tolist())
        ]

    def _damaged(self) -> DataDamaged:
        return DataDamaged(
            f"{self.ground_truth} is no ground truth",
            fix="JSON with imlist and queries, a pickle of revisited Oxford or Paris, or one label an item",
        )


class _Items(Sequence[Path]):
    """Items without names: a million of them take no memory."""

    def __init__(self, count: int) -> None:
        self._count = count

    def __len__(self) -> int:
        return self._count

    @overload
    def __getitem__(self, index: int) -> Path: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Path]: ...
    def __getitem__(self, index: int | slice) -> Path | Sequence[Path]:
        positions = range(self._count)[index]
        return self._path(positions) if isinstance(positions, int) else [self._path(i) for i in positions]

    def _path(self, position: int) -> Path:
        return Path(str(position))


class _Named(_Items):
    """Names of a ground truth, and distractors without any."""

    def __init__(self, names: Sequence[str], distractors: int) -> None:
        super().__init__(len(names) + distractors)
        self._names = names

    def _path(self, position: int) -> Path:
        known = len(self._names)
        return Path(self._names[position] if position < known else f"distractor {position - known}")
