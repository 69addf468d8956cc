"""Deep spatial matching: milliseconds of detection and matching, and ratios to obvious baselines in the same run."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import cv2
import numpy as np
import pytest

from harness_reranking.dsm import fsm, mser
from harness_reranking.dsm.detect import Detection, detect
from harness_reranking.dsm.match import Gates, match

ROUNDS = 15


@pytest.fixture(scope="module")
def maps() -> np.ndarray:
    """512 channels of 48 x 64, 8% of the cells active, as large as a Caffe network's."""
    rng = np.random.default_rng(0)
    field = np.stack([cv2.GaussianBlur(rng.normal(size=(48, 64)), (0, 0), 1.5) for _ in range(512)])
    field = np.maximum(field - np.quantile(field, 0.92, axis=(1, 2), keepdims=True), 0)
    return (field / field.max() * 150).astype(np.float32)


def interleaved(*functions: Callable[[], object], rounds: int = ROUNDS) -> list[float]:
    """Least milliseconds per function, one function after the other in every round."""
    seconds: list[list[float]] = [[] for _ in functions]
    for _ in range(rounds):
        for function, times in zip(functions, seconds, strict=True):
            start = time.perf_counter()
            function()
            times.append(time.perf_counter() - start)
    return [1000 * min(times) for times in seconds]


def opencv_regions(images: np.ndarray) -> int:
    finder = cv2.MSER.create(5, 4, 2304)
    finder.setMaxVariation(0.5)
    finder.setMinDiversity(0.7)
    finder.setPass2Only(True)
    return sum(len(finder.detectRegions(image)[0]) for image in images)


def features(rng: np.random.Generator, wanted: int) -> tuple[np.ndarray, ...]:
    """Features of a query and of a warped copy with about ``wanted`` correspondences, and these."""
    n = wanted // 2
    query = np.column_stack(
        [
            rng.uniform(0, 60, (n, 2)),
            np.exp(rng.normal(0, 0.3, n)),
            rng.normal(0, 0.3, n),
            np.exp(rng.normal(0, 0.3, n)),
        ]
    )
    database = query * [1.2, 1.2, 1.2, 1.2, 1.2] + [3, 3, 0, 0, 0]
    database[:, :2] += rng.normal(0, 0.3, (n, 2))
    other = rng.random(n) < 0.7
    database[other, :2] = rng.uniform(0, 60, (other.sum(), 2))
    channels = rng.integers(0, n, n)
    left, right = fsm.tentatives(channels, channels)
    return query.astype(np.float32), database.astype(np.float32), left, right


def numpy_verification(query: np.ndarray, database: np.ndarray, left: np.ndarray, right: np.ndarray) -> int:
    """The first stage in plain numpy: candidates of every hypothesis, one hypothesis after the other."""
    transforms = fsm.hypotheses(query, database, left, right)
    px, py, qx, qy, p_area, q_area = fsm.tentative_points(query, database, left, right)
    total = 0
    for xx, xy, yx, yy, x, y in transforms:
        d = xx * yy - xy * yx
        ex, ey = qx - (xx * px + xy * py + x), qy - (yx * px + yy * py + y)
        bx, by = (yy * (qx - x) - xy * (qy - y)) / d, (xx * (qy - y) - yx * (qx - x)) / d
        error = ex**2 + ey**2 + (px - bx) ** 2 + (py - by) ** 2
        area = q_area / (p_area * d)
        total += int(((error < 2) & (area < 3) & (area > 1 / 3)).sum())
    return total


def test_detection(maps: np.ndarray) -> None:
    quantised = mser.quantise(maps, 1.0)
    rows = {
        "bright regions": lambda: mser.stable_regions(quantised, maps, 5, 0.5, 0.7, 0.001, 0.75, False, 36),
        "bright and dark regions": lambda: mser.stable_regions(quantised, maps, 5, 0.5, 0.7, 0.001, 0.75, True, 36),
        "OpenCV's bright regions": lambda: opencv_regions(quantised),
        "features of a query": lambda: detect([maps], "query", Detection(gain=1.0)),
        "features of a database image": lambda: detect([maps], "database", Detection(gain=1.0)),
    }
    first = {name: _once(function) for name, function in rows.items()}
    least = dict(zip(rows, interleaved(*rows.values(), rounds=7), strict=True))
    for name in rows:
        print(f"{name}: {least[name]:.1f} ms (first call {first[name]:.0f} ms)")
    ratio = least["bright regions"] / least["OpenCV's bright regions"]
    print(f"bright regions take {ratio:.2f} of the time of OpenCV's")
    assert least["features of a database image"] < 190


@pytest.mark.parametrize(("wanted", "limit_ms"), [(500, 1.5), (1100, 6.6)])
def test_matching(wanted: int, limit_ms: float) -> None:
    rng = np.random.default_rng(1)
    seconds, counts, ratios = [], [], []
    for _ in range(5):
        query, database, left, right = features(rng, wanted)
        fsm.match(query, database, left, right, 2.0, 3.0, 6.283)
        fast, slow = interleaved(
            lambda scene=(query, database, left, right): fsm.match(*scene, 2.0, 3.0, 6.283),
            lambda scene=(query, database, left, right): numpy_verification(*scene),
            rounds=7,
        )
        seconds.append(fast)
        counts.append(len(left))
        ratios.append(slow / fast)
    print(
        f"{statistics.mean(counts):.0f} correspondences: {statistics.median(seconds):.2f} ms, plain numpy takes "
        f"{statistics.median(ratios):.0f} times as long"
    )
    assert statistics.median(seconds) < limit_ms
    assert statistics.median(ratios) > 4


@pytest.mark.slow
def test_reranking(maps: np.ndarray) -> None:
    rng = np.random.default_rng(2)
    scales = [maps, maps[:, :34, :45].copy(), maps[:, :24, :32].copy()]
    query = detect(scales, "query", Detection())
    images = [detect([rng.permutation(scale) for scale in scales], "database", Detection()) for _ in range(10)]
    images[0] = detect(scales, "database", Detection())
    (milliseconds,) = interleaved(lambda: [match(query, image, Gates()).count for image in images * 10], rounds=3)
    print(f"100 images at 9 pairs of scales: {milliseconds:.0f} ms ({len(query)} and {len(images[0])} features)")
    assert milliseconds < 1500


def _once(function: Callable[[], object]) -> float:
    start = time.perf_counter()
    function()
    return 1000 * (time.perf_counter() - start)
