"""Each pooling against its formula, written out in float64."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.core.errors import InvalidInput
from harness.registry import load_registry
from harness_evidence.pooling import slow_crow, slow_gem, slow_regional, slow_regions, slow_whitened_rmac, some_maps
from harness_pooling.crow import CroW
from harness_pooling.gem import GeM, power_mean
from harness_pooling.mac import MAC
from harness_pooling.regions import region_grid
from harness_pooling.rgem import RGeM
from harness_pooling.rmac import RMAC, region_maxima
from harness_pooling.spoc import SPoC

SHAPES = [(1, 1, 1), (3, 1, 1), (4, 1, 5), (4, 5, 1), (5, 7, 10), (8, 13, 9), (16, 24, 32)]
POOLINGS = [
    SPoC(),
    MAC(),
    GeM(),
    GeM(p=1.0),
    GeM(p=2.5),
    GeM(p=7.0),
    GeM(p=40.0),
    GeM(preset="released-code"),
    RMAC(),
    RMAC(levels=5),
    RGeM(),
    RGeM(p=1.5, levels=2, preset="released-code"),
    CroW(),
]


def slow(pooling, a: np.ndarray) -> np.ndarray:
    a = a.astype(np.float64)
    match pooling:
        case SPoC():
            return a.mean((1, 2))
        case MAC():
            return a.max((1, 2))
        case GeM():
            return slow_gem(a, pooling.p, 0 if pooling.preset == "thesis" else 1e-6)
        case RMAC():
            return slow_regional(a, pooling.levels, 1e-6, lambda part: part.max((1, 2)))
        case RGeM():
            lowest = 0 if pooling.preset == "thesis" else 1e-6
            return slow_regional(a, pooling.levels, 1e-6, lambda part: slow_gem(part, pooling.p, lowest))
        case CroW():
            return slow_crow(a)
    raise AssertionError(pooling)


@pytest.mark.parametrize("fill", ["random", "some zero", "zero", "constant"])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("pooling", POOLINGS, ids=repr)
def test_equals_the_formula(pooling, shape, fill):
    maps = some_maps(shape, fill)
    pooled = pooling.pool(maps)
    assert pooled.dtype == torch.float32
    assert pooled.shape == shape[:1]
    np.testing.assert_allclose(pooled.numpy(), slow(pooling, maps.numpy()), rtol=1e-5, atol=1e-30)


@pytest.mark.parametrize("pooling", POOLINGS, ids=repr)
def test_leading_dimensions_are_a_batch(pooling):
    maps = torch.stack([some_maps((6, 7, 10), fill) for fill in ("random", "some zero", "zero")])
    batch = torch.stack([maps, maps.flip(-1)])
    pooled = pooling.pool(batch)
    assert pooled.shape == (2, 3, 6)
    for i in range(2):
        for j in range(3):
            torch.testing.assert_close(pooled[i, j], pooling.pool(batch[i, j]), rtol=1e-6, atol=0)


@pytest.mark.parametrize("pooling", POOLINGS, ids=repr)
def test_gradient_equals_finite_differences(pooling):
    rng = np.random.default_rng(3)
    maps = torch.from_numpy(rng.permutation(60).reshape(3, 4, 5) / 60 + 0.02).requires_grad_()
    assert torch.autograd.gradcheck(pooling.pool, (maps,), eps=1e-6, atol=1e-5)


@pytest.mark.parametrize("pooling", POOLINGS, ids=repr)
@pytest.mark.parametrize("fill", ["zero", "some zero"])
def test_gradient_of_empty_maps_is_finite(pooling, fill):
    maps = some_maps((4, 5, 6), fill).requires_grad_()
    pooling.pool(maps).sum().backward()
    assert torch.isfinite(maps.grad).all()


@pytest.mark.parametrize("pooling", [SPoC(), MAC(), GeM(), RMAC(), RGeM(), CroW()], ids=repr)
@pytest.mark.parametrize("shape", [(3, 0, 4), (3, 4, 0), (4, 4)], ids=str)
def test_maps_without_cells_are_refused(pooling, shape):
    with pytest.raises(InvalidInput, match="cannot be pooled"):
        pooling.pool(torch.zeros(shape))


maps_strategy = st.builds(
    lambda seed, c, h, w, scale: torch.from_numpy(
        (np.maximum(np.random.default_rng(seed).normal(size=(c, h, w)), 0) * 10.0**scale).astype(np.float32)
    ),
    st.integers(0, 10**6),
    st.integers(1, 5),
    st.integers(1, 12),
    st.integers(1, 12),
    st.integers(-6, 6),
)


@settings(max_examples=60)
@given(maps_strategy)
def test_gem_with_p_1_is_spoc(maps):
    torch.testing.assert_close(GeM(p=1.0).pool(maps), SPoC().pool(maps), rtol=1e-5, atol=0)


@settings(max_examples=60)
@given(maps_strategy)
def test_gem_becomes_mac_for_large_p(maps):
    cells = maps.shape[-1] * maps.shape[-2]
    exact, maximum = load_registry().create("pooling", "gem", p="inf").pool(maps), MAC().pool(maps)
    assert torch.equal(exact, maximum)
    for p in (1e3, 1e5):
        near = GeM(p=p).pool(maps)
        assert torch.isfinite(near).all()
        assert (near <= maximum * (1 + 1e-6)).all()
        assert (near >= maximum * cells ** (-1 / p) * (1 - 1e-5)).all()


@settings(max_examples=60)
@given(maps_strategy, st.floats(1, 20), st.floats(1.1, 3))
def test_gem_grows_with_p(maps, p, factor):
    assert (GeM(p=p * factor).pool(maps) >= GeM(p=p).pool(maps) * (1 - 1e-5)).all()


def test_large_values_and_powers_do_not_overflow():
    maps = torch.full((1, 3, 3), 3e38)
    torch.testing.assert_close(GeM(p=15.0).pool(maps), torch.tensor([3e38]))
    torch.testing.assert_close(GeM(p=200.5).pool(maps), torch.tensor([3e38]))
    torch.testing.assert_close(power_mean(maps * 1e-34, 300.0), torch.tensor([3e4]))


def test_large_powers_of_a_large_lowest_activation_do_not_overflow():
    pooling = GeM(400.0, eps=10.0, preset="released-code")
    torch.testing.assert_close(pooling.pool(torch.ones(2, 3, 3)), torch.full((2,), 10.0))


def test_empty_map_by_preset():
    empty = torch.zeros(1, 48, 64)
    assert GeM().pool(empty).item() == 0
    assert GeM(preset="released-code").pool(empty).item() == pytest.approx(1e-6, rel=1e-5)


def test_blocks_do_not_show():
    maps = torch.rand(400, 100, 120)  # several blocks
    torch.testing.assert_close(power_mean(maps, 3.0), torch.cat([power_mean(m[None], 3.0) for m in maps]))


def test_regions_equal_the_slow_grid():
    for h in range(1, 34):
        for w in range(1, 34):
            assert list(region_grid(h, w, 3)) == slow_regions(h, w, 3), (h, w)
    for h, w in [(48, 64), (64, 48), (31, 4), (4, 31), (37, 100), (128, 96), (1, 300)]:
        for levels in (1, 2, 3, 5):
            assert list(region_grid(h, w, levels)) == slow_regions(h, w, levels)


@pytest.mark.parametrize(
    ("shape", "count"),
    [((32, 32), 15), ((48, 64), 21), ((7, 10), 21), ((4, 31), 51), ((11, 47), 51), ((1, 1), 2), ((1, 5), 8)],
)
def test_published_numbers_of_regions(shape, count):
    assert len(region_grid(*shape, 3)) == count


def test_the_number_of_regions_is_that_of_the_released_expression():
    """A number divided by a tensor: torch multiplies by the reciprocal, and its rounding decides between equals."""
    steps = torch.tensor([2.0, 3, 4, 5, 6, 7])
    for h in range(1, 50):
        for w in range(h + 1, 100):
            gaps = (w - h) / (steps - 1)
            more = int(torch.min(torch.abs(((h**2 - h * gaps) / h**2) - 0.4), 0)[1]) + 1
            assert len(region_grid(h, w, 1)) == 2 + more, (h, w)


def test_regions_lie_in_the_map():
    for h, w in [(1, 1), (1, 5), (9, 4), (48, 64), (5, 90)]:
        for y, x, height, width in region_grid(h, w, 4):
            assert min(y, x) >= 0
            assert min(height, width) >= 1
            assert y + height <= h
            assert x + width <= w


def test_region_maxima_equal_slices():
    maps = torch.rand(2, 3, 17, 23)
    regions = region_grid(17, 23, 4)
    sliced = [maps[..., y : y + h, x : x + w].amax((-2, -1)) for y, x, h, w in regions]
    assert torch.equal(region_maxima(maps, regions), torch.stack(sliced, -2))


def test_one_map_has_crow_weight_zero():
    assert CroW().pool(torch.rand(1, 4, 4)).item() == 0


def test_whitened_rmac_equals_the_formula():
    images = [some_maps((4, 7, 5 + i), "random") for i in range(12)]
    images = [image / image.max() for image in images]
    fitted = RMAC(whiten=True).fit(iter(images))
    found = np.stack([fitted.pool(image).numpy() for image in images])
    slow = slow_whitened_rmac([image.numpy().astype(np.float64) for image in images])
    np.testing.assert_allclose(found @ found.T, slow @ slow.T, rtol=1e-4, atol=1e-3)
    batch = torch.stack([images[0], images[0]])
    torch.testing.assert_close(fitted.pool(batch[:, None])[1, 0], fitted.pool(images[0]))


def test_rmac_learns_only_where_it_whitens():
    def nothing():
        raise AssertionError("the database was read")
        yield

    assert RMAC().fit(nothing()) == RMAC()
    with pytest.raises(InvalidInput, match="has not seen a database"):
        RMAC(whiten=True).pool(torch.rand(2, 3, 4))
    with pytest.raises(InvalidInput, match="from none"):
        RMAC(whiten=True).fit(iter([]))


@pytest.mark.parametrize("fill", ["zero", "constant"])
def test_whitened_rmac_of_maps_that_do_not_vary_is_finite(fill):
    maps = some_maps((3, 4, 5), fill)
    assert torch.isfinite(RMAC(whiten=True).fit(iter([maps, maps])).pool(maps)).all()
