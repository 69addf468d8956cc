"""What results are worth: rankings by the revisited protocol, classifiers by accuracy. Only numpy."""

from __future__ import annotations

from typing import Final

RESULT_VERSION: Final = 2
"""Of the evaluation protocols. Raised when numbers change: docs/explanation/identity.md."""
