"""Rules of acquisitions: what may be picked, how much, and what must not be seen."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from harness.conformance.guards import seeded_globals
from harness.conformance.kinds.acquisition import ShownPool, passes, some_pool
from harness.conformance.rule import NotApplicable, Rule, Violation
from harness.conformance.rules.answers import answers_to
from harness.conformance.trial import Trial, quiet
from harness.plugin_api import PoolView

_PUBLIC: Final = frozenset(name for name in vars(PoolView) if not name.startswith("_"))
_KIND: Final = ("acquisition",)
_AFTER: Final = ("shape", "deterministic", "no-state", "ignores-global-random")


def _budget(trial: Trial) -> None:
    answers_to("budget")(trial)
    for one in trial.answers:
        left, budget = len(one.given["pool"].unlabelled), one.given["budget"]
        if len(one.raw) != min(budget, left):
            raise Violation(
                f"{one.case.name}: {len(one.raw)} picks for a budget of {budget} with {left} unlabelled",
                given=one.given,
                right=f"{min(budget, left)} picks: the budget, or all that is left",
            )


def _unlabelled(trial: Trial) -> None:
    for one in trial.answers:
        wrong = np.setdiff1d(one.raw, one.given["pool"].unlabelled)
        if len(wrong):
            what = "is labelled" if 0 <= wrong[0] < len(one.given["pool"].labels) else "does not exist"
            raise Violation(
                f"{one.case.name}: it picked {int(wrong[0])}, which {what}",
                given=one.given,
                right="positions from pool.unlabelled; scores of those only",
            )


def _unique(trial: Trial) -> None:
    for one in trial.answers:
        values, counts = np.unique(one.raw, return_counts=True)
        if (counts > 1).any():
            raise Violation(
                f"{one.case.name}: it picked {int(values[counts > 1][0])} twice",
                given=one.given,
                right="every example at most once",
            )


def _hidden(trial: Trial) -> None:
    """Two pools that look the same, before a cycle that knows two different truths."""
    n = 30
    found = []
    for shift in (0, 1):
        pool = some_pool(n, 4)
        truth = np.where(pool.labels >= 0, pool.labels, (np.arange(n) + shift) % 3)
        with quiet(), seeded_globals(0):
            found.append(_cycle(trial.method(), pool, truth).tolist())
    if found[0] != found[1]:
        raise Violation(
            f"with other hidden labels it picked {found[1]} instead of {found[0]}",
            given={"pool": some_pool(n, 4), "budget": 5},
            right="what pool.labels shows and nothing else",
        )


def _cycle(method: Any, pool: ShownPool, labels: Any) -> Any:
    """Chooses as the harness does: with the truth in the caller's hands (``labels``), not in the pool's."""
    train_labels = dataset = labels  # noqa: F841  # where somebody who goes through frames would look
    return method.select(pool, 5, np.random.default_rng(0))


class _Watched:
    """A pool that notes what it is asked for beyond its protocol."""

    def __init__(self, pool: Any, asked: list[str]) -> None:
        object.__setattr__(self, "_watched", (pool, asked))

    def __getattribute__(self, name: str) -> Any:
        pool, asked = object.__getattribute__(self, "_watched")
        if name in _PUBLIC:
            return getattr(pool, name)
        if not (name.startswith("__") and name.endswith("__")) or name == "__dict__":
            asked.append(name)
        if name.startswith("__"):
            return object.__getattribute__(self, name)
        raise AttributeError(f"a pool has no {name!r}")


def _public(trial: Trial) -> None:
    for one in trial.some:
        asked: list[str] = []
        given = {**one.given, "pool": _Watched(one.case.make()["pool"], asked)}
        try:
            trial.of(given)
        except AttributeError:
            if not asked:
                raise
        if asked:
            raise Violation(
                f"it asks the pool for {asked[0]}",
                given=one.given,
                right=f"only {', '.join(sorted(_PUBLIC))}: what a pool shows",
            )


def _position(trial: Trial) -> None:
    """Only where chance decides nothing: else other positions draw other numbers."""
    n, budget = 40, 6
    order = np.random.default_rng(2).permutation(n)
    pool = some_pool(n, 6)
    picks = [trial.of({"pool": pool, "budget": budget}, seed=seed) for seed in (0, 1)]
    if picks[0].tolist() != picks[1].tolist():
        raise NotApplicable("chance decides its picks")
    p = np.asarray(pool.probabilities)[order]
    moved = ShownPool(
        np.asarray(pool.features)[order],
        p,
        np.asarray(pool.labels)[order],
        pool.images(np.arange(n))[order],
        lambda t: passes(p, t),
    )
    found = order[trial.of({"pool": moved, "budget": budget})]
    if set(found.tolist()) != set(picks[0].tolist()):
        raise Violation(
            f"in another order of the examples it picks {sorted(found.tolist())} instead of "
            f"{sorted(picks[0].tolist())}",
            given={"pool": pool, "budget": budget},
            right="the same examples: a position says nothing about one, but where two are equal",
        )


RULES: Final = (
    Rule(
        "budget",
        _KIND,
        "Methods are compared at equal numbers of labels: one more is an unfair label, one less a missing one.",
        _budget,
        ("shape",),
    ),
    Rule(
        "unlabelled",
        _KIND,
        "A labelled example costs a label and brings nothing.",
        _unlabelled,
        ("shape", "dtype"),
    ),
    Rule("unique", _KIND, "A duplicate is paid for twice.", _unique, ("shape", "dtype")),
    Rule(
        "hidden-labels",
        _KIND,
        "Who chooses by labels that nobody has paid for has no result.",
        _hidden,
        _AFTER,
    ),
    Rule(
        "public-pool",
        _KIND,
        "A pool shows what a cycle may know; what else it is made of changes from version to version.",
        _public,
        _AFTER,
    ),
    Rule(
        "position-independent",
        _KIND,
        "Datasets are stored class by class or by date: a method that likes low positions has learnt the file.",
        _position,
        (*_AFTER, "unlabelled"),
    ),
)
