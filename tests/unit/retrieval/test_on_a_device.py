"""Retrieval on a device that is not the CPU: a renamed one, so that no GPU is needed."""

from __future__ import annotations

import sys

import numpy as np
import pytest
import torch

import harness
from harness.core import devices
from harness.core.progress import SilentProgress
from harness.registry import load_registry
from harness.retrieval import extraction
from harness.retrieval.extraction import ImageList, NamedBackbone, in_batches
from harness.runs import single, tasks
from harness_backbone.tiny import Tiny

SPEC = {
    "name": "there",
    "task": "retrieval",
    "datasets": {"synthetic-instances": {"objects": 3, "images": 20, "queries": 12, "size": 64}},
    "methods": {"backbone": "tiny", "pooling": "gem"},
    "protocol": {"image_size": 64, "scales": [1.0, 0.5]},
}


@pytest.fixture
def renamed(monkeypatch, root):
    """The module of the renamed device, on a machine that seems to have one card."""
    monkeypatch.syspath_prepend(str(root / "tests" / "fixtures"))
    import renamed_device

    renamed_device.one_card(monkeypatch)
    # The mode is one of this thread.
    monkeypatch.setattr(extraction, "prefetched", lambda work, items, *_: map(work, items))
    monkeypatch.setattr(single, "gpu_in_use", lambda: {"name": "renamed"})
    yield renamed_device
    sys.modules.pop("renamed_device", None)


def test_the_renamed_device_is_strict(renamed):
    with renamed.RenamedDevice():
        there = torch.ones(2, 3).to("cuda")
        assert there.device == torch.zeros(2, device=there.device).device == torch.device("cuda", 0)
        with pytest.raises(RuntimeError, match="cuda:0 and cpu"):
            there + torch.ones(2, 3)
        with pytest.raises(TypeError, match="numpy"):
            there.numpy()
        assert (there + 1).cpu().numpy().sum() == 12


@pytest.mark.parametrize("name", ["crow", "gem", "mac", "rgem", "rmac", "spoc", "superglobal"])
def test_a_pooling_for_any_device_stays_there(renamed, name):
    method = load_registry().create("pooling", name)
    maps = torch.rand(8, 7, 5, generator=torch.Generator().manual_seed(0))

    def fitted(maps):
        shown = iter([torch.roll(maps, i, 1) for i in range(4)])
        return method.fit(shown) if hasattr(method, "fit") else method

    expected = fitted(maps).pool(maps)
    with renamed.RenamedDevice(), torch.inference_mode():
        there = maps.to("cuda")
        found = fitted(there).pool(there)
        assert found.device.type == "cuda"
        assert torch.allclose(found.cpu(), expected, atol=1e-6)
    assert method.any_device


MORE = {"reranking": "dsm", "expansion": "diffusion"}


@pytest.mark.parametrize("more", [{}, pytest.param(MORE, marks=pytest.mark.slow)], ids=["search", "all stages"])
def test_a_run_on_the_device_ranks_as_on_the_cpu(renamed, tmp_path, more):
    spec = {**SPEC, "methods": {**SPEC["methods"], **more}}
    folders = {name: tmp_path / name for name in ("runs", "cache", "data")}
    plain = harness.run(spec, **folders)[0]
    with renamed.RenamedDevice():
        there = harness.run(spec, device="cuda", **folders)[0]
    assert there.failure is None, there.failure
    assert there.protocol["device"] == "cuda"
    assert np.array_equal(there.details["ranks"], plain.details["ranks"])


class Counting(Tiny):
    """Notes the sizes of its batches."""

    def maps_batch(self, images):
        SEEN.append(tuple(images.shape))
        return super().maps_batch(images)


SEEN: list[tuple[int, ...]] = []


def test_images_of_one_size_are_seen_together_and_come_in_their_order(tmp_path, monkeypatch):
    from PIL import Image

    monkeypatch.setattr(extraction, "_BATCH", 2)
    rng, paths = np.random.default_rng(0), []
    for number, size in enumerate([(32, 24), (24, 32), (32, 24), (32, 24), (24, 32)]):
        paths.append(tmp_path / f"{number}.png")
        Image.fromarray(rng.integers(0, 255, (*size, 3)).astype(np.uint8)).save(paths[-1])
    SEEN.clear()
    # "cpu:0" takes the path of a GPU.
    images = [ImageList(paths, [None] * 5, 64, (1.0, 0.5), device=device) for device in ("cpu", "cpu:0")]
    alone, together = (
        [list(scales) for scales in NamedBackbone(Counting(), "tiny").maps(one, "", SilentProgress())] for one in images
    )
    for one, other in zip(alone, together, strict=True):
        assert all(torch.allclose(a, b, atol=1e-5) for a, b in zip(one, other, strict=True))
    assert [shape[0] for shape in SEEN] == [2, 2, 1, 1, 2, 2]
    assert devices.default_device() == "cpu"


def test_windows_are_bounded(monkeypatch):
    monkeypatch.setattr(extraction, "_WINDOW", 3)
    read = []
    images = (read.append(i) or torch.zeros(3, 1 + i % 2, 1) + i for i in range(7))
    found = in_batches(images, lambda batch: [float(image.max()) for image in batch])
    assert next(found) == 0
    assert read == [0, 1, 2]
    assert [*found] == [1, 2, 3, 4, 5, 6]


def test_bytes_are_moved_not_floats(renamed):
    image = np.arange(24, dtype=np.uint8).reshape(2, 4, 3)
    with renamed.RenamedDevice():
        assert torch.equal(extraction._tensor(image, "cuda").cpu(), extraction._tensor(image))


def test_tasks_do_not_ask_cuda_for_anything_on_the_cpu(monkeypatch):
    monkeypatch.setattr(torch.cuda, "reset_peak_memory_stats", lambda: 1 / 0)
    with tasks.memory_of_gpu("cpu") as peak:
        assert peak == {}
    assert peak == {}
