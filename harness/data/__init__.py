"""Datasets: where they come from, what they are, how they are read. Knows no task."""

from __future__ import annotations

from typing import Final

RESULT_VERSION: Final = 1
"""Of decoded images and parsed ground truths. Raised when numbers change: docs/explanation/identity.md."""
DECODING_VERSION: Final = 2
"""Of the decoding of rare forms of image files, those that benchmarks of the catalogue do not have: part of the keys of
arrays that come from image files. Loaders of a user's own files raise their ``result_version`` with it."""
