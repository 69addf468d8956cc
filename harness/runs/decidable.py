"""What a plan can decide, before anything runs: the test, the detectable difference, the seeds that a difference takes.

In points where the folder of records holds runs on the same data with the same protocol (pilots); else in spreads,
standard deviations of the difference of two methods from seed to seed.
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from harness.metrics.verdicts.flips import LEAST_GROUPS, detectable_by_groups
from harness.metrics.verdicts.paired import LEAST_SEEDS, LEVEL, POOLED_LEVEL, pools
from harness.metrics.verdicts.power import MOST_SEEDS, POWER, Spread, detectable, pilot_spread, seeds_needed
from harness.runs.design import DEFAULT_MEASURE, target_of
from harness.runs.identity import Run
from harness.runs.measures import measured
from harness.runs.plan import Plan
from harness.runs.record import Record
from harness.runs.recreate import describe
from harness.runs.store import Store

_NAMED: Final = 4
"""Pilots that are named."""


@dataclass(frozen=True)
class Setting:
    """One board of a plan.

    Attributes:
        label: dataset and options, as lines of runs begin.
        methods: key of each combination of methods -> its runs by seed.
        names: key -> how people call the combination.
        example: a record of one of the runs.
    """

    label: str
    methods: Mapping[str, Mapping[int, Run]]
    names: Mapping[str, str]
    example: Record


def settings_of(runs: Iterable[Run]) -> list[Setting]:
    """The boards that runs make, in the order of the plan."""
    boards: dict[tuple[str, ...], dict[str, dict[int, Run]]] = {}
    for run in runs:
        board = run.dataset.label or run.dataset.name, *([run.setting] if run.setting else [])
        key = json.dumps({kind: method.key for kind, method in run.methods.items()}, sort_keys=True)
        boards.setdefault(board, {}).setdefault(key, {})[run.seed] = run
    return [
        Setting(
            " · ".join(label),
            methods,
            {key: _name(next(iter(by_seed.values()))) for key, by_seed in methods.items()},
            describe(next(iter(next(iter(methods.values())).values()))),
        )
        for label, methods in boards.items()
    ]


def _name(run: Run) -> str:
    return " · ".join(run.labels.get(kind, method.id.name) for kind, method in run.methods.items())


def decidable_lines(plan: Plan, store: Store) -> list[str]:
    """What each board of the plan can decide, in lines for people; boards about which the same can be said, once."""
    records = [record for record in store.read_all() if record.status == "done"]
    said: dict[tuple[str, ...], list[str]] = {}
    for setting in settings_of(plan.runs):
        pilots = _pilots(setting, records)
        retrieval = plan.spec.task == "retrieval"
        lines = _of_queries(plan, setting, pilots) if retrieval else _of_seeds(plan, setting, pilots)
        said.setdefault(tuple(lines), []).append(setting.label)
    many = len(said) > 1
    return [line for lines, labels in said.items() for line in ([", ".join(labels) + ":"] if many else []) + [*lines]]


def _pilots(setting: Setting, records: Sequence[Record]) -> dict[str, list[Record]]:
    """Earlier records of the same data and protocol, by the name of their methods."""
    found: dict[str, list[Record]] = {}
    for record in records:
        if _is_pilot(record, setting.example):
            name = " · ".join(method.name for method in record.methods.values())
            parameters = json.dumps({kind: m.parameters for kind, m in record.methods.items()}, sort_keys=True)
            found.setdefault(f"{name}\n{parameters}", []).append(record)
    return found


def _is_pilot(record: Record, example: Record) -> bool:
    """Whether both are of one board; of data that are missing it is not known whether they are the same."""
    same = (record.task, record.dataset.name, record.dataset.parameters, record.protocol) == (
        example.task,
        example.dataset.name,
        example.dataset.parameters,
        example.protocol,
    )
    return same and example.dataset.fingerprint in ("", record.dataset.fingerprint)


def _of_seeds(plan: Plan, setting: Setting, pilots: Mapping[str, list[Record]]) -> Iterator[str]:
    m, n = len(setting.methods), min(map(len, setting.methods.values()))
    measure = plan.spec.design.measure or DEFAULT_MEASURE[plan.spec.task]
    if m < 2:
        yield "verdict: none, there is one method"
        return
    if n < LEAST_SEEDS:
        yield f"verdict: none is possible from {n} seed{'s' if n > 1 else ''}; it takes at least {LEAST_SEEDS}"
        return
    pooled = pools(n, m)
    test = f"t-test with pooled error, {POOLED_LEVEL:.0%} level" if pooled else f"paired t-test, {LEVEL:.0%} level"
    pairs = f"all {m * (m - 1) // 2} pairs of {m} methods" if m > 2 else "two methods"
    yield f"verdict: {pairs}, {n} seeds, measure {measure}, {test}"
    values = _paired_values(pilots, measure)
    spread = None if values is None or target_of(measure) is not None else pilot_spread(values[1])
    families = ((False, "all pairs"), (True, f"against {plan.spec.design.baseline or 'a baseline'}"))
    for baseline, name in families[: m - 1]:  # two methods are one family
        yield f"minimum detectable difference ({POWER:.0%} power), {name}: {_least(n, m, baseline, spread)}"
    smallest = plan.spec.design.smallest_difference
    if spread is not None and values is not None:
        yield f"spread: {100 * spread.estimate:.2f} points, from {values[1].shape[0]} seeds of {_listed(values[0])}"
        if smallest is not None:
            yield _seeds_for(smallest, m, spread)
    elif smallest is not None:
        yield f"seeds for a difference of {smallest:g} points: not known without earlier runs on these data"


def _least(n: int, m: int, baseline: bool, spread: Spread | None) -> str:
    spreads = detectable(n, m, baseline=baseline)
    if spread is None:
        return f"{spreads:.2f} standard deviations of a difference"
    return f"{100 * spreads * spread.estimate:.2f} points (up to {100 * spreads * spread.upper:.2f})"


def _seeds_for(points: float, m: int, spread: Spread) -> str:
    counts = []
    for baseline in (False, True):
        seeds = seeds_needed(points / 100 / spread.estimate, m, baseline=baseline)
        counts.append(f"more than {MOST_SEEDS}" if seeds is None else str(seeds))
    return f"seeds for a difference of {points:g} points: {counts[0]} for all pairs, {counts[1]} against a baseline"


def _paired_values(pilots: Mapping[str, list[Record]], measure: str) -> tuple[list[str], NDArray[np.float64]] | None:
    """Names of the pilots and their measure (n, m) on the seeds that they share; None without two of each."""
    values = {key: by_seed for key, by_seed in measured(pilots, measure).values.items() if len(by_seed) > 1}
    sets = Counter(frozenset(by_seed) for by_seed in values.values())
    holders = {seeds: [key for key, by_seed in values.items() if seeds <= by_seed.keys()] for seeds in sets}
    shared = max(holders, key=lambda seeds: (len(seeds) - 1) * (len(holders[seeds]) - 1), default=frozenset[int]())
    if len(shared) < 2 or len(holders[shared]) < 2:
        return None
    keys = holders[shared]
    table = np.array([[values[key][seed] for key in keys] for seed in sorted(shared)])
    return [key.partition("\n")[0] for key in keys], table


def _of_queries(plan: Plan, setting: Setting, pilots: Mapping[str, list[Record]]) -> Iterator[str]:
    m = len(setting.methods)
    measure = plan.spec.design.measure or DEFAULT_MEASURE[plan.spec.task]
    if m < 2:
        yield "verdict: none, there is one method"
        return
    pairs = f"all {m * (m - 1) // 2} pairs of {m} methods" if m > 2 else "two methods"
    possible = f"verdict: {pairs} over groups of queries, measure {measure}, sign flips"
    table = _query_values(pilots, measure)
    if table is None:
        yield f"{possible}; it takes at least {LEAST_GROUPS} groups"
        yield "minimum detectable difference: not known without earlier runs on these data"
        return
    names, values, groups = table
    count = len(set(groups.tolist()))
    if count < LEAST_GROUPS:
        yield f"verdict: none is possible, {len(values)} queries are {count} groups; it takes at least {LEAST_GROUPS}"
        return
    yield possible
    least = detectable_by_groups(values, groups, m * (m - 1) // 2)
    found = f"{100 * least:.2f} points" if math.isfinite(least) and least else "unknown"
    yield (
        f"minimum detectable difference ({POWER:.0%} power), all pairs: {found}, from {len(values)} queries in {count} "
        f"groups of {_listed(names)}"
    )


def _query_values(
    pilots: Mapping[str, list[Record]], measure: str
) -> tuple[list[str], NDArray[np.float64], NDArray[np.intp]] | None:
    """Names of the pilots, their values (n, m) on the queries that all have, and the group of each."""
    columns, groups = {}, None
    for key, records in pilots.items():
        values = records[0].details.get(re.sub("^map_", "ap_", measure))
        if isinstance(values, list):
            columns[key] = np.array([math.nan if value is None else value for value in values], np.float64)
            groups = groups or records[0].details.get("groups")
    if len(columns) < 2 or len({len(values) for values in columns.values()}) > 1:
        return None
    table = np.array(list(columns.values())).T
    known = ~np.isnan(table).any(axis=1)
    numbers = np.array(groups if groups else range(len(table)), np.intp)
    return [key.partition("\n")[0] for key in columns], table[known], numbers[known]


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more
