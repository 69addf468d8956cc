"""VGG16 and the ResNets: sizes, upsampling by dilation, files of weights and what is refused."""

from __future__ import annotations

import hashlib
import os
import pickle
from urllib.error import URLError

import numpy as np
import pytest
import torch
from PIL import Image

from harness.cache import Cache
from harness.core.cost import measured
from harness.core.errors import DataDamaged, DataMissing, InvalidInput
from harness.core.progress import SilentProgress
from harness.data.checkpoint import read_checkpoint
from harness.plugin_api import RetrievalSet
from harness.registry import load_registry
from harness.retrieval.pipeline import RetrievalMethods, run_retrieval
from harness.retrieval.protocol import RetrievalProtocol
from harness_backbone import imagenet
from harness_backbone.convolutional import _network
from harness_backbone.resnet import ResNet50, ResNet101
from harness_backbone.tiny import LAYERS, WEIGHTS, Tiny
from harness_backbone.vgg16 import VGG16
from harness_pooling.gem import GeM

NETWORKS = [(VGG16, 512, 16), (ResNet50, 2048, 32), (ResNet101, 2048, 32)]


@pytest.fixture(autouse=True, scope="module")
def _forget_networks():
    yield
    _network.cache_clear()
    read_checkpoint.cache_clear()


