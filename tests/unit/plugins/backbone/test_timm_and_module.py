"""Networks of timm and of the user: maps are the library's own, whatever the size of the image."""

from __future__ import annotations

import pytest
import timm
import torch
from timm.data import resolve_model_data_config

from harness.core.errors import DataDamaged, InvalidInput
from harness.data.checkpoint import read_checkpoint
from harness_backbone import timm_models, user_module
from harness_backbone.timm_models import Timm
from harness_backbone.user_module import UserModule

CONVOLUTIONAL = "resnet10t"
TRANSFORMER = "vit_tiny_patch16_224"


@pytest.fixture(autouse=True, scope="module")
def _forget_networks():
    yield
    timm_models._network.cache_clear()
    user_module._network.cache_clear()
    read_checkpoint.cache_clear()


def some_image(height=64, width=96, seed=0):
    return torch.rand(3, height, width, generator=torch.Generator().manual_seed(seed))


def normalised(model, image):
    """As the model's own data configuration says."""
    configuration = resolve_model_data_config(model)
    mean, std = (torch.tensor(configuration[name]).reshape(3, 1, 1) for name in ("mean", "std"))
    return ((image - mean) / std)[None]


def built(backbone):
    return timm_models._network(backbone, "cpu").model


def test_convolutional_maps_are_those_of_the_library():
    backbone = Timm(CONVOLUTIONAL, weights="none")
    image = some_image(70, 101)
    whole = timm.create_model(CONVOLUTIONAL, pretrained=False).eval()
    whole.load_state_dict(built(backbone).state_dict(), strict=False)
    with torch.inference_mode():
        expected = whole.forward_features(normalised(whole, image))[0]
    assert backbone.stride == 32
    torch.testing.assert_close(backbone.maps(image), expected, rtol=0, atol=1e-5)


def test_a_stage_is_chosen_by_pixels_per_cell():
    backbone = Timm(CONVOLUTIONAL, weights="none", stage=16)
    assert (backbone.stride, backbone.maps(some_image()).shape) == (16, (256, 4, 6))
    with pytest.raises(InvalidInput, match="no stage of 5 pixels"):
        Timm(CONVOLUTIONAL, weights="none", stage=5).maps(some_image())


def library_tokens(backbone, image):
    model = built(backbone)
    with torch.inference_mode():
        return model.forward_features(normalised(model, image))[0]


@pytest.mark.parametrize("size", [(64, 96), (32, 16)])
def test_every_token_of_a_transformer_is_at_its_place(size):
    backbone = Timm(TRANSFORMER, weights="none", signed=True)
    image = some_image(*size)
    tokens, maps = library_tokens(backbone, image), backbone.maps(image)
    rows, columns = size[0] // 16, size[1] // 16
    assert (backbone.stride, maps.shape) == (16, (192, rows, columns))
    for row in range(rows):
        for column in range(columns):
            torch.testing.assert_close(maps[:, row, column], tokens[1 + row * columns + column], rtol=0, atol=1e-5)
    positive = Timm(TRANSFORMER, weights="none").maps(image)
    torch.testing.assert_close(positive, maps.clamp(min=0), rtol=0, atol=1e-5)


def test_the_class_token_is_a_map_of_one_cell():
    image = some_image()
    backbone = Timm(TRANSFORMER, weights="none", tokens="class", signed=True)
    torch.testing.assert_close(backbone.maps(image)[:, 0, 0], library_tokens(backbone, image)[0], rtol=0, atol=1e-5)


@pytest.mark.parametrize("size", [(1, 1), (70, 90), (40, 57)])
def test_images_that_patches_do_not_divide_are_resized_by_half_a_patch_at_most(size):
    maps = Timm(TRANSFORMER, weights="none").maps(some_image(*size))
    assert maps.shape[1:] == tuple(max(1, round(side / 16)) for side in size)
    assert torch.isfinite(maps).all()


