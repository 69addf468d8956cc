"""Masks of matching regions: against a flood fill, and at their edges."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from harness.core.errors import InvalidInput
from harness_reranking.dsm.attention import region_masks
from harness_reranking.dsm.mser import quantise
from harness_reranking.dsm.reranker import DSM


def blobs(rng, channels=12, height=24, width=30):
    """Smooth sparse maps (C, H, W)."""
    noise = torch.from_numpy(rng.normal(size=(channels, 1, height, width)).astype(np.float32))
    smooth = torch.nn.functional.avg_pool2d(noise, 5, 1, 2)[:, 0]
    return torch.relu(smooth - smooth.std()) * 30


def flooded(quantised, cell):
    """The cells that are reached from ``cell`` over eight neighbours that are not below it."""
    found, waiting = set(), [cell]
    while waiting:
        y, x = waiting.pop()
        if (y, x) in found or not (0 <= y < quantised.shape[0] and 0 <= x < quantised.shape[1]):
            continue
        if quantised[y, x] >= quantised[cell]:
            found.add((y, x))
            waiting += [(y + dy, x + dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1)]
    return found


def test_masks_are_the_regions_of_the_chosen_features():
    method = DSM(overlap=1.0)
    for seed in range(5):
        maps = blobs(np.random.default_rng(seed))
        values = maps.numpy()
        features = method.describe([maps], "query")
        assert len(features) > 5
        chosen = np.arange(0, len(features), 2)
        masks = region_masks(values, features, chosen)
        quantised = quantise(values, features.gain)
        for channel in range(len(values)):
            seeds = features.seeds[chosen][features.channels[chosen] == channel]
            expected = set().union(*(flooded(quantised[channel], divmod(int(s), values.shape[2])) for s in seeds))
            found = {(int(y), int(x)) for y, x in np.argwhere(masks[channel])}
            assert found == (expected or {(y, x) for y in range(24) for x in range(30)})


def test_a_region_has_the_moments_of_its_feature():
    method = DSM(overlap=1.0)
    maps = blobs(np.random.default_rng(9))
    features = method.describe([maps], "query")
    for i in range(len(features)):
        y, x = np.nonzero(region_masks(maps.numpy(), features, np.array([i]))[features.channels[i]])
        np.testing.assert_allclose(features.positions[i], [x.mean(), y.mean()], atol=1e-4)
        np.testing.assert_allclose(
            features.covariances[i], [x.var(), np.cov(x, y, bias=True)[0, 1], y.var()], atol=1e-3
        )


def test_attention_of_a_shifted_copy_and_of_nothing():
    method = DSM()
    maps = blobs(np.random.default_rng(3))
    moved = torch.roll(maps, (1, 2), (1, 2))
    left, right = method.attention(maps, moved)
    assert left.dtype == right.dtype == torch.bool
    assert left.shape == right.shape == maps.shape
    guided = ~left.flatten(1).all(1)
    assert guided.sum() >= 3
    assert torch.equal(guided, ~right.flatten(1).all(1))
    empty = torch.zeros(12, 5, 6)
    for mask in (*method.attention(maps, empty), *method.attention(empty, empty)):
        assert mask.all()


def test_dark_regions_have_no_masks():
    with pytest.raises(InvalidInput, match="dark"):
        DSM(preset="released-code").attention(torch.zeros(2, 4, 4), torch.zeros(2, 4, 4))
