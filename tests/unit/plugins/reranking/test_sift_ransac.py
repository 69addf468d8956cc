"""SIFT with RANSAC on a warped texture, at its edges, and on photographs of DVD covers."""

from __future__ import annotations

import json
import warnings

import cv2
import numpy as np
import pytest

from harness.core.errors import InvalidInput
from harness.retrieval.images import read_image
from harness_reranking.sift_ransac import Keypoints, SiftRansac

METHOD = SiftRansac()


def texture(rng, size=240):
    """Random ellipses, (size, size, 3) uint8."""
    image = np.full((size, size, 3), 128, np.uint8)
    for _ in range(120):
        centre, axes = (tuple(int(v) for v in rng.integers(*bounds, 2)) for bounds in ((0, size), (4, 24)))
        colour = tuple(int(v) for v in rng.integers(0, 256, 3))
        cv2.ellipse(image, centre, axes, float(rng.uniform(0, 180)), 0, 360, colour, -1, cv2.LINE_AA)
    return image


def test_finds_the_homography_of_a_warped_texture():
    rng = np.random.default_rng(0)
    image = texture(rng)
    true = np.array([[0.8, -0.2, 40], [0.15, 0.9, 10], [2e-4, -1e-4, 1]])
    warped = cv2.warpPerspective(image, true, (240, 240))
    query, database = METHOD.describe_image(image, "query"), METHOD.describe_image(warped, "database")
    found = METHOD.match(query, database)
    corners = np.array([[[20, 20], [200, 30], [40, 210]]], np.float32)
    expected = cv2.perspectiveTransform(corners, true)
    np.testing.assert_allclose(cv2.perspectiveTransform(corners, found.transform), expected, atol=1)
    assert len(set(found.indices[:, 0])) == len(set(found.indices[:, 1])) == found.count
    other = METHOD.describe_image(texture(rng), "database")
    scores = METHOD.score(query, [other, database])
    assert scores.dtype == np.float32
    assert scores[1] == found.count > 50 > 4 * scores[0]
    assert METHOD.match(query, database).indices.tolist() == found.indices.tolist()


def test_correspondences_equal_the_brute_force_of_opencv():
    rng = np.random.default_rng(1)
    one, other = (
        Keypoints(rng.random((n, 2)).astype(np.float32), rng.integers(0, 60, (n, 128)).astype(np.uint8))
        for n in (80, 90)
    )
    other.descriptors[:40] = np.clip(one.descriptors[:40] + rng.integers(0, 30, (40, 128)), 0, 255)
    other.descriptors[40:50] = one.descriptors[:10]
    pairs = METHOD.tentatives(one, other)
    found = cv2.BFMatcher().knnMatch(one.descriptors.astype(np.float32), other.descriptors.astype(np.float32), 2)
    expected = {(m.queryIdx, m.trainIdx) for m, n in found if m.distance < 0.8 * n.distance}
    assert {tuple(pair) for pair in pairs.tolist()} == expected
    assert len(expected) >= 30


def test_bytes_and_limit():
    image = texture(np.random.default_rng(2))
    found = SiftRansac(max_keypoints=50).describe_image(image, "query")
    assert len(found) == 50
    assert found.nbytes == 50 * (128 + 8)


@pytest.mark.parametrize("shape", [(40, 40, 3), (1, 1, 3), (1, 60, 3)])
def test_empty_images_match_nothing(shape):
    blank = METHOD.describe_image(np.zeros(shape, np.uint8), "query")
    full = METHOD.describe_image(texture(np.random.default_rng(3)), "database")
    single = Keypoints(full.positions[:1], full.descriptors[:1])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert METHOD.score(blank, [full, blank, single]).tolist() == [0, 0, 0]
        assert METHOD.score(full, [blank, single]).tolist() == [0, 0]
        assert METHOD.score(full, []).shape == (0,)
    assert METHOD.match(blank, full).transform.tolist() == np.eye(3).tolist()


def test_repeated_keypoints_are_no_match():
    full = METHOD.describe_image(texture(np.random.default_rng(3)), "database")
    same = Keypoints(np.repeat(full.positions[:1], 9, axis=0), np.repeat(full.descriptors[:1], 9, axis=0))
    assert METHOD.score(same, [same, full]).tolist() == [0, 0]


def test_maps_and_wrong_images_are_refused():
    with pytest.raises(InvalidInput, match="describe_image"):
        METHOD.describe([], "query")
    for image in (np.zeros((4, 4), np.uint8), np.zeros((4, 4, 3), np.float32), np.zeros((0, 4, 3), np.uint8)):
        with pytest.raises(InvalidInput):
            METHOD.describe_image(image, "query")


def share_of_right_covers(realdata, count):
    """Share of ``count`` queries, drawn from a seed, whose cover comes first among all 100."""
    folder = realdata / "retrieval" / "smvs_dvd"
    if not folder.exists():
        pytest.skip(f"no DVD covers in {folder}")
    truth = json.loads((folder / "gnd_single.json").read_text())

    def described(name, role):
        return METHOD.describe_image(read_image(folder / "images" / name, 512), role)

    database = [described(name, "database") for name in truth["imlist"]]
    chosen = np.random.default_rng(0).permutation(len(truth["queries"]))[:count]
    right = []
    for query in (truth["queries"][i] for i in chosen):
        best = int(np.argmax(METHOD.score(described(query["image"], "query"), database)))
        right.append(truth["imlist"][best] in query["positives"])
    return float(np.mean(right))


@pytest.mark.realdata
@pytest.mark.slow
@pytest.mark.parametrize("count", [60, 400])
def test_dvd_covers(realdata, count):
    share = share_of_right_covers(realdata, count)
    print(f"right cover first for {100 * share:.2f}% of {count} queries")
    assert share >= 0.95
