"""The compiled detector against the slow reference, its rules by hand, and its edges."""

from __future__ import annotations

import warnings

import cv2
import numpy as np
import pytest

from harness.core.errors import InvalidInput
from harness_evidence import stable_regions as reference
from harness_reranking.dsm import mser, select
from harness_reranking.dsm.detect import Detection, data_gain, detect, histogram_step

KINDS = ("sparse", "dense", "noise", "saturated", "flat steps", "row", "column", "three", "pixel")


def random_map(rng, kind):
    """One uint8 map."""
    height, width = (int(side) for side in rng.integers(4, 14, 2))
    match kind:
        case "row":
            height = 1
        case "column":
            width = 1
        case "three":
            height = width = 3
        case "pixel":
            height = width = 1
    field = rng.normal(size=(height, width))
    if kind not in ("noise", "pixel"):
        field = cv2.GaussianBlur(field, (0, 0), float(rng.uniform(0.5, 2)))
    field = (field - field.min()) / (np.ptp(field) + 1e-9)
    match kind:
        case "sparse":
            field = np.maximum(field - np.quantile(field, 0.75), 0)
        case "saturated":
            field = field * 3 - 0.5
        case "flat steps":
            field = np.floor(field * 5) / 5
        case "pixel":
            field = rng.random((1, 1))
    return np.clip(np.round(field * rng.choice([3, 12, 60, 255])), 0, 255).astype(np.uint8)


def parameters(rng):
    return (
        int(rng.choice([0, 1, 2, 5, 12])),
        float(rng.choice([0.25, 0.5, 1.0])),
        float(rng.choice([0.0, 0.2, 0.7])),
        float(rng.choice([0.0, 0.001, 0.05])),
        float(rng.choice([0.5, 0.75, 1.0])),
        bool(rng.random() < 0.3),
    )


def compiled(images, values, delta, variation, diversity, least, most, dark):
    return mser.stable_regions(images, values, delta, variation, diversity, least, most, dark, 10**9)


def require_equal(image, values, chosen):
    integers, numbers = compiled(image[None], values[None], *chosen)
    expected = reference.stable_regions(image, *chosen)
    assert len(integers) == len(expected)
    for row, described, (dark, seed, pixels) in zip(integers, numbers, expected, strict=True):
        ys, xs = np.divmod(np.array(sorted(pixels)), image.shape[1])
        borders = [xs.min(), ys.min(), xs.max(), ys.max()]
        assert row.tolist() == [0, seed, dark, *borders]
        assert described[:5].tolist() == list(reference.moments(pixels, image.shape[1]))
        assert described[mser.PEAK] == values[ys, xs].max()


@pytest.mark.parametrize("kind", KINDS)
def test_equals_the_reference(kind):
    rng = np.random.default_rng(KINDS.index(kind))
    for _ in range(25):
        image = random_map(rng, kind)
        require_equal(image, rng.random(image.shape).astype(np.float32), parameters(rng))


@pytest.mark.slow
def test_equals_the_reference_on_a_thousand_maps():
    rng = np.random.default_rng(1)
    for k in range(1000):
        image = random_map(rng, KINDS[k % len(KINDS)])
        require_equal(image, rng.random(image.shape).astype(np.float32), parameters(rng))


def test_a_batch_equals_its_channels():
    rng = np.random.default_rng(2)
    images = np.stack([np.kron(rng.integers(0, 6, (5, 6)) * 40, np.ones((2, 2))).astype(np.uint8) for _ in range(12)])
    images[3] = 0
    values = images.astype(np.float32)
    chosen = (3, 0.5, 0.2, 0.001, 0.75, True)
    integers, numbers = compiled(images, values, *chosen)
    for channel in range(12):
        alone, described = compiled(images[channel : channel + 1], values[channel : channel + 1], *chosen)
        mine = integers[:, mser.CHANNEL] == channel
        np.testing.assert_array_equal(integers[mine][:, 1:], alone[:, 1:])
        np.testing.assert_array_equal(numbers[mine], described)


