"""Compiled means of powers: their order of summation, which is a promise, and numbers at the ends of float32."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from harness.core.errors import InvalidInput
from harness_pooling.gem import power_mean, region_means
from harness_pooling.regions import region_grid

CELLS = [(1, 1), (1, 15), (4, 4), (7, 7), (3, 11), (12, 16), (9, 29)]
LARGEST = float(np.finfo(np.float32).max)
LEAST = float(np.finfo(np.float32).smallest_subnormal)


def activations(*shape: int) -> torch.Tensor:
    drawn = np.random.default_rng(5).normal(size=shape) * 3
    return torch.from_numpy(np.maximum(drawn, 0).astype(np.float32))


def in_the_stated_order(cells: np.ndarray, p: int, lowest: float) -> np.float32:
    """Operation by operation, as the documentation of the compiled code has it."""
    values = np.maximum(cells.ravel(), np.float32(lowest)).astype(np.float64)
    powers = values.copy()
    for _ in range(1, p):
        powers = powers * values
    sums = np.zeros(16)
    whole = len(powers) // 16 * 16
    for first in range(0, whole, 16):
        sums = sums + powers[first : first + 16]
    while len(sums) > 1:
        sums = sums[: len(sums) // 2] + sums[len(sums) // 2 :]
    total = sums[0]
    for power in powers[whole:]:
        total = total + power
    mean = total / np.float64(len(powers))
    if mean == 0:
        return np.float32(0)
    share = 1.0 / p
    centre = 4606988646744178688
    root = np.int64(centre + int(np.float64(int(mean.view(np.int64)) - centre) * share)).view(np.float64)
    for _ in range(4):
        power = np.float64(1)
        for _ in range(1, p):
            power = power * root
        root = root - (root - mean / power) * share
    return np.float32(root)


@pytest.mark.parametrize("p", range(1, 7))
def test_the_order_of_summation_is_the_stated_one(p):
    for height, width in CELLS:
        maps = activations(5, height, width)
        expected = [in_the_stated_order(cells, p, 1e-6) for cells in maps.numpy()]
        assert power_mean(maps, float(p), 1e-6).tolist() == [float(mean) for mean in expected]


@pytest.mark.parametrize("p", [1.0, 3.0, 6.0])
def test_bits_depend_on_nothing_but_the_cells(p):
    maps = activations(3, 20, 7, 9)
    means = power_mean(maps, p)
    before = torch.get_num_threads()
    torch.set_num_threads(before + 1)
    try:
        assert torch.equal(power_mean(maps, p), means)
    finally:
        torch.set_num_threads(before)
    assert torch.equal(torch.stack([power_mean(image, p) for image in maps]), means)
    assert torch.equal(power_mean(maps.to(memory_format=torch.channels_last), p), means)
    wider = torch.nn.functional.pad(maps, (2, 3, 1, 4))
    assert torch.equal(power_mean(wider[..., 1:8, 2:11], p), means)
    assert torch.equal(power_mean(maps.requires_grad_().detach(), p), means)
    with torch.no_grad():
        assert torch.equal(power_mean(maps, p), means)


@pytest.mark.parametrize("p", [1.0, 3.0, 6.0])
def test_a_region_has_the_bits_of_its_cells_alone(p):
    maps = activations(2, 3, 11, 14)
    regions = region_grid(11, 14, 3)
    apart = [power_mean(maps[..., y : y + h, x : x + w], p, 1e-6) for y, x, h, w in regions]
    assert torch.equal(region_means(maps, regions, p, 1e-6), torch.stack(apart, -2))
    assert region_means(maps[:0], regions, p).shape == (0, len(regions), 3)


@pytest.mark.parametrize("p", range(1, 7))
@pytest.mark.parametrize("value", [LEAST, 1e-38, 1e-30, 1e-6, 0.3, 1.0, 7.0, 1e12, 1e30, LARGEST])
def test_a_constant_map_has_its_value_as_the_mean(p, value):
    for height, width in CELLS:
        maps = torch.full((2, height, width), value)
        assert torch.equal(power_mean(maps, float(p)), maps[:, 0, 0])


@pytest.mark.parametrize("p", [1.0, 3.0, 6.0])
def test_values_that_float32_cannot_raise_are_averaged(p):
    maps = torch.tensor([[0.0, LARGEST], [0.0, 1e-37], [LEAST * 8, LARGEST], [1e20, 3e20]])[:, None]
    wide = maps.double().numpy()
    expected = (((wide / wide.max((1, 2), keepdims=True)) ** p).mean((1, 2))) ** (1 / p) * wide.max((1, 2))
    np.testing.assert_allclose(power_mean(maps, p).numpy(), expected.astype(np.float32), rtol=3e-7)


@pytest.mark.parametrize("p", [1.0, 2.5, 3.0, 6.0, 7.0])
def test_infinity_and_nan_have_no_mean(p):
    for width in (1, 3, 40):  # the last cell, and one of a vector
        for value in (float("inf"), float("nan")):
            maps = torch.ones(3, 1, width)
            maps[1, 0, 0] = value
            assert power_mean(maps, p).isnan().tolist() == [False, True, False]


@pytest.mark.parametrize("p", [1.0, 2.5, 3.0, 6.0, 7.0])
def test_what_is_below_the_lowest_counts_as_the_lowest(p):
    maps = torch.tensor([-3.0, -0.0, 0.0, 1e-9]).repeat(6)[None, None]
    assert power_mean(maps, p, 1e-6).item() == pytest.approx(1e-6, rel=1e-6)
    assert power_mean(maps.clamp(max=0), p).item() == 0


@pytest.mark.parametrize("p", [3.0, 2.5])
@pytest.mark.parametrize("shape", [(0, 4, 5), (0, 3, 4, 5), (2, 0, 4, 5), (2, 3, 0, 4, 5)], ids=str)
def test_no_map_has_no_mean(shape, p):
    assert power_mean(torch.zeros(shape), p).shape == shape[:-2]
    regions = region_means(torch.zeros(shape), [(0, 0, 4, 5), (1, 1, 2, 2)], p)
    assert regions.shape == (*shape[:-3], 2, shape[-3])


@pytest.mark.parametrize("p", [3.0, 2.5])
@pytest.mark.parametrize("region", [(0, 0, 5, 5), (0, 1, 4, 5), (-1, 0, 2, 2), (0, 0, 0, 2), (9, 9, 1, 1)], ids=str)
def test_regions_that_are_not_within_the_maps_are_refused(p, region):
    """Compiled code would read, and write, where no map is."""
    with pytest.raises(InvalidInput, match="regions"):
        region_means(torch.ones(3, 4, 5), [(0, 0, 4, 5), region], p)
