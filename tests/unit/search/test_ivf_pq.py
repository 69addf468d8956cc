"""Approximate search by inverted lists and codes: what it lists has exact scores, and its recall is measured."""

from __future__ import annotations

import numpy as np
import pytest

from harness.core.errors import InvalidInput
from harness.search import ivf_pq, top_k, unit_rows
from harness.search.ivf_pq import ApproximateSearch
from harness.search.sharded import here


@pytest.fixture(scope="module")
def clustered():
    rng = np.random.default_rng(0)
    centres = rng.standard_normal((200, 8))
    rows = unit_rows(centres[rng.integers(0, 200, 4096)] + 0.4 * rng.standard_normal((4096, 8)))
    return unit_rows(rows[::200] + 0.1 * rng.standard_normal((21, 8))), rows


@pytest.fixture(scope="module")
def built(tmp_path_factory, clustered):
    search = ApproximateSearch(1, here, tmp_path_factory.mktemp("whole"))
    search.build([clustered[1]])
    yield search
    search.close()
    assert list(search.folder.iterdir()) == []


def test_what_is_listed_has_exact_scores_and_the_recall_is_measured(built, clustered, monkeypatch):
    monkeypatch.setattr(ivf_pq, "_CANDIDATES", 100)
    queries, rows = clustered
    built.measure(queries, [rows])
    assert {name: built.report[name] for name in ("lists", "probes", "code_bytes")} == {
        "lists": 64,
        "probes": 4,
        "code_bytes": 8,
    }
    assert 0.5 < built.report["recall@100"] <= 1
    found, exact = built(queries, None, 50), top_k(queries, rows, len(rows))
    assert found.indices.shape == (21, 50)
    for ids, scores, all_ids, all_scores in zip(found.indices, found.scores, exact.indices, exact.scores, strict=True):
        assert len(set(ids)) == 50
        assert np.array_equal(scores, all_scores[np.argsort(all_ids)[ids]])
        assert np.array_equal(np.lexsort((ids, -scores)), np.arange(50))
    alone = built.alone(queries[3:4], None, 50)
    assert np.array_equal(alone.indices[0], found.indices[3])


def test_the_answer_does_not_depend_on_the_shards(built, tmp_path, clustered):
    queries, rows = clustered
    search = ApproximateSearch(3, here, tmp_path)
    search.build([rows[:2500], rows[2500:]])
    found = search(queries, None, 20)
    search.close()
    assert np.array_equal(built(queries, None, 20).indices, found.indices)


def test_all_lists_and_candidates_give_the_exact_answer(built, clustered, monkeypatch):
    queries, rows = clustered
    monkeypatch.setitem(built.report, "probes", 64)
    assert np.array_equal(built(queries, None, 3000).indices, top_k(queries, rows, 3000).indices)


def test_too_few_images_are_refused(tmp_path):
    with pytest.raises(InvalidInput, match=r"of 30 images: .* at least 1,024"):
        ApproximateSearch(1, here, tmp_path).build([np.eye(30, 8, dtype=np.float32)])


@pytest.mark.parametrize("shards", [1, 3])
def test_a_query_in_whose_lists_lie_few_images_finds_enough_in_others(tmp_path, shards):
    rng = np.random.default_rng(1)
    near, far = np.eye(8)[0] + 0.3 * rng.standard_normal((2045, 8)), -np.eye(8)[0] + 0.01 * rng.standard_normal((3, 8))
    rows = unit_rows(np.concatenate([near, far]))
    search = ApproximateSearch(shards, here, tmp_path, probes=1)
    search.build([rows])
    queries = np.concatenate([rows[:4], rows[-1:]])
    found = search(queries, None, 50)
    assert found.indices.shape == (5, 50)
    assert set(found.indices[4, :3]) == {2045, 2046, 2047}
    assert np.array_equal(search.alone(queries[4:], None, 50).indices, found.indices[4:])
    search.close()
