"""Networks: built for a shape and a number of classes, then used in evaluation mode. Loads torch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from harness.conformance import checks
from harness.conformance.case import Case, Inputs, Kind
from harness.conformance.rule import Violation
from harness.core.generators import torch_seeded


class NetworkKind(Kind):
    """Tried on normalised images; initial weights follow torch's generator, seeded for each call."""

    name = "network"
    baseline = "small-cnn"

    def cases(self, method: Any) -> Sequence[Case]:
        """One image and several, grey and coloured."""
        return (
            Case("one grey image", lambda: _inputs((1, 8, 8), 2, 1)),
            Case("one pixel", lambda: _inputs((1, 1, 1), 2, 1), "small-inputs", may_refuse=True),
            Case("a blank image", lambda: _inputs((1, 8, 8), 2, 1, factor=0.0), "empty-inputs"),
            Case("a batch of blank images", lambda: _inputs((1, 8, 8), 2, 3, factor=0.0), "constant-inputs"),
            Case("not square", lambda: _inputs((1, 8, 12), 3, 2), "small-inputs", may_refuse=True),
            Case("a batch of colour images", lambda: _inputs((3, 16, 16), 5, 4)),
        )

    def standard(self, method: Any) -> Case:
        """64 colour images of 32 x 32 pixels."""
        return Case("images (64, 3, 32, 32)", lambda: _inputs((3, 32, 32), 10, 64))

    def prepare(self, method: Any, inputs: Inputs, rng: Any) -> Any:
        """The module in evaluation mode; the global generator is seeded as the harness does it."""
        with torch_seeded(int(rng.integers(2**31))):
            module = method.build(inputs["shape"], inputs["n_classes"])
        if not isinstance(module, torch.nn.Module):
            return module
        return module.eval()

    def apply(self, fitted: Any, inputs: Inputs, rng: Any) -> Any:
        """Logits and features; what is no module is handed on for the rule ``returns``."""
        if not isinstance(fitted, torch.nn.Module):
            return fitted
        with torch.inference_mode():
            return fitted(inputs["images"])

    def returns(self, inputs: Inputs, answer: Any) -> None:
        """Two tensors."""
        if not isinstance(answer, tuple) or len(answer) != 2:
            raise Violation(f"forward returned {type(answer).__name__}", right="(logits, features)")
        for what, part in zip(("logits", "features"), answer, strict=True):
            checks.require_tensor(part, what)

    def dtype(self, inputs: Inputs, answer: Any) -> None:
        """float32."""
        for what, part in zip(("logits", "features"), answer, strict=True):
            checks.require_dtype(part, "float32", what)

    def shape(self, inputs: Inputs, answer: Any) -> None:
        """Logits (B, classes), features (B, d)."""
        n = len(inputs["images"])
        checks.require_shape(answer[0], (n, inputs["n_classes"]), "(B, n_classes)", "logits")
        checks.require_shape(answer[1], (n, None), "(B, d)", "features")


def _inputs(shape: tuple[int, int, int], n_classes: int, n: int, factor: float = 1.0) -> Inputs:
    images = some_images(n, *shape) * factor
    return {"shape": shape, "n_classes": n_classes, "images": images}


def some_images(*shape: int) -> Tensor:
    """Normalised pixels."""
    return torch.randn(*shape, generator=torch.Generator().manual_seed(shape[0]))
