"""The tie in which the end of a ranking falls after an expansion: what it holds besides what is listed.

A cut leaves the lowest ids of a tie: images by content, and all images before any distractor. A ranking does not say
whether its last tie goes on, so a query that it may concern is answered once more without the cut.
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.metrics.ties import tie_numbers
from harness.plugin_api import Ranking
from harness.retrieval.search_pipeline import SearchPipeline

Row = tuple[NDArray[np.int64], NDArray[Any]]
"""Ids (m,) best first, and numbers (m,) of which neighbours with equal ones are tied."""


def with_whole_ties(pipeline: SearchPipeline, ranking: Ranking, labelled: Sequence[Container[int]]) -> Iterator[Row]:
    """The rows of a cut ranking, each to the end of its last tie.

    A row ends at the cut where the last tie is known to say nothing (one image without a label), and where the
    expansion answers otherwise from a longer ranking: then all that is known is what is listed.

    Args:
        pipeline: what gave the ranking.
        ranking: of all queries, cut.
        labelled: per query the ids that the ground truth names.
    """
    for query, (ids, tied) in enumerate(zip(ranking.indices, ranking.tied, strict=True)):
        start = _last_tie(tied, len(ids))[0] if len(ids) else 0
        if start < len(ids) - 1 or (len(ids) and ids[-1] in labelled[query]):
            yield _to_the_end((ids, tied), start, _without_cut(pipeline, query, len(ids)))
        else:
            yield ids, tied


def _last_tie(tied: NDArray[Any], depth: int) -> tuple[int, int]:
    """Where the tie of the last of ``depth`` images starts and ends."""
    numbers = tie_numbers(tied)
    start, end = (int(np.searchsorted(numbers, numbers[depth - 1], side)) for side in ("left", "right"))
    return start, end


def _without_cut(pipeline: SearchPipeline, query: int, depth: int) -> Row | None:
    """The whole ranking of a query; None where more would be re-ranked than a ranking of this depth has."""
    row = slice(query, query + 1)
    searched = replace(pipeline, depth=pipeline.size).search(row)
    if pipeline.reranker and pipeline.reranker.top(searched.indices[0]) > depth:
        return None
    found = pipeline.expand(row, pipeline.rerank(range(query, query + 1), searched))
    return found.indices[0], found.tied[0]


def _to_the_end(cut: Row, start: int, whole: Row | None) -> Row:
    """The cut row, or the whole one to the end of the tie in which the cut falls, if it begins as the cut one does."""
    if whole is None or len(whole[0]) < len(cut[0]):
        return cut
    ids, tied = whole
    first, end = _last_tie(tied, len(cut[0]))
    same = first == start and np.array_equal(ids[:start], cut[0][:start])
    return (ids[:end], tied[:end]) if same else cut
