from __future__ import annotations

import numpy as np
import pytest

from harness.core.errors import InvalidInput
from harness.metrics.ranking import evaluate
from harness.search.blocks import search_blocks


def whole_numbers(n, d, rng, high=3):
    """Vectors whose inner products are exact in float32 and have many ties."""
    return rng.integers(-high, high + 1, (n, d)).astype(np.float32)


def brute_force(queries, everything):
    """The whole ranking, equal scores by the lowest id."""
    scores = queries @ everything.T
    order = np.argsort(-scores, axis=1, kind="stable")
    return order, np.take_along_axis(scores, order, axis=1)


@pytest.mark.parametrize("dtype", ["float16", "float32"])
@pytest.mark.parametrize("memory", [1, 2000, 1 << 20])
@pytest.mark.parametrize("depth", [1, 7, 100, 5000])
def test_search_in_blocks_is_the_head_of_the_whole_ranking(dtype, memory, depth):
    rng = np.random.default_rng(0)
    queries, database = whole_numbers(5, 4, rng), whole_numbers(60, 4, rng)
    shards = [whole_numbers(n, 4, rng).astype(dtype) for n in (90, 1, 150)]
    labelled = [rng.choice(60, size, replace=False) for size in (0, 1, 5, 60, 3)]
    found = search_blocks(queries, database, shards, depth, labelled=labelled, memory=memory)
    order, scores = brute_force(queries, np.concatenate([database, *(s.astype(np.float32) for s in shards)]))
    np.testing.assert_array_equal(found.ranking.indices, order[:, :depth])
    np.testing.assert_array_equal(found.ranking.scores, scores[:, :depth])
    for query, ids in enumerate(labelled):
        expected = [int(np.flatnonzero(order[query] == i)[0]) for i in ids]
        assert found.places[query].tolist() == expected


def test_equal_scores_on_the_cut_go_to_the_lowest_ids():
    database, shard = np.ones((3, 2), np.float32), np.ones((10, 2), np.float16)
    found = search_blocks(np.ones((1, 2), np.float32), database, [shard], 5, labelled=[[2]], memory=1)
    assert found.ranking.indices.tolist() == [[0, 1, 2, 3, 4]]
    assert found.places[0].tolist() == [2]


def test_real_descriptors_rank_as_by_one_product():
    rng = np.random.default_rng(1)
    everything = rng.standard_normal((3000, 64)).astype(np.float16).astype(np.float32)
    queries = rng.standard_normal((6, 64)).astype(np.float32)
    found = search_blocks(queries, everything[:500], [everything[500:1700], everything[1700:]], 200, memory=100_000)
    order, scores = brute_force(queries, everything)
    np.testing.assert_allclose(found.ranking.scores, scores[:, :200], rtol=1e-4, atol=1e-5)
    assert (found.ranking.indices == order[:, :200]).mean() > 0.99


def test_average_precision_below_the_cut_is_that_of_the_whole_ranking():
    rng = np.random.default_rng(2)
    queries, database = whole_numbers(8, 6, rng, 9), whole_numbers(40, 6, rng, 9)
    shard = whole_numbers(400, 6, rng, 9).astype(np.float16)
    truth = []
    for _ in queries:
        ids = rng.permutation(40)
        truth.append({"easy": ids[:5].tolist(), "hard": ids[5:12].tolist(), "junk": ids[12:20].tolist()})
    labelled = [[*t["easy"], *t["hard"], *t["junk"]] for t in truth]
    found = search_blocks(queries, database, [shard], 15, labelled=labelled)
    beyond = [dict(zip(ids, map(int, places), strict=True)) for ids, places in zip(labelled, found.places, strict=True)]
    order, _ = brute_force(queries, np.concatenate([database, shard.astype(np.float32)]))
    exact = evaluate(order, truth, n_database=440)
    cut = evaluate(found.ranking.indices, truth, n_database=440)
    mended = evaluate(found.ranking.indices, truth, n_database=440, places=beyond)
    for setup, scores in exact.items():
        np.testing.assert_array_equal(mended[setup].ap, scores.ap)
        np.testing.assert_array_equal(mended[setup].precision, scores.precision)
        assert cut[setup].map < scores.map


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"depth": 0}, "depth"),
        ({"labelled": [[3]]}, "not in the database"),
        ({"labelled": [[0], [0]]}, "2 queries"),
        ({"distractors": [np.zeros((2, 5), np.float16)]}, "shard 0"),
    ],
)
def test_wrong_arguments_are_refused(changes, message):
    given = {"distractors": [np.zeros((2, 4), np.float16)], "depth": 1, **changes}
    with pytest.raises(InvalidInput, match=message):
        search_blocks(np.zeros((1, 4), np.float32), np.zeros((3, 4), np.float32), **given)


def test_without_distractors_it_is_the_search_of_the_database():
    rng = np.random.default_rng(3)
    queries, database = whole_numbers(3, 5, rng), whole_numbers(30, 5, rng)
    found = search_blocks(queries, database, [], 10)
    np.testing.assert_array_equal(found.ranking.indices, brute_force(queries, database)[0][:, :10])


def test_no_query_has_no_answer():
    found = search_blocks(np.empty((0, 4), np.float32), np.zeros((3, 4), np.float32), [], 2)
    assert len(found.ranking.indices) == len(found.places) == 0
