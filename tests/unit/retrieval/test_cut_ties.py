"""The tie in which the end of a ranking falls: listed to its end, where a ranking without the cut shows it."""

from __future__ import annotations

import numpy as np
import pytest

from harness.plugin_api import Ranking
from harness.retrieval.cut_ties import with_whole_ties
from harness.retrieval.reranking import BoundReranker
from harness.retrieval.search_pipeline import SearchPipeline
from harness.search import top_k

IMAGES = np.eye(3, dtype=np.float32)[[0, 1, 1, 2]]
DISTRACTORS = np.eye(3, dtype=np.float32)[[1, 2, 1]]
QUERY = np.array([[0.9, 0.4, 0.1]], np.float32)  # image 0; then 1, 2, 4, 6; then 3 and 5


class Again:
    """Searches once more, as deep as the ranking; counts."""

    def __init__(self):
        self.database, self.calls = np.concatenate([IMAGES, DISTRACTORS]), 0

    def expand(self, queries, ranking):
        self.calls += 1
        found = top_k(queries, self.database, ranking.indices.shape[1])
        return Ranking(found.indices, found.scores)


class Backwards(Again):
    """Another answer from a longer ranking."""

    def expand(self, queries, ranking):
        found = super().expand(queries, ranking)
        return Ranking(ranking.indices[:, ::-1].copy(), found.scores)


class AsGiven:
    def expand(self, queries, ranking):
        return ranking


def rows(depth, labelled, expansion, **more):
    pipeline = SearchPipeline(QUERY, IMAGES, depth, {"expansion": "it"}, (DISTRACTORS,), expansion=expansion, **more)
    ranking = pipeline.expand(slice(None), pipeline.search(slice(None)))
    ((ids, tied),) = with_whole_ties(pipeline, ranking, [labelled])
    return ids.tolist(), [(tied == value).sum() for value in dict.fromkeys(tied.tolist())]


@pytest.mark.parametrize("depth", [2, 3, 4, 5])
def test_a_tie_goes_on_below_the_cut(depth):
    assert rows(depth, [1], Again()) == ([0, 1, 2, 4, 6], [1, 4])


def test_one_image_without_a_label_is_not_asked_for_again():
    expansion = Again()
    assert rows(1, [1, 2, 3], expansion) == ([0], [1])
    assert rows(2, [2, 3], expansion) == ([0, 1], [1, 1])
    assert expansion.calls == 2
    assert rows(1, [0], expansion) == ([0], [1])
    assert expansion.calls == 4


def test_where_a_longer_ranking_changes_the_answer_what_is_listed_is_known():
    assert rows(3, [1], Backwards()) == ([2, 1, 0], [1, 2])


@pytest.mark.parametrize(("top", "listed"), [(3, [0, 2, 1]), (4, [0, 2, 1])])
def test_no_image_is_reranked_that_the_cut_ranking_does_not_have(top, listed):
    class Last:
        def score(self, query, candidates):
            return np.array([5, *range(len(candidates) - 1)], np.float32)

    method = Last()
    method.top = top
    reranker = BoundReranker(method, "it", {0: None}, dict.fromkeys(range(3)), np.arange(7))
    pipeline = SearchPipeline(QUERY, IMAGES, 3, {"expansion": "it"}, (DISTRACTORS,), reranker, AsGiven())
    ranking = pipeline.expand(slice(None), pipeline.rerank(range(1), pipeline.search(slice(None))))
    ((ids, _),) = with_whole_ties(pipeline, ranking, [[1]])
    assert ids.tolist() == listed
