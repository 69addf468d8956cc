"""The whitening of a checkpoint is applied as it was stored."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from harness.core.errors import DataMissing, InvalidInput
from harness_whitening.learned import Learned
from harness_whitening.linear import rank


@pytest.fixture
def stored(tmp_path):
    """A checkpoint as cirtorch writes it, with random whitenings of five dimensions."""
    rng = np.random.default_rng(0)
    layer = rng.normal(size=(5, 5)), rng.normal(size=5)
    scales = {kind: {"m": rng.normal(size=(5, 1)), "P": rng.normal(size=(5, 5))} for kind in ("ss", "ms")}
    state = {"whiten.weight": torch.from_numpy(layer[0]), "whiten.bias": torch.from_numpy(layer[1])}
    path = tmp_path / "file.pth"
    torch.save({"state_dict": state, "meta": {"Lw": {"retrieval-SfM-120k": scales}}}, path)
    return str(path), layer, scales


def unit(x):
    return x / np.linalg.norm(x, axis=-1, keepdims=True)


@pytest.mark.parametrize("kind", ["layer", "ss", "ms"])
@pytest.mark.parametrize("dim", [0, 3])
def test_applies_what_is_stored(stored, kind, dim):
    path, (weight, bias), scales = stored
    x = unit(np.random.default_rng(1).normal(size=(7, 5)))
    rows = x.astype(np.float32)
    found = Learned(path, kind=kind, dim=dim).fit(rows).apply(rows)
    if kind == "layer":
        slow = x @ weight.T + bias
    else:
        slow = (x - scales[kind]["m"].ravel()) @ scales[kind]["P"].T
    np.testing.assert_allclose(found, unit(slow[:, : dim or None]), rtol=1e-4, atol=1e-5)


def test_what_cannot_be_applied(stored, tmp_path):
    path = stored[0]
    rows = np.ones((3, 5), np.float32)
    torch.save({"state_dict": {}, "meta": {}}, tmp_path / "bare.pth")
    for method, message in [
        (Learned(path, training_set="other"), "retrieval-SfM-120k"),
        (Learned(str(tmp_path / "bare.pth"), kind="layer"), "no whitening layer"),
        (Learned(str(tmp_path / "bare.pth")), "none"),
    ]:
        with pytest.raises(InvalidInput, match=message):
            method.fit(rows)
    with pytest.raises(InvalidInput, match="takes 5 dimensions, not 4"):
        Learned(path).fit(rows[:, :4])
    with pytest.raises(DataMissing):
        Learned("nowhere.pth")


@pytest.mark.parametrize("least", [1.0, 1e-3, 1e-6, 1e-9, 1e-17, 0.0])
@pytest.mark.parametrize("shape", [(20, 20), (8, 20), (20, 8)])
def test_the_rank_is_that_of_numpy(least, shape):
    rng = np.random.default_rng(0)
    left, _, right = np.linalg.svd(rng.normal(size=shape), full_matrices=False)
    values = np.ones(min(shape))
    values[-1] = least
    projection = left * values @ right
    assert rank(projection) == np.linalg.matrix_rank(projection) == min(shape) - (least < 1e-16)
    assert rank(np.zeros(shape)) == 0
