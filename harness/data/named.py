"""A dataset of the catalogue with its loader, as fetching, verifying and showing need it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from harness.core.errors import UnknownName, nearest
from harness.data.catalogue import catalogue, catalogue_files
from harness.data.entry import CatalogueEntry
from harness.plugin_api import ClassificationSet, Dataset, RetrievalSet
from harness.registry import Registry


@dataclass(frozen=True)
class NamedDataset:
    """Name and entry in the catalogue, and the configured loader."""

    name: str
    entry: CatalogueEntry
    loader: Dataset


def named_dataset(name: str, registry: Registry, catalogues: tuple[Path, ...] = ()) -> NamedDataset:
    """The dataset of this name in the catalogue of the harness or in those of the user.

    Args:
        name: as ``harness datasets`` lists it.
        registry: knows the loaders.
        catalogues: files of the user, besides ``$HARNESS_CATALOGUE``.

    Raises:
        UnknownName: no such dataset, with the nearest; or no such loader.
        Errors: the loader refuses the parameters.
    """
    known = catalogue(catalogue_files(catalogues))
    if name not in known:
        raise UnknownName(f'unknown dataset "{name}"', fix=f"{nearest(name, known)} (harness datasets)".strip())
    entry = known[name]
    return NamedDataset(name, entry, registry.create("dataset", entry.loader, **entry.parameters))


def counts(loaded: ClassificationSet | RetrievalSet) -> Mapping[str, int]:
    """What is in a dataset, under the names that the catalogue uses."""
    if isinstance(loaded, ClassificationSet):
        return {
            "train": len(loaded.train_labels),
            "test": len(loaded.test_labels),
            "classes": len(loaded.classes),
        }
    labels = {label: sum(len(truth.get(label, ())) for truth in loaded.ground_truth) for label in _LABELS}
    return {"images": len(loaded.images), "queries": len(loaded.queries), **labels}


_LABELS = ("easy", "hard", "junk")
