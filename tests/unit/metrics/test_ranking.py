from __future__ import annotations

import json
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.core.errors import InvalidInput
from harness.metrics.ranking import evaluate, per_query, per_query_frame
from harness.search import top_k
from harness_evidence.metrics import SETUPS
from harness_evidence.metrics import revisited as reference


@st.composite
def rankings(draw):
    """A database, its truncated rankings, and labels that may be empty, all junk, or not reached."""
    n = draw(st.integers(1, 25))
    queries = draw(st.integers(1, 4))
    depth = draw(st.integers(0, n))
    ranks, truth = [], []
    for _ in range(queries):
        ranks.append(draw(st.permutations(range(n)))[:depth])
        label = draw(st.lists(st.sampled_from(["easy", "hard", "junk", ""]), min_size=n, max_size=n))
        ids = {name: [i for i in range(n) if label[i] == name] for name in ("easy", "hard", "junk")}
        truth.append({name: draw(st.permutations(members)) for name, members in ids.items()})
    return np.array(ranks, dtype=np.int64).reshape(queries, depth), truth, n


@settings(max_examples=100)
@given(rankings(), st.lists(st.integers(1, 30), min_size=1, max_size=3))
def test_equals_the_protocol_read_aloud(case, ks):
    ranks, truth, n = case
    ours, theirs = evaluate(ranks, truth, ks, n_database=n), reference(ranks.tolist(), truth, ks)
    for setup, (aps, mean, precisions, mean_precision) in theirs.items():
        scores = ours[setup]
        np.testing.assert_allclose(scores.ap, aps, rtol=1e-12)
        np.testing.assert_allclose(scores.map, mean, rtol=1e-12)
        np.testing.assert_allclose(scores.precision, precisions, rtol=1e-12)
        np.testing.assert_allclose(scores.mean_precision, mean_precision, rtol=1e-12)
        assert scores.ap.dtype == scores.precision.dtype == scores.mean_precision.dtype == np.float64


@settings(max_examples=100)
@given(rankings())
def test_scores_are_shares_and_ids_may_be_renamed(case):
    ranks, truth, n = case
    scores = evaluate(ranks, truth, n_database=n)
    for setup in scores.values():
        values = setup.ap[~np.isnan(setup.ap)]
        assert ((values >= 0) & (values <= 1)).all()
    new = np.random.default_rng(0).permutation(n)
    renamed = [{label: new[ids] for label, ids in query.items()} for query in truth]
    again = evaluate(new[ranks], renamed, n_database=n)
    for setup in scores:
        np.testing.assert_array_equal(scores[setup].ap, again[setup].ap)


def truth(easy=(), hard=(), junk=()):
    return {"easy": list(easy), "hard": list(hard), "junk": list(junk), "bbx": [0, 0, 1, 1]}


def test_the_example_of_the_specification():
    """Positives at ranks 2 and 5 of 5: 0.2875 by the trapezoid rule (0.45 by the finite sum)."""
    scores = evaluate([[0, 1, 2, 3, 4]], [truth(easy=[1, 4])])
    assert scores["easy"].map == pytest.approx(0.2875)


def test_a_query_without_positives_is_left_out_of_the_means():
    scores = evaluate([[0, 1], [0, 1]], [truth(easy=[0]), truth(junk=[0, 1])])
    assert scores["medium"].map == 1
    assert np.isnan(scores["medium"].ap[1])
    assert np.isnan(scores["hard"].map)
    assert np.isnan(scores["hard"].mean_precision).all()


def test_positives_missing_from_a_truncated_ranking_are_missed():
    scores = evaluate([[5]], [truth(easy=[0, 5])], ks=(1, 10))
    assert scores["easy"].map == 0.5
    assert scores["easy"].precision.tolist() == [[1.0, 0.1]]
    nothing = evaluate(np.zeros((1, 0), dtype=int), [truth(easy=[0])])
    assert nothing["easy"].map == 0
    assert nothing["easy"].precision.tolist() == [[0, 0, 0]]
    assert evaluate([[]], [truth(easy=[0])])["easy"].map == 0


@settings(max_examples=60)
@given(rankings(), st.integers(1, 12), st.data())
def test_a_truncated_ranking_has_the_precision_of_the_whole_one(case, k, data):
    """Where it holds k images besides junk: a positive that it does not reach lies beyond k in any continuation."""
    ranks, truth, n = case
    whole = np.array([[*row, *sorted(set(range(n)) - set(row))] for row in ranks.tolist()])
    depth = data.draw(st.integers(0, n))
    cut, full = (evaluate(table, truth, (k,), n_database=n) for table in (whole[:, :depth], whole))
    for setup, (_, removed) in SETUPS.items():
        assert (np.nan_to_num(cut[setup].ap) <= np.nan_to_num(full[setup].ap) + 1e-12).all()
        assert (np.nan_to_num(cut[setup].precision) <= np.nan_to_num(full[setup].precision) + 1e-12).all()
        for query, row in enumerate(whole[:, :depth].tolist()):
            junk = {i for label in removed.split() for i in truth[query][label]}
            if sum(image not in junk for image in row) >= k:
                assert cut[setup].precision[query] == pytest.approx(full[setup].precision[query], nan_ok=True)


