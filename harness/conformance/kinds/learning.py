"""Learning schemes: a small network trained on a few images. Loads torch."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from harness.conformance.case import Case, Inputs, Kind
from harness.conformance.rule import Violation
from harness.core.generators import torch_seeded
from harness.plugin_api import TrainingSet


class LearningKind(Kind):
    """Tried on images of three shades; what is compared is what the trained model says of them."""

    name = "learning"
    baseline = "supervised"

    def cases(self, method: Any) -> Sequence[Case]:
        """From one label a class to all labels."""
        return (
            Case("one label a class", lambda: {"data": some_data(24, 3)}),
            Case("one label", lambda: {"data": some_data(24, 1)}, "small-inputs"),
            Case("blank images", lambda: {"data": _blank(24)}, "empty-inputs"),
            Case("all images labelled", lambda: {"data": some_data(24, 24)}, "constant-inputs"),
            Case("a later cycle", lambda: {"data": _later(30)}),
        )

    def standard(self, method: Any) -> Case:
        """200 images, 30 labelled."""
        return Case("200 images, 30 labels", lambda: {"data": some_data(200, 30)})

    def prepare(self, method: Any, inputs: Inputs, rng: Any) -> Any:
        """The model with the weights that the scheme prepares without labels."""
        data = inputs["data"]
        model = Small(data.images.shape[1:], data.n_classes, int(rng.integers(2**31)))
        blind = dataclasses.replace(data, labels=np.full_like(data.labels, -1), cycle=0, previous=None)
        weights = method.prepare(model, blind, rng)
        if weights is not None:
            model.load_state_dict(dict(weights), strict=False)
        return method, model

    def apply(self, fitted: Any, inputs: Inputs, rng: Any) -> Any:
        """The trained model, and what it says of the images in evaluation mode."""
        method, model = fitted
        trained = method.train(model, inputs["data"], rng)
        if not isinstance(trained, nn.Module):
            return trained
        trained.eval()
        with torch.inference_mode():
            logits, features = trained(torch.from_numpy(inputs["data"].images).float())
        return {"logits": logits, "features": features}

    def returns(self, inputs: Inputs, answer: Any) -> None:
        """A module."""
        if not isinstance(answer, dict) or "logits" not in answer:
            raise Violation(f"train returned {type(answer).__name__}", right="the trained torch.nn.Module")

    def dtype(self, inputs: Inputs, answer: Any) -> None:
        """float32 weights and logits."""
        if answer["logits"].dtype != torch.float32:
            raise Violation(f"the trained model's logits are {answer['logits'].dtype}", right="float32, as before")

    def shape(self, inputs: Inputs, answer: Any) -> None:
        """Logits for the classes that there were."""
        wanted = (len(inputs["data"].images), inputs["data"].n_classes)
        if tuple(answer["logits"].shape) != wanted:
            raise Violation(f"the trained model's logits have shape {tuple(answer['logits'].shape)}", right=str(wanted))


class Small(nn.Module):
    """A network of two layers; pixels from 0 to 255 come in."""

    def __init__(self, shape: tuple[int, ...], n_classes: int, seed: int) -> None:
        super().__init__()
        with torch_seeded(seed):
            self.body = nn.Linear(int(np.prod(shape)), 8)
            self.head = nn.Linear(8, n_classes)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Logits (B, c) and features (B, 8)."""
        features = torch.relu(self.body(images.flatten(1) / 255 - 0.5))
        return self.head(features), features


def some_data(n: int, labelled: int, c: int = 3) -> TrainingSet:
    """Images (n, 1, 4, 4) whose brightness tells the class; the first ``labelled`` have their label."""
    rng = np.random.default_rng(n)
    truth = np.arange(n) % c
    images = (truth[:, None, None, None] * 80 + rng.integers(0, 60, (n, 1, 4, 4))).astype(np.uint8)
    labels = np.where(np.arange(n) < labelled, truth, -1).astype(np.int64)
    return TrainingSet(images, labels, c, flip=False)


def _blank(n: int) -> TrainingSet:
    data = some_data(n, 3)
    return dataclasses.replace(data, images=np.zeros_like(data.images))


def _later(n: int) -> TrainingSet:
    data = some_data(n, 6)
    previous = np.random.default_rng(1).dirichlet(np.full(3, 0.2), n).astype(np.float32)
    return dataclasses.replace(data, cycle=2, previous=previous)
