"""Arrays of images and of features: constant ones, duplicates, values that are not finite, norms."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from harness.data.audit.duplicates import Item, duplicate_findings, row_digests
from harness.data.audit.finding import Finding, finding
from harness.plugin_api import ClassificationSet

_FAR: Final = 100
"""Times the median norm that is worth a look."""


def array_findings(dataset: ClassificationSet) -> Iterator[Finding]:
    """What a loaded classification set holds: images (n, C, H, W) uint8 or features (n, d, 1, 1) float32."""
    parts = {"train": dataset.train_images, "test": dataset.test_images}
    labels = {"train": dataset.train_labels, "test": dataset.test_labels}
    is_images = dataset.train_images.dtype == np.uint8
    for part, rows in parts.items():
        yield from _constant_images(part, rows) if is_images else feature_findings(part, rows.reshape(len(rows), -1))
    items = [Item(part, int(label), f"{part}[{row}]") for part in parts for row, label in enumerate(labels[part])]
    digests = [digest for rows in parts.values() for digest in row_digests(rows)]
    yield from duplicate_findings(items, digests, "pixels" if is_images else "values")


def _constant_images(part: str, images: NDArray[np.uint8]) -> Iterator[Finding]:
    flat = images.reshape(len(images), -1)
    if len(rows := np.flatnonzero(flat.min(1) == flat.max(1))):
        yield finding("constant", "warning", f"{len(rows):,} images of {part} of a single colour", _names(part, rows))


def feature_findings(part: str, rows: NDArray[Any]) -> Iterator[Finding]:
    """What is odd about features or descriptors (n, d).

    Args:
        part: what they are called.
        rows: of any floating type; finite in float32, or found not to be.
    """
    with np.errstate(over="ignore"):
        single = np.asarray(rows, np.float32)
    if len(wrong := np.flatnonzero(~np.isfinite(np.asarray(rows)).all(1))):
        yield finding("not-finite", "error", f"{len(wrong):,} rows of {part} are not finite", _names(part, wrong))
    if len(large := np.flatnonzero(~np.isfinite(single).all(1) & np.isfinite(np.asarray(rows)).all(1))):
        text = f"{len(large):,} rows of {part} exceed the range of 32 bits"
        yield finding("overflow", "error", text, _names(part, large))
    finite = np.isfinite(single).all(1)
    if not finite.any():
        return
    values = single[finite].astype(np.float64)
    constant = np.flatnonzero(values.min(0) == values.max(0))
    if len(constant) == values.shape[1] and len(values) > 1:
        yield finding("constant", "error", f"all rows of {part} are equal")
    elif len(constant):
        text = f"{len(constant):,} of {values.shape[1]:,} dimensions of {part} are constant"
        yield finding("constant-dimensions", "note", text)
    norms = np.linalg.norm(values, axis=1)
    rows_of = np.flatnonzero(finite)
    if len(empty := rows_of[norms == 0]):
        yield finding("empty-rows", "warning", f"{len(empty):,} rows of {part} are zero", _names(part, empty))
    if len(far := rows_of[norms > _FAR * np.median(norms)]) and np.median(norms) > 0:
        text = f"{len(far):,} rows of {part} have a norm above {_FAR} times the median"
        yield finding("norms", "warning", text, _names(part, far))


def array_counts(dataset: ClassificationSet) -> Mapping[str, int]:
    """How many images or rows were looked at."""
    return {"train": len(dataset.train_images), "test": len(dataset.test_images)}


def _names(part: str, rows: NDArray[Any]) -> list[str]:
    return [f"{part}[{row}]" for row in rows]