def test_all_queries_empty():
    scores = evaluate([[0, 1], [1, 0]], [truth(junk=[0]), truth()], n_database=2)
    for setup in scores.values():
        assert np.isnan(setup.map)
        assert np.isnan(setup.ap).all()
        assert np.isnan(setup.mean_precision).all()


@pytest.mark.parametrize("dtype", [np.int32, np.int64])
def test_a_million_ranks_a_query(dtype):
    """ROxford5k with its distractors: positives far down, junk before and between them."""
    n = 1_001_001 + 4993
    queries = [truth(easy=[0, n - 1], hard=[500_000], junk=[1, 999_999]), truth(), truth(hard=range(2000))]
    ranks = np.tile(np.arange(n, dtype=dtype), (3, 1))
    ranks[2] = ranks[2][::-1]
    scores = evaluate(ranks, queries, n_database=n)
    # Without junk, medium: positives at 0, 499,999 and n - 3; easy has the hard one removed too.
    medium = (1 + (1 / 499_999 + 2 / 500_000) / 2 + (2 / (n - 3) + 3 / (n - 2)) / 2) / 3
    easy = (1 + (1 / (n - 4) + 2 / (n - 3)) / 2) / 2
    assert scores["medium"].ap[0] == pytest.approx(medium, rel=1e-12)
    assert scores["easy"].ap[0] == pytest.approx(easy, rel=1e-12)
    assert np.isnan(scores["medium"].ap[1])
    ranked = np.arange(n - 2000, n, dtype=np.float64)
    expected = ((np.arange(2000) / ranked + np.arange(1, 2001) / (ranked + 1)) / 2).sum() / 2000
    assert scores["hard"].ap[2] == pytest.approx(expected, rel=1e-12)


def test_precision_is_cut_at_the_last_positive():
    assert evaluate([[3, 0, 1, 2]], [truth(easy=[3])], ks=(5,))["easy"].precision == 1


@pytest.mark.parametrize(
    ("ranks", "labels", "words"),
    [
        ([[0, 1]], truth(easy=[0], junk=[0]), "query 0: id 0 is listed in easy and junk"),
        ([[0, 1]], truth(easy=[0], hard=[0]), "easy and hard"),
        ([[0, 1]], truth(easy=[1, 1]), "easy and easy"),
        ([[0, 1]], truth(easy=[-1]), "id -1 is out of range"),
        ([[0, 1]], truth(easy=[2]), "id 2 is out of range"),
        ([[0, 2]], truth(easy=[0]), "ranking holds id 2"),
        ([[0, -1]], truth(easy=[0]), "ranking holds id -1"),
        ([[1, 1]], truth(easy=[0]), "id 1 is ranked twice"),
        ([0, 1], truth(easy=[0]), "shape"),
        ([[0.0, 1.0]], truth(easy=[0]), "integers"),
        ([[0, 1], [0, 1]], truth(easy=[0]), "2 queries"),
        ([[0, 1]], truth(easy=["a"]), "integer ids"),
        ([[0, 1]], truth(easy=[[0]]), "integer ids"),
        ([[0, 1]], {"positives": [0]}, "unknown key 'positives' of the ground truth\n  fix: did you mean \"easy\"?"),
        ([[0, 1]], {"ok": [0]}, 'did you mean "easy"?'),
        ([[0, 1]], {"Easy": [0]}, 'did you mean "easy"?'),
        ([[0, 1]], {"hrad": [0]}, 'did you mean "hard"?'),
        ([[0, 1]], {"weights": [0]}, "labels: easy, hard, junk"),
        ([[0, 1]], [0], "its ground truth is a list"),
        ([[0], [0, 1]], truth(easy=[0]), "2 queries"),
        ([[0, 1.5]], truth(easy=[0]), "integers"),
        (3, truth(easy=[0]), "lists of database ids"),
    ],
)
def test_wrong_input_is_refused(ranks, labels, words):
    with pytest.raises(InvalidInput) as caught:
        evaluate(ranks, [labels], n_database=2)
    assert words in str(caught.value)


def test_precision_at_zero_is_refused():
    with pytest.raises(InvalidInput, match="ks"):
        evaluate([[0]], [truth(easy=[0])], ks=(0,))


