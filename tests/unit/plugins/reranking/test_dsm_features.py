"""What is stored of an image: to arrays and back, and in pixels for pictures."""

from __future__ import annotations

import numpy as np
import torch

from harness_reranking.dsm.features import Features
from harness_reranking.dsm.reranker import DSM
from harness_reranking.sift_ransac import SiftRansac


def image_features():
    rng = np.random.default_rng(0)
    noise = torch.from_numpy(rng.normal(size=(20, 1, 24, 30)).astype(np.float32))
    smooth = torch.relu(torch.nn.functional.avg_pool2d(noise, 5, 1, 2)[:, 0] - 0.15)
    return [smooth * 40, smooth[:, ::2, ::2].contiguous() * 40]


def test_pixels_by_hand():
    found = Features(
        channels=np.array([3, 4], np.int32),
        scales=np.array([0, 1], np.uint8),
        positions=np.array([[0, 0], [1, 2]], np.float32),
        covariances=np.array([[1, 0.5, 2], [1, 0.5, 2]], np.float32),
        strengths=np.ones(2, np.float32),
        seeds=np.zeros(2, np.int32),
        sizes=np.array([[8, 16], [4, 8]], np.int32),
        gain=1.0,
    )
    positions, shapes = found.in_pixels((128, 32))  # cells of 8 x 4 pixels at the first scale, 16 x 8 at the second
    np.testing.assert_allclose(positions, [[3.5, 1.5], [23.5, 19.5]])
    np.testing.assert_allclose(shapes, [[64, 16, 32], [256, 64, 128]])


def test_packed_features_come_back():
    method = DSM()
    for maps in (image_features(), [torch.zeros(3, 4, 5)]):
        features = method.describe(maps, "database")
        back = method.unpack(method.pack(features))
        assert type(back.gain) is float
        for name, value in vars(features).items():
            np.testing.assert_array_equal(getattr(back, name), value)
            assert getattr(getattr(back, name), "dtype", None) == getattr(value, "dtype", None)
    sift = SiftRansac()
    image = np.random.default_rng(1).integers(0, 256, (60, 80, 3), dtype=np.uint8)
    keypoints = sift.describe_image(image, "query")
    assert len(keypoints)
    back = sift.unpack(sift.pack(keypoints))
    assert back.positions.tobytes() == keypoints.positions.tobytes()
    assert back.descriptors.tobytes() == keypoints.descriptors.tobytes()


def test_correspondences_of_an_image_with_itself():
    method = DSM(overlap=1.0)
    query, image = method.describe(image_features(), "query"), method.describe(image_features(), "database")
    found = method.correspondences(query, image, (300, 240), (600, 480))
    assert len(found["query"]) == method.match(query, image).count >= 10
    np.testing.assert_allclose(found["image"] + 0.5, (found["query"] + 0.5) * 2)
    np.testing.assert_allclose(found["image_shapes"], found["query_shapes"] * 4)
    assert found["words"].shape == (len(found["query"]),)


def test_correspondences_of_nothing():
    method = DSM()
    empty = method.describe([torch.zeros(3, 4, 5)], "query")
    found = method.correspondences(empty, empty, (30, 20), (30, 20))
    assert {name: value.shape for name, value in found.items()} == {
        "query": (0, 2),
        "image": (0, 2),
        "query_shapes": (0, 3),
        "image_shapes": (0, 3),
        "words": (0,),
    }
