"""The catalogue: named datasets, each a loader with parameters, where it comes from and what it must hold.

The catalogue of the harness is ``datasets.yaml``. Users add datasets of their own in files with the same keys: a
``datasets.yaml`` beside a spec, and the files of ``--catalogue`` and ``$HARNESS_CATALOGUE``.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from pydantic import ValidationError

from harness.core.document import Document, plain, read_document, shape_error
from harness.core.errors import DataDamaged, Errors, HarnessError, SpecError, UnknownName, nearest
from harness.data.entry import COUNTS, CatalogueEntry, SourceFile
from harness.plugin_api import ClassificationSet, Dataset, RetrievalSet
from harness.registry import Registry

NAME: Final = "datasets.yaml"
CATALOGUE_VARIABLE: Final = "HARNESS_CATALOGUE"
"""Names further catalogues, separated as in ``PATH``."""

_PLACES: Final = (Path(__file__).with_name(NAME), Path(__file__).parents[2] / NAME)
"""Inside an installed package; at the top of a checkout."""
_TOP_LEVEL: Final = re.compile(r"^(?=[^\s#])", re.MULTILINE)
_NAME_ALONE: Final = re.compile(r"[\w.-]+:\s*\n")


def catalogue(files: Iterable[Path] = ()) -> Mapping[str, CatalogueEntry]:
    """All entries by name, sorted: those of the harness, read when they are asked for, and those of the user's files.

    Raises:
        SpecError: one of the files cannot be read, or a name is taken by another file.
        Errors: all that is wrong in the entries, each with its place.
        DataDamaged: the catalogue of the harness is missing.
    """
    built_in, own = _built_in(), dict[str, CatalogueEntry]()
    origins = dict.fromkeys(built_in, _built_in_path())
    for file in dict.fromkeys(path.resolve() for path in files):
        if file == _built_in_path():
            continue
        document = read_document(file, "catalogue")
        for name, entry in _entries(document).items():
            if name in origins:
                error = SpecError(
                    f'duplicate dataset "{name}": it is also in {origins[name]}', fix="give one of the two another name"
                )
                raise document.error(error, (name,), key=True)
            own[name], origins[name] = entry, file
    return _Catalogue(built_in, own)


def catalogue_files(files: Iterable[Path] = (), spec_folder: Path | None = None) -> tuple[Path, ...]:
    """The user's catalogues: these files, those of ``$HARNESS_CATALOGUE``, ``datasets.yaml`` beside the spec."""
    named = [Path(text).expanduser() for text in os.environ.get(CATALOGUE_VARIABLE, "").split(os.pathsep) if text]
    beside = [] if spec_folder is None else [spec_folder / NAME]
    return (*files, *named, *(path for path in beside if path.is_file()))


@dataclass(frozen=True, eq=False)
class _Catalogue(Mapping[str, CatalogueEntry]):
    """Entries of two sources, sorted by name."""

    built_in: Mapping[str, CatalogueEntry]
    own: Mapping[str, CatalogueEntry]

    def __getitem__(self, name: str) -> CatalogueEntry:
        return self.own[name] if name in self.own else self.built_in[name]

    def __iter__(self) -> Iterator[str]:
        return iter(sorted([*self.built_in, *self.own]))

    def __len__(self) -> int:
        return len(self.built_in) + len(self.own)


@dataclass(frozen=True)
class NamedDataset:
    """Name and entry in the catalogue, and the configured loader."""

    name: str
    entry: CatalogueEntry
    loader: Dataset


def named_dataset(
    name: str,
    registry: Registry,
    catalogues: tuple[Path, ...] = (),
    parameters: Mapping[str, Any] = MappingProxyType({}),
) -> NamedDataset:
    """The dataset of this name in the catalogue of the harness or in the user's.

    Args:
        name: as ``harness datasets`` lists it.
        registry: knows the loaders.
        catalogues: the user's files, besides ``$HARNESS_CATALOGUE``.
        parameters: of the loader, in place of those of the entry.

    Raises:
        UnknownName: no such dataset, with the nearest; or no such loader.
        Errors: the loader refuses the parameters.
    """
    entries = catalogue(catalogue_files(catalogues))
    if name not in entries:
        raise UnknownName(f'unknown dataset "{name}"', fix=f"{nearest(name, entries)} (harness datasets)".strip())
    entry = entries[name]
    return NamedDataset(name, entry, registry.create("dataset", entry.loader, **{**entry.parameters, **parameters}))


