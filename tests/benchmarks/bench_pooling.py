"""Pooling against the obvious expressions, in one run: ratios, not times (8 x 512 x 48 x 64 maps).

Bounds are held with one thread, where a busy machine slows both sides alike; with all threads the
ratio is printed only.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator

import pytest
import torch

from harness_pooling.crow import CroW
from harness_pooling.gem import GeM
from harness_pooling.mac import MAC
from harness_pooling.regions import region_grid
from harness_pooling.rgem import RGeM
from harness_pooling.rmac import RMAC, sum_of_normalised
from harness_pooling.spoc import SPoC

ROUNDS = 5


@pytest.fixture(scope="module")
def maps() -> torch.Tensor:
    return torch.rand(8, 512, 48, 64, generator=torch.Generator().manual_seed(0))


@pytest.fixture(params=[1, torch.get_num_threads()], ids=lambda threads: f"{threads} threads")
def threads(request: pytest.FixtureRequest) -> Iterator[int]:
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield request.param
    torch.set_num_threads(before)


def gem_plain(maps: torch.Tensor) -> torch.Tensor:
    return maps.clamp(min=1e-6).pow(3.0).mean((-2, -1)).pow(1 / 3.0)


def rmac_sliced(maps: torch.Tensor) -> torch.Tensor:
    """Every region cut out as a view and reduced."""
    regions = region_grid(maps.shape[-2], maps.shape[-1], 3)
    maxima = [maps[..., y : y + h, x : x + w].amax((-2, -1)) for y, x, h, w in regions]
    return sum_of_normalised(torch.stack(maxima, -2), 1e-6)


def rmac_indexed(maps: torch.Tensor) -> torch.Tensor:
    """Every region copied out by lists of rows and columns and max-pooled, as the released code does."""
    total = torch.zeros(maps.shape[:2])
    for y, x, h, w in region_grid(maps.shape[-2], maps.shape[-1], 3):
        region = maps[:, :, list(range(y, y + h)), :][:, :, :, list(range(x, x + w))]
        total += sum_of_normalised(torch.nn.functional.max_pool2d(region, (h, w))[:, None, :, 0, 0], 1e-6)
    return total


def rgem_sliced(maps: torch.Tensor) -> torch.Tensor:
    regions = region_grid(maps.shape[-2], maps.shape[-1], 3)
    means = [gem_plain(maps[..., y : y + h, x : x + w]) for y, x, h, w in regions]
    return sum_of_normalised(torch.stack(means, -2), 1e-6)


def interleaved(*functions: Callable[[], object], rounds: int = ROUNDS) -> list[list[float]]:
    """Seconds per function and round, one function after the other in every round."""
    seconds: list[list[float]] = [[] for _ in functions]
    for _ in range(rounds):
        for function, times in zip(functions, seconds, strict=True):
            start = time.perf_counter()
            function()
            times.append(time.perf_counter() - start)
    return seconds


CASES = [
    ("gem p=3", GeM(preset="released-code"), gem_plain, "its plain expression", 2.0),
    ("rmac", RMAC(), rmac_sliced, "slicing", 4.0),
    ("rmac", RMAC(), rmac_indexed, "the released code's indexing", 8.0),
    ("rgem p=3", RGeM(preset="released-code"), rgem_sliced, "slicing", 1.0),
]


@pytest.mark.slow
@pytest.mark.parametrize(("name", "pooling", "baseline", "what", "bound"), CASES, ids=[f"{c[0]} {c[3]}" for c in CASES])
def test_ratio(maps, threads, capsys, name, pooling, baseline, what, bound):
    with torch.inference_mode():
        torch.testing.assert_close(pooling.pool(maps), baseline(maps), rtol=1e-4, atol=0)
        ours, theirs = interleaved(lambda: pooling.pool(maps), lambda: baseline(maps))
    ratio = statistics.median(b / a for a, b in zip(ours, theirs, strict=True))
    with capsys.disabled():
        print(
            f"\n{name}, {threads} threads: {1e3 * statistics.median(ours):.1f} ms, {ratio:.1f} times as fast as {what} "
            f"({1e3 * statistics.median(theirs):.1f} ms)"
        )
    assert ratio >= bound or threads > 1


@pytest.mark.slow
def test_times_beside_mac(maps, threads, capsys):
    poolings = {"mac": MAC(), "spoc": SPoC(), "gem": GeM(), "gem p=2.9": GeM(p=2.9), "rmac": RMAC(), "crow": CroW()}
    with torch.inference_mode():
        seconds = interleaved(*(lambda pooling=pooling: pooling.pool(maps) for pooling in poolings.values()))
    medians = dict(zip(poolings, map(statistics.median, seconds), strict=True))
    with capsys.disabled():
        print(f"\n{threads} threads: " + ", ".join(f"{name} {1e3 * median:.1f} ms" for name, median in medians.items()))
    assert threads > 1 or max(medians.values()) < 100 * medians["spoc"]
