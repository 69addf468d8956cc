"""Relevance judgements of a retrieval set: queries that cannot count, or count wrongly."""

from __future__ import annotations

import os
import stat
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path

from harness.core.digest import file_checksum
from harness.data.audit.finding import Finding, Severity, finding
from harness.plugin_api import RetrievalSet

_OWN: Mapping[str, tuple[Severity, str]] = {
    "": ("error", "in the database and neither positive nor junk for themselves: each counts as a negative of itself"),
    "positive": ("warning", "their own positives: each has one right result for nothing"),
}


def judgement_findings(
    dataset: RetrievalSet, *, published: bool = False, counts_own: bool = False, by_name: bool = False
) -> Iterator[Finding]:
    """What ground truth, names and bytes of queries say; reads only files of the size of a query.

    Args:
        dataset: the set.
        published: whether its protocol is: queries that are their own positives are then only noted.
        counts_own: whether queries find their own images although the set leaves them out.
        by_name: whether own images that are left out are told by name, as where descriptors come from files.
    """
    queries = len(dataset.queries)
    if not queries:
        return
    without = [
        number
        for number, truth in enumerate(dataset.ground_truth)
        if not truth.get("easy", ()) and not truth.get("hard", ())
    ]
    names = [dataset.queries[number].name for number in without]
    if len(without) == queries:
        yield finding("no-positives", "error", f"none of {queries:,} queries has a positive: nothing can be measured")
    elif without:
        text = f"{len(without):,} of {queries:,} queries have no positive and do not count"
        yield finding("no-positives", "warning", text, names)
    copies = _copies(dataset)
    if dataset.leave_one_out and not counts_own:
        yield from _left_out(dataset, copies, by_name)
    else:
        yield from own_images(dataset, copies, published=published)


def _left_out(dataset: RetrievalSet, copies: Mapping[int, Sequence[int]], by_name: bool) -> Iterator[Finding]:
    """Queries that are in the database, of a set that leaves their own images out."""
    if dataset.queries is dataset.images:  # each image asks for the others
        return
    queries, total = dataset.queries, f"{len(dataset.queries):,} queries are in the database"
    if own := [queries[query] for query, images in copies.items() if queries[query] in _names(dataset, images)]:
        yield finding("query-in-database", "note", f"{len(own):,} of {total} and do not find themselves there", own)
    other = [queries[query] for query, images in copies.items() if set(_names(dataset, images)) - {queries[query]}]
    if other and by_name:
        named = {query: [i for i in ids if dataset.images[i] != queries[query]] for query, ids in copies.items()}
        yield from own_images(dataset, named, same=" under another name")
    elif other:
        text = f"{len(other):,} of {total} under another name, as a copy that is left out of their results"
        yield finding("query-in-database", "warning", text, other)


def _names(dataset: RetrievalSet, images: Sequence[int]) -> list[Path]:
    return [dataset.images[image] for image in images]


def own_images(
    dataset: RetrievalSet, copies: Mapping[int, Sequence[int]], *, published: bool = False, same: str = ""
) -> Iterator[Finding]:
    """Queries that are in the database, by what the ground truth says of them there.

    Args:
        dataset: the set.
        copies: query -> images of the database that are the same.
        published: see ``judgement_findings``.
        same: in which sense, if it is not the file.
    """
    found: dict[str, list[int]] = defaultdict(list)
    for query, images in copies.items():
        truth = dataset.ground_truth[query]
        positive, junk = {*truth.get("easy", ()), *truth.get("hard", ())}, set(truth.get("junk", ()))
        for image in images:
            if image not in junk:
                found["positive" if image in positive else ""].append(query)
    for kind, numbers in found.items():
        severity, text = _OWN[kind]
        severity = "note" if published and kind else severity
        several = list(dict.fromkeys(numbers))
        yield finding(
            "own-positive" if kind else "query-in-database",
            severity,
            f"{len(several):,} of {len(dataset.queries):,} queries are{same} {text}; make that image junk of the query",
            [dataset.queries[query] for query in several],
        )


def _copies(dataset: RetrievalSet) -> dict[int, list[int]]:
    """Query -> images of the database that are the same file, or hold the same bytes."""
    same: dict[int, list[int]] = defaultdict(list)
    images = dataset.images[: len(dataset.images) - dataset.distractors]
    ids: dict[Path, list[int]] = defaultdict(list)
    by_size: dict[int, list[int]] = defaultdict(list)
    sizes = {size for query in dataset.queries if (size := _size(query))}
    for image, path in enumerate(images):
        ids[path].append(image)
        # Names of a ground truth may stand for images that need not be there: then there is nothing to look up.
        if sizes and (size := _size(path)) in sizes:
            by_size[size].append(image)
    checksum = lru_cache(maxsize=None)(file_checksum)
    for query, path in enumerate(dataset.queries):
        same[query] += ids.get(path, [])
        for image in by_size.get(_size(path), []):
            if images[image] != path and checksum(images[image]) == checksum(path):
                same[query].append(image)
    return {query: found for query, found in same.items() if found}


def _size(path: Path) -> int:
    """In bytes; 0 for what is no file, as a name of a ground truth may be that of a folder."""
    try:
        found = os.stat(path)
    except OSError:
        return 0
    return found.st_size if stat.S_ISREG(found.st_mode) else 0
