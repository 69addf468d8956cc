"""Aggregated selective match kernels against loops in float64, what they learn, and their edges."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from harness.core.errors import Errors, InvalidInput
from harness.registry import load_registry
from harness_evidence.reranking import slow_asmk
from harness_reranking.asmk import ASMK, Cells, FittedASMK, whitening


def cells(rng, m, d, query=False):
    return Cells(rng.normal(size=(m, d)).astype(np.float16), np.array([query]))


def learnt(rng, method, d, words):
    return FittedASMK(method, np.zeros(d), np.eye(d), rng.normal(size=(words, d)), np.ones(words), 0)


@pytest.mark.parametrize("seeds", [range(30), pytest.param(range(30, 230), marks=pytest.mark.slow)], ids=str)
def test_equals_a_loop(seeds):
    for seed in seeds:
        rng = np.random.default_rng(seed)
        d, words = int(rng.integers(1, 45)), int(rng.integers(1, 12))
        method = ASMK(
            assignments=int(rng.integers(1, 7)),
            binary=bool(seed % 2),
            threshold=rng.choice([0.0, 0.25]),
            alpha=rng.choice([1.0, 3.0]),
        )
        fitted = learnt(rng, method, d, words)
        query = cells(rng, int(rng.integers(0, 12)), d, query=True)
        images = [cells(rng, int(rng.integers(0, 12)), d) for _ in range(4)]
        if seed % 3 == 0:
            fitted = fitted.with_frequencies(images)
        found = fitted.score(fitted.prepared(query), [fitted.prepared(image) for image in images])
        expected = [slow_asmk(query, image, fitted) for image in images]
        np.testing.assert_allclose(found, expected, atol=1e-5, err_msg=str(seed))


def test_padding_of_40_dimensions_agrees():
    """Opposite residuals of 40 dimensions are alike by -1/4, not -1: 24 bits of padding are the same."""
    fitted = FittedASMK(ASMK(words=1, alpha=1.0), np.zeros(40), np.eye(40), np.zeros((1, 40)), np.ones(1), 0)
    one = Cells(np.ones((1, 40), np.float16), np.array([True]))
    half = np.ones((1, 40), np.float16)
    half[0, :10] = -1
    other = Cells(half, np.array([False]))
    scores = fitted.score(fitted.prepared(one), [fitted.prepared(other)])
    assert scores[0] == pytest.approx(1 - 2 * 10 / 64)
    opposite = fitted.prepared(Cells(-one.vectors, np.array([False])))
    assert fitted._similarities(fitted.prepared(one).residuals, opposite.residuals).tolist() == [-0.25]


def test_an_image_is_most_like_itself_and_a_blank_one_like_nothing():
    rng = np.random.default_rng(1)
    fitted = learnt(rng, ASMK(assignments=1), 16, 5)
    query, blank = cells(rng, 20, 16, query=True), cells(rng, 0, 16)
    itself = Cells(query.vectors, np.array([False]))
    scores = fitted.score(fitted.prepared(query), [fitted.prepared(x) for x in (itself, cells(rng, 20, 16), blank)])
    assert scores[0] == pytest.approx(1)  # all signs agree
    assert scores[0] > scores[1]
    assert scores[2] == 0
    assert fitted.score(fitted.prepared(cells(rng, 0, 16, query=True)), [fitted.prepared(itself)]).tolist() == [0]


def test_words_of_all_images_weigh_nothing_and_of_none_one():
    fitted = FittedASMK(ASMK(idf=True), np.zeros(2), np.eye(2), np.array([[0, 0], [9, 9], [-9, 9.0]]), np.ones(3), 0)
    images = [Cells(np.float16([[0, 0.1], [9, 9.1]][: 1 + i % 2]), np.array([False])) for i in range(4)]
    np.testing.assert_allclose(fitted.with_frequencies(images).weights, [0, np.log(2) ** 2, 1])


def test_the_strongest_cells_of_all_scales_are_described():
    rng = np.random.default_rng(3)
    maps = [torch.from_numpy(rng.random((5, h, h)).astype(np.float32)) for h in (4, 3)]
    maps[0][:, 0, 0] = 0
    found = ASMK(features=6).describe(maps, "query")
    table = []
    for scale in maps:
        a = scale.double().numpy()
        for y in range(a.shape[1]):
            for x in range(a.shape[2]):
                around = a[:, max(0, y - 1) : y + 2, max(0, x - 1) : x + 2]
                table.append((float(np.sqrt((a[:, y, x] ** 2).sum())), around.mean((1, 2))))
    expected = [row for _, row in sorted(table, key=lambda pair: -pair[0])[:6]]
    np.testing.assert_allclose(found.vectors, expected, atol=1e-3)
    assert found.query[0]
    every = ASMK(features=99).describe(maps, "database")
    assert len(every.vectors) == 4 * 4 + 3 * 3 - 1  # a cell without activation is no feature
    assert len(ASMK().describe([torch.zeros(5, 3, 3)], "database").vectors) == 0


def test_whitened_features_are_uncorrelated_and_directions_without_variance_left_out():
    rng = np.random.default_rng(4)
    mixed = rng.normal(size=(600, 3)) @ rng.normal(size=(3, 6)) + 5
    images = [Cells(part.astype(np.float16), np.array([False])) for part in np.split(mixed, 6)]
    mean, projection = whitening(images, 2)
    rows = (np.concatenate([image.vectors for image in images]).astype(np.float64) - mean) @ projection.T
    np.testing.assert_allclose(rows.T @ rows / len(rows), np.eye(2), atol=1e-8)
    same = [Cells(np.ones((9, 6), np.float16), np.array([False]))]
    assert np.isfinite(whitening(same, 4)[1]).all()
    axis = np.zeros((50, 4), np.float16)
    axis[:, 1] = rng.normal(size=50)
    assert len(whitening([Cells(axis, np.array([False]))], 4)[1]) == 1


def test_what_is_learnt_finds_the_image_and_is_the_same_again():
    rng = np.random.default_rng(5)
    images = [cells(rng, 40, 8) for _ in range(12)]
    method = ASMK(words=16, dim=6, assignments=1, idf=True)
    fitted = method.fit(iter(images))
    again = method.fit(iter(images))
    np.testing.assert_array_equal(fitted.centres, again.centres)
    assert fitted.report == {"words": 16, "dimension": 6, "features": 480}
    query = fitted.prepared(Cells(images[7].vectors, np.array([True])))
    assert fitted.score(query, [fitted.prepared(image) for image in images]).argmax() == 7


def test_more_words_than_features_are_refused():
    with pytest.raises(InvalidInput, match="10 features of the database for 4,096 words"):
        ASMK().fit(iter([cells(np.random.default_rng(6), 10, 4)]))
    with pytest.raises(InvalidInput):
        ASMK().fit(iter([]))


def test_packing_loses_nothing():
    some = cells(np.random.default_rng(7), 5, 4, query=True)
    again = ASMK().unpack(ASMK().pack(some))
    for field in dataclasses.fields(some):
        np.testing.assert_array_equal(getattr(again, field.name), getattr(some, field.name))


@pytest.mark.parametrize("given_", [{"words": 0}, {"alpha": 0.0}, {"threshold": -0.5}, {"dim": 0}])
def test_bad_parameters_are_refused(given_):
    with pytest.raises(Errors):
        load_registry().create("reranking", "asmk", **given_)
