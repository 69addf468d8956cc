"""Images that are generated, for the embedded data sets."""

from __future__ import annotations

from typing import Final

RESULT_VERSION: Final = 1
PHOTOGRAPHS_VERSION: Final = 1
"""Of generated images, and of those made from photographs. Raised when they change: docs/explanation/identity.md."""
