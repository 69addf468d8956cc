"""Features of a classification set, by a backbone of retrieval or by a network, as a file for ``embeddings``."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from harness.core.errors import BadParameter, InvalidInput
from harness.core.files import write_atomically
from harness.core.progress import Progress, SilentProgress, track
from harness.core.threads import reproducible
from harness.data.catalogue import named_dataset
from harness.data.folders import data_folders, use
from harness.plugin_api import ClassificationSet
from harness.registry import Registry, load_registry

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harness.plugin_api import Floats

    Pixels = NDArray[np.uint8]

_BATCH = 100


@reproducible()
def write_features(
    dataset: str | Mapping[str, Any],
    out: Path,
    *,
    backbone: Mapping[str, Any] | None = None,
    pooling: Mapping[str, Any] | None = None,
    network: Mapping[str, Any] | None = None,
    learning: Mapping[str, Any] | None = None,
    size: int = 0,
    seed: int = 0,
    plugins: tuple[str, ...] = (),
    catalogues: tuple[Path, ...] = (),
    data: Path | None = None,
    progress: Progress | None = None,
) -> tuple[int, int, int]:
    """Write the features of all images of a classification set to an .npz file, which ``embeddings`` reads.

    Of a backbone: its maps pooled to one descriptor, not normalised. Of a network: its features after ``learning`` has
    prepared it without labels, with random weights where it prepares nothing.

    Args:
        dataset: name in the catalogue; or name -> parameters of its loader.
        out: the file, .npz.
        backbone: name -> parameters.
        pooling: the same; ``gem`` by default.
        network: the same, in place of a backbone.
        learning: the same: what prepares the network, such as ``pretrain``.
        size: longest side in pixels to which images are enlarged or shrunk first; 0 leaves them as they are.
        seed: of the network.
        plugins: files or modules with methods.
        catalogues: user-supplied catalogues.
        data: where the data lie.
        progress: told how far the work is.

    Returns:
        Images of the pool, of the test set, dimensions.

    Raises:
        BadParameter: neither or both of backbone and network, a file that is not .npz.
        InvalidInput: a dataset of features, or one for retrieval.
    """
    if (backbone is None) == (network is None):
        raise BadParameter("features come of one backbone or one network", fix="--backbone NAME or --network NAME")
    if out.suffix != ".npz":
        raise BadParameter(f"{out} is no .npz file", fix="--out FILE.npz")
    folders, registry = data_folders(data), load_registry(plugins)
    use(folders)
    ((name, parameters),) = {dataset: {}}.items() if isinstance(dataset, str) else dataset.items()
    loaded = named_dataset(name, registry, catalogues, parameters).loader.load(folders)
    if not isinstance(loaded, ClassificationSet) or loaded.train_images.dtype != np.uint8:
        raise InvalidInput(f"{name} has no images with classes", fix="harness datasets lists those that have")
    if network is not None:
        describe = _by_network(registry, network, learning or {"supervised": {}}, loaded, size, seed)
    else:
        describe = _by_backbone(registry, backbone or {}, pooling or {"gem": {}}, size)
    reporter = progress or SilentProgress()
    parts = {"train": loaded.train_images, "test": loaded.test_images}
    arrays = {part: _described(describe, images, part, reporter) for part, images in parts.items()}
    labels = {"train_labels": loaded.train_labels, "test_labels": loaded.test_labels}
    content, everything = io.BytesIO(), cast("dict[str, Any]", {**arrays, **labels})
    np.savez(content, **everything)
    write_atomically(out, content.getvalue())
    return len(arrays["train"]), len(arrays["test"]), arrays["train"].shape[1]


def _described(describe: Callable[[Pixels], Floats], images: Pixels, part: str, progress: Progress) -> Floats:
    starts = range(0, len(images), _BATCH)
    rows = [describe(images[start : start + _BATCH]) for start in track(starts, len(starts), part, progress)]
    return np.concatenate(rows).astype(np.float32)


def _method(registry: Registry, kind: str, choice: Mapping[str, Any]) -> Any:
    ((name, values),) = choice.items()
    return registry.create(kind, name, **(values or {}))


def _by_backbone(
    registry: Registry, backbone: Mapping[str, Any], pooling: Mapping[str, Any], size: int
) -> Callable[[Pixels], Floats]:
    import torch

    network, pool = _method(registry, "backbone", backbone), _method(registry, "pooling", pooling)

    def describe(images: Pixels) -> Floats:
        with torch.inference_mode():
            rows = [pool.pool(network.maps(image)).float() for image in _resized(_coloured(images), size) / 255]
        return cast("Floats", torch.stack(rows).numpy())

    return describe


def _by_network(
    registry: Registry,
    network: Mapping[str, Any],
    learning: Mapping[str, Any],
    loaded: ClassificationSet,
    size: int,
    seed: int,
) -> Callable[[Pixels], Floats]:
    from harness.active import training
    from harness.plugin_api import TrainingSet

    images = _shrunk(loaded.train_images, size)
    model = training.initialise(_method(registry, "network", network), images, len(loaded.classes), _rng(seed, 0))
    blind = TrainingSet(images, np.full(len(images), -1, np.int64), len(loaded.classes), loaded.flip)
    weights = _method(registry, "learning", learning).prepare(model, blind, _rng(seed, 1))
    if weights:
        model.load_state_dict(dict(weights), strict=False)
    return lambda batch: training.extract(model, _shrunk(batch, size))[0]


def _rng(seed: int, number: int) -> np.random.Generator:
    return np.random.default_rng([seed, number])


def _coloured(images: Pixels) -> Pixels:
    """(n, 3, H, W): grey images three times."""
    return np.repeat(images, 3, axis=1) if images.shape[1] == 1 else images


def _resized(images: Pixels, size: int) -> Any:
    """A tensor (n, C, h, w) float32 of pixels, its longest side ``size``."""
    import torch
    from torch.nn.functional import interpolate

    pixels = torch.from_numpy(np.ascontiguousarray(images)).float()
    factor = size / max(images.shape[2:]) if size else 1.0
    if factor == 1:
        return pixels
    sides = [max(1, round(side * factor)) for side in images.shape[2:]]
    return interpolate(pixels, sides, mode="bilinear", align_corners=False, antialias=factor < 1)


def _shrunk(images: Pixels, size: int) -> Pixels:
    """The images at that size, uint8."""
    return images if not size else cast("Pixels", _resized(images, size).round().clamp(0, 255).byte().numpy())