def some_image(height=96, width=128, seed=0):
    return torch.rand(3, height, width, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize(("network", "channels", "stride"), NETWORKS, ids=lambda value: getattr(value, "__name__", ""))
def test_maps_of_random_weights(network, channels, stride):
    backbone = network(weights="none")
    maps = backbone.maps(some_image())
    assert backbone.stride == stride
    assert maps.shape == (channels, 96 // stride, 128 // stride)
    assert maps.dtype == torch.float32
    assert torch.isfinite(maps).all()
    assert (maps >= 0).all()
    assert maps.any()


def test_the_seed_decides_random_weights_and_leaves_the_generator_alone():
    before = torch.get_rng_state()
    first = VGG16(weights="none", seed=3).maps(some_image())
    assert torch.equal(torch.get_rng_state(), before)
    _network.cache_clear()
    torch.manual_seed(99)
    assert torch.equal(VGG16(weights="none", seed=3).maps(some_image()), first)
    assert not torch.equal(VGG16(weights="none", seed=4).maps(some_image()), first)


@pytest.mark.parametrize("size", [(101, 87), (67, 130)])
@pytest.mark.parametrize("network", [VGG16, ResNet50], ids=lambda value: value.__name__)
def test_every_second_cell_of_upsampled_maps_is_the_strided_one(network, size):
    """Specification 1.14: a dilated 3 x 3 at the stride itself would be far off."""
    plain, upsampled = network(weights="none", min_side=32), network(weights="none", upsample=True, min_side=32)
    image = some_image(*size)
    strided, dense = plain.maps(image), upsampled.maps(image)
    assert upsampled.stride * 2 == plain.stride
    assert all(2 * s - 1 <= d <= 2 * s for s, d in zip(strided.shape[1:], dense.shape[1:], strict=True))
    tolerance = 1e-5 * float(strided.max())
    torch.testing.assert_close(dense[:, ::2, ::2], strided, rtol=1e-4, atol=tolerance)
    assert (dense[:, 1::2, 1::2] > tolerance).any()
    weights = (sum(p.numel() for p in _network(b, "cpu").parameters()) for b in (plain, upsampled))
    assert len(set(weights)) == 1


@pytest.mark.slow
def test_upsampled_resnet101():
    image = some_image(70, 100)
    strided, dense = (ResNet101(weights="none", upsample=up).maps(image) for up in (False, True))
    torch.testing.assert_close(dense[:, ::2, ::2], strided, rtol=1e-4, atol=1e-5 * float(strided.max()))


@pytest.mark.parametrize("size", [(1, 1), (1, 300), (300, 2), (66, 67)])
@pytest.mark.parametrize("network", [VGG16, ResNet50], ids=lambda value: value.__name__)
def test_tiny_images_are_padded_by_the_mean_colour(network, size):
    backbone = network(weights="none")
    image = some_image(*size)
    mean = torch.tensor([0.485, 0.456, 0.406])[:, None, None]
    padded = mean.expand(3, max(67, size[0]), max(67, size[1])).clone()
    padded[:, : size[0], : size[1]] = image
    torch.testing.assert_close(backbone.maps(image), backbone.maps(padded), rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("shape", [(1, 80, 80), (3, 0, 80), (80, 80)])
def test_what_is_no_image_is_refused(shape):
    with pytest.raises(InvalidInput, match="has no maps"):
        VGG16(weights="none").maps(torch.zeros(shape))


@pytest.mark.slow
@pytest.mark.slow
@pytest.mark.parametrize(("network", "name"), [(VGG16, "vgg16"), (ResNet101, "resnet101")])
def test_ten_images_at_three_scales_end_to_end(tmp_path, capsys, network, name):
    """Nothing is learnt, so only what comes out is looked at, and how much memory it takes."""
    rng = np.random.default_rng(0)
    paths = [tmp_path / f"{i}.jpg" for i in range(10)]
    for path in paths:
        Image.fromarray(rng.integers(0, 256, (24, 32, 3), dtype=np.uint8)).resize((1024, 768)).save(path)
    truth = [{"easy": [query], "hard": [], "junk": []} for query in range(2)]
    dataset = RetrievalSet("ten", paths[:8], paths[:2], [None, (100.0, 100.0, 700.0, 600.0)], truth)
    protocol = RetrievalProtocol(image_size=1024, scales=(1.0, 0.7071, 0.5))
    methods = RetrievalMethods(network(weights="none"), GeM())
    keys = {kind: {"name": kind} for kind in ("backbone", "pooling", "dataset")}
    with measured() as cost:
        result = run_retrieval(dataset, methods, protocol, keys=keys, cache=Cache(None), progress=SilentProgress())
    assert result.n_database == 8
    assert result.dimension == (512 if name == "vgg16" else 2048)
    assert result.ranks[0, 0] == 0  # a query that is in the database finds itself
    with capsys.disabled():
        print(f"\n{name}: {cost.wall_s:.0f} s, at most {cost.peak_bytes / 2**20:.0f} MiB more than before")


# --- files of weights -----------------------------------------------------------------------------------------------


def torchvision_state(name, seed=7):
    """Tensors under the names and shapes of torchvision; the classifier, which nobody needs, is cut short."""
    import torchvision

    with torch.device("meta"):
        entries = getattr(torchvision.models, name)(weights=None).state_dict()
    generator = torch.Generator().manual_seed(seed)
    state = {}
    for key, value in entries.items():
        shape = (1,) if key.startswith(("classifier", "fc")) else value.shape
        fan = max(1, int(np.prod(shape[1:])))
        spread = torch.randn(shape, generator=generator) * (2 / fan) ** 0.5
        # Weights and variances of batch normalisation are positive; its mean is of no interest.
        state[key] = torch.rand(shape, generator=generator) + 0.5 if len(shape) == 1 else spread
        if not value.is_floating_point():
            state[key] = torch.zeros(shape, dtype=value.dtype)
    return state


def published(name, state, with_batches=True):
    """A checkpoint as cirtorch writes it: numbered parts, pooling exponent, whitening layer, meta with arrays."""
    parts = ["conv1", "bn1", "relu", "maxpool", "layer1", "layer2", "layer3", "layer4"]
    numbered = {}
    for key, value in state.items():
        part, _, rest = key.partition(".")
        if part == "features" or part in parts:
            numbered[key if part == "features" else f"features.{parts.index(part)}.{rest}"] = value
    if not with_batches:
        numbered = {key: value for key, value in numbered.items() if not key.endswith("num_batches_tracked")}
    numbered["pool.p"] = torch.tensor([2.92])
    numbered["whiten.weight"], numbered["whiten.bias"] = torch.eye(4), torch.ones(4)
    scales = {kind: {"m": np.arange(4.0)[:, None], "P": np.eye(4)} for kind in ("ss", "ms")}
    meta = {
        "architecture": name,
        "pooling": "gem",
        "whitening": True,
        "outputdim": 4,
        "mean": [0.1, 0.2, 0.3],
        "std": [0.5, 0.6, 0.7],
        "Lw": {"retrieval-SfM-120k": scales},
    }
    return {"state_dict": numbered, "meta": meta}


@pytest.mark.slow
@pytest.mark.parametrize(("network", "name"), [(VGG16, "vgg16"), (ResNet50, "resnet50")])
def test_checkpoints_of_both_formats_give_the_network(tmp_path, network, name):
    state = torchvision_state(name)
    torch.save(state, tmp_path / "plain.pth")
    torch.save(
        published(name, state, with_batches=False), tmp_path / "published.pth", _use_new_zipfile_serialization=False
    )
    plain, other = (network(weights=str(tmp_path / f"{kind}.pth")) for kind in ("plain", "published"))
    reference = network(weights="none").body()
    reference.load_state_dict(network().renamed(state))
    reference.eval()
    image = some_image()
    for backbone, mean, std in [
        (plain, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
        (other, (0.1, 0.2, 0.3), (0.5, 0.6, 0.7)),
    ]:
        normalised = (image - torch.tensor(mean)[:, None, None]) / torch.tensor(std)[:, None, None]
        with torch.inference_mode():
            torch.testing.assert_close(backbone.maps(image), reference(normalised[None])[0])


def test_a_published_checkpoint_says_all_that_was_learnt(tmp_path):
    torch.save(published("vgg16", torchvision_state("vgg16")), tmp_path / "file.pth")
    found = read_checkpoint(str(tmp_path / "file.pth"))
    assert found.architecture == "vgg16"
    assert found.p == pytest.approx(2.92)
    np.testing.assert_array_equal(found.layer[0], np.eye(4))
    mean, projection = found.projections["retrieval-SfM-120k"]["ms"]
    np.testing.assert_array_equal(mean, np.arange(4.0))
    np.testing.assert_array_equal(projection, np.eye(4))


class Command:
    def __reduce__(self):
        return os.system, ("touch hostile-was-here",)


@pytest.mark.parametrize("place", ["top", "meta", "state"])
@pytest.mark.parametrize("zipped", [True, False])
def test_files_that_hold_code_are_refused(tmp_path, monkeypatch, place, zipped):
    monkeypatch.chdir(tmp_path)
    content = published("vgg16", torchvision_state("vgg16"))
    if place == "meta":
        content["meta"]["mean"] = Command()
    elif place == "state":
        content["state_dict"]["features.0.weight"] = Command()
    else:
        content = Command()
    torch.save(content, "hostile.pth", _use_new_zipfile_serialization=zipped)
    with pytest.raises(DataDamaged, match="refused"):
        VGG16(weights="hostile.pth").maps(some_image())
    assert not (tmp_path / "hostile-was-here").exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "refused"),
        (b"no checkpoint at all", "refused"),
        (pickle.dumps({"a": 1}, protocol=2), "refused"),
    ],
)
def test_files_that_are_no_checkpoints_are_refused(tmp_path, content, message):
    (tmp_path / "file.pth").write_bytes(content)
    with pytest.raises(DataDamaged, match=message):
        read_checkpoint(str(tmp_path / "file.pth"))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c["state_dict"].pop("features.0.weight"), "1 tensors missing"),
        (lambda c: c["state_dict"].update({"features.99.weight": torch.zeros(1)}), "1 unknown"),
        (lambda c: c["state_dict"].update({"features.0.weight": torch.zeros(1)}), "size mismatch"),
        (lambda c: c["state_dict"]["features.0.weight"].fill_(float("nan")), "NaN"),
        (lambda c: c["meta"].update(architecture="resnet101"), "those of resnet101"),
        (lambda c: c.update(state_dict=[1, 2]), "not a checkpoint"),
        (lambda c: c["state_dict"].update({"features.0.weight": "text"}), "not a tensor"),
        (lambda c: c["meta"].update(Lw={"x": {"ss": {"m": 1}}}), "not a checkpoint"),
    ],
)
def test_checkpoints_that_do_not_fit_are_refused(tmp_path, change, message):
    content = published("vgg16", torchvision_state("vgg16"))
    change(content)
    torch.save(content, tmp_path / "file.pth")
    with pytest.raises(DataDamaged, match=message):
        VGG16(weights=str(tmp_path / "file.pth")).maps(some_image())


