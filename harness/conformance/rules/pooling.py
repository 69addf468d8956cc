"""Rules of poolings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from harness.conformance import checks
from harness.conformance.guards import isolated
from harness.conformance.rule import SOUND, RuleSet, Violation
from harness.conformance.trial import Answered, Trial, offered
from harness.conformance.values import close, difference, plain, same, snapshot
from harness.plugin_api import (
    DetectsRegions,
    GivesRegions,
    HasFirstPass,
    HasSaliency,
    LearnsFromMaps,
    MayLearn,
    PoolsAnywhere,
    PoolsQueries,
    PoolsUncroppedQueries,
    ShowsDetection,
    TakesSignedMaps,
)

RULES: Final = RuleSet("pooling")


@RULES.each("batch", "A descriptor that depends on the images beside it changes with the batch size.", SOUND)
def _batch(trial: Trial, answered: Answered) -> None:
    maps = answered.inputs["maps"]
    if maps.ndim < 4:
        return
    images = maps.reshape(-1, *maps.shape[-3:])
    # Learnt once: the whole and the parts are pooled by the same object.
    pool = _fitted(trial, answered.inputs)
    whole = pool(maps).reshape(len(images), -1)
    for position, image in enumerate(images):
        try:
            alone = pool(image)
        except Exception:
            continue  # the rules about single inputs say so
        if _other(alone, whole[position]):
            raise Violation(
                f"image {position} alone and in its batch: {difference(plain(alone), plain(whole[position]))}",
                inputs={"maps": _smaller(pool, images, position)},
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


def _fitted(trial: Trial, inputs: Any) -> Any:
    import torch

    fitted = trial.prepared(inputs)

    def pool(maps: Any) -> Any:
        with isolated(0), torch.inference_mode():
            return fitted.pool(maps.clone())

    return pool


@RULES.rule("same-dimension", "Images have different sizes, their descriptors are compared entry by entry.", ("shape",))
def _same_dimension(trial: Trial) -> None:
    found: dict[int, tuple[int, Any]] = {}
    for answered in trial.answers:
        channels, dimension = int(answered.inputs["maps"].shape[-3]), int(answered.raw.shape[-1])
        before = found.setdefault(channels, (dimension, answered.inputs))
        if before[0] != dimension:
            sizes = [tuple(inputs["maps"].shape[-2:]) for inputs in (before[1], answered.inputs)]
            raise Violation(
                f"maps of {sizes[0]} cells give {before[0]} dimensions, of {sizes[1]} cells {dimension}",
                inputs=answered.inputs,
                right="one dimension for all sizes: descriptors are compared with each other",
            )


@RULES.each("non-contiguous", "Backbones hand over views and channels-last maps.", SOUND)
def _non_contiguous(trial: Trial, answered: Answered) -> None:
    maps = answered.inputs["maps"]
    if maps.shape[-1] < 2 or maps.shape[-2] < 2:
        return
    view = maps.transpose(-1, -2).contiguous().transpose(-1, -2)
    try:
        found = trial.of({"maps": view})
    except Exception as error:
        raise Violation(
            f"maps with another order in memory: {type(error).__name__}: {error}",
            right="reshape instead of view, or contiguous() first",
        ) from error
    if not close(found, answered.raw):
        raise Violation(
            f"maps with another order in memory: {difference(answered.plain, plain(found))}",
            right="the same answer: strides are no part of the values",
        )


@RULES.rule("fit", "Maps that a pooling learns from are read from the cache of all.", SOUND, hook=LearnsFromMaps)
def _fit(trial: Trial) -> None:
    from harness.conformance.kinds.pooling import database_of

    inputs = trial.some[0].inputs
    maps = database_of(inputs)
    with isolated(0):
        offered(LearnsFromMaps, trial.method()).fit(iter(maps))
    if snapshot(maps) != snapshot(database_of(inputs)):
        raise Violation("fit changes the maps that it is given", inputs=inputs, right="a copy of its own to work on")


@RULES.rule("any-device", "Maps on a GPU are moved for others.", ("protocol",), hook=PoolsAnywhere)
def _any_device(trial: Trial) -> None:
    anywhere = offered(PoolsAnywhere, trial.method()).any_device
    if not isinstance(anywhere, bool):
        raise Violation(f"any_device is {anywhere!r}", right="true or false")


@RULES.rule("learns", "Descriptors that learn nothing stay when a database grows.", SOUND, hook=MayLearn)
def _learns(trial: Trial) -> None:
    from harness.conformance.kinds.pooling import database_of

    method, answered = trial.method(), trial.some[0]
    learns = offered(MayLearn, method).learns
    if not isinstance(learns, bool):
        raise Violation(f"learns is {learns!r}", right="true or false")
    if learns or not isinstance(method, LearnsFromMaps):
        return
    with isolated(0):
        other = method.fit(iter(database_of(answered.inputs, seed=1)))
        descriptors = trial.kind.apply(other, answered.inputs, None)
    if not same(plain(descriptors), answered.plain):
        raise Violation(
            "learns is false, but with another database it gives another descriptor",
            inputs=answered.inputs,
            right="learns true, or the same descriptor whatever the database",
        )


@RULES.each("pool-query", "Queries are compared with the descriptors of images.", SOUND, hook=PoolsQueries, some=True)
def _pool_query(trial: Trial, answered: Answered) -> None:
    import torch

    fitted = offered(PoolsQueries, trial.prepared(answered.inputs), trial.method())
    with torch.inference_mode(), isolated(0):
        descriptors = fitted.pool_query(answered.inputs["maps"].clone())
    _require_like(descriptors, tuple(answered.raw.shape), "as pool", "what pool_query returned")


@RULES.each("pool-uncropped-query", "Such queries are compared too.", SOUND, hook=PoolsUncroppedQueries, some=True)
def _pool_uncropped_query(trial: Trial, answered: Answered) -> None:
    import torch

    fitted = offered(PoolsUncroppedQueries, trial.prepared(answered.inputs), trial.method())
    with torch.inference_mode(), isolated(0):
        descriptors = fitted.pool_uncropped_query(answered.inputs["maps"].clone())
    _require_like(descriptors, tuple(answered.raw.shape), "as pool", "what pool_uncropped_query returned")


@RULES.each("saliency", "A map of saliency lies over the maps of its image.", SOUND, hook=HasSaliency, some=True)
def _saliency(trial: Trial, answered: Answered) -> None:
    import torch

    maps = answered.inputs["maps"]
    fitted = offered(HasSaliency, trial.prepared(answered.inputs), trial.method())
    with torch.inference_mode(), isolated(0):
        saliency = fitted.saliency(maps.clone())
    _require_like(saliency, (*maps.shape[:-3], *maps.shape[-2:]), "(..., H, W)", "saliency")
    if float(saliency.min()) < 0:
        raise Violation(f"a saliency of {float(saliency.min()):.4g}", right="0 or more")


@RULES.rule("regions", "Descriptors of regions are compared with those of other images.", SOUND, hook=GivesRegions)
def _regions(trial: Trial) -> None:
    import torch

    for answered in trial.some:
        maps = answered.inputs["maps"]
        fitted = offered(GivesRegions, trial.prepared(answered.inputs))
        with torch.inference_mode(), isolated(0):
            regions = fitted.region_descriptors(maps.clone())
        count = regions.shape[-2] if regions.ndim >= 2 else 0
        shape = (*maps.shape[:-3], max(1, count), answered.raw.shape[-1])
        _require_like(regions, shape, "(..., R, D), R at least 1, D as of the descriptor", "regions")


@RULES.rule("detect", "Regions are cut out of maps.", SOUND, hook=DetectsRegions)
def _detect(trial: Trial) -> None:
    method = offered(DetectsRegions, trial.method())
    for saliency in (_blobs(), np.zeros((3, 4), np.float32), np.ones((1, 1), np.float32)):
        with isolated(0):
            _require_regions(method.detect(saliency.copy()), saliency)


@RULES.rule("first-pass", "Saliency of objects is learnt from the regions of a simpler one.", SOUND, hook=HasFirstPass)
def _first_pass(trial: Trial) -> None:
    first = offered(HasFirstPass, trial.method()).first_pass
    if not isinstance(first, HasSaliency) or not isinstance(first, DetectsRegions):
        raise Violation(f"first_pass is {type(first).__name__}", right="an object with saliency and detect")


@RULES.rule("detection", "What is shown of a detection is the detection.", (*SOUND, "detect"), hook=ShowsDetection)
def _detection(trial: Trial) -> None:
    method, saliency = offered(ShowsDetection, trial.method()), _blobs()
    with isolated(0):
        samples = method.samples(saliency.copy())
        mixtures = list(method.evolution(samples))
        regions = method.rectangles(mixtures[-1], samples.shape) if mixtures else []
        detected = method.detect(saliency) if isinstance(method, DetectsRegions) else regions
    checks.require_shape(samples, saliency.shape, "as the saliency", "samples")
    checks.require_dtype(samples, "float64", "samples")
    _require_regions(regions, saliency)
    if list(regions) != list(detected):
        raise Violation("the last mixture has other regions than detect", right="the mixtures that detect went through")


def _require_like(value: Any, shape: tuple[int, ...], names: str, what: str) -> None:
    """A finite float32 tensor of this shape."""
    checks.require_tensor(value, what)
    checks.require_dtype(value, "float32", what)
    checks.require_shape(value, shape, names, what)
    if not bool(value.isfinite().all()):
        raise Violation(f"{what} is not finite", right="finite numbers")


def _require_regions(regions: Sequence[Any], saliency: Any) -> None:
    height, width = saliency.shape
    inside = [0 <= y < y + h <= height and 0 <= x < x + w <= width for y, x, h, w in regions]
    if not inside or not all(inside):
        raise Violation(
            f"regions {list(regions)} of a map of {(height, width)} cells",
            inputs={"saliency": saliency},
            right="one or more (y, x, height, width) inside of the map",
        )


def _blobs() -> Any:
    """(12, 16) float32: two bright spots."""
    y, x = np.mgrid[:12, :16]
    spots = [np.exp(-((y - a) ** 2 + (x - b) ** 2) / 4) for a, b in ((3, 4), (8, 11))]
    return np.asarray(sum(spots), np.float32)


@RULES.rule("takes-signed", "Who takes maps of both signs must see both.", SOUND, hook=TakesSignedMaps)
def _takes_signed(trial: Trial) -> None:
    takes = offered(TakesSignedMaps, trial.method()).takes_signed
    if not isinstance(takes, bool):
        raise Violation(f"takes_signed is {takes!r}", right="true or false")
    maps = trial.some[0].inputs.get("maps")
    if not takes or maps is None:
        return
    inputs = {**trial.some[0].inputs, "maps": -maps}
    negative, clamped = plain(trial.of(inputs)), plain(trial.of({**inputs, "maps": 0 * maps}))
    if same(negative, clamped):
        raise Violation("maps below 0 are pooled as zeros", inputs=inputs, right="takes_signed false, or both signs")
