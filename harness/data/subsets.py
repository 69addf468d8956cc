"""Parts of a classification set: some classes, so many images a class, so many in all. For every loader alike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from harness.core.errors import InvalidInput, nearest
from harness.plugin_api import ClassificationSet

if TYPE_CHECKING:
    from harness.plugin_api import Ids


class _Loader(Protocol):
    """A loader with the three parameters."""

    @property
    def limit(self) -> int: ...
    @property
    def per_class(self) -> int: ...
    @property
    def classes(self) -> Any: ...


@dataclass(frozen=True)
class Subset:
    """What is taken of a set.

    Attributes:
        limit: images of the pool at most, each class in proportion; 0 takes all.
        per_class: images of the pool in each class at most; 0 takes all.
        classes: names of the classes to keep, in the pool and in the test set; empty keeps all. They keep the order of
            the set.
    """

    limit: int = 0
    per_class: int = 0
    classes: tuple[str, ...] = ()

    @classmethod
    def of(cls, loader: _Loader) -> Subset:
        """The parameters of a loader of these names; ``classes`` counts where it is a list of names."""
        names = loader.classes if isinstance(loader.classes, tuple | list) else ()
        return cls(loader.limit, loader.per_class, tuple(map(str, names)))

    @property
    def key(self) -> list[Any]:
        """Its part of a fingerprint: empty where all is taken."""
        return [["subset", self.limit, self.per_class, sorted(set(self.classes))]] if self != Subset() else []

    def names(self, available: Sequence[str], source: object) -> tuple[str, ...]:
        """The classes that are kept, in the order of the set.

        Raises:
            InvalidInput: a class is not there; or ``limit`` is smaller than the number of classes.
        """
        for name in self.classes:
            if name not in available:
                fix = f"{nearest(name, available)} classes: {', '.join(available[:20])}".strip()
                raise InvalidInput(f'{source} has no class "{name}"', fix=fix)
        kept = tuple(name for name in available if name in self.classes or not self.classes)
        if 0 < self.limit < len(kept):
            raise InvalidInput(
                f"limit {self.limit} leaves classes of {source} empty", fix=f"limit: {len(kept)} or more"
            )
        return kept

    def checked(self, available: Sequence[str], source: object) -> Subset:
        """This subset, if it fits a set of these classes: for plans. Raises as ``names`` does."""
        self.names(available, source)
        return self

    def numbers(self, counts: Sequence[int]) -> list[int]:
        """How many images of each kept class are taken, from how many there are; the first of each are."""
        most = np.minimum(counts, self.per_class) if self.per_class else np.asarray(counts)
        if not self.limit or most.sum() <= self.limit:
            return [int(number) for number in most]
        least = np.minimum(most, 1)
        return [int(number) for number in least + in_proportion(most - least, self.limit - int(least.sum()))]

    def cut(self, dataset: ClassificationSet) -> ClassificationSet:
        """The part of a loaded set. Raises ``InvalidInput``."""
        if self == Subset():
            return dataset
        names = self.names(dataset.classes, dataset.name)
        new = np.full(len(dataset.classes), -1, np.int64)
        new[[dataset.classes.index(name) for name in names]] = np.arange(len(names))
        train, test = new[dataset.train_labels], new[dataset.test_labels]
        counts = np.bincount(train[train >= 0], minlength=len(names))
        chosen = _first(train, self.numbers([int(count) for count in counts]))
        selection = dataset.selection_features
        tested = np.flatnonzero(test >= 0)
        return replace(
            dataset,
            train_images=dataset.train_images[chosen],
            train_labels=train[chosen],
            test_images=dataset.test_images[tested],
            test_labels=test[tested],
            classes=names,
            selection_features=None if selection is None else selection[chosen],
        )

    def labels(self, labels: Ids, classes: Sequence[str]) -> Ids:
        """The labels of the pool of this part, from those (n,) of the whole pool. Raises ``InvalidInput``."""
        images, none = np.empty((len(labels), 0), np.uint8), np.empty(0, np.int64)
        return self.cut(ClassificationSet("labels", images, labels, images[:0], none, tuple(classes))).train_labels


def in_proportion(counts: Ids, total: int) -> Ids:
    """``total`` shared out in proportion to ``counts``, by largest remainders; of equal ones the first."""
    share = counts * total / max(int(counts.sum()), 1)
    taken = np.floor(share).astype(np.int64)
    order = np.argsort(taken - share, kind="stable")
    taken[order[: total - int(taken.sum())]] += 1
    return taken


def _first(labels: Ids, numbers: Sequence[int]) -> Ids:
    """Positions of the first so many of each label, ascending."""
    return np.sort(np.concatenate([np.flatnonzero(labels == label)[:number] for label, number in enumerate(numbers)]))
