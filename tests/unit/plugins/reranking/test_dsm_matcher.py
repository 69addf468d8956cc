"""The compiled matcher against the slow reference, the hand cases of the specification, and its edges."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from harness_evidence import spatial_matching as reference
from harness_reranking.dsm import fsm
from harness_reranking.dsm.features import Features
from harness_reranking.dsm.match import Gates, match, shapes

RELEASED, THESIS = Gates("released-code"), Gates("thesis")
IDENTITY = [1, 0, 0, 1, 0, 0]
SCENES = ("planted", "noise", "grid", "twins", "line", "degenerate", "rotated")


def feature_sets(rng, scene):
    """Two sets of features (n, 5), (m, 5) float32 with their channels; part of the second is the first, moved."""
    n, extra = int(rng.integers(0, 24)), int(rng.integers(0, 12))
    query = np.column_stack(
        [rng.uniform(0, 30, (n, 2)), rng.uniform(0.5, 3, n), rng.normal(0, 0.5, n), rng.uniform(0.5, 3, n)]
    )
    match scene:
        case "grid":
            query[:, :2] = np.round(query[:, :2] / 6) * 6
            query[:, 2:] = [2, 0, 1]
        case "line":
            query[:, 0] = 3 * query[:, 1]
    scale, noise = np.exp(rng.normal(0, 0.3)), rng.choice([0, 0.05, 0.5])
    linear = np.array([[scale, 0], [rng.normal(0, 0.1), scale * np.exp(rng.normal(0, 0.1))]])
    if scene == "rotated":
        angle = rng.uniform(-1.5, 1.5)
        linear = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]) @ linear
    moved = query.copy()
    moved[:, :2] = query[:, :2] @ linear.T + rng.normal(0, 5, 2) + rng.normal(0, noise, (n, 2))
    moved[:, 2:] *= scale * np.exp(rng.normal(0, noise / 3, (n, 3)))
    other = np.column_stack([rng.uniform(0, 40, (extra, 2)), rng.uniform(0.5, 3, (extra, 3))])
    database = np.concatenate([moved, other])
    channels = int(rng.choice([1, 4, 15]))
    left = rng.integers(0, channels, n)
    right = np.concatenate([left, rng.integers(0, channels, extra)])
    match scene:
        case "noise":
            right = rng.permutation(right)
        case "twins":
            database, right = np.repeat(database, 2, axis=0)[: n + extra], np.repeat(right, 2)[: n + extra]
        case "degenerate":
            for table in (query, database):
                bad = rng.random(len(table)) < 0.3
                table[bad, rng.integers(2, 5)] = rng.choice([0, np.nan, np.inf, 1e-30, -1])
    chosen = rng.permutation(len(database))
    return query.astype(np.float32), database[chosen].astype(np.float32), left, right[chosen]


def compiled(query, database, left_channels, right_channels, threshold, ratio, prior=6.283):
    left, right = fsm.tentatives(left_channels, right_channels)
    inliers, transform = fsm.match(query, database, left, right, threshold, ratio, prior)
    return list(zip(left[inliers].tolist(), right[inliers].tolist(), strict=True)), transform


def require_equal(rng, scene):
    sets = feature_sets(rng, scene)
    bounds = [(2.0, 3.0, 6.283), (8.0, 9.0, 0.0)][rng.integers(2)]
    pairs, transform = compiled(*sets, *bounds)
    expected_pairs, expected_transform = reference.match(*sets, *bounds)
    assert pairs == expected_pairs
    np.testing.assert_array_equal(transform, expected_transform)
    return len(pairs)


@pytest.mark.parametrize("scene", SCENES)
def test_equals_the_reference(scene):
    rng = np.random.default_rng(SCENES.index(scene))
    found = [require_equal(rng, scene) for _ in range(30)]
    assert max(found) >= 3


@pytest.mark.slow
def test_equals_the_reference_on_a_thousand_sets():
    rng = np.random.default_rng(99)
    found = [require_equal(rng, SCENES[k % len(SCENES)]) for k in range(1000)]
    assert np.mean(np.array(found) > 11) > 0.1


def scene_of_four(shift=0.0, ratio=1.0):
    """Four features of shape 1 that stay where they are; the last is moved or grown in the second set."""
    query = np.array([[0, 0], [20, 0], [0, 20], [30, 25]], np.float32)
    query = np.column_stack([query, np.tile([1, 0, 1], (4, 1))]).astype(np.float32)
    database = query.copy()
    database[3, 0] += np.float32(shift)
    database[3, [2, 4]] *= np.float32(np.sqrt(ratio))
    return query, database, np.arange(4), np.arange(4)


@pytest.mark.parametrize(("shift", "kept"), [(0.0, 4), (0.97, 4), (1.1, 3), (-0.97, 4), (-1.1, 3)])
def test_released_code_keeps_a_shift_below_one_cell(shift, kept):
    # before optimisation: afterwards the transform follows the match that was moved
    sets = scene_of_four(shift)
    left, right = fsm.tentatives(sets[2], sets[3])
    points = fsm.tentative_points(sets[0], sets[1], left, right)
    errors = np.empty(4, np.float32)
    identity = np.array(IDENTITY, np.float32)
    assert fsm.transfer_errors(identity, points, np.float32(RELEASED.squared_error), np.float32(3), errors) == kept


@pytest.mark.parametrize(("shift", "kept"), [(1.97, 4), (2.03, 3)])
def test_thesis_keeps_a_shift_below_two_cells(shift, kept):
    sets = scene_of_four(shift)
    left, right = fsm.tentatives(sets[2], sets[3])
    points = fsm.tentative_points(sets[0], sets[1], left, right)
    errors = np.empty(4, np.float32)
    identity = np.array(IDENTITY, np.float32)
    assert fsm.transfer_errors(identity, points, np.float32(THESIS.squared_error), np.float32(9), errors) == kept


@pytest.mark.parametrize(("ratio", "kept"), [(1, 4), (0.34, 4), (2.9, 4), (0.32, 3), (3.1, 3)])
def test_released_code_keeps_area_ratios_within_three(ratio, kept):
    pairs, transform = compiled(*scene_of_four(ratio=ratio), RELEASED.squared_error, RELEASED.area_ratio)
    assert len(pairs) == kept
    np.testing.assert_allclose(transform, IDENTITY, atol=1e-5)


@pytest.mark.parametrize(("ratio", "kept"), [(0.12, 4), (8.9, 4), (0.1, 3), (9.1, 3)])
def test_thesis_keeps_scale_changes_within_three(ratio, kept):
    assert len(compiled(*scene_of_four(ratio=ratio), THESIS.squared_error, THESIS.area_ratio)[0]) == kept


def test_scale_change_of_the_released_code_is_cut():
    assert Gates("released-code", scale_change=3.9).area_ratio == 3.0
    assert Gates("thesis", scale_change=3.5).area_ratio == 12.25


def test_recommended_has_the_thresholds_of_the_released_code():
    for name in ("squared_error", "area_ratio"):
        assert getattr(Gates(), name) == getattr(RELEASED, name)
    assert Gates(scale_change=3.9).area_ratio == 3.9
    assert Gates().prior == THESIS.prior == 0


def test_half_of_few_hypotheses_are_optimised():
    # the heap shrinks while its size bounds the loop: with h < 9 hypotheses ceil(h / 2) are tried
    for h, tried in ((1, 1), (2, 1), (3, 2), (5, 3), (8, 4), (9, 5), (20, 5)):
        waiting, k = h, 0
        while k < min(fsm.OPTIMISED, waiting):
            waiting, k = waiting - 1, k + 1
        assert k == tried


def test_one_to_one():
    query, database, _, _ = scene_of_four()
    doubled = np.concatenate([query, query[:1] + np.array([0.3, 0, 0, 0, 0], np.float32)])
    pairs, _ = compiled(doubled, database, np.zeros(5, np.int64), np.zeros(4, np.int64), 2.0, 3.0)
    assert len({i for i, _ in pairs}) == len({j for _, j in pairs}) == len(pairs) == 4


def test_tentatives_are_in_the_order_of_the_query():
    left, right = fsm.tentatives(np.array([3, 1, 3, 0]), np.array([1, 3, 7, 3, 1]))
    assert left.tolist() == [0, 0, 1, 1, 2, 2]
    assert right.tolist() == [1, 3, 0, 4, 1, 3]


@pytest.mark.parametrize("count", [0, 1, 2])
def test_fewer_than_three_pairs_are_no_match(count):
    query, database, left, right = (part[:count] for part in scene_of_four())
    pairs, transform = compiled(query, database, left, right, 2.0, 3.0)
    assert pairs == []
    assert transform.tolist() == IDENTITY


def test_shapes_of_the_specification():
    covariances = np.array([[4, 0, 4], [9, 2, 4], [9, 5.9, 4]], np.float32)
    released = [[1.41421, 0, 1.41421], [1.80438, 0.400974, 1.373178], [np.nan] * 3]
    np.testing.assert_allclose(shapes(covariances, "released-code"), released, rtol=1e-5)
    np.testing.assert_allclose(shapes(covariances)[:2], [[2, 0, 2], [3, 0.666667, 1.885618]], rtol=1e-6)


@pytest.mark.parametrize("preset", ["recommended", "thesis", "released-code"])
def test_shapes_of_degenerate_ellipses_match_nothing(preset):
    covariances = np.array([[0, 0, 1], [1, 1, 1], [1, 0, 0], [np.nan, 0, 1], [0, 0, 0], [-1, 0, 1]], np.float32)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = shapes(covariances, preset)
        assert shapes(covariances[:0], preset).shape == (0, 3)
    sets = scene_of_four()
    for row in found:
        database = sets[1].copy()
        database[3, 2:] = row
        assert (3, 3) not in compiled(sets[0], database, sets[2], sets[3], 8.0, 9.0)[0]
        assert (3, 3) not in compiled(database, sets[0], sets[2], sets[3], 8.0, 9.0)[0]


def features(rng, counts, channels=6):
    """Features at several scales."""
    n = sum(counts)
    spread = rng.uniform(0.5, 4, (n, 2))
    return Features(
        channels=rng.integers(0, channels, n).astype(np.int32),
        scales=np.repeat(np.arange(len(counts)), counts).astype(np.uint8),
        positions=rng.uniform(0, 30, (n, 2)).astype(np.float32),
        covariances=np.column_stack([spread[:, 0], rng.uniform(-0.1, 0.1, n), spread[:, 1]]).astype(np.float32),
        strengths=rng.random(n).astype(np.float32),
        seeds=np.zeros(n, np.int32),
        sizes=np.full((len(counts), 2), 32, np.int32),
        gain=1.0,
    )


@pytest.mark.parametrize("preset", ["recommended", "thesis", "released-code"])
@pytest.mark.parametrize("seed", range(5))
def test_the_best_pair_of_scales_wins(seed, preset):
    rng = np.random.default_rng(seed)
    query, database = features(rng, [20, 0, 12]), features(rng, [9, 25, 14])
    gates = Gates(preset)
    found = match(query, database, gates)
    counts = []
    for s in range(3):
        for t in range(3):
            one, other = (np.flatnonzero(part.scales == k) for part, k in ((query, s), (database, t)))
            tables = [
                np.concatenate([part.positions, shapes(part.covariances, preset)], axis=1)[chosen]
                for part, chosen in ((query, one), (database, other))
            ]
            pairs, _ = reference.match(
                *tables,
                query.channels[one],
                database.channels[other],
                gates.squared_error,
                gates.area_ratio,
                gates.prior,
            )
            counts.append(len(pairs))
            if (s, t) == found.scales and found.count:
                expected = [[one[i], other[j]] for i, j in pairs]
                assert found.indices.tolist() == expected
    assert found.count == max(counts)
    assert counts[3 * found.scales[0] + found.scales[1]] == max(counts)


def test_transform_takes_inliers_of_the_query_to_the_database():
    rng = np.random.default_rng(7)
    query = features(rng, [40])
    linear, shift = np.array([[1.2, 0], [0.1, 0.9]]), np.array([3, -2])
    factors = shapes(query.covariances).astype(np.float64)
    moved = np.stack([linear @ np.array([[a, 0], [b, c]]) for a, b, c in factors])
    covariances = moved @ moved.transpose(0, 2, 1)
    database = Features(
        query.channels,
        query.scales,
        (query.positions @ linear.T + shift).astype(np.float32),
        covariances[:, [0, 0, 1], [0, 1, 1]].astype(np.float32),
        query.strengths,
        query.seeds,
        query.sizes,
        1.0,
    )
    found = match(query, database, Gates())
    assert found.count == 40
    np.testing.assert_allclose(found.transform, np.column_stack([linear, shift]), atol=1e-3)


@pytest.mark.parametrize("counts", [([0], [5]), ([5], [0]), ([0, 0, 0], [0, 0, 0]), ([1], [1]), ([], [4])])
def test_no_features_are_no_match(counts):
    rng = np.random.default_rng(0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = match(features(rng, counts[0]), features(rng, counts[1]), Gates())
    assert found.count == 0
    assert found.indices.shape == (0, 2)
    assert found.transform.tolist() == [[1, 0, 0], [0, 1, 0]]