def test_half_a_file_is_refused(tmp_path):
    torch.save(torchvision_state("vgg16"), tmp_path / "whole.pth")
    (tmp_path / "half.pth").write_bytes((tmp_path / "whole.pth").read_bytes()[:1000_000])
    with pytest.raises(DataDamaged, match="refused"):
        read_checkpoint(str(tmp_path / "half.pth"))


def test_the_content_of_a_checkpoint_is_a_parameter(tmp_path):
    path = tmp_path / "file.pth"
    torch.save(torchvision_state("vgg16"), path)
    first = VGG16(weights=str(path))
    assert first.checksum == hashlib.sha256(path.read_bytes()).hexdigest()
    torch.save(torchvision_state("vgg16", seed=8), path)
    assert VGG16(weights=str(path)).checksum != first.checksum
    with pytest.raises(DataDamaged, match="SHA-256"):
        first.maps(some_image())
    assert VGG16(weights="somewhere else", checksum=first.checksum).checksum == first.checksum


def test_a_missing_checkpoint_is_told_when_the_spec_is_read():
    with pytest.raises(DataMissing, match="nowhere.pth cannot be read"):
        load_registry().create("backbone", "resnet50", weights="nowhere.pth")


def test_imagenet_without_a_network_is_one_clear_sentence(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))

    def no_network(*args, **kwargs):
        raise URLError("no network")

    monkeypatch.setattr("torch.hub.download_url_to_file", no_network)
    with pytest.raises(DataMissing, match="imagenet of vgg16 are not here and cannot be downloaded") as error:
        VGG16().maps(some_image())
    assert "https://" in error.value.fix