@settings(max_examples=60)
@given(rankings(), st.data())
def test_lists_may_have_different_lengths(case, data):
    """Each query has the scores that its list alone gets."""
    ranks, truth, n = case
    rows = [row[: data.draw(st.integers(0, len(row)))] for row in ranks.tolist()]
    together = evaluate(rows, truth, n_database=n)
    for query, row in enumerate(rows):
        for setup, scores in evaluate([row], [truth[query]], n_database=n).items():
            np.testing.assert_array_equal(together[setup].ap[query], scores.ap[0])
            np.testing.assert_array_equal(together[setup].precision[query], scores.precision[0])


def test_scores_of_lists_of_different_lengths():
    truth_of_two = [truth(easy=[0]), truth(easy=[1])]
    scores = evaluate([[0, 1], [1]], truth_of_two, scores=[[1.0, 1.0], [2.0]], n_database=2)["easy"]
    assert scores.ap.tolist() == [0.625, 1.0]  # the mean of 1 and 1/4
    with pytest.raises(InvalidInput, match="2 lists of different lengths") as caught:
        evaluate([[0, 1], [1]], truth_of_two, scores=[[1.0], [2.0]])
    assert "query 0: 1 scores, 2 ranked" in str(caught.value)
    with pytest.raises(InvalidInput, match="query 1: the score at rank 1 is NaN"):
        evaluate([[0, 1], [1]], truth_of_two, scores=[[1.0, 0.5], [float("nan")]])


def test_what_else_a_ground_truth_says_is_ignored():
    assert evaluate([[0]], [{"easy": [0], "bbx": None, "box": [0, 0, 1, 1], "group": "tower"}])["easy"].map == 1


def test_values_of_every_query_are_a_table(monkeypatch):
    scores = evaluate([[0, 1], [0, 1]], [truth(easy=[0]), truth(hard=[1])], ks=(1, 2))
    table = per_query(scores)
    assert list(table) == ["query", *(f"{m}_{s}" for s in SETUPS for m in ("ap", "mp@1", "mp@2"))]
    assert table["query"].tolist() == [0, 1]
    np.testing.assert_array_equal(table["mp@1_medium"], [1, 0])
    np.testing.assert_array_equal(table["mp@2_easy"], [1, np.nan])
    assert per_query({})["query"].tolist() == []
    monkeypatch.setitem(sys.modules, "pandas", SimpleNamespace(DataFrame=dict))
    assert list(per_query_frame(scores)) == list(table)
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(InvalidInput, match="pandas is not installed"):
        per_query_frame(scores)


@pytest.mark.realdata
@pytest.mark.parametrize(
    ("name", "database", "counts"),
    [("roxford5k", 4993, (3029, 2497, 1356, 68)), ("rparis6k", 6322, (6874, 10350, 7153, 70))],
)
def test_the_published_ground_truth(realdata, name, database, counts):
    content = json.loads((realdata / "retrieval" / "revisited" / f"{name}.json").read_text())
    queries = content["queries"]
    totals = [sum(len(query[label]) for query in queries) for label in ("easy", "hard", "junk")]
    assert (*totals, sum(bool(query["easy"]) for query in queries)) == counts
    perfect = [
        [*query["easy"], *query["hard"], *(set(range(database)) - set(query["easy"]) - set(query["hard"]))]
        for query in queries
    ]
    for scores in evaluate(perfect, queries, n_database=database).values():
        assert scores.map == 1
        np.testing.assert_array_equal(scores.mean_precision, 1)


def test_average_precision_below_the_cut_is_that_of_the_whole_ranking():
    rng = np.random.default_rng(2)
    queries, database, shard = (rng.integers(-9, 10, (n, 6)).astype(np.float32) for n in (8, 40, 400))
    truth = []
    for _ in queries:
        ids = rng.permutation(40)
        truth.append({"easy": ids[:5].tolist(), "hard": ids[5:12].tolist(), "junk": ids[12:20].tolist()})
    labelled = [[*t["easy"], *t["hard"], *t["junk"]] for t in truth]
    best = top_k(queries, [database, shard], 15, ranks_of=labelled)
    label_ranks = [
        dict(zip(ids, map(tuple, row.tolist()), strict=True)) for ids, row in zip(labelled, best.ties, strict=True)
    ]
    order, scores, *_ = top_k(queries, [database, shard])
    exact = evaluate(order, truth, scores=scores, n_database=440)
    cut = evaluate(best.indices, truth, n_database=440)
    whole = evaluate(best.indices, truth, n_database=440, label_ranks=label_ranks)
    for setup, scores in exact.items():
        np.testing.assert_array_equal(whole[setup].ap, scores.ap)
        np.testing.assert_array_equal(whole[setup].precision, scores.precision)
        assert cut[setup].map < scores.map
