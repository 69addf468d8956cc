"""Retrieval: describe -> search -> re-rank -> expand.

``protocol`` holds the options of the task, ``methods`` and ``result`` what a run is given and finds, ``searched_data``
the order of the database; ``pipeline`` runs the stages: ``extraction`` and ``representation`` describe,
``search_pipeline`` searches, ``reranking`` re-ranks, ``fit_expansion`` expands; ``rows`` and ``distractors`` store
descriptors.
"""

from __future__ import annotations

from typing import Final

RESULT_VERSION: Final = 4
"""Of the pipeline. Raised when numbers change: docs/explanation/identity.md."""