@pytest.mark.slow
@pytest.mark.parametrize(("model", "prefix"), [("vit_small_patch14_dinov2", 1), ("vit_small_patch14_reg4_dinov2", 5)])
def test_a_grid_of_518_by_392_pixels(model, prefix):
    backbone = Timm(model, weights="none", signed=True)
    image = some_image(392, 518)
    tokens, maps = library_tokens(backbone, image), backbone.maps(image)
    assert maps.shape == (384, 28, 37)
    grid = tokens[prefix:].reshape(28, 37, 384).permute(2, 0, 1)
    torch.testing.assert_close(maps, grid, rtol=0, atol=1e-5)


def test_a_file_of_weights(tmp_path):
    donor = Timm(CONVOLUTIONAL, weights="none", seed=5)
    torch.save(donor.checkpoint(donor.module()), tmp_path / "weights.pth")
    read = Timm(CONVOLUTIONAL, weights=str(tmp_path / "weights.pth"))
    torch.testing.assert_close(read.maps(some_image()), donor.maps(some_image()), rtol=0, atol=1e-6)
    torch.save({"a": torch.zeros(1)}, tmp_path / "other.pth")
    with pytest.raises(DataDamaged, match="tensors missing"):
        Timm(CONVOLUTIONAL, weights=str(tmp_path / "other.pth")).maps(some_image())


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"model": "resnet10tt"}, "timm has no model resnet10tt"),
        ({"model": CONVOLUTIONAL, "tokens": "class"}, "has no class token"),
        ({"model": TRANSFORMER, "stage": 16}, "has no stages"),
    ],
)
def test_what_a_model_does_not_have_is_one_sentence(parameters, message):
    with pytest.raises(InvalidInput, match=message):
        Timm(**parameters, weights="none").maps(some_image())


# --- modules of the user ---------------------------------------------------------------------------------------------

FACTORY = "harness_backbone.examples:some_module"


def test_a_module_of_the_user_gives_its_maps():
    backbone, image = UserModule(FACTORY, 4, seed=3), some_image()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        from harness_backbone.examples import some_module

        own = some_module()
    mean, std = (torch.tensor(colours).reshape(3, 1, 1) for colours in (backbone.mean, backbone.std))
    with torch.inference_mode():
        expected = own(((image - mean) / std)[None])[0].clamp(min=0)
    torch.testing.assert_close(backbone.maps(image), expected, rtol=0, atol=1e-5)


def test_weights_of_a_module_are_read_and_identified(tmp_path):
    donor = UserModule(FACTORY, 4, seed=9)
    torch.save(donor.checkpoint(donor.module()), tmp_path / "own.pth")
    read = UserModule(FACTORY, 4, weights=str(tmp_path / "own.pth"))
    assert read.checksum
    torch.testing.assert_close(read.maps(some_image()), donor.maps(some_image()))
    torch.save({"0.weight": torch.zeros(1)}, tmp_path / "own.pth")
    with pytest.raises(DataDamaged, match="do not fit"):
        UserModule(FACTORY, 4, weights=str(tmp_path / "own.pth")).maps(some_image())


def test_the_code_of_a_module_is_a_part_of_its_identity(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    file = tmp_path / "own_network_of_a_test.py"
    file.write_text("from torch.nn import Conv2d\n\ndef build():\n    return Conv2d(3, 4, 1)\n")
    first = UserModule("own_network_of_a_test:build", 1)
    assert first.maps(some_image()).shape == (4, 64, 96)
    file.write_text("from torch.nn import Conv2d\n\ndef build():\n    return Conv2d(3, 5, 1)\n")
    assert UserModule("own_network_of_a_test:build", 1).code != first.code


@pytest.mark.parametrize(
    ("factory", "message"),
    [
        ("nowhere.at.all:build", "cannot be found"),
        ("harness_backbone.examples", "cannot be found"),
        ("harness_backbone.examples:nothing", "is no function"),
        ("json:dumps", "cannot be called"),
    ],
)
def test_what_is_no_factory_is_one_sentence(factory, message):
    with pytest.raises(InvalidInput, match=message):
        UserModule(factory, 4).maps(some_image())


def test_a_factory_that_is_not_found_must_be_importable():
    with pytest.raises(InvalidInput) as caught:
        UserModule("nowhere:build", 4)
    assert "PYTHONPATH" in caught.value.fix