def disc(radius, size=41, value=100.0):
    y, x = np.mgrid[:size, :size] - size // 2
    return np.where(x**2 + y**2 <= radius**2, value, 0).astype(np.float32)


def test_a_disc_is_one_region_with_half_its_radius_as_deviation():
    integers, numbers = compiled(disc(10).astype(np.uint8)[None], disc(10)[None], 5, 0.5, 0.7, 0.001, 0.75, False)
    assert len(integers) == 1
    assert numbers[0, :2].tolist() == [20, 20]
    np.testing.assert_allclose(np.sqrt(numbers[0, [mser.COV_XX, mser.COV_YY]]), 5, atol=0.1)
    assert integers[0, mser.LEFT :].tolist() == [10, 10, 30, 30]


def test_a_fuller_channel_is_left_out():
    grid = np.zeros((2, 30, 30), np.uint8)
    grid[0, 2:28:6, 2:28:6] = 200
    grid[1, 2:8:6, 2:28:6] = 200
    grid = np.stack([cv2.dilate(channel, np.ones((2, 2), np.uint8)) for channel in grid])
    found = [
        mser.stable_regions(grid, grid.astype(np.float32), 5, 0.5, 0.7, 0.001, 0.75, False, limit)[0][:, mser.CHANNEL]
        for limit in (25, 24, 5, 4)
    ]
    assert [np.bincount(channels, minlength=2).tolist() for channels in found] == [[25, 5], [0, 5], [0, 5], [0, 0]]


@pytest.mark.parametrize("seed", range(20))
def test_suppression_equals_the_reference(seed):
    rng = np.random.default_rng(seed)
    corners = rng.integers(0, 12, (60, 2)).astype(float)
    boxes = np.concatenate([corners, corners + rng.integers(1, 6, (60, 2))], axis=1)
    strengths = rng.integers(0, 8, 60).astype(np.float32)
    kept = select.suppress(boxes, strengths, 0.2)
    assert kept.tolist() == reference.suppress(boxes, strengths, 0.2)


def test_of_equal_boxes_the_later_one_stays():
    boxes = np.tile([[1.0, 1, 4, 4]], (3, 1))
    assert select.suppress(boxes, np.array([2, 1, 2], np.float32), 0.2).tolist() == [2]


def test_strongest_per_channel():
    channels = np.array([1, 0, 1, 1, 0, 2])
    strengths = np.array([1, 5, 3, 2, 9, 4], np.float32)
    assert select.strongest_per_channel(channels, strengths, 2).tolist() == [1, 4, 2, 3, 5]
    assert select.strongest_per_channel(channels[:0], strengths[:0], 2).tolist() == []


def test_drawn_ellipse_covers_its_disc_and_needs_two_cells():
    values = np.zeros((1, 41, 41), np.float32)
    values[0, 20, 20], values[0, 20, 26] = 1, 9
    ellipses = np.array([[20, 20, 25, 0, 25], [20, 20, 0.1, 0, 25], [20, 20, 49, 0, 25]], float)
    boxes, maxima = select.ellipse_support(values, np.zeros(3, np.int64), ellipses)
    assert boxes[0].tolist() == [15, 15, 25, 25]
    assert maxima.tolist() == [1, 0, 9]


def test_cells_of_a_diamond_are_those_of_poly2mask():
    """An edge through the middle of a cell counts it where the cell is below: the sides of a diamond differ."""
    xs, ys = np.array([0.0, 2, 4, 2, 0]), np.array([2.0, 0, 2, 4, 2])
    expected = [[0, 0, 0, 0, 0], [0, 0, 1, 1, 0], [0, 1, 1, 1, 1], [0, 0, 1, 1, 0], [0, 0, 0, 0, 0]]
    assert select.polygon_mask(xs, ys, 0, 0, 4, 4).astype(int).tolist() == expected


