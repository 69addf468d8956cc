"""Retrieval: describe -> search -> re-rank -> expand.

``protocol`` holds the options of the task, ``pipeline`` runs its stages: ``extraction`` and ``representation``
describe, ``search_pipeline`` searches, ``reranking`` re-ranks; ``rows`` and ``distractors`` store descriptors.
"""
