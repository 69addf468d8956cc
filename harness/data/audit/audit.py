"""The audit of a dataset: the cheap part, before the first run, and all of it, on command."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from harness.core.progress import Progress, SilentProgress
from harness.data.audit.arrays import array_counts, array_findings
from harness.data.audit.duplicates import Item, duplicate_findings
from harness.data.audit.files import FileFacts, box_findings, file_findings, inspect_files
from harness.data.audit.finding import Audit, Finding, by_severity
from harness.data.audit.judgements import judgement_findings, own_images
from harness.data.audit.labels import label_counts, label_findings, skipped_files
from harness.data.audit.near import near_findings
from harness.plugin_api import (
    ClassificationSet,
    DataFolders,
    Dataset,
    FileListing,
    HasInstances,
    ListsFiles,
    RetrievalSet,
)


def cheap_audit(
    name: str,
    loader: Dataset,
    folders: DataFolders,
    *,
    published: bool = False,
    counts_own: bool = False,
    by_name: bool = False,
) -> Audit:
    """What names, labels and ground truth say; no image is read.

    Of loaders that say which files they read (``ListsFiles``) or know their ground truth (``HasInstances``); others
    pass.

    Args:
        name: of the dataset.
        loader: the configured loader.
        folders: where its data are.
        published: whether it is a published set with its own protocol.
        counts_own: whether a protocol has queries find their own images although the set leaves them out.
        by_name: see ``judgement_findings``.
    """
    listing = loader.files(folders) if isinstance(loader, ListsFiles) else FileListing()
    findings = [*skipped_files(listing.skipped)]
    if listing.classes:
        findings += label_findings(listing.labels, listing.classes)
    if loader.task == "retrieval" and isinstance(loader, ListsFiles | HasInstances):
        loaded = loader.load(folders)
        if isinstance(loaded, RetrievalSet):
            findings += judgement_findings(loaded, published=published, counts_own=counts_own, by_name=by_name)
    return Audit(name, loader.fingerprint(folders), by_severity(findings), cheap=True)


def audit_dataset(
    name: str,
    loader: Dataset,
    folders: DataFolders,
    *,
    published: bool = False,
    near_duplicates: bool = False,
    progress: Progress | None = None,
    loaded: ClassificationSet | RetrievalSet | None = None,
) -> Audit:
    """All that can be found in a dataset; decodes every image.

    Args:
        name: of the dataset.
        loader: the configured loader.
        folders: where its data are.
        published: whether it is a published set with its own protocol.
        near_duplicates: whether near-duplicates of train and test, or of queries and database, are looked for.
        progress: told how far the work is.
        loaded: what the loader gave, where it is loaded already.

    Raises:
        DataMissing: the data do not exist.
        DataDamaged: the loader cannot read them.
    """
    shown = progress or SilentProgress()
    listing = loader.files(folders) if isinstance(loader, ListsFiles) else FileListing()
    findings = [*skipped_files(listing.skipped)]
    counts: Mapping[str, Any]
    if listing.files:  # images decoded here: an unreadable one is a finding, not the end
        found, counts = _of_class_files(listing, shown, near_duplicates)
    else:
        loaded = loaded or loader.load(folders)
        if isinstance(loaded, RetrievalSet) and "files" in getattr(loader, "deviations", {}):  # names without files
            found = list(judgement_findings(loaded, published=published))
            counts = {"images": len(loaded.images), "queries": len(loaded.queries)}
        else:
            found, counts = audit_loaded(loaded, published, shown, near_duplicates=near_duplicates)
    return Audit(name, loader.fingerprint(folders), by_severity([*findings, *found]), counts)


def audit_loaded(
    loaded: ClassificationSet | RetrievalSet, published: bool, progress: Progress, *, near_duplicates: bool = False
) -> tuple[list[Finding], Mapping[str, Any]]:
    """Findings and counts of a set that is loaded already; arguments as of ``audit_dataset``."""
    if isinstance(loaded, RetrievalSet):
        return _of_retrieval(loaded, published, progress, near_duplicates)
    labels = {"train": loaded.train_labels.tolist(), "test": loaded.test_labels.tolist()}
    findings = [*label_findings(labels, loaded.classes), *array_findings(loaded)]
    if near_duplicates:
        findings += _near_arrays(loaded)
    return findings, {**array_counts(loaded), "labels": label_counts(labels, loaded.classes)}


def _of_class_files(
    listing: FileListing, progress: Progress, near_duplicates: bool
) -> tuple[list[Finding], Mapping[str, Any]]:
    files = [(part, path) for part, paths in listing.files.items() for path in paths]
    facts = inspect_files([path for _, path in files], listing.orientation, progress, thumbnails=near_duplicates)
    labels = [label for part in listing.files for label in listing.labels[part]]
    items = [Item(part, label, str(path)) for (part, path), label in zip(files, labels, strict=True)]
    findings = [
        *label_findings(listing.labels, listing.classes),
        *file_findings(facts, listing.orientation, published=False),
        *_duplicates(items, facts),
    ]
    if near_duplicates and {"train", "test"} <= listing.files.keys():
        findings += _near_files(
            [f for (part, _), f in zip(files, facts, strict=True) if part == "test"],
            [f for (part, _), f in zip(files, facts, strict=True) if part == "train"],
            ("test", "train"),
        )
    counts = {part: len(paths) for part, paths in listing.files.items()}
    return findings, {**counts, "labels": label_counts(listing.labels, listing.classes)}


def _duplicates(items: list[Item], facts: list[FileFacts]) -> Iterator[Finding]:
    """By bytes, then those that only have the pixels in common."""
    readable = [(item, fact) for item, fact in zip(items, facts, strict=True) if not fact.problem]
    yield from duplicate_findings([item for item, _ in readable], [fact.content for _, fact in readable], "bytes")
    # Of files with the same bytes one stands for all.
    single = list({fact.content: (item, fact) for item, fact in reversed(readable)}.values())
    yield from duplicate_findings([item for item, _ in single], [fact.pixels for _, fact in single], "pixels")


def _of_retrieval(
    dataset: RetrievalSet, published: bool, progress: Progress, near_duplicates: bool
) -> tuple[list[Finding], Mapping[str, Any]]:
    paths = list(dict.fromkeys((*dataset.images, *dataset.queries)))
    facts = inspect_files(paths, dataset.orientation, progress, thumbnails=near_duplicates)
    by_path = dict(zip(paths, facts, strict=True))
    findings = [
        *judgement_findings(dataset, published=published),
        *file_findings(facts, dataset.orientation, published=published),
        *box_findings(by_path, dataset.queries, dataset.boxes, dataset.orientation),
        *_same_pixels(dataset, by_path, published),
    ]
    images = dataset.images[: len(dataset.images) - dataset.distractors]
    items = [Item("the database", 0, str(path)) for path in dict.fromkeys(images)]
    findings += _duplicates(items, [by_path[Path(item.name)] for item in items])
    if near_duplicates:
        others = set(images)
        queries = [path for path in dict.fromkeys(dataset.queries) if path not in others]
        findings += _near_files([by_path[q] for q in queries], [by_path[i] for i in others], ("queries", "database"))
    return findings, {"images": len(dataset.images), "queries": len(dataset.queries)}


def _same_pixels(dataset: RetrievalSet, facts: Mapping[Path, FileFacts], published: bool) -> Iterator[Finding]:
    """Queries that are in the database as another file; equal bytes are found without decoding."""
    shown: dict[bytes, list[int]] = {}
    for image, path in enumerate(dataset.images[: len(dataset.images) - dataset.distractors]):
        shown.setdefault(facts[path].pixels, []).append(image)
    copies = {}
    for query, path in enumerate(dataset.queries):
        fact = facts[path]
        same = [i for i in shown.get(fact.pixels, ()) if facts[dataset.images[i]].content != fact.content]
        if same and not fact.problem:
            copies[query] = same
    yield from own_images(dataset, copies, published=published, same=" as another file with the same pixels")


def _near_files(asked: list[FileFacts], among: list[FileFacts], parts: tuple[str, str]) -> Iterator[Finding]:
    sides = [[fact for fact in facts if fact.thumbnail is not None] for facts in (asked, among)]
    if all(sides):
        rows = [np.stack([fact.thumbnail for fact in facts if fact.thumbnail is not None]) for facts in sides]
        names = [[str(fact.path) for fact in facts] for facts in sides]
        yield from near_findings(rows[0], rows[1], (names[0], names[1]), parts)


def _near_arrays(loaded: ClassificationSet) -> Iterator[Finding]:
    train, test = (images.reshape(len(images), -1) for images in (loaded.train_images, loaded.test_images))
    names = [f"test[{row}]" for row in range(len(test))], [f"train[{row}]" for row in range(len(train))]
    yield from near_findings(test, train, names, ("test", "train"))
