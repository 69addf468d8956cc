"""Rules of backbones."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from harness.conformance.guards import isolated
from harness.conformance.rule import SOUND, RuleSet, Violation
from harness.conformance.trial import Answered, Trial, offered
from harness.conformance.values import close, difference, plain, same
from harness.core.errors import HarnessError
from harness.plugin_api import GivesSignedMaps, HasCheckpoint, HasModule, SeesBatches

RULES: Final = RuleSet("backbone")


@RULES.each("non-negative", "Poolings take powers and maxima of activations.", ("shape",))
def _negative(trial: Trial, answered: Answered) -> None:
    method, lowest = trial.method(), float(answered.raw.min())
    if lowest < 0 and not (isinstance(method, GivesSignedMaps) and method.signed):
        raise Violation(f"{answered.case.name}: an activation of {lowest:.4g}", right="a ReLU at the end")


@RULES.rule("stride", "Matches are drawn, and boxes cut, by the stride.", ("shape",))
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
            inputs={"image": image},
            right=f"about {wanted[0]:.3g} x {wanted[1]:.3g} cells, one more or less",
        )


@RULES.rule("same-channels", "Descriptors of images of all sizes are compared.", ("shape",))
def _channels(trial: Trial) -> None:
    first = trial.answers[0]
    for answered in trial.answers:
        if answered.raw.shape[0] != first.raw.shape[0]:
            raise Violation(
                f"{first.raw.shape[0]} maps of an image of {tuple(first.inputs['image'].shape[1:])} pixels, "
                f"{answered.raw.shape[0]} of one of {tuple(answered.inputs['image'].shape[1:])}",
                inputs=answered.inputs,
                right="as many maps of every image: a descriptor has one entry a map",
            )


@RULES.each("memory-order", "Images come from decoders that store colour by pixel or by channel.", SOUND, some=True)
def _order(trial: Trial, answered: Answered) -> None:
    image = answered.inputs["image"]
    found = trial.of({"image": image.permute(1, 2, 0).contiguous().permute(2, 0, 1)})
    if not close(found, answered.raw, 1e-3):
        raise Violation(
            f"an image with another order in memory: {difference(answered.plain, plain(found))}",
            right="the same maps: strides are no part of the values",
        )


@RULES.rule(
    "module", "What is trained must be what describes images, and training must change no cached network.",
    SOUND, hook=HasModule,
)  # fmt: skip
def _module(trial: Trial) -> None:
    import torch

    module = offered(HasModule, trial.method()).module()
    if not isinstance(module, torch.nn.Module) or module.training:
        raise Violation(f"module() is {type(module).__name__}", right="a torch.nn.Module in evaluation mode")
    answered = trial.some[0]
    with torch.inference_mode(), isolated(0):
        maps = module(answered.inputs["image"][None])[0]
    if not close(maps, answered.raw, 1e-3):
        raise Violation(
            f"its module gives other maps: {difference(answered.plain, plain(maps))}",
            inputs=answered.inputs,
            right="module()(image[None])[0] equal to maps(image)",
        )
    with torch.no_grad():
        for weights in module.parameters():
            weights.zero_()
    if not same(plain(trial.answer(answered.case)), answered.plain):
        raise Violation("its maps change when its module is trained", right="a new object from each call of module")


@RULES.rule(
    "checkpoint",
    "What hours of training write must be what the backbone reads.",
    (*SOUND, "module"),
    hook=HasCheckpoint,
)
def _checkpoint(trial: Trial) -> None:
    import torch

    method = trial.method()
    content = offered(HasCheckpoint, method).checkpoint(offered(HasModule, method).module())
    if not isinstance(content, Mapping):
        raise Violation(f"checkpoint returned {type(content).__name__}", right="a mapping, as torch.save takes it")
    answered, path = trial.some[0], trial.folder / "checkpoint.pth"
    torch.save(dict(content), path)
    try:
        maps = trial.answer(answered.case, trial.tested.create({**trial.parameters, "weights": str(path)}))
    except HarnessError as error:
        raise Violation(f"it refuses its own checkpoint: {error.headline}", right="a file that it reads") from error
    finally:
        path.unlink()
    if not close(maps, answered.raw, 1e-2):
        raise Violation(
            f"with its own checkpoint it gives other maps: {difference(answered.plain, plain(maps))}",
            inputs=answered.inputs,
            right="the maps of the module that was written",
        )


@RULES.rule("maps-batch", "On a GPU images of one size are seen together.", SOUND, hook=SeesBatches)
def _batch(trial: Trial) -> None:
    import torch

    answered = trial.some[0]
    image = answered.inputs["image"]
    with torch.inference_mode(), isolated(0):
        maps = offered(SeesBatches, trial.method()).maps_batch(torch.stack([image.flip(-1), image]))
    if tuple(maps.shape) != (2, *answered.raw.shape) or not close(maps[1], answered.raw, 1e-3):
        raise Violation(
            f"maps_batch of two images gives {tuple(maps.shape)}, maps of one {tuple(answered.raw.shape)}",
            inputs=answered.inputs,
            right="(n, C, h, w): for each image the maps that it has alone, up to rounding",
        )


@RULES.rule(
    "signed", "A plan refuses maps of both signs to what needs activations.", ("protocol",), hook=GivesSignedMaps
)
def _signed(trial: Trial) -> None:
    signed = offered(GivesSignedMaps, trial.method()).signed
    if not isinstance(signed, bool):
        raise Violation(f"signed is {signed!r}", right="true or false")
