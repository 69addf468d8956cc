"""Datasets: where they come from, what they are, how they are read. Knows no task."""

from __future__ import annotations

from typing import Final

RESULT_VERSION: Final = 1
"""Of decoded images and parsed ground truths. Raised when numbers change: docs/explanation/identity.md."""
