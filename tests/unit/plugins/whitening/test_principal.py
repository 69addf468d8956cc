"""Presets of PCA that learn from the same descriptors in turn share one decomposition."""

from __future__ import annotations

import numpy as np
import pytest

from harness_evidence.whitening import some_descriptors
from harness_whitening.pca import PCA
from harness_whitening.principal import PRINCIPAL

PRESETS = ("recommended", "thesis")


def test_presets_in_turn_decompose_once_and_learn_what_they_learn_alone(monkeypatch):
    PRINCIPAL.forget()
    decompositions, eigh = [], np.linalg.eigh
    monkeypatch.setattr(np.linalg, "eigh", lambda matrix: decompositions.append(1) or eigh(matrix))
    x = some_descriptors(60, 12)
    together = [PCA(preset=preset).fit(x.copy()) for preset in PRESETS]
    assert len(decompositions) == 1
    for preset, shared in zip(PRESETS, together, strict=True):
        PRINCIPAL.forget()
        alone = PCA(preset=preset).fit(x)
        assert alone.projection.tobytes() == shared.projection.tobytes()
        assert alone.mean.tobytes() == shared.mean.tobytes()


def test_shared_arrays_cannot_be_written_to():
    for array in PRINCIPAL.of(some_descriptors(20, 5)):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0
