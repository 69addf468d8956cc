"""DSM with a query described at several rotations."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from harness.retrieval.rotation import turned
from harness_backbone.tiny import Tiny
from harness_reranking.dsm.features import turned_back, view_size
from harness_reranking.dsm.reranker import DSM


def photograph(side=168):
    """A square of a photograph that scikit-learn ships, (side, side, 3) uint8."""
    from sklearn.datasets import load_sample_image

    china = load_sample_image("china.jpg")[20:420, 120:520]
    return np.asarray(Image.fromarray(china).resize((side, side), Image.Resampling.LANCZOS))


def tensor(pixels):
    return torch.from_numpy(np.ascontiguousarray(pixels)).permute(2, 0, 1).float() / 255


@pytest.fixture(scope="module")
def described():
    """Inliers of an image with its copies turned by 0 to 315 degrees, by ``rotations``; and a pair that is drawn."""
    backbone, pixels = Tiny(), photograph()
    grey = tuple(int(value) for value in pixels.mean((0, 1)))
    copies = [Image.fromarray(pixels).rotate(45 * k, Image.Resampling.BICUBIC, True, fillcolor=grey) for k in range(8)]
    method = DSM()
    database = [method.describe([backbone.maps(tensor(np.asarray(copy)))], "database") for copy in copies]
    views = [[backbone.maps(turned(tensor(pixels), 45 * k))] for k in range(8)]
    queries = {
        0: method.describe(views[0], "query"),
        4: method.describe_rotations(views[::2]),
        8: method.describe_rotations(views),
    }
    return method, queries, database, copies


def test_turned_copies_have_the_inliers_of_the_upright_pair(described):
    method, queries, database, _ = described
    plain, eight = method.score(queries[0], database), method.score(queries[8], database)
    assert plain[0] == eight[0] >= 30
    assert eight.min() >= 0.7 * eight[0]  # whatever the turn
    assert plain[1:].max() < 0.5 * plain[0]  # without, none of the turned copies is found
    quarters = method.score(queries[4], database[::2])
    assert quarters.min() >= 0.7 * quarters[0]


def test_inliers_are_drawn_in_the_query_as_it_is(described):
    method, queries, database, copies = described
    side = 168
    for k in (1, 2):
        drawn = method.correspondences(queries[8], database[k], (side, side), copies[k].size)
        angle, middle = np.radians(45 * k), (np.array(copies[k].size) - 1) / 2
        x, y = (drawn["query"] - (side - 1) / 2).T
        # counterclockwise where y points down
        expected = np.stack([x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)], 1) + middle
        distances = np.linalg.norm(drawn["image"] - expected, axis=1)
        assert len(distances) >= 30
        assert np.median(distances) < Tiny().stride


def test_images_are_turned_counterclockwise_about_their_middle():
    image = torch.rand(3, 5, 8, generator=torch.Generator().manual_seed(0))
    for quarters in range(5):
        assert torch.equal(turned(image, 90.0 * quarters), torch.rot90(image, quarters, (1, 2)))
    smooth = torch.nn.functional.interpolate(image[None], size=(50, 80), mode="bicubic")[0]
    once = turned(turned(smooth, 45), 45)
    back = once[:, (once.shape[1] - 80) // 2 :, (once.shape[2] - 50) // 2 :][:, :80, :50]
    assert (back - torch.rot90(smooth, 1, (1, 2))).abs()[:, 5:-5, 5:-5].mean() < 0.03
    corner = turned(smooth, 30)[:, 0, 0]
    torch.testing.assert_close(corner, smooth.mean((1, 2)))
    assert turned(smooth, 30).shape[2:0:-1] == view_size((80, 50), 30)


@pytest.mark.parametrize("degrees", [0, 30, 45, 90, 180, 270, 315])
def test_positions_are_turned_back(degrees):
    """A bright spot is found where it was."""
    image = torch.zeros(3, 60, 90)
    image[:, 11, 70] = 1
    view = turned(image, degrees)
    bright = (view[0] - view[0, 0, 0]).clamp(min=0)
    y, x = np.unravel_index(int(bright.argmax()), tuple(bright.shape))
    sizes = np.array([view_size((90, 60), degrees)], np.float64)
    positions, covariances = turned_back(
        np.array([[x, y]], np.float64),
        np.array([[4.0, 0, 1]]),
        np.radians([degrees]),
        sizes,
        np.array([90.0, 60]),
    )
    assert np.abs(positions - [70, 11]).max() < 1
    xx, xy, yy = covariances[0]
    np.testing.assert_allclose(np.linalg.eigvalsh([[xx, xy], [xy, yy]]), [1, 4])
    axis = np.array([np.cos(np.radians(degrees)), np.sin(np.radians(degrees))])  # of x in the view, in the image
    np.testing.assert_allclose(axis @ [[xx, xy], [xy, yy]] @ axis, 4)
