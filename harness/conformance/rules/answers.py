"""Rules about single answers: that there is one, and what it is made of."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

import numpy as np

from harness.conformance.case import Inputs
from harness.conformance.rule import NotApplicable, Rule, Violation
from harness.conformance.trial import Trial, first_line
from harness.conformance.values import plain, same
from harness.plugin_api import KINDS

_FIRST: Final = ("protocol", "survives")
_INPUTS: Final = tuple(kind for kind in KINDS if kind != "dataset")
_VALUES: Final = ("learning", "network", "backbone", "pooling", "whitening", "reranking", "expansion")
"""Kinds that answer with numbers which must be finite."""


def answers_to(judge: str) -> Callable[[Trial], None]:
    """A check that every input of this sort is answered."""

    def check(trial: Trial) -> None:
        if not any(case.judge == judge for case in trial.cases):
            raise NotApplicable("there is no such input for this kind")
        refused = [refusal for refusal in trial.refusals if refusal.case.judge == judge and not refusal.wrote]
        for refusal in refused:
            if not refusal.excused:
                error = refusal.error
                also = ", or an InvalidInput that says why not" if refusal.case.may_refuse else ""
                raise Violation(
                    f"{refusal.case.name}: {type(error).__name__}: {first_line(str(error))}",
                    inputs=refusal.inputs,
                    right=f"an answer{also}",
                )
        if judge == "plain-inputs":
            trial.answers  # noqa: B018  # says why there is none

    return check


def _each(part: str) -> Callable[[Trial], None]:
    """A check of every answer by what its kind says of this part of it."""

    def check(trial: Trial) -> None:
        for answered in trial.answers:
            try:
                getattr(trial.kind, part)(answered.inputs, answered.raw)
            except Violation as violation:
                raise Violation(violation.found, inputs=answered.inputs, right=violation.right) from None

    return check


def _finite(trial: Trial) -> None:
    for answered in trial.answers:
        for where, array in answered.plain:
            if array.dtype.kind == "f" and not np.isfinite(array).all():
                what = "NaN" if np.isnan(array).any() else "infinity"
                raise Violation(
                    f"{answered.case.name}: {what} in the answer{where and ' ' + where}",
                    inputs=answered.inputs,
                    right="finite numbers; an image without activation has a descriptor of zeros",
                )


def _nan(trial: Trial) -> None:
    for answered in trial.some:
        inputs = _poisoned(answered.inputs)
        if inputs is None:
            continue
        try:
            answer = trial.of(inputs)
        except Exception:
            continue  # it noticed
        values = [array for _, array in plain(answer) if array.dtype.kind == "f"]
        if all(np.isfinite(array).all() for array in values):
            raise Violation(
                "a NaN went in and only finite numbers came out",
                inputs=inputs,
                right="NaN in the answer, or an error: then the harness can name the image",
            )


def _poisoned(inputs: Inputs) -> Inputs | None:
    """The inputs with a NaN in every entry of one place: a whole map, or a row."""
    changed = dict(inputs)
    if "maps" in changed:
        changed["maps"] = changed["maps"].clone()
        changed["maps"][..., -1, :, :] = float("nan")
    elif "rows" in changed and len(changed["rows"]):
        changed["rows"] = changed["rows"].copy()
        changed["rows"][-1] = np.nan
    else:
        return None
    return changed


def _constant(trial: Trial) -> None:
    for answered in trial.some:
        try:
            other = trial.of(_another(answered.inputs))
        except Exception:
            return  # it noticed a difference
        if not same(plain(other), answered.plain):
            return
    raise Violation(
        "it answers the same whatever it is given",
        inputs=trial.some[0].inputs,
        right="an answer that depends on the input: a constant one ties all images, and ties are chance",
    )


def _another(inputs: Inputs) -> Inputs:
    """Inputs of the same shape with other values."""
    import torch

    rng, changed = np.random.default_rng(0), dict(inputs)
    for name in ("maps", "image"):
        if name in changed:
            changed[name] = changed[name] * torch.from_numpy(rng.random(tuple(changed[name].shape), np.float32))
    if "rows" in changed:
        changed["rows"] = changed["rows"] * rng.random(changed["rows"].shape, np.float32)
    return changed


def _device(trial: Trial) -> None:
    import torch

    answered = trial.some[0]
    name = "maps" if "maps" in answered.inputs else "image"
    wanted = answered.inputs[name].device
    if answered.raw.device != wanted:
        raise Violation(
            f"{name} on {wanted} gave an answer on {answered.raw.device}",
            inputs=answered.inputs,
            right=f"an answer on {wanted}",
        )
    if not torch.cuda.is_available():
        return
    answer = trial.of({**answered.inputs, name: answered.inputs[name].cuda()})
    if answer.device.type != "cuda":
        raise Violation(
            f"{name} on cuda gave an answer on {answer.device}", inputs=answered.inputs, right="an answer on cuda"
        )


_SORTS: Final = {
    "plain-inputs": (KINDS, "What fails on ordinary inputs gives no row."),
    "small-inputs": (
        _INPUTS,
        "Maps of one cell, one row, one image: real collections have them, and one crash ends a run of hours.",
    ),
    "empty-inputs": (
        _INPUTS,
        "Blank images have maps without activation and descriptors of zeros: each division by a sum or a norm meets "
        "them.",
    ),
    "constant-inputs": (_INPUTS, "Where all is alike, variances are zero and every comparison is a tie."),
    "scales": (
        ("acquisition", "pooling", "whitening", "reranking"),
        "Rows of very different size overflow and underflow in powers and norms.",
    ),
}
_PARTS: Final = {
    "returns": "The harness works with what the protocol says and converts nothing.",
    "dtype": "Other types double the memory, or are cut silently by the next stage.",
    "shape": "Shapes are part of the contract: a wrong one is read as other data.",
}
_DEVICE: Final = "Tensors that change the device make the next step fail, or copy behind everybody's back."
_CONSTANT: Final = "Who answers the same to everything has ranked nothing, but a board shows a number."
_NAN: Final = "A NaN that disappears becomes a wrong number that looks like a right one."


def _rules() -> Iterator[Rule]:
    for sort, (kinds, why) in _SORTS.items():
        yield Rule(sort, kinds, why, answers_to(sort), _FIRST if sort == "plain-inputs" else ("plain-inputs",))
    for part, why in _PARTS.items():
        yield Rule(part, KINDS, why, _each(part), ("plain-inputs",) if part == "returns" else ("returns",))
    yield Rule("device", ("backbone", "pooling"), _DEVICE, _device, ("returns",))
    yield Rule("finite", _VALUES, "One NaN makes a whole ranking arbitrary.", _finite, ("returns",))
    sound = ("shape", "finite", "device")
    yield Rule("constant", ("backbone", "pooling", "whitening"), _CONSTANT, _constant, sound)
    yield Rule("nan", ("pooling", "whitening"), _NAN, _nan, (*sound, "constant"))


RULES: Final = tuple(_rules())
