"""Rules of networks for active learning."""

from __future__ import annotations

from typing import Final

from harness.conformance.rule import Rule, Violation
from harness.conformance.trial import Trial
from harness.conformance.values import close, plain, same

_KIND: Final = ("network",)


def _alone(trial: Trial) -> None:
    for one in trial.answers:
        images = one.given["images"]
        for position in range(len(images)) if len(images) > 1 else ():
            alone = trial.of({**one.given, "images": images[position : position + 1].clone()})
            if not all(close(a[0], b[position], 1e-3) for a, b in zip(alone, one.raw, strict=True)):
                raise Violation(
                    f"image {position} has other logits or features alone than among {len(images)}",
                    given=one.given,
                    right="in evaluation mode no statistics of the batch",
                )


def _seeded(trial: Trial) -> None:
    one = trial.some[0]
    if same(plain(trial.answer(one.case, seed=1)), one.plain):
        raise Violation(
            "another seed of torch's generator gives the same initial weights",
            given=one.given,
            right="weights drawn in build from torch's global generator, which the harness seeds",
        )


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


RULES: Final = (
    Rule(
        "image-by-image",
        _KIND,
        "Test accuracy must not depend on which images share a batch.",
        _alone,
        ("shape", "finite", "deterministic", "no-state"),
    ),
    Rule("seeded-weights", _KIND, "Seeds are compared as independent trainings.", _seeded, ("shape", "deterministic")),
    Rule("trainable", _KIND, "A network that does not learn makes all acquisitions equal.", _trainable, ("shape",)),
)
