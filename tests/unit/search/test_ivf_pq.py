"""Approximate search by inverted lists and codes: what it lists has exact scores, and its recall is measured."""

from __future__ import annotations

from pathlib import Path

import faiss
import numpy as np
import pytest

from harness.cache.latest import Latest
from harness.core.errors import FileUnusable, InvalidInput
from harness.search import ivf_pq, ivf_pq_jobs, stored_rows, top_k, unit_rows
from harness.search.ivf_pq import ApproximateSearch
from harness.search.sharded import here

FULL = Path("/dev/full")


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


@pytest.mark.parametrize("distinct", [3, 60])
def test_of_equal_images_the_first_are_found_whatever_the_shards(tmp_path, monkeypatch, distinct):
    monkeypatch.setattr(ivf_pq, "_CANDIDATES", 50)
    monkeypatch.setattr(stored_rows, "LEAST_ROWS", 64)
    rng = np.random.default_rng(distinct)
    images = unit_rows(rng.standard_normal((distinct, 8)))
    shown = rng.integers(0, distinct, 2000)
    queries = unit_rows(images[:3].repeat(8, axis=0) + 0.2 * rng.standard_normal((24, 8)))
    answers = []
    for shards in (1, 2, 5, 16):
        search = ApproximateSearch(shards, here, tmp_path)
        search.build([images[shown]])
        answers.append(search(queries, None, 20))
        assert np.array_equal(search.alone(queries[:5], None, 20).indices, answers[-1].indices[:5])
        search.close()
    for answer in answers[1:]:
        assert np.array_equal(answer.indices, answers[0].indices)
        assert np.array_equal(answer.scores, answers[0].scores)
    for ids in answers[0].indices:  # 2,000 images of at most 60 kinds: the best of all are of few kinds
        for kind in set(shown[ids]):
            of_kind = ids[shown[ids] == kind]
            assert np.array_equal(of_kind, np.flatnonzero(shown == kind)[: len(of_kind)])


def test_searches_of_the_same_database_in_turn_learn_its_codes_once(tmp_path, monkeypatch, clustered):
    learnt = []
    monkeypatch.setattr(ivf_pq, "_TRAINED", Latest(lambda *asked: learnt.append(asked[1:]) or ivf_pq._trained(*asked)))
    found = []
    for shards, rows in ((1, clustered[1]), (2, clustered[1]), (1, clustered[1][:2048])):
        search = ApproximateSearch(shards, here, tmp_path)
        search.build([rows])
        found.append(search(clustered[0], None, 20))
        search.close()
    assert learnt == [(64, 8), (32, 8)]
    assert np.array_equal(found[0].indices, found[1].indices)


def test_as_many_are_found_as_are_asked_for_of_every_query(tmp_path):
    rng = np.random.default_rng(2)
    rows = unit_rows(rng.standard_normal((3000, 8)) ** 3)  # lists of very different sizes
    search = ApproximateSearch(2, here, tmp_path, probes=1)
    search.build([rows])
    queries = rows[:30]
    for k in (150, 900):
        found = search(queries, None, k)
        assert found.indices.shape == (30, k)
        assert np.isfinite(found.scores).all()
    assert np.array_equal(search(queries, None, 3000).indices, top_k(queries, rows).indices)
    search.close()


@pytest.mark.skipif(not FULL.exists(), reason="no device that is always full")
def test_a_disk_that_is_full_for_the_end_of_an_index_is_said(monkeypatch, built):
    with pytest.raises(FileUnusable, match="cannot use /dev/full: No space left on device"):
        ivf_pq_jobs.store(faiss.IndexFlatIP(4), FULL)
    with pytest.raises(FileUnusable):
        ivf_pq_jobs.build_index(ivf_pq_jobs.IndexJob(built._shards[0], built._place / "trained.faiss", FULL))
