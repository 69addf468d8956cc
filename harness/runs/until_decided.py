"""Runs added seed by seed until every comparison is decided (``harness.metrics.verdicts.sequential``).

The rule is fixed before the first seed and kept beside the records; all decisions follow from the records, so that the
same command resumes where an interrupted one stopped. Each board is a test of its own.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, Protocol

from harness.core.errors import SpecError
from harness.metrics.verdicts.sequential import Outcome, Progress, SequentialRule, progress
from harness.runs.decidable import Setting, settings_of
from harness.runs.design import DEFAULT_MEASURE, Rule, target_of
from harness.runs.identity import Run
from harness.runs.plan import Plan
from harness.runs.repeats import first_failures, keep_first_failures, to_repeat
from harness.runs.rules import sequential_rule, state_text, tables
from harness.runs.store import Store

MOST_SEEDS: Final = 20


class Perform(Protocol):
    """Does the runs of a plan; failed ones again if asked to."""

    def __call__(self, plan: Plan, *, retry_failed: bool) -> object:
        """See ``harness.runs.runner.run_plan``."""
        ...


def planned_seeds(stated: Sequence[int], most: int) -> tuple[int, ...]:
    """At most ``most`` seeds: those that the spec states, then the next numbers."""
    seeds = list(stated)[:most]
    following = (seed for seed in range(max(seeds, default=-1) + 1, 2**62) if seed not in seeds)
    while len(seeds) < most:
        seeds.append(next(following))
    return tuple(seeds)


def make_rule(plan: Plan, most: int, *, all_pairs: bool) -> Rule:
    """The rule of a plan.

    Args:
        plan: of the spec.
        most: most seeds of a method.
        all_pairs: whether every two methods are compared, else each with the baseline of the spec.

    Raises:
        SpecError: nothing can be decided this way: retrieval, no baseline or several, too few seeds, a difference in
            points of a measure that has none.
    """
    spec, design = plan.spec, plan.spec.design
    if spec.task == "retrieval":
        raise SpecError(
            "--until-decided adds seeds, and in retrieval queries decide", fix="run the spec without --until-decided"
        )
    if not design.baseline and not all_pairs:
        raise SpecError(
            "--until-decided compares with a baseline, and the spec names none",
            fix="add baseline: NAME to the spec, or give --all-pairs (each method then runs while any two are close)",
        )
    if most < 4:
        raise SpecError(f"{most} seeds are too few to decide", fix="give --max-seeds 4 or more; 20 is the default")
    measure = design.measure or DEFAULT_MEASURE[spec.task]
    smallest = design.smallest_difference
    if smallest is not None and target_of(measure) is not None:
        raise SpecError(f"{measure} has no difference in points", fix="leave --smallest-difference out")
    baseline = "" if all_pairs else design.baseline
    settings = settings_of(plan.runs)
    names = sorted({name for setting in settings for name in setting.names.values()})
    rule = Rule(spec.name, planned_seeds(spec.seeds, most), measure, baseline, smallest, tuple(names))
    for setting in settings:
        make_board(setting, rule)  # a baseline that means several methods is found before the first run
    return rule


@dataclass(frozen=True)
class Board:
    """One board while seeds are added."""

    setting: Setting
    keys: tuple[str, ...]
    rule: SequentialRule

    def wanted(self, found: Progress, seeds: Sequence[int]) -> list[Run]:
        """The runs that the next look needs."""
        return [
            self.setting.methods[key][seed]
            for key, needed in zip(self.keys, found.needed, strict=True)
            for seed in seeds[:needed]
        ]


def until_decided(plan: Plan, store: Store, rule: Rule, perform: Perform) -> list[tuple[Board, Progress]]:
    """Do what each look needs until all comparisons are closed.

    Args:
        plan: with all seeds of the rule.
        store: of the records.
        rule: as kept by ``begin``.
        perform: does the runs of a plan.

    Raises:
        SpecError: no method, or several, are the baseline of a board.
    """
    boards = [make_board(setting, rule) for setting in settings_of(plan.runs)]
    while True:
        stand = [(board, board_progress(board, rule, store)) for board in boards]
        wanted = [run for board, found in stand for run in board.wanted(found, rule.seeds)]
        if not wanted:
            return stand
        perform(replace(plan, runs=tuple(wanted)), retry_failed=False)
        records = store.read_many(run.id for run in wanted)
        keep_first_failures(records.values(), store.folder)
        first = first_failures(store.folder)
        failed = [run for run in wanted if run.id in records and to_repeat(records[run.id], first)]
        if failed:  # each once more; then the method leaves
            perform(replace(plan, runs=tuple(failed)), retry_failed=True)


def make_board(setting: Setting, rule: Rule) -> Board:
    """The board of a setting with its baseline. Raises ``SpecError``."""
    keys = tuple(setting.methods)
    baseline = None
    if rule.baseline:
        words = set(rule.baseline.replace("·", " ").split())
        fitting = [at for at, key in enumerate(keys) if words <= set(setting.names[key].split())]
        if len(fitting) != 1:
            names = ", ".join(f'"{setting.names[keys[at]]}"' for at in fitting)
            raise SpecError(
                f'baseline "{rule.baseline}" means {len(fitting)} methods of {setting.label}',
                fix=f"give more words: {names}" if fitting else "name a method of the spec",
            )
        baseline = fitting[0]
    return Board(setting, keys, sequential_rule(rule, baseline, len(keys)))


def board_progress(board: Board, rule: Rule, store: Store) -> Progress:
    """Where the rule stands by the records that there are."""
    records = store.read_many(
        run.id for by_seed in board.setting.methods.values() for seed, run in by_seed.items() if seed in rule.seeds
    )
    first = first_failures(store.folder)
    records = {run: record for run, record in records.items() if not to_repeat(record, first)}
    groups = {
        key: [record for run in by_seed.values() if (record := records.get(run.id)) is not None]
        for key, by_seed in board.setting.methods.items()
    }
    values, failed = tables(groups, rule.seeds, rule.measure)
    return progress(values, board.rule, failed)


def report_lines(stand: Sequence[tuple[Board, Progress]], store: Store, measure: str) -> list[str]:
    """What closed each comparison at which look, the seeds of each method, and the runs that were saved."""
    lines: list[str] = []
    for board, found in stand:
        names = [board.setting.names[key] for key in board.keys]
        lines += [f"{board.setting.label}: looks after {', '.join(map(str, found.looks))} seeds"]
        for outcome in found.outcomes:
            lines.append(
                f"  {names[outcome.first]} against {names[outcome.second]}: {state_text(outcome, board.rule)} after "
                f"{outcome.seeds} seeds{_difference_text(outcome.difference, measure)}{_p_text(outcome)}"
            )
        runs = [run.id for by_seed in board.setting.methods.values() for run in by_seed.values()]
        done = len(store.read_many(runs))
        lines.append(f"  {done} of {len(runs)} runs done, {len(runs) - done} saved")
    return lines


def _p_text(outcome: Outcome) -> str:
    """``, p = 0.0012``, of what was claimed; nothing without a claim."""
    return f", p = {outcome.p:.2g} at this look" if outcome.state in ("differs", "within") else ""


def _difference_text(difference: float, measure: str) -> str:
    """``, +1.20 points``; of numbers of labels, which are tested by their logarithm, the factor between the means."""
    if math.isnan(difference):
        return ""  # of a method without results
    if target_of(measure) is not None:
        return f", {2.0**-difference:.2f} times the labels"
    return f", {100 * difference:+.2f} points"