def in_torchs_cache(home, name="vgg16-397923af.pth"):
    """Random weights under the name of the published ones."""
    file = home / "hub" / "checkpoints" / name
    file.parent.mkdir(parents=True)
    torch.save(torchvision_state("vgg16"), file)
    return file


def test_imagenet_weights_that_are_there_are_used(tmp_path, monkeypatch):
    """As if they had been downloaded before: nothing is fetched."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    file = in_torchs_cache(tmp_path)
    digits = hashlib.sha256(file.read_bytes()).hexdigest()[:8]
    file = file.rename(file.with_name(f"vgg16-{digits}.pth"))
    monkeypatch.setitem(imagenet._FILES, "vgg16", file.name)
    assert VGG16().checksum == digits
    torch.testing.assert_close(VGG16().maps(some_image()), VGG16(weights=str(file)).maps(some_image()))


@pytest.mark.parametrize("place", ["cache", "data"])
def test_imagenet_weights_that_are_others_are_refused_when_planned(tmp_path, monkeypatch, place):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    file = in_torchs_cache(tmp_path)
    if place == "data":
        monkeypatch.setattr(imagenet, "located", lambda name: file)
        monkeypatch.setenv("TORCH_HOME", str(tmp_path / "empty"))
    with pytest.raises(DataDamaged, match="begins with 397923af"):
        VGG16()
    file.unlink()
    assert VGG16().checksum == "397923af"


def test_imagenet_weights_of_a_stand_in_are_told_apart(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    file = in_torchs_cache(tmp_path)
    (file.parent / "STAND-IN.json").write_text("{}")
    assert VGG16().checksum == hashlib.sha256(file.read_bytes()).hexdigest()
    with pytest.raises(DataDamaged, match="not 397923af"):
        VGG16(checksum="397923af").maps(some_image())


# --- tiny -----------------------------------------------------------------------------------------------------------


def tiny_state(seed=0):
    rng = np.random.default_rng(seed)
    state = {}
    for i, layer in enumerate(LAYERS):
        shape = (layer.outputs, layer.inputs, layer.kernel, layer.kernel)
        state[f"weight{i}"] = (0.1 * rng.standard_normal(shape)).astype(np.float32)
        state[f"bias{i}"] = rng.standard_normal(layer.outputs).astype(np.float32)
    return state


def test_tiny_reads_other_weights_in_every_format(tmp_path):
    state = tiny_state()
    tensors = {name: torch.from_numpy(array) for name, array in state.items()}
    np.savez(tmp_path / "file.npz", **state)
    torch.save(tensors, tmp_path / "plain.pth")
    torch.save({"state_dict": tensors, "meta": {"architecture": "tiny"}}, tmp_path / "meta.pth")
    found = [Tiny(weights=str(tmp_path / name)).maps(some_image()) for name in ("file.npz", "plain.pth", "meta.pth")]
    assert all(torch.equal(maps, found[0]) for maps in found)
    assert not torch.equal(found[0], Tiny().maps(some_image()))


def test_tiny_with_its_own_weights_as_a_file_is_tiny(tmp_path):
    (tmp_path / "copy.npz").write_bytes(WEIGHTS.read_bytes())
    image = some_image()
    assert torch.equal(Tiny(weights=str(tmp_path / "copy.npz")).maps(image), Tiny().maps(image))


def test_tiny_refuses_what_does_not_fit(tmp_path):
    state = tiny_state()
    np.savez(tmp_path / "short.npz", **{**state, "bias3": state["bias3"][:-1]})
    np.savez(tmp_path / "nan.npz", **{**state, "bias3": state["bias3"] * np.nan})
    np.savez(tmp_path / "code.npz", **{**state, "bias3": np.array([Command()], object)}, allow_pickle=True)
    (tmp_path / "no.npz").write_bytes(b"no")
    torch.save({"state_dict": {}, "meta": {"architecture": "vgg16"}}, tmp_path / "vgg.pth")
    for name, message in [
        ("short.npz", "bias3 is"),
        ("nan.npz", "NaN"),
        ("code.npz", "no .npz of numbers"),
        ("no.npz", "no .npz of numbers"),
        ("vgg.pth", "those of vgg16"),
    ]:
        with pytest.raises(DataDamaged, match=message):
            Tiny(weights=str(tmp_path / name)).maps(some_image())
