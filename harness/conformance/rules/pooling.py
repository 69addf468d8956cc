"""Rules of poolings."""

from __future__ import annotations

from typing import Any, Final

from harness.conformance.rule import Rule, Violation
from harness.conformance.trial import Trial
from harness.conformance.values import close, difference, plain

_AFTER: Final = ("shape", "device", "deterministic", "inputs-unchanged", "no-state", "ignores-global-random")


def _batch(trial: Trial) -> None:
    for one in trial.answers:
        maps = one.given["maps"]
        if maps.ndim < 4:
            continue
        images = maps.reshape(-1, *maps.shape[-3:])
        # Learnt once: the whole and the parts are pooled by the same object.
        pool = _fitted(trial, one.given)
        whole = pool(maps).reshape(len(images), -1)
        for position, image in enumerate(images):
            try:
                alone = pool(image)
            except Exception:
                continue  # the rules about single inputs say so
            if _other(alone, whole[position]):
                raise Violation(
                    f"image {position} alone and in its batch: {difference(plain(alone), plain(whole[position]))}",
                    given={"maps": _smaller(pool, images, position)},
                    right="each image pooled on its own, whatever stands beside it",
                )


def _other(alone: Any, inside: Any) -> bool:
    return alone.shape != inside.shape or not close(inside, alone)


def _smaller(pool: Any, images: Any, position: int) -> Any:
    """One map of two images of 2 x 2 cells, if that is enough to see it; else what it was seen with."""
    import torch

    for count in (1, 2):
        few = torch.cat([images[position][None], images[:1]])[:count, :1, :2, :2]
        if _other(pool(few[0]), pool(few).reshape(count, -1)[0]):
            return few
    return images


def _fitted(trial: Trial, given: Any) -> Any:
    import numpy as np
    import torch

    from harness.conformance.guards import seeded_globals
    from harness.conformance.trial import quiet

    with quiet(), seeded_globals(0):
        fitted = trial.kind.prepare(trial.method(), given, np.random.default_rng(0))

    def pool(maps: Any) -> Any:
        with quiet(), seeded_globals(0), torch.inference_mode():
            return fitted.pool(maps.clone())

    return pool


def _same_dimension(trial: Trial) -> None:
    found: dict[int, tuple[int, Any]] = {}
    for one in trial.answers:
        channels, dimension = int(one.given["maps"].shape[-3]), int(one.raw.shape[-1])
        before = found.setdefault(channels, (dimension, one.given))
        if before[0] != dimension:
            sizes = [tuple(given["maps"].shape[-2:]) for given in (before[1], one.given)]
            raise Violation(
                f"maps of {sizes[0]} cells give {before[0]} dimensions, of {sizes[1]} cells {dimension}",
                given=one.given,
                right="one dimension for all sizes: descriptors are compared with each other",
            )


def _non_contiguous(trial: Trial) -> None:
    for one in trial.answers:
        maps = one.given["maps"]
        if maps.shape[-1] < 2 or maps.shape[-2] < 2:
            continue
        view = maps.transpose(-1, -2).contiguous().transpose(-1, -2)
        try:
            found = trial.of({"maps": view})
        except Exception as error:
            raise Violation(
                f"maps with another order in memory: {type(error).__name__}: {error}",
                given=one.given,
                right="reshape instead of view, or contiguous() first",
            ) from error
        if not close(found, one.raw):
            raise Violation(
                f"maps with another order in memory: {difference(one.plain, plain(found))}",
                given=one.given,
                right="the same answer: strides are no part of the values",
            )


RULES: Final = (
    Rule(
        "batch",
        ("pooling",),
        "A descriptor that depends on the images beside it changes with the batch size.",
        _batch,
        _AFTER,
    ),
    Rule(
        "same-dimension",
        ("pooling",),
        "Images have different sizes, their descriptors are compared entry by entry.",
        _same_dimension,
        ("shape",),
    ),
    Rule(
        "non-contiguous",
        ("pooling",),
        "Backbones hand over views and channels-last maps.",
        _non_contiguous,
        _AFTER,
    ),
)
