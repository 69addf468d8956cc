"""Networks on the device and on the CPU: training, its speed, maps of images."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from facts import Fact, Setting, pictures

from harness.core.devices import computing


def training(setting: Setting) -> Iterator[Fact]:
    """Weights: the same at first, the same twice after training; features of equal weights agree with the CPU's."""
    from harness.active import training as parts
    from harness.plugin_api import TrainingSet
    from harness_learning.supervised import Supervised
    from harness_network.cnn13 import CNN13
    from harness_network.small import SmallCNN

    networks: list[tuple[Any, int, int]] = [(SmallCNN(), 28, 1), *([] if setting.small else [(CNN13(), 32, 3)])]
    for network, side, channels in networks:
        name = type(network).__name__
        images, labels = pictures(setting.size(256, 64), side, channels)
        data = TrainingSet(images, labels, 10, False, 0, None)

        def trained(network: Any = network, data: Any = data) -> tuple[dict[str, Any], dict[str, Any], Any]:
            model = parts.initialise(network, data.images, 10, np.random.default_rng(0)).to(setting.device)
            start = {key: value.cpu().clone() for key, value in model.state_dict().items()}
            Supervised(epochs=setting.size(4, 1)).train(model, data, np.random.default_rng(1))
            return start, {key: value.cpu() for key, value in model.state_dict().items()}, model

        with computing(setting.device), nondeterministic() as found:
            (start, weights, model), (_, again, _) = trained(), trained()
        first = parts.initialise(network, images, 10, np.random.default_rng(0))
        yield fact_equal(f"{name}: initial weights are the CPU's", first.state_dict(), start)
        yield fact_equal(f"{name}: trained weights are the same twice", weights, again)
        yield Fact(f"{name}: operations that torch calls not deterministic", ", ".join(found) or "none", not found)
        first.load_state_dict(weights)
        expected = parts.extract(first, images)[0]
        for numerics, most in (("fp32", 1e-4), ("tf32", 2e-2), ("bf16", 1e-1)):
            if numerics == "tf32" and not setting.on_gpu:
                continue
            with computing(setting.device, numerics):
                features = parts.extract(model, images)[0]
            apart = float(np.abs(features - expected).max() / np.abs(expected).max())
            yield Fact(f"{name}: features in {numerics} differ from the CPU's by", apart, apart < most)


def speed(setting: Setting) -> Iterator[Fact]:
    """Steps of training a second, by numerics."""
    from harness.active import training as parts
    from harness.plugin_api import TrainingSet
    from harness_learning.supervised import Supervised
    from harness_network.cnn13 import CNN13
    from harness_network.small import SmallCNN

    network, side, channels = (SmallCNN(), 8, 1) if setting.small else (CNN13(), 32, 3)

    def rate(device: str, n: int) -> float:
        images, labels = pictures(n, side, channels)
        model = parts.initialise(network, images, 10, np.random.default_rng(0)).to(device)
        data, scheme = TrainingSet(images, labels, 10, False, 0, None), Supervised(epochs=1, batch_size=128)
        scheme.train(model, data, np.random.default_rng(1))
        return n // 128 / setting.once(lambda: scheme.train(model, data, np.random.default_rng(1)))[0]

    slow = rate("cpu", 256)
    yield Fact(f"{type(network).__name__}, batches of 128 on the CPU: steps/s", slow)
    for numerics in ("fp32", "tf32", "bf16") if setting.on_gpu else ("fp32", "bf16"):
        with computing(setting.device, numerics):
            yield Fact(
                f"{numerics}: device steps/s / CPU steps/s", rate(setting.device, setting.size(5_120, 256)) / slow
            )
    if setting.on_gpu:
        yield Fact("most memory of the card in MB", round(torch.cuda.max_memory_allocated() / 2**20))


def maps(setting: Setting) -> Iterator[Fact]:
    """A network of retrieval, image by image and in batches."""
    from harness_backbone.resnet import ResNet50, ResNet101

    network: Any = ResNet50(weights="none") if setting.small else ResNet101(weights="none")
    side = setting.size(1024, 96)
    image = torch.from_numpy(np.random.default_rng(0).random((3, side, side * 3 // 4), dtype=np.float32))
    with torch.inference_mode(), computing(setting.device):
        network.maps(image[:, :64, :64])
        slow, expected = setting.once(lambda: network.maps(image))
        there = image.to(setting.device)
        found = network.maps(there)
        apart = float((found.cpu() - expected).abs().max() / expected.abs().max())
        yield Fact(f"maps of {type(network).__name__} at {side} pixels differ from the CPU's by", apart, apart < 1e-3)
        one = setting.seconds(lambda: network.maps(there))
        yield Fact("one image: CPU seconds / device seconds", slow / one)
        if hasattr(network, "maps_batch"):
            batch = there[None].expand(setting.size(8, 2), -1, -1, -1).contiguous()
            apart = float((network.maps_batch(batch)[0].cpu() - expected).abs().max() / expected.abs().max())
            yield Fact("maps of a batch differ from the CPU's by", apart, apart < 1e-3)
            yield Fact("one by one / in a batch", one * len(batch) / setting.seconds(lambda: network.maps_batch(batch)))


@contextlib.contextmanager
def nondeterministic() -> Iterator[list[str]]:
    """Gives at its end the operations that torch calls not deterministic."""
    found: list[str] = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        torch.use_deterministic_algorithms(True, warn_only=True)
        try:
            yield found
        finally:
            torch.use_deterministic_algorithms(False)
            said = {str(one.message) for one in caught}
            found += sorted(text.partition(" does not have")[0] for text in said if "deterministic" in text)


def fact_equal(name: str, one: Any, other: Any) -> Fact:
    """Whether two sets of weights are the same, bit by bit."""
    differing = [key for key in one if not torch.equal(one[key].cpu(), other[key].cpu())]
    return Fact(name, f"no: {', '.join(differing[:3])}" if differing else "yes", not differing)
