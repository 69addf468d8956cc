"""The embedded backbone: shapes, sizes of images, the shipped weights, and what training exports."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
import torch

from harness.core.errors import DataDamaged, InvalidInput
from harness_backbone import tiny
from harness_backbone.tiny import LAYERS, WEIGHTS, Tiny

CHANNELS = LAYERS[-1].outputs


@pytest.mark.parametrize("size", [(256, 256), (1, 1), (7, 9), (8, 8), (33, 100), (1, 40)])
def test_one_cell_per_stride_and_never_none(size):
    maps = Tiny().maps(torch.rand(3, *size))
    assert maps.shape == (CHANNELS, *(-(-side // Tiny().stride) for side in size))
    assert maps.dtype == torch.float32
    assert torch.isfinite(maps).all()
    assert (maps >= 0).all()


def test_the_stride_is_that_of_the_layers():
    assert np.prod([layer.stride for layer in LAYERS]) == Tiny().stride


def test_a_shift_by_the_stride_shifts_the_maps():
    image = torch.rand(3, 200, 200)
    maps, shifted = Tiny().maps(image[:, :, :-8]), Tiny().maps(image[:, :, 8:])
    torch.testing.assert_close(maps[:, 8:-8, 9:-7], shifted[:, 8:-8, 8:-8], rtol=1e-4, atol=1e-4)


def test_the_same_maps_each_time_and_no_gradient():
    image = torch.rand(3, 64, 48, requires_grad=True)
    first, second = Tiny().maps(image), Tiny().maps(image)
    assert torch.equal(first, second)
    assert not first.requires_grad


def test_the_image_is_not_changed():
    image = torch.rand(3, 32, 32)
    copy = image.clone()
    Tiny().maps(image)
    assert torch.equal(image, copy)


@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 0, 8), (1, 3, 8, 8), (8, 8)])
def test_what_is_no_image_is_refused(shape):
    with pytest.raises(InvalidInput):
        Tiny().maps(torch.zeros(shape))


def test_the_weights_are_small_and_fit_the_layers():
    assert WEIGHTS.stat().st_size <= 2_000_000
    with np.load(WEIGHTS, allow_pickle=False) as file:
        shapes = {name: file[name].shape for name in file.files}
        assert all(np.isfinite(file[name]).all() for name in file.files)
    for i, layer in enumerate(LAYERS):
        assert shapes.pop(f"weight{i}") == (layer.outputs, layer.inputs, layer.kernel, layer.kernel)
        assert shapes.pop(f"bias{i}") == (layer.outputs,)
    assert not shapes


@pytest.fixture
def other_weights(tmp_path, monkeypatch):
    """A file in place of the shipped weights, for one test."""
    monkeypatch.setattr(tiny, "WEIGHTS", tmp_path / "weights.npz")
    tiny._network.cache_clear()
    yield tmp_path / "weights.npz"
    tiny._network.cache_clear()


def test_folding_keeps_what_the_trained_network_gives(other_weights, monkeypatch):
    from harness_backbone.train_tiny import fold, network

    torch.manual_seed(0)
    model = network()
    for _, norm, _ in model:
        torch.nn.init.uniform_(norm.weight, 0.5, 1.5)
        torch.nn.init.normal_(norm.bias, 0.1)
        norm.running_mean.normal_()
        norm.running_var.uniform_(0.5, 2)
    np.savez(other_weights, **fold(model.eval()))
    monkeypatch.setattr(tiny, "SHA256", hashlib.sha256(other_weights.read_bytes()).hexdigest())
    image = torch.rand(3, 40, 56)
    expected = model(image[None] * 2 - 1)[0].detach()
    assert float((Tiny().maps(image) - expected).abs().max()) < 0.01 * float(expected.max())


def test_damaged_weights_are_refused(other_weights):
    other_weights.write_bytes(WEIGHTS.read_bytes()[:-1] + b"x")
    with pytest.raises(DataDamaged):
        Tiny().maps(torch.rand(3, 8, 8))


def test_one_step_of_training_gives_weights_that_load():
    from harness_backbone.train_tiny import fold, train

    first, second = (fold(train(steps=2, batch=4, rate=1e-3, seed=3, workers=0)) for _ in range(2))
    assert all(np.array_equal(first[name], second[name]) for name in first)
    assert all(np.isfinite(first[name]).all() for name in first)
