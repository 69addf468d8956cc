"""Object discovery: one image of 512 x 48 x 64 maps, object saliency against 100,000 regions, and saliency precision.

Run with ``pytest tests/benchmarks/bench_egm.py -m slow -s`` on an otherwise idle machine: the bounds are milliseconds.
``python tests/benchmarks/bench_egm.py docs/saliency-precision.svg`` draws the precision and prints its table.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
import torch
from threadpoolctl import threadpool_limits

from harness.core.progress import SilentProgress
from harness.data.folders import data_folders
from harness.metrics.saliency import saliency_precisions
from harness.retrieval.extraction import ImageList, NamedBackbone
from harness.studies.pictures.saliency import draw_precision
from harness_backbone.tiny import Tiny
from harness_dataset.synthetic_instances import SyntheticInstances
from harness_pooling.egm import Detection, Mixture, maximised
from harness_pooling.fs_egm import FeatureSaliencyEGM
from harness_pooling.os_egm import Centrality, FittedObjectSaliency, ObjectSaliencyEGM
from harness_pooling.region_whitening import RegionWhitening
from harness_pooling.saliency import RegionIndex, patches

pytestmark = pytest.mark.slow

REGIONS, ROUNDS = 100_000, 7


def milliseconds(work: Callable[[], object], rounds: int = ROUNDS) -> tuple[float, float]:
    """Wall time, and processor time of all threads together; the least of all rounds, as other work only adds."""
    work()
    wall, processor = [], []
    for _ in range(rounds):
        start = time.perf_counter(), time.process_time()
        work()
        wall.append(1e3 * (time.perf_counter() - start[0]))
        processor.append(1e3 * (time.process_time() - start[1]))
    return min(wall), min(processor)


@pytest.fixture(params=[1, 2], ids=["1 thread", "2 threads"])
def threads(request: pytest.FixtureRequest) -> Iterator[int]:
    """Threads of torch, faiss and numpy. On a busy machine two wait for each other most of the time."""
    before = torch.get_num_threads()
    with threadpool_limits(request.param):
        torch.set_num_threads(request.param)
        yield request.param
        torch.set_num_threads(before)


@pytest.fixture
def one_thread() -> Iterator[None]:
    with threadpool_limits(1):
        yield


@pytest.fixture(scope="module")
def maps() -> torch.Tensor:
    """Sparse activations, strong on four objects, weak between them."""
    y, x = np.mgrid[:48, :64]
    places = [(12, 15, 6), (30, 40, 8), (38, 10, 4), (10, 55, 5)]
    strength = 0.15 + sum(np.exp(-0.5 * (((y - a) / s) ** 2 + ((x - b) / s) ** 2)) for a, b, s in places)
    noise = torch.randn(512, 48, 64, generator=torch.Generator().manual_seed(0))
    return torch.relu(noise - 0.8) * torch.from_numpy(strength).float()


@pytest.mark.parametrize("mask", ["after", "absolute"])
@pytest.mark.parametrize("weight_samples", [False, True])
def test_feature_saliency_and_detection(maps, threads, capsys, mask, weight_samples):
    pooling = FeatureSaliencyEGM(mask=mask, weight_samples=weight_samples)
    wall, processor = milliseconds(lambda: pooling.detect(pooling.saliency(maps).numpy()))
    samples = int((pooling.samples(pooling.saliency(maps).numpy()) > 0).sum())
    with capsys.disabled():
        print(
            f"\nFS + EGM, {threads} threads, mask {mask}, weight_samples {weight_samples}, {samples} cells: "
            f"{wall:.1f} ms an image ({processor:.1f} ms of processor time)"
        )
    # The processor time of one thread is the wall time of an idle machine; a busy one says nothing about two threads.
    assert min(wall, processor) <= 20 or threads > 1


def test_step_beside_all_pairs(maps, one_thread, capsys):
    """The E- and M-step by matrix products, and with every pair of cell and component written out."""
    samples = Detection(mask="absolute").samples(FeatureSaliencyEGM().saliency(maps).numpy())
    cells = np.argwhere(samples > 0).astype(float)
    weights = samples[samples > 0] / samples.sum()
    mixture = Mixture(weights, cells, np.full_like(cells, 2.5))

    def pairs() -> np.ndarray:
        squares = (cells[:, None, :] - cells) ** 2
        densities = weights * np.exp(-0.5 * squares.sum(2) / 5) / 5
        shares = densities * (weights / densities.sum(1))[:, None]
        return shares.sum(0), shares.T @ cells, np.einsum("ck,ckd->kd", shares, squares)

    ours = maximised(mixture, samples / samples.sum(), 2.5, True)
    sums, first, _ = pairs()
    np.testing.assert_allclose(ours.centres, first / sums[:, None], rtol=1e-6, atol=1e-6)
    fast = milliseconds(lambda: maximised(mixture, samples / samples.sum(), 2.5, True))[1]
    ratio = milliseconds(pairs, 2)[1] / fast
    with capsys.disabled():
        print(f"\nfirst step, {len(cells)} components: {fast:.1f} ms, {ratio:.0f} times as fast as all pairs")
    assert ratio > 3


@pytest.mark.parametrize("dim", [96, 128])
@pytest.mark.parametrize(("search", "bound"), [("exact", 250), ("approximate", 100)])
def test_object_saliency(maps, threads, capsys, search, bound, dim):
    rng = np.random.default_rng(0)
    rows = np.maximum(rng.standard_normal((2_000, 512)), 0).astype(np.float32)
    whitening = RegionWhitening.learn([rows], dim)
    centres = whitening.apply(rows)
    regions = centres[rng.integers(len(centres), size=REGIONS)]
    regions = regions + 0.09 * rng.standard_normal(regions.shape).astype(np.float32)
    regions /= np.linalg.norm(regions, axis=1, keepdims=True)
    exact = RegionIndex(regions, np.ones(REGIONS))
    index = RegionIndex(regions, np.ones(REGIONS), search)
    parameters = ObjectSaliencyEGM(search=search, dim=dim, preset="thesis")  # which asks about 1,662 cells
    fitted = FittedObjectSaliency(parameters, whitening, index)
    wall, processor = milliseconds(lambda: fitted.saliency(maps))
    asked = parameters.samples(parameters.first_pass.saliency(maps).numpy() ** parameters.theta) > 0
    noise = whitening.apply(patches(maps, parameters.patch, np.inf)[:, torch.from_numpy(asked)].T.numpy())
    probes = regions[::1000] + 0.05 * rng.standard_normal((100, dim)).astype(np.float32)
    recalls = []
    for asked_for in (probes, noise):
        pairs = zip(index.neighbours(asked_for, 10)[1], exact.neighbours(asked_for, 10)[1], strict=True)
        recalls.append(float(np.mean([len(np.intersect1d(a, b)) / 10 for a, b in pairs])))
    with capsys.disabled():
        print(
            f"\nobject saliency, {threads} threads, {search}, {asked.sum()} cells x {REGIONS} regions of {dim}: "
            f"{wall:.0f} ms ({processor:.0f} ms of processor time), "
            f"recall {recalls[0]:.3f} near regions, {recalls[1]:.3f} on noise"
        )
    assert recalls[0] > 0.95
    # Two threads share the search evenly where they run at once, which a busy machine does not let them: half the
    # processor time of one thread stands for their wall time. Only the default dimension has to hold the bound.
    assert min(wall, processor / 2) <= bound or threads > 1 or dim != ObjectSaliencyEGM().dim


def precisions() -> tuple[dict[str, np.ndarray], float]:
    """Precision of every kind of map on each image of synthetic-instances that shows an object; and that of chance."""
    dataset = SyntheticInstances().load(data_folders())
    source = NamedBackbone(Tiny(), "tiny")
    images = [maps for (maps,) in source.maps(ImageList(dataset.images, [None] * 600, 256), "", SilentProgress())]
    shown = [i for i, box in enumerate(dataset.image_boxes) if box is not None]
    boxes = [dataset.image_boxes[i] for i in shown]
    feature = [ObjectSaliencyEGM().first_pass.saliency(images[i]).numpy() for i in shown]
    maps = {"FS": feature, "FS^3": [saliency**3 for saliency in feature]}
    for centrality in get_args(Centrality):
        fitted = ObjectSaliencyEGM(centrality=centrality).fit(iter(images))
        maps[f"OS {centrality}"] = [fitted.saliency(images[i]).numpy() for i in shown]
    found = {name: saliency_precisions(salient, boxes, Tiny().stride) for name, salient in maps.items()}
    uniform = saliency_precisions([np.ones_like(saliency) for saliency in feature], boxes, Tiny().stride)
    for name, part in found.items():
        print(f"| {name} | {part.mean:.3f} | {np.nanmedian(part.values):.3f} | {part.excluded} |")
    print(f"| uniform map | {uniform.mean:.3f} | {np.median(uniform.values):.3f} | 0 |  ({len(shown)} images)")
    return {name: part.values for name, part in found.items()}, uniform.mean


def test_object_saliency_is_more_precise_than_feature_saliency(capsys):
    with capsys.disabled():
        print("\n| map | mean precision | median | maps without saliency |")
        found, chance = precisions()
    mean = {name: np.nanmean(values) for name, values in found.items()}
    assert chance < mean["FS"] < mean["FS^3"]
    assert all(mean[f"OS {centrality}"] > mean["FS^3"] for centrality in get_args(Centrality))


if __name__ == "__main__":
    Path(sys.argv[1]).write_bytes(draw_precision(*precisions(), title="synthetic-instances, backbone tiny"))