def test_cells_of_ellipses_are_those_of_poly2mask_also_of_thin_and_tilted_ones():
    rng, (height, width) = np.random.default_rng(0), (18, 24)
    for thinness in (1.0, 0.3, 0.1, 0.05) * 50:
        radius, turn = rng.uniform(0.5, 10), rng.uniform(0, np.pi)
        axes = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]]) * [radius, radius * thinness]
        covariance = axes @ axes.T
        xs, ys = np.empty(40), np.empty(40)
        centre = rng.uniform(-2, 26), rng.uniform(-2, 20)
        select._draw(np.array([*centre, covariance[0, 0], covariance[0, 1], covariance[1, 1]]), xs, ys)
        left, top = max(int(xs.min()), 0), max(int(ys.min()), 0)
        right, bottom = min(int(xs.max()), width - 1), min(int(ys.max()), height - 1)
        if right > left and bottom > top:
            expected = reference.polygon_mask(xs, ys, (height, width))
            found = select.polygon_mask(xs, ys, left, top, right, bottom)
            np.testing.assert_array_equal(found, expected[top : bottom + 1, left : right + 1])
            assert found.sum() == expected.sum()


def test_gain_puts_the_share_at_the_last_step():
    values = np.linspace(-1, 1, 20001, dtype=np.float32)
    assert data_gain(values, 0.5) == pytest.approx(510, rel=1e-3)
    assert data_gain(values, 1.0) == pytest.approx(255)
    assert data_gain(np.zeros(4, np.float32), 0.5) == 1.0


@pytest.mark.parametrize(
    ("activations", "step"),
    [
        (np.linspace(0.01, 10, 5000), 6),
        (np.linspace(0.01, 50, 5000), 12),
        (np.linspace(0.01, 0.5, 5000), 0),
        (np.full(7, 3.0), 3),
        (np.array([1.0, 1, 1, 500]), None),
        (np.empty(0), None),
    ],
)
def test_step_of_the_released_code(activations, step):
    assert histogram_step(activations, 0.6) == step


def blobs(rng, channels=24, size=(24, 32), amplitude=1.0):
    field = np.stack([cv2.GaussianBlur(rng.normal(size=size), (0, 0), 1.5) for _ in range(channels)])
    field = np.maximum(field - np.quantile(field, 0.85, axis=(1, 2), keepdims=True), 0)
    return (field / field.max() * amplitude).astype(np.float32)


@pytest.mark.parametrize("preset", ["recommended", "thesis", "released-code"])
def test_the_gain_makes_the_amplitude_immaterial(preset):
    maps = blobs(np.random.default_rng(3))
    found = [detect([maps * np.float32(2**k)], "query", Detection(preset)) for k in (-20, 0, 10)]
    assert len(found[0]) > 20
    for other in found[1:]:
        np.testing.assert_array_equal(other.positions, found[0].positions)
        np.testing.assert_array_equal(other.channels, found[0].channels)


def test_a_gain_that_is_too_small_warns():
    maps = blobs(np.random.default_rng(4), amplitude=0.01)
    with pytest.warns(UserWarning, match="quantises to nothing"):
        assert len(detect([maps], "query", Detection(gain=1.0))) == 0


@pytest.mark.parametrize("preset", ["recommended", "thesis", "released-code"])
def test_limits_per_channel_and_image(preset):
    rng = np.random.default_rng(5)
    maps = [blobs(rng, 16, (48, 64)), blobs(rng, 16, (34, 45)), blobs(rng, 16, (24, 32))]
    for role, limit in (("query", 20), ("database", 10)):
        found = detect(maps, role, Detection(preset))
        counts = np.zeros((3, 16), int)
        np.add.at(counts, (found.scales, found.channels), 1)
        assert 0 < counts.max() <= limit
        few = detect(maps, role, Detection(preset, max_features=30))
        assert len(few) == 30
        assert (np.diff(few.scales.astype(int)) >= 0).all()
        assert np.sort(few.strengths).tolist() == np.sort(found.strengths)[-30:].tolist()


