"""Labels of a classification set and the files that its loader leaves out."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

import numpy as np

from harness.data.audit.finding import Finding, Severity, finding

_UNBALANCED: Final = 10
"""Times as many images in the largest class as in the smallest that is worth a warning."""


def skipped_files(skipped: Sequence[tuple[Path, str]]) -> Iterator[Finding]:
    """Files that lie beside those that are read; hidden ones only matter as a note."""
    by_reason: dict[str, list[Path]] = defaultdict(list)
    for path, reason in skipped:
        by_reason[reason].append(path)
    for reason, paths in by_reason.items():
        severity: Severity = "note" if reason == "hidden" else "warning"
        number = f"{len(paths):,} file{'s are' if len(paths) > 1 else ' is'} skipped"
        yield finding("skipped-files", severity, f"{number} ({reason})", paths)


def label_findings(labels: Mapping[str, Sequence[int]], classes: Sequence[str]) -> Iterator[Finding]:
    """Classes that are empty, alone or on one side only; unbalanced pools.

    Args:
        labels: part (``train``, ``test``) -> label of each image.
        classes: names by label.
    """
    counts = {
        part: np.bincount(np.asarray(values, np.int64), minlength=len(classes)) for part, values in labels.items()
    }
    if len(classes) == 1:
        yield finding("single-class", "error", f"there is a single class, {classes[0]}: every accuracy would be 100%")
        return
    for part, numbers in counts.items():
        empty = [name for name, number in zip(classes, numbers, strict=True) if number == 0]
        if empty:
            where = f"{len(empty)} of {len(classes)} classes have no image in {part}"
            yield finding("empty-class", "error" if part == "train" else "warning", where, empty)
        if part == "train" and int((numbers > 0).sum()) == 1:
            yield finding("single-class", "error", "all images of the pool are of one class")
    pool = counts.get("train", np.zeros(0, np.int64))
    present = pool[pool > 0]
    if len(present) > 1 and present.max() > _UNBALANCED * present.min():
        least, most = classes[int(np.argmin(np.where(pool > 0, pool, pool.max() + 1)))], classes[int(pool.argmax())]
        numbers_text = f"{int(present.min()):,} images of {least}, {int(present.max()):,} of {most}"
        yield finding("unbalanced", "warning", f"the classes of the pool are unbalanced: {numbers_text}")


def label_counts(labels: Mapping[str, Sequence[int]], classes: Sequence[str]) -> dict[str, dict[str, int]]:
    """Part -> class -> images."""
    counted = {}
    for part, values in labels.items():
        numbers = np.bincount(np.asarray(values, np.int64), minlength=len(classes))
        counted[part] = {name: int(number) for name, number in zip(classes, numbers, strict=True)}
    return counted
