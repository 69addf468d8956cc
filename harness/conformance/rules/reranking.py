"""Rules of re-rankers."""

from __future__ import annotations

from typing import Final

from harness.conformance.guards import seeded_globals
from harness.conformance.rule import NotApplicable, Rule, Violation
from harness.conformance.trial import Trial, quiet
from harness.conformance.values import close, difference, plain, same

_KIND: Final = ("reranking",)
_AFTER: Final = ("shape", "finite", "deterministic", "inputs-unchanged", "no-state", "ignores-global-random")


def _one_by_one(trial: Trial) -> None:
    for one in trial.answers:
        candidates = one.given["candidates"]
        for position in range(len(candidates)) if len(candidates) > 1 else ():
            alone = trial.of({**one.given, "candidates": [candidates[position]]})
            if not close(alone[0], one.raw[position]):
                raise Violation(
                    f"candidate {position} scores {alone[0]:.4g} alone and {one.raw[position]:.4g} among others",
                    given=one.given,
                    right="each candidate on its own: `top` must not change a score",
                )


def _top(trial: Trial) -> None:
    top = trial.method().top
    if not isinstance(top, int) or isinstance(top, bool) or top < 0:
        raise Violation(f"top is {top!r}", right="how many images are re-ranked, an integer from 0")


def _packed(trial: Trial) -> None:
    method = trial.method()
    if not (hasattr(method, "pack") and hasattr(method, "unpack")):
        raise NotApplicable("it has no pack and unpack: its features are not cached")
    for one in trial.answers:
        with quiet(), seeded_globals(0):
            _, query, candidates = trial.kind.prepare(method, one.given, None)
            again = [method.unpack(method.pack(features)) for features in (query, *candidates)]
            found = plain(method.score(again[0], again[1:]))
        if not same(found, one.plain):
            raise Violation(
                f"packed and unpacked features score differently: {difference(one.plain, found)}",
                given=one.given,
                right="unpack(pack(features)) equal to the features: a cached run is the same run",
            )


RULES: Final = (
    Rule("top", _KIND, "The harness describes and re-ranks as many images as `top` says.", _top, ("protocol",)),
    Rule(
        "one-by-one",
        _KIND,
        "A score that depends on the other candidates changes with the depth of the list.",
        _one_by_one,
        _AFTER,
    ),
    Rule("pack", _KIND, "Features are cached packed: what is lost there changes the second run.", _packed, _AFTER),
)