def counts(loaded: ClassificationSet | RetrievalSet) -> Mapping[str, int]:
    """What is in a dataset, under the names that the catalogue uses."""
    if isinstance(loaded, ClassificationSet):
        numbers = len(loaded.train_labels), len(loaded.test_labels), len(loaded.classes)
        return dict(zip(COUNTS["active-learning"], numbers, strict=True))
    labels = COUNTS["retrieval"][2:]
    judged = (sum(len(truth.get(label, ())) for truth in loaded.ground_truth) for label in labels)
    return dict(zip(COUNTS["retrieval"], (len(loaded.images), len(loaded.queries), *judged), strict=True))


def wrong_counts(entry: CatalogueEntry, present: Mapping[str, int]) -> dict[str, int]:
    """The counts of an entry that the data do not have, as they should be."""
    return {key: expected for key, expected in entry.counts.items() if present.get(key) != expected}


@lru_cache(maxsize=1)
def _built_in() -> Mapping[str, CatalogueEntry]:
    """The entries of the harness. A spec names one or two: to read all takes a tenth of the time of a small board."""
    file = _built_in_path()
    try:
        blocks = _TOP_LEVEL.split(file.read_text(encoding="utf-8"))[1:]
    except (OSError, ValueError):
        blocks = []
    texts = {block.partition(":")[0]: block for block in blocks}
    regular = len(texts) == len(blocks) > 0 and all(_NAME_ALONE.match(block) for block in blocks)
    return _BuiltIn(file, texts) if regular else _entries(read_document(file, "catalogue"))


@dataclass(frozen=True, eq=False)
class _BuiltIn(Mapping[str, CatalogueEntry]):
    """Entries of the catalogue of the harness, each read when it is asked for."""

    file: Path
    texts: Mapping[str, str]
    """Name -> the lines of the file that hold the entry, which begin with the name."""
    read: dict[str, CatalogueEntry] = field(default_factory=dict)

    def __getitem__(self, name: str) -> CatalogueEntry:
        if name not in self.read:
            self.read.update(self._read(self.texts[name]))
        return self.read[name]

    def _read(self, text: str) -> Mapping[str, CatalogueEntry]:
        """One entry; all of them where it refers to another."""
        from ruamel.yaml import YAML
        from ruamel.yaml.error import YAMLError

        for block in (text, "".join(self.texts.values())):
            with suppress(YAMLError, AttributeError, ValueError, HarnessError):
                return _entries(Document(YAML(typ="safe", pure=True).load(block)))
        return _entries(read_document(self.file, "catalogue"))  # which says where it is wrong

    def __iter__(self) -> Iterator[str]:
        return iter(self.texts)

    def __len__(self) -> int:
        return len(self.texts)


def _built_in_path() -> Path:
    path = next((place for place in _PLACES if place.is_file()), None)
    if path is None:
        raise DataDamaged("the catalogue datasets.yaml is missing", fix="install the package again")
    return path.resolve()


def _entries(document: Document) -> dict[str, CatalogueEntry]:
    entries: dict[str, CatalogueEntry] = {}
    errors: list[HarnessError] = []
    for name, value in plain(document.data).items():
        try:
            entries[name] = CatalogueEntry.model_validate(value)
        except ValidationError as error:
            errors += [_error(document, name, dict(detail)) for detail in error.errors()]
    if errors:
        raise Errors(errors)
    return entries


def _error(document: Document, name: str, detail: Mapping[str, object]) -> HarnessError:
    location = detail["loc"]
    in_file = isinstance(location, tuple) and location[:1] == ("files",) and len(location) > 2
    model = SourceFile if in_file else CatalogueEntry
    return shape_error(document, detail, list(model.model_fields), (name,))
