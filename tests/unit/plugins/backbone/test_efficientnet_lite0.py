"""EfficientNet-Lite0: against timm's network of the same weights, on photographs, upsampled, and what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import timm
import torch

from harness.core.errors import DataDamaged, DataMissing
from harness.data.checkpoint import read_checkpoint
from harness.data.decode import decode_image
from harness_backbone import imagenet
from harness_backbone.convolutional import _network
from harness_backbone.efficientnet_lite0 import EfficientNetLite0, _fused
from harness_backbone.imagenet import imagenet_checksum, imagenet_file


@pytest.fixture(autouse=True, scope="module")
def _forget_networks():
    yield
    _network.cache_clear()
    _fused.cache_clear()
    read_checkpoint.cache_clear()


def some_image(height=96, width=128, seed=0):
    return torch.rand(3, height, width, generator=torch.Generator().manual_seed(seed))


@pytest.fixture(scope="module")
def published():
    """The published file, read without the code that is tested."""
    file = imagenet_file("efficientnet-lite0", imagenet_checksum("efficientnet-lite0"))
    return torch.load(file, weights_only=True)


@pytest.fixture(scope="module")
def reference(published):
    """timm's network, whose tensors come in the same order under other names."""
    network = timm.create_model("tf_efficientnet_lite0", pretrained=False)
    state = network.state_dict()
    values = list(published.values())
    assert [value.shape for value in state.values()] == [value.shape for value in values]
    network.load_state_dict(dict(zip(state, values, strict=True)))
    return network.eval()


def published_input(image):
    """(x - 127) / 128 of values 0 to 255."""
    return (image[None] * 255 - 127) / 128


@pytest.mark.parametrize("size", [(96, 128), (101, 67)])
def test_last_maps_are_those_of_timm(reference, size):
    image = some_image(*size)
    with torch.inference_mode():
        expected = reference.forward_features(published_input(image))[0]
    maps = EfficientNetLite0().maps(image)
    assert maps.shape == (1280, -(-size[0] // 32), -(-size[1] // 32))
    torch.testing.assert_close(maps, expected, rtol=0, atol=1e-4)


@pytest.mark.parametrize("size", [(101, 67)])
def test_maps_at_stride_16_are_those_of_the_last_expansion_before_the_last_stride(reference, size):
    image = some_image(*size)
    found = []
    expansion = reference.blocks[5][0].bn1
    hook = expansion.register_forward_hook(lambda module, inputs, output: found.append(output))
    with torch.inference_mode():
        reference.forward_features(published_input(image))
    hook.remove()
    backbone = EfficientNetLite0(stage=16)
    assert backbone.stride == 16
    torch.testing.assert_close(backbone.maps(image), found[0][0], rtol=0, atol=1e-4)


PHOTOGRAPHS = [
    ("skimage.data", "chelsea.png", {281, 282, 285}),  # tabby, tiger cat, Egyptian cat
    ("skimage.data", "coffee.png", {967}),  # espresso
    ("skimage.data", "motorcycle_left.png", {665, 670}),  # moped, motor scooter
    ("skimage.data", "text.png", {918}),  # crossword puzzle
    ("sklearn.datasets.images", "china.jpg", {442, 698}),  # bell cote, palace
]


@pytest.mark.parametrize(("package", "file", "classes"), PHOTOGRAPHS, ids=[case[1] for case in PHOTOGRAPHS])
def test_photographs_are_classified_right(published, package, file, classes):
    """The classifier of the file on the mean of the maps: colours, weights and layers are as in training."""
    from importlib.resources import as_file, files

    with as_file(files(package) / file) as path:
        image = decode_image(Path(path))
    image.thumbnail((320, 320))
    maps = EfficientNetLite0().maps(torch.from_numpy(np.array(image)).permute(2, 0, 1).float() / 255)
    logits = published["_fc.weight"] @ maps.mean((1, 2)) + published["_fc.bias"]
    assert int(logits.argmax()) in classes


@pytest.mark.parametrize("size", [(96, 128), (101, 67)])
@pytest.mark.parametrize("stage", [16, 32])
def test_every_second_cell_of_upsampled_maps_is_the_strided_one(stage, size):
    """Of an even side the second, fourth, ...: as TensorFlow pads, the first window begins at the first cell."""
    image = some_image(*size)
    plain, upsampled = (EfficientNetLite0(stage=stage, upsample=up) for up in (False, True))
    strided, dense = plain.maps(image), upsampled.maps(image)
    assert upsampled.stride * 2 == plain.stride
    rows, columns = (slice(1 - side % 2, None, 2) for side in dense.shape[1:])
    torch.testing.assert_close(dense[:, rows, columns], strided, rtol=0, atol=1e-4)


def test_trained_weights_are_read_again(tmp_path):
    image, backbone = some_image(64, 64), EfficientNetLite0(stage=16)
    network = backbone.module()
    with torch.no_grad():
        next(network.parameters()).mul_(1.5)
    torch.save(backbone.checkpoint(network), tmp_path / "trained.pth")
    with torch.inference_mode():
        expected = network(image[None])[0]
    trained = EfficientNetLite0(weights=str(tmp_path / "trained.pth"), stage=16)
    torch.testing.assert_close(trained.maps(image), expected, rtol=0, atol=1e-4)
    assert not torch.allclose(trained.maps(image), backbone.maps(image))


def test_weights_of_another_network_are_refused(tmp_path):
    torch.save({"features.0.weight": torch.zeros(3)}, tmp_path / "other.pth")
    with pytest.raises(DataDamaged, match="tensors missing"):
        EfficientNetLite0(weights=str(tmp_path / "other.pth")).maps(some_image())


def test_without_the_package_the_extra_is_named_when_the_spec_is_read(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr(imagenet, "find_spec", lambda name: None)
    with pytest.raises(DataMissing, match="weights imagenet of efficientnet-lite0 are not installed") as error:
        EfficientNetLite0()
    assert "photos" in error.value.fix
