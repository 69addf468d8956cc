"""Rules of networks for active learning."""

from __future__ import annotations

from typing import Final

import numpy as np

from harness.conformance.rule import SOUND, RuleSet, Violation
from harness.conformance.trial import Answered, Trial, offered
from harness.conformance.values import close, plain, same
from harness.plugin_api import KeepsFeatures

RULES: Final = RuleSet("network")


@RULES.each("image-by-image", "Test accuracy must not depend on which images share a batch.", SOUND)
def _alone(trial: Trial, answered: Answered) -> None:
    images = answered.inputs["images"]
    for position in range(len(images)) if len(images) > 1 else ():
        alone = trial.of({**answered.inputs, "images": images[position : position + 1].clone()})
        if not all(close(a[0], b[position], 1e-3) for a, b in zip(alone, answered.raw, strict=True)):
            raise Violation(
                f"image {position} has other logits or features alone than among {len(images)}",
                right="in evaluation mode no statistics of the batch",
            )


@RULES.rule("seeded-weights", "Seeds are compared as independent trainings.", ("shape", "deterministic"))
def _seeded(trial: Trial) -> None:
    answered = trial.some[0]
    if same(plain(trial.answer(answered.case, seed=1)), answered.plain):
        raise Violation(
            "another seed of torch's generator gives the same initial weights",
            inputs=answered.inputs,
            right="weights drawn in build from torch's global generator, which the harness seeds",
        )


@RULES.rule("trainable", "A network that does not learn makes all acquisitions equal.", ("shape",))
def _trainable(trial: Trial) -> None:
    import torch

    from harness.conformance.kinds.network import some_images
    from harness.core.generators import torch_seeded

    with torch_seeded(0):
        module = trial.method().build((1, 8, 8), 3).train()
        logits, _ = module(some_images(4, 1, 8, 8))
        if not logits.requires_grad:
            raise Violation("no gradient reaches the logits", right="parameters that can be trained")
        torch.nn.functional.cross_entropy(logits, torch.tensor([0, 1, 2, 0])).backward()  # type: ignore[no-untyped-call]
    learning = [p for p in module.parameters() if p.grad is not None and bool(p.grad.isfinite().all())]
    if not learning:
        raise Violation("no parameter has a finite gradient", right="parameters that can be trained")


@RULES.rule(
    "scale", "What is divided by 0, or shaped otherwise, leaves features that are none.", SOUND, hook=KeepsFeatures
)
def _scale(trial: Trial) -> None:
    """Of features one of which is constant."""
    features = np.random.default_rng(0).normal(size=(12, 4)).astype(np.float32)
    features[:, 2] = 3
    for part, values in zip(("shift", "scale"), offered(KeepsFeatures, trial.method()).scale(features), strict=True):
        right = isinstance(values, np.ndarray) and values.shape == (4,) and values.dtype == np.float32
        if not right or not np.isfinite(values).all() or (part == "scale" and not (values > 0).all()):
            raise Violation(f"the {part} is {values!r:.80}", right="(d,) float32, finite; the scale above 0")
