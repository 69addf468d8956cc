"""The expectation over tied images, beside the mean over all orders that there are, in float64."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.core.errors import InvalidInput
from harness.metrics.ranking import evaluate
from harness.metrics.ties import expected_hits, groups_of, without_junk
from harness.search import top_k
from harness_evidence.metrics import orders


@st.composite
def tied(draw):
    """Up to seven images with few different scores, and their labels for one query."""
    n = draw(st.integers(1, 7))
    values = np.array(draw(st.lists(st.integers(0, 2), min_size=n, max_size=n)))
    labels = draw(st.lists(st.sampled_from(["easy", "hard", "junk", ""]), min_size=n, max_size=n))
    return values, {name: [i for i in range(n) if labels[i] == name] for name in ("easy", "hard", "junk")}


KS = (1, 2, 3, 5, 10)


@settings(max_examples=50, deadline=None)
@given(tied())
def test_is_the_mean_over_all_orders(case):
    values, truth = case
    every = [evaluate([order], [truth], KS, n_database=len(values)) for order in orders(values)]
    first = next(orders(values))
    found = evaluate([first], [truth], KS, scores=values[first][None], n_database=len(values))
    for setup, scores in found.items():
        np.testing.assert_allclose(scores.ap, np.mean([each[setup].ap for each in every], axis=0), rtol=1e-12)
        for name in ("precision", "precision_sum", "success"):
            mean = np.mean([getattr(each[setup], name) for each in every], axis=0)
            np.testing.assert_allclose(getattr(scores, name), mean, rtol=1e-12, atol=1e-15)


@settings(max_examples=100, deadline=None)
@given(tied(), st.integers(1, 8))
def test_recall_is_the_mean_over_all_orders(case, k):
    values, truth = case
    junk = set(truth["junk"])
    hits = [sum(i in truth["easy"] for i in [i for i in order if i not in junk][:k]) for order in orders(values)]
    row = next(orders(values))
    starts, sizes = groups_of(values[row])
    place = {image: rank for rank, image in enumerate(row)}
    pairs = [[(starts[place[i]], sizes[place[i]]) for i in truth[name]] for name in ("easy", "junk")]
    groups = without_junk(*(np.array(each, np.int64).reshape(-1, 2) for each in pairs))
    assert expected_hits(groups, k) == pytest.approx(np.mean(hits), rel=1e-12)


@settings(max_examples=60, deadline=None)
@given(tied(), st.randoms(use_true_random=False))
def test_no_order_of_the_database_changes_a_score(case, random):
    values, truth = case
    n = len(values)
    to = list(range(n))
    random.shuffle(to)
    moved = np.empty_like(values)
    moved[to] = values
    renamed = {label: [to[i] for i in ids] for label, ids in truth.items()}
    rows = [np.argsort(-each, kind="stable") for each in (values, moved)]
    first = evaluate([rows[0]], [truth], KS, scores=values[rows[0]][None])
    second = evaluate([rows[1]], [renamed], KS, scores=moved[rows[1]][None])
    for setup, scores in first.items():
        np.testing.assert_array_equal(scores.ap, second[setup].ap)
        np.testing.assert_array_equal(scores.precision, second[setup].precision)
        np.testing.assert_array_equal(scores.tied, second[setup].tied)


@settings(max_examples=50, deadline=None)
@given(tied(), st.integers(1, 7))
def test_a_cut_is_the_mean_over_all_orders_too(case, depth):
    values, truth = case
    every = [evaluate([order[:depth]], [truth], KS, n_database=len(values)) for order in orders(values)]
    row = next(orders(values))
    starts, sizes = groups_of(values[row])
    ranks = {image: (int(start), int(size)) for image, start, size in zip(row, starts, sizes, strict=True)}
    found = evaluate([row[:depth]], [truth], KS, label_ranks=[ranks], depth=depth, n_database=len(values))
    for setup, scores in found.items():
        np.testing.assert_allclose(scores.ap, np.mean([each[setup].ap for each in every], axis=0), rtol=1e-12)
        np.testing.assert_allclose(
            scores.precision, np.mean([each[setup].precision for each in every], axis=0), rtol=1e-12
        )


def test_scores_without_equals_change_nothing():
    ranks, truth = [[2, 0, 1]], [{"easy": [0], "hard": [1], "junk": [2]}]
    plain, scored = evaluate(ranks, truth), evaluate(ranks, truth, scores=[[3.0, 2.0, 1.0]])
    for setup, scores in plain.items():
        np.testing.assert_array_equal(scores.ap, scored[setup].ap)
        np.testing.assert_array_equal(scores.precision, scored[setup].precision)


def test_what_is_tied_with_irrelevant_images_is_counted():
    truth = [{"easy": [0, 1], "hard": [2], "junk": [3]}]
    scores = evaluate([[0, 3, 1, 4, 2]], truth, scores=[[5.0, 5.0, 4.0, 4.0, 3.0]])
    assert scores["easy"].tied.tolist() == [0.5]  # image 1 with image 4; image 0 with junk alone
    assert scores["medium"].tied.tolist() == [pytest.approx(1 / 3)]


def test_a_million_tied_images_are_no_work_for_each_order():
    n = 1_000_000
    truth = [{"easy": list(range(20)), "hard": [], "junk": list(range(20, 30))}]
    scores = evaluate(np.arange(n)[None], truth, scores=np.zeros((1, n)), n_database=n)["easy"]
    assert scores.precision[0] == pytest.approx([20 / (n - 10)] * 3, rel=1e-9)
    assert 20 / n < scores.map < 4e-4
    assert scores.tied.tolist() == [1.0]


def test_scores_of_another_shape_are_refused():
    with pytest.raises(InvalidInput, match="scores have shape"):
        evaluate([[0, 1]], [{"easy": [0]}], scores=[[1.0]])


def test_a_labelled_image_without_a_rank_is_refused():
    with pytest.raises(InvalidInput, match="image 1 has no rank"):
        evaluate([[0]], [{"easy": [1]}], label_ranks=[{0: (0, 1)}])


def test_a_search_says_how_many_images_are_better_and_tied():
    rng = np.random.default_rng(0)
    queries, database = (rng.integers(-1, 2, (n, 3)).astype(np.float32) for n in (12, 60))
    asked = [list(range(60))] * 12
    found = top_k(queries, [database[:25], database[25:]], 5, ranks_of=asked)
    scores = queries @ database.T
    larger = (scores[:, None, :] > scores[:, :, None]).sum(2)
    same = (scores[:, None, :] == scores[:, :, None]).sum(2)
    np.testing.assert_array_equal(np.array(found.ties), np.stack([larger, same], axis=2))
