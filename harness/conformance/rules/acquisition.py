"""Rules of acquisitions: what may be picked, how much, and what must not be seen."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from harness.conformance import checks
from harness.conformance.guards import isolated
from harness.conformance.kinds.acquisition import ShownPool, passes, some_pool
from harness.conformance.rule import SOUND, NotApplicable, RuleSet, Violation
from harness.conformance.rules.answers import answers_to
from harness.conformance.trial import Answered, Trial, offered
from harness.conformance.values import plain, same
from harness.plugin_api import AsksLabels, ChangesByCycle, PoolView, Remembers, SeesLabels

RULES: Final = RuleSet("acquisition")

_PUBLIC: Final = frozenset(name for name in vars(PoolView) if not name.startswith("_"))


@RULES.rule(
    "budget",
    "Methods are compared at equal numbers of labels: one more is an unfair label, one less a missing one.",
    ("shape",),
)
def _budget(trial: Trial) -> None:
    answers_to("budget")(trial)
    for answered in trial.answers:
        left, budget = len(answered.inputs["pool"].unlabelled), answered.inputs["budget"]
        if len(answered.raw) != min(budget, left):
            raise Violation(
                f"{answered.case.name}: {len(answered.raw)} picks for a budget of {budget} with {left} unlabelled",
                inputs=answered.inputs,
                right=f"{min(budget, left)} picks: the budget, or all that is left",
            )


@RULES.each("unlabelled", "A labelled example costs a label and brings nothing.", ("shape", "dtype"))
def _unlabelled(trial: Trial, answered: Answered) -> None:
    wrong = np.setdiff1d(answered.raw, answered.inputs["pool"].unlabelled)
    if len(wrong):
        what = "is labelled" if 0 <= wrong[0] < len(answered.inputs["pool"].labels) else "does not exist"
        raise Violation(
            f"{answered.case.name}: it picked {int(wrong[0])}, which {what}",
            right="positions from pool.unlabelled; scores of those only",
        )


@RULES.each("unique", "A duplicate is paid for twice.", ("shape", "dtype"))
def _unique(trial: Trial, answered: Answered) -> None:
    values, counts = np.unique(answered.raw, return_counts=True)
    if (counts > 1).any():
        raise Violation(
            f"{answered.case.name}: it picked {int(values[counts > 1][0])} twice", right="every example at most once"
        )


@RULES.rule("hidden-labels", "Who chooses by labels that nobody has paid for has no result.", SOUND)
def _hidden(trial: Trial) -> None:
    """Two pools that look the same, before a cycle that knows two different truths: in its frame and in a closure."""
    n = 30
    found = []
    for shift in (0, 1):
        pool = some_pool(n, 4)
        truth = np.where(pool.labels >= 0, pool.labels, (np.arange(n) + shift) % 3)
        pool = _with_secret(pool, truth)
        with isolated(0):
            found.append(_cycle(trial.method(), pool, truth).tolist())
    if found[0] != found[1]:
        raise Violation(
            f"with other hidden labels it picked {found[1]} instead of {found[0]}",
            inputs={"pool": some_pool(n, 4), "budget": 5},
            right="what pool.labels shows and nothing else",
        )


def _cycle(method: Any, pool: ShownPool, labels: Any) -> Any:
    """Chooses as the harness does: with the truth in the caller's hands (``labels``), not in the pool's."""
    train_labels = dataset = labels  # noqa: F841  # where somebody who goes through frames would look
    return method.select(pool, 5, np.random.default_rng(0))


def _with_secret(pool: ShownPool, labels: Any) -> ShownPool:
    """A pool whose dropout has a closure that holds the truth: where somebody who opens functions would look."""

    def dropout(t: int) -> Any:
        return passes(pool.probabilities, t)[:, : len(labels)]  # len: so that the closure holds them

    return ShownPool(pool.features, pool.probabilities, pool.labels, pool.images, dropout, head=lambda: pool.head)


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


@RULES.each(
    "public-pool",
    "A pool shows what a cycle may know; what else it is made of changes from version to version.",
    SOUND,
    some=True,
)
def _public(trial: Trial, answered: Answered) -> None:
    asked: list[str] = []
    inputs = {**answered.inputs, "pool": _Watched(answered.case.make()["pool"], asked)}
    try:
        trial.of(inputs)
    except AttributeError:
        if not asked:
            raise
    if asked:
        raise Violation(
            f"it asks the pool for {asked[0]}", right=f"only {', '.join(sorted(_PUBLIC))}: what a pool shows"
        )


@RULES.rule(
    "position-independent",
    "Datasets are stored class by class or by date: a method that likes low positions has learnt the file.",
    (*SOUND, "unlabelled"),
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
        head=lambda: pool.head,
    )
    found = order[trial.of({"pool": moved, "budget": budget})]
    if set(found.tolist()) != set(picks[0].tolist()):
        raise Violation(
            f"in another order of the examples it picks {sorted(found.tolist())} instead of "
            f"{sorted(picks[0].tolist())}",
            inputs={"pool": pool, "budget": budget},
            right="the same examples: a position says nothing about one, but where two are equal",
        )


def _require_choice(picks: Any, answered: Answered, what: str) -> None:
    pool, budget = answered.inputs["pool"], answered.inputs["budget"]
    checks.require_array(picks, f"what {what} selects")
    checks.require_dtype(picks, "int64", f"what {what} selects")
    count = min(budget, len(pool.unlabelled))
    if len(picks) != count or len(np.unique(picks)) != count or not np.isin(picks, pool.unlabelled).all():
        raise Violation(f"{what} selects {picks.tolist()}", inputs=answered.inputs, right=f"{count} of pool.unlabelled")


@RULES.rule("at", "Each cycle of a composed acquisition is held to the rules of one.", SOUND, hook=ChangesByCycle)
def _at(trial: Trial) -> None:
    method = offered(ChangesByCycle, trial.method())
    answered = trial.some[-1]
    for cycle in range(3):
        with isolated(0):
            picks = method.at(cycle).select(
                answered.inputs["pool"], answered.inputs["budget"], np.random.default_rng(0)
            )
        _require_choice(picks, answered, f"at({cycle})")
        if cycle == 0 and not same(plain(picks), answered.plain):
            raise Violation("select picks others than at(0)", inputs=answered.inputs, right="select acts as in cycle 0")


@RULES.rule("select-knowing", "A reference stands beside methods at equal budgets.", SOUND, hook=SeesLabels)
def _knowing(trial: Trial) -> None:
    method = offered(SeesLabels, trial.method())
    answered = trial.some[-1]
    pool, budget = answered.inputs["pool"], answered.inputs["budget"]
    labels = np.arange(len(pool.labels)) % pool.probabilities.shape[1]
    with isolated(0):
        picks = method.select_knowing(pool, budget, np.random.default_rng(0), labels)
    _require_choice(picks, answered, "select_knowing")


@RULES.rule("select-asking", "A label that was asked for has been paid for.", SOUND, hook=AsksLabels)
def _asking(trial: Trial) -> None:
    method = offered(AsksLabels, trial.method())
    answered = trial.some[-1]
    pool, budget = answered.inputs["pool"], answered.inputs["budget"]
    asked: list[int] = []

    def ask(position: int) -> int:
        asked.append(position)
        return int(position % pool.probabilities.shape[1])

    with isolated(0):
        picks = method.select_asking(pool, budget, np.random.default_rng(0), ask)
    _require_choice(picks, answered, "select_asking")
    if unpaid := set(asked) - set(picks.tolist()):
        raise Violation(
            f"it asks for the label of {min(unpaid)} and does not pick it",
            inputs=answered.inputs,
            right="every example asked for among the picks",
        )


@RULES.rule("select-remembering", "A run that is resumed goes on as if it had not stopped.", SOUND, hook=Remembers)
def _remembering(trial: Trial) -> None:
    method = offered(Remembers, trial.method())
    answered = trial.some[-1]
    pool, budget = answered.inputs["pool"], answered.inputs["budget"]
    memory: Mapping[str, Any] | None = None
    for _ in range(2):
        with isolated(0):
            picks, memory = method.select_remembering(pool, budget, np.random.default_rng(0), memory)
        _require_choice(picks, answered, "select_remembering")
        for name, value in memory.items():
            if not isinstance(value, np.ndarray) or value.dtype.kind not in "biufU":
                raise Violation(f"it remembers {name!r} as {type(value).__name__}", right="arrays of numbers or text")
