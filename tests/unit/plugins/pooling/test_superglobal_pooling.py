"""SuperGlobal pooling against loops in float64, and its edges."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from harness.core.errors import Errors, InvalidInput
from harness.registry import load_registry
from harness_evidence.pooling import slow_superglobal

REGISTRY = load_registry()


def create(**parameters):
    return REGISTRY.create("pooling", "superglobal", **parameters)


def some_maps(seed, *shape):
    rng = np.random.default_rng(seed)
    return torch.from_numpy(np.maximum(rng.normal(size=shape) * rng.choice([1e-2, 1, 30]), 0).astype(np.float32))


@pytest.mark.parametrize("seeds", [range(30), pytest.param(range(30, 230), marks=pytest.mark.slow)], ids=str)
def test_equals_a_loop(seeds):
    for seed in seeds:
        rng = np.random.default_rng(seed)
        maps = some_maps(seed, 3, int(rng.integers(1, 9)), int(rng.integers(1, 9)))
        given = {
            "p": rng.choice([1.0, 4.6]),
            "regional_p": rng.choice([1.0, 2.5, 3.0]),
            "window": int(rng.choice([1, 3, 5])),
        }
        np.testing.assert_allclose(create(**given).pool(maps), slow_superglobal(maps, **given), rtol=2e-5, atol=1e-7)


@pytest.mark.parametrize("shape", [(2, 1, 1), (2, 2, 9), (2, 9, 2), (2, 1, 7)])
def test_a_map_that_cannot_be_reflected_stays_as_it_is(shape):
    maps = some_maps(1, *shape)
    torch.testing.assert_close(
        create().pool(maps), REGISTRY.create("pooling", "gem", p=4.6).pool(maps), rtol=1e-4, atol=1e-7
    )


def test_an_empty_map_is_the_lowest_activation():
    assert create().pool(torch.zeros(2, 6, 6)).tolist() == pytest.approx([1e-8] * 2, rel=1e-3)
    assert not create(eps=0.0).pool(torch.zeros(2, 6, 6)).any()


def test_a_constant_map_is_its_constant_whatever_its_scale():
    for value in (1e-30, 0.7, 1e30):
        assert create(eps=0.0).pool(torch.full((2, 6, 7), value)).tolist() == pytest.approx([value] * 2, rel=1e-5)


def test_leading_dimensions_are_kept_and_gradients_are_finite():
    maps = some_maps(2, 2, 3, 6, 7)
    maps[0, 0] = 0
    torch.testing.assert_close(create().pool(maps)[1], create().pool(maps[1]))
    maps.requires_grad_()
    create().pool(maps).sum().backward()
    assert torch.isfinite(maps.grad).all()


def test_a_negative_activation_is_refused():
    with pytest.raises(InvalidInput, match="negative activation"):
        create().pool(torch.full((1, 4, 4), -1.0))


@pytest.mark.parametrize("given_", [{"p": 0.0}, {"window": 4}, {"window": 0}, {"eps": -1.0}])
def test_bad_parameters_are_refused(given_):
    with pytest.raises(Errors):
        create(**given_)
