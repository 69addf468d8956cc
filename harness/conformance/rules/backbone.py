"""Rules of backbones."""

from __future__ import annotations

from typing import Final

from harness.conformance.rule import Rule, Violation
from harness.conformance.trial import Trial
from harness.conformance.values import close, difference, plain

_KIND: Final = ("backbone",)


def _negative(trial: Trial) -> None:
    for one in trial.answers:
        lowest = float(one.raw.min())
        if lowest < 0:
            raise Violation(
                f"{one.case.name}: an activation of {lowest:.4g}", given=one.given, right="a ReLU at the end"
            )


def _stride(trial: Trial) -> None:
    from harness.conformance.kinds.backbone import some_image

    stride = trial.method().stride
    if not isinstance(stride, int) or isinstance(stride, bool) or stride < 1:
        raise Violation(f"stride is {stride!r}", right="pixels of the image per cell, an integer from 1")
    side = 4 * stride
    image = some_image(max(side, 96), max(side, 128))
    maps = trial.of({"image": image})
    wanted = [length / stride for length in image.shape[1:]]
    if any(abs(cells - length) > 1 for cells, length in zip(maps.shape[1:], wanted, strict=True)):
        raise Violation(
            f"stride {stride}, but an image of {tuple(image.shape[1:])} gives maps of {tuple(maps.shape[1:])} cells",
            given={"image": image},
            right=f"about {wanted[0]:.3g} x {wanted[1]:.3g} cells, one more or less",
        )


def _channels(trial: Trial) -> None:
    first = trial.answers[0]
    for one in trial.answers:
        if one.raw.shape[0] != first.raw.shape[0]:
            raise Violation(
                f"{first.raw.shape[0]} maps of an image of {tuple(first.given['image'].shape[1:])} pixels, "
                f"{one.raw.shape[0]} of one of {tuple(one.given['image'].shape[1:])}",
                given=one.given,
                right="as many maps of every image: a descriptor has one entry a map",
            )


def _order(trial: Trial) -> None:
    for one in trial.some:
        image = one.given["image"]
        found = trial.of({"image": image.permute(1, 2, 0).contiguous().permute(2, 0, 1)})
        if not close(found, one.raw, 1e-3):
            raise Violation(
                f"an image with another order in memory: {difference(one.plain, plain(found))}",
                given=one.given,
                right="the same maps: strides are no part of the values",
            )


RULES: Final = (
    Rule("non-negative", _KIND, "Poolings take powers and maxima of activations.", _negative, ("shape",)),
    Rule("stride", _KIND, "Matches are drawn, and boxes cut, by the stride.", _stride, ("shape",)),
    Rule("same-channels", _KIND, "Descriptors of images of all sizes are compared.", _channels, ("shape",)),
    Rule(
        "memory-order",
        _KIND,
        "Images come from decoders that store colour by pixel or by channel.",
        _order,
        ("shape", "deterministic", "no-state"),
    ),
)
