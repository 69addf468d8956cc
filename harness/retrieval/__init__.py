"""Retrieval: describe -> search -> re-rank -> expand.

``protocol`` holds the options of the task, ``pipeline`` runs its stages: ``extraction`` and ``representation``
describe, ``search_pipeline`` searches, ``reranking`` re-ranks; ``rows`` and ``distractors`` store descriptors.
"""

from __future__ import annotations

from typing import Final

RESULT_VERSION: Final = 4
"""Of the pipeline. Raised when numbers change: docs/explanation/identity.md."""
