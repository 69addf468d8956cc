"""Rules of re-rankers."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from harness.conformance import checks
from harness.conformance.guards import isolated
from harness.conformance.rule import SOUND, NotApplicable, RuleSet, Violation
from harness.conformance.trial import Answered, Trial, offered
from harness.conformance.values import close, difference, plain, same
from harness.plugin_api import (
    DescribesImages,
    DrawsMatches,
    GuidesTraining,
    LearnsFromFeatures,
    Packs,
    SeesRotations,
    UsesSimilarity,
)

RULES: Final = RuleSet("reranking")
_MATCHES: Final = {"query": 2, "image": 2, "query_shapes": 3, "image_shapes": 3}
"""What may be drawn of a match, and how many numbers each has."""


@RULES.each("one-by-one", "A score that depends on the other candidates changes with the depth of the list.", SOUND)
def _one_by_one(trial: Trial, answered: Answered) -> None:
    candidates = answered.inputs["candidates"]
    for position in range(len(candidates)) if len(candidates) > 1 else ():
        alone = trial.of({**answered.inputs, "candidates": [candidates[position]]})
        if not close(alone[0], answered.raw[position]):
            raise Violation(
                f"candidate {position} scores {alone[0]:.4g} alone and {answered.raw[position]:.4g} among others",
                right="each candidate on its own: `top` must not change a score",
            )


@RULES.rule("top", "The harness describes and re-ranks as many images as `top` says.", ("protocol",))
def _top(trial: Trial) -> None:
    top = trial.method().top
    if not isinstance(top, int) or isinstance(top, bool) or top < 0:
        raise Violation(f"top is {top!r}", right="how many images are re-ranked, an integer from 0")


@RULES.rule("describe-image", "Cropped images are views into larger ones.", SOUND, hook=DescribesImages)
def _describe_image(trial: Trial) -> None:
    offered(DescribesImages, trial.method())
    for answered in trial.some:
        inputs = {
            "query": np.asfortranarray(answered.inputs["query"]),
            "candidates": [np.asfortranarray(image) for image in answered.inputs["candidates"]],
        }
        scores = trial.of(inputs)
        if not close(scores, answered.raw):
            raise Violation(
                f"images with another order in memory: {difference(answered.plain, plain(scores))}",
                inputs=answered.inputs,
                right="the same features: strides are no part of the values",
            )


@RULES.rule("pack", "Features are cached packed: what is lost there changes the second run.", SOUND, hook=Packs)
def _pack(trial: Trial) -> None:
    method = offered(Packs, trial.method())
    for answered in trial.answers:
        _, query, candidates = trial.prepared(answered.inputs, method)
        packed = [method.pack(features) for features in (query, *candidates)]
        for name, array in packed[0].items():
            checks.require_array(array, f"{name} of what pack returned")
        with isolated(0):
            again = [method.unpack(arrays) for arrays in packed]
            scores = plain(trial.kind.apply((method, again[0], again[1:]), answered.inputs, None))
        if not same(scores, answered.plain):
            raise Violation(
                f"packed and unpacked features score differently: {difference(answered.plain, scores)}",
                inputs=answered.inputs,
                right="unpack(pack(features)) equal to the features: a cached run is the same run",
            )


@RULES.each(
    "learn", "What has learnt scores as before: one number a candidate.", SOUND, hook=LearnsFromFeatures, some=True
)
def _learn(trial: Trial, answered: Answered) -> None:
    method, query, candidates = trial.prepared(answered.inputs)
    with isolated(0):
        learnt = offered(LearnsFromFeatures, method).fit(iter(candidates))
        asked, given = learnt.prepared(query), [learnt.prepared(features) for features in candidates]
        scores, alone = learnt.score(asked, given), learnt.score(asked, given[:1])
    checks.require_array(scores, "what score returned after fit")
    checks.require_dtype(scores, "float32", "what score returned after fit")
    checks.require_shape(scores, (len(given),), "one score a candidate", "what score returned after fit")
    if not np.isfinite(scores).all() or not close(alone[0], scores[0]):
        raise Violation(
            f"candidate 0 scores {alone[0]:.4g} alone and {scores[0]:.4g} among others after fit",
            right="finite scores, each candidate on its own",
        )


@RULES.each("rotations", "The query as it is is one of its rotations.", SOUND, hook=SeesRotations, some=True)
def _rotations(trial: Trial, answered: Answered) -> None:
    method, _, candidates = trial.prepared(answered.inputs)
    with isolated(0):
        query = offered(SeesRotations, method).describe_rotations([answered.inputs["query"]])
        scores = plain(trial.kind.apply((method, query, candidates), answered.inputs, None))
    if not same(scores, answered.plain):
        raise Violation(
            f"a query at its only rotation scores differently: {difference(answered.plain, scores)}",
            inputs=answered.inputs,
            right="describe_rotations([maps]) worth what describe(maps, 'query') is",
        )


@RULES.rule("order", "Of images equally similar to the query the best score ranks first.", SOUND, hook=UsesSimilarity)
def _order(trial: Trial) -> None:
    method = offered(UsesSimilarity, trial.method())
    scores, similarities = np.arange(60, dtype=np.float32), np.full(60, 0.5, np.float32)
    with isolated(0):
        answers = {"order": method.order(similarities, scores), "verified": method.verified(scores)}
    for name, values in answers.items():
        checks.require_array(values, f"what {name} returned")
        checks.require_dtype(values, "float32", f"what {name} returned")
        checks.require_shape(values, (len(scores),), "one number a score", f"what {name} returned")
        if (np.diff(values) < 0).any():
            raise Violation(f"{name} falls where the score rises", right="a better score is never worth less")


@RULES.each("correspondences", "Matches are drawn as pairs of positions.", SOUND, hook=DrawsMatches, some=True)
def _correspondences(trial: Trial, answered: Answered) -> None:
    method, query, candidates = trial.prepared(answered.inputs)
    sizes = [_size(image) for image in (answered.inputs["query"], *answered.inputs["candidates"])]
    for features, size in zip(candidates, sizes[1:], strict=True):
        with isolated(0):
            drawn = offered(DrawsMatches, method).correspondences(query, features, sizes[0], size)
        if missing := [name for name in ("query", "image") if name not in drawn]:
            raise Violation(f"correspondences has no {missing[0]}", right="query and image, (m, 2) each")
        for name, array in drawn.items():
            width = (_MATCHES[name],) if name in _MATCHES else ()
            shape = (len(drawn["query"]), *width)
            if not isinstance(array, np.ndarray) or array.shape != shape or not np.isfinite(array).all():
                raise Violation(
                    f"{name} is {getattr(array, 'shape', array)!r:.80}",
                    right=f"finite numbers of shape {shape}",
                )  # fmt: skip


@RULES.rule("attention", "Training pools over the cells that match.", SOUND, hook=GuidesTraining)
def _attention(trial: Trial) -> None:
    method = offered(GuidesTraining, trial.method())
    for answered in trial.some:
        if isinstance(answered.inputs["query"], np.ndarray):
            raise NotApplicable("it describes images, not maps")
        pair = answered.inputs["query"][0], answered.inputs["candidates"][0][0]
        with isolated(0):
            masks = method.attention(*pair)
        for mask, maps in zip(masks, pair, strict=True):
            checks.require_tensor(mask, "a mask")
            checks.require_dtype(mask, "bool", "a mask")
            checks.require_shape(mask, tuple(maps.shape), "as its maps", "a mask")
            if not bool(mask.flatten(1).any(1).all()):
                raise Violation("a channel has no cell in its mask", inputs=answered.inputs, right="one cell or more")


def _size(image: Any) -> tuple[int, int]:
    """Width and height in pixels of an image, or of what an image with these maps may be."""
    height, width = image.shape[:2] if isinstance(image, np.ndarray) else (8 * side for side in image[0].shape[-2:])
    return int(width), int(height)
