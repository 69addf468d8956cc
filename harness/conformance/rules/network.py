"""Rules of networks for active learning."""

from __future__ import annotations

from typing import Final

from harness.conformance.rule import SOUND, RuleSet, Violation
from harness.conformance.trial import Answered, Trial
from harness.conformance.values import close, plain, same

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

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        module = trial.method().build((1, 8, 8), 3).train()
        logits, _ = module(some_images(4, 1, 8, 8))
        if not logits.requires_grad:
            raise Violation("no gradient reaches the logits", right="parameters that can be trained")
        torch.nn.functional.cross_entropy(logits, torch.tensor([0, 1, 2, 0])).backward()  # type: ignore[no-untyped-call]
    learning = [p for p in module.parameters() if p.grad is not None and bool(p.grad.isfinite().all())]
    if not learning:
        raise Violation("no parameter has a finite gradient", right="parameters that can be trained")
