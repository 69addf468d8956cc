"""Object discovery: one image of 512 x 48 x 64 maps, and object saliency against 100,000 regions.

Run with ``pytest tests/benchmarks/bench_egm.py -m slow -s`` on an otherwise idle machine: the bounds are milliseconds.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import numpy as np
import pytest
import torch

from harness_pooling.egm import Detection, Mixture, _maximised
from harness_pooling.fs_egm import FeatureSaliencyEGM
from harness_pooling.os_egm import FittedObjectSaliency, ObjectSaliencyEGM, RegionWhitening
from harness_pooling.saliency import RegionIndex

pytestmark = pytest.mark.slow

REGIONS, DIMENSIONS, ROUNDS = 100_000, 128, 7


def milliseconds(work: Callable[[], object], rounds: int = ROUNDS) -> float:
    work()
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        work()
        times.append(1e3 * (time.perf_counter() - start))
    return statistics.median(times)


@pytest.fixture(scope="module")
def maps() -> torch.Tensor:
    """Sparse activations, strong on four objects, weak between them."""
    y, x = np.mgrid[:48, :64]
    places = [(12, 15, 6), (30, 40, 8), (38, 10, 4), (10, 55, 5)]
    strength = 0.15 + sum(np.exp(-0.5 * (((y - a) / s) ** 2 + ((x - b) / s) ** 2)) for a, b, s in places)
    noise = torch.randn(512, 48, 64, generator=torch.Generator().manual_seed(0))
    return torch.relu(noise - 0.8) * torch.from_numpy(strength).float()


@pytest.mark.parametrize("mask", ["after", "absolute"])
def test_feature_saliency_and_detection(maps, capsys, mask):
    pooling = FeatureSaliencyEGM(mask=mask)
    found = milliseconds(lambda: pooling.detect(pooling.saliency(maps).numpy()))
    samples = int((pooling.samples(pooling.saliency(maps).numpy()) > 0).sum())
    with capsys.disabled():
        print(f"\nFS + EGM, mask {mask}, {samples} cells: {found:.1f} ms an image")
    assert found <= 20


def test_step_beside_all_pairs(maps, capsys):
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

    ours = _maximised(mixture, samples / samples.sum(), 2.5, True)
    sums, first, _ = pairs()
    np.testing.assert_allclose(ours.centres, first / sums[:, None], rtol=1e-6, atol=1e-6)
    fast = milliseconds(lambda: _maximised(mixture, samples / samples.sum(), 2.5, True))
    ratio = milliseconds(pairs, 2) / fast
    with capsys.disabled():
        print(f"\nfirst step, {len(cells)} components: {fast:.1f} ms, {ratio:.0f} times as fast as all pairs")
    assert ratio > 3


@pytest.mark.parametrize(("search", "bound"), [("exact", 250), ("approximate", 100)])
def test_object_saliency(maps, capsys, search, bound):
    rng = np.random.default_rng(0)
    rows = np.maximum(rng.standard_normal((2_000, 512)), 0).astype(np.float32)
    whitening = RegionWhitening.learn(rows, DIMENSIONS)
    centres = whitening.apply(rows)
    regions = centres[rng.integers(len(centres), size=REGIONS)]
    regions = regions + 0.09 * rng.standard_normal(regions.shape).astype(np.float32)
    regions /= np.linalg.norm(regions, axis=1, keepdims=True)
    index = RegionIndex(regions, np.ones(REGIONS), search)
    parameters = ObjectSaliencyEGM(search=search, dim=DIMENSIONS)
    fitted = FittedObjectSaliency(parameters, whitening, index)
    found = milliseconds(lambda: fitted.saliency(maps))
    asked = int((parameters.samples(parameters.first_pass.saliency(maps).numpy() ** parameters.theta) > 0).sum())
    probe = regions[::1000] + 0.05 * rng.standard_normal((100, DIMENSIONS)).astype(np.float32)
    lists = index.neighbours(probe, 10)[1], RegionIndex(regions, index.worth).neighbours(probe, 10)[1]
    recall = np.mean([len(np.intersect1d(a, b)) / 10 for a, b in zip(*lists, strict=True)])
    with capsys.disabled():
        print(f"\nobject saliency, {search}, {asked} cells x {REGIONS} regions: {found:.0f} ms, recall {recall:.3f}")
    assert recall > 0.9
    assert found <= bound