def test_only_the_database_is_suppressed():
    maps = np.repeat(blobs(np.random.default_rng(6), 4), 3, axis=0)
    query, database = (
        detect([maps], role, Detection("thesis", query_limit=50, database_limit=50)) for role in ("query", "database")
    )
    assert len(database) <= len(query) / 3
    positions = {tuple(row) for row in database.positions}
    assert len(positions) == len(database)


def test_features_say_where_their_region_is():
    maps = blobs(np.random.default_rng(7))
    found = detect([maps], "query", Detection("thesis"))
    for k in range(0, len(found), 5):
        values = maps[found.channels[k]]
        quantised = np.clip(np.floor(values.astype(float) * found.gain + 0.5), 0, 255)
        labels, _ = reference.ndimage.label(quantised >= quantised.flat[found.seeds[k]], reference.EIGHT)
        ys, xs = np.nonzero(labels == labels.flat[found.seeds[k]])
        np.testing.assert_allclose(found.positions[k], [xs.mean(), ys.mean()], rtol=1e-6)
        assert found.strengths[k] == values[ys, xs].max()


def test_bytes():
    found = detect([blobs(np.random.default_rng(8))], "query", Detection())
    assert found.nbytes == 33 * len(found) + 8


DEGENERATE = {
    "nothing": np.zeros((4, 8, 9), np.float32),
    "one channel": disc(5)[None],
    "one pixel": np.pad(np.ones((1, 1, 1), np.float32), ((0, 0), (3, 3), (3, 3))),
    "one row": np.abs(np.sin(np.arange(60, dtype=np.float32))).reshape(3, 1, 20),
    "one column": np.abs(np.sin(np.arange(60, dtype=np.float32))).reshape(3, 20, 1),
    "one cell": np.ones((3, 1, 1), np.float32),
    "constant": np.ones((3, 8, 8), np.float32),
    "a line": np.eye(12, dtype=np.float32)[None],
    "negative": -np.ones((3, 8, 8), np.float32),
    "one giant": np.concatenate([np.full(63, 1e-6), [1e6]]).astype(np.float32).reshape(1, 8, 8),
    "tiny": np.full((1, 8, 8), 1e-30, np.float32) * disc(2, 8, 1.0),
}


@pytest.mark.parametrize("detector", ["vlfeat", "opencv"])
@pytest.mark.parametrize("preset", ["recommended", "thesis", "released-code"])
@pytest.mark.parametrize("role", ["query", "database"])
@pytest.mark.parametrize("name", DEGENERATE)
def test_degenerate_maps_give_no_warning(name, role, preset, detector):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = detect([DEGENERATE[name]] * 2, role, Detection(preset, detector))
    assert np.isfinite(found.covariances).all()
    if detector == "vlfeat" and name not in ("one channel", "tiny"):
        assert len(found) == 0


@pytest.mark.parametrize(
    "maps",
    [[], [np.zeros((3, 4), np.float32)], [np.zeros((2, 0, 3), np.float32)], [np.full((1, 2, 2), np.nan, np.float32)]],
)
def test_wrong_maps_are_refused(maps):
    with pytest.raises(InvalidInput):
        detect(maps, "query", Detection())


def test_opencv_finds_bright_regions_of_about_the_right_place():
    maps = blobs(np.random.default_rng(9), 16, (48, 64))
    how = {"preset": "thesis", "step_share": 0.1, "query_limit": 200}
    ours, theirs = (detect([maps], "query", Detection(detector=name, **how)) for name in ("vlfeat", "opencv"))
    assert len(theirs) > len(ours) / 2
    distances = np.linalg.norm(theirs.positions[:, None] - ours.positions[None], axis=2)
    distances[theirs.channels[:, None] != ours.channels[None]] = np.inf
    assert np.mean(distances.min(axis=1) < 2) > 0.5
