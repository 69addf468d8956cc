"""Backbones: images of any size. Loads torch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from harness.conformance import checks
from harness.conformance.case import Case, Inputs, Kind


class BackboneKind(Kind):
    """Tried on images (3, H, W) in [0, 1]."""

    name = "backbone"
    baseline = "tiny"
    what, tensor = "what maps returned", True

    def cases(self, method: Any) -> Sequence[Case]:
        """From one pixel to 96 x 128."""
        return (
            Case("one pixel", lambda: {"image": some_image(1, 1)}, "small-inputs", may_refuse=True),
            Case("a few pixels", lambda: {"image": some_image(5, 3)}, "small-inputs", may_refuse=True),
            Case("a black image", lambda: {"image": torch.zeros(3, 64, 80)}, "empty-inputs"),
            Case("a white image", lambda: {"image": torch.ones(3, 64, 80)}, "constant-inputs"),
            Case("a plain image", lambda: {"image": some_image(64, 80)}),
            Case("a tall image", lambda: {"image": some_image(128, 96)}),
        )

    def standard(self, method: Any) -> Case:
        """One image of 192 x 256 pixels."""
        return Case("image (3, 192, 256)", lambda: {"image": some_image(192, 256)})

    def apply(self, fitted: Any, inputs: Inputs, rng: Any) -> Any:
        """The maps."""
        with torch.inference_mode():
            return fitted.maps(inputs["image"])

    def shape(self, inputs: Inputs, answer: Any) -> None:
        """(C, h, w), none of them 0."""
        checks.require_shape(answer, (None, None, None), "(C, h, w)", self.what)


def some_image(height: int, width: int) -> Tensor:
    """Blocks of colour."""
    colours = np.random.default_rng([height, width]).random((3, -(-height // 4), -(-width // 4)))
    pixels = np.kron(colours, np.ones((1, 4, 4)))[:, :height, :width]
    return torch.from_numpy(np.ascontiguousarray(pixels, dtype=np.float32))
