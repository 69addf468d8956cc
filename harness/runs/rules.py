"""Rules of tests that add seeds until all is decided: kept beside the records, and applied to them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from harness.core.errors import SpecError
from harness.core.files import write_atomically
from harness.metrics.verdicts.sequential import Outcome, SequentialRule
from harness.runs.design import Rule
from harness.runs.measures import measured
from harness.runs.record import Record

RULES: Final = "until-decided.jsonl"
"""Rules of the tests in a folder of records, one a line."""


def stored_rule(folder: Path, name: str) -> Rule | None:
    """The rule under which the spec of this name was started, None if it was not."""
    return next((rule for rule in _rules(folder) if rule.name == name), None)


def _rules(folder: Path) -> list[Rule]:
    try:
        lines = (folder / RULES).read_text(encoding="utf-8").splitlines()
        contents = [json.loads(line) for line in lines]
        return [
            Rule(**{**content, "seeds": tuple(content["seeds"]), "methods": tuple(content["methods"])})
            for content in contents
        ]
    except FileNotFoundError:
        return []
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise SpecError(
            f"{folder / RULES} does not hold the rules of tests: {type(error).__name__}", fix="delete the file"
        ) from error


def begin(rule: Rule, folder: Path) -> list[str]:
    """Keep the rule beside the records, or find the one that is kept; what is to be said of earlier tests.

    Raises:
        SpecError: the test of this name was started under another rule: its levels cannot be changed afterwards.
    """
    rules = _rules(folder)
    earlier = next((kept for kept in rules if kept.name == rule.name), None)
    if earlier is not None and earlier != rule:
        changed = [name for name, value in asdict(rule).items() if asdict(earlier)[name] != value]
        raise SpecError(
            f"the test {rule.name} was started with other {', '.join(changed)}, which cannot be changed afterwards",
            fix="give the same, or start a new test under a new name: in the spec",
        )
    if earlier is None:
        text = "".join(json.dumps(asdict(kept)) + "\n" for kept in [*rules, rule])
        folder.mkdir(parents=True, exist_ok=True)
        write_atomically(folder / RULES, text.encode())
        others = [kept.name for kept in rules]
        return [f"new test; earlier ones on these records: {', '.join(others)}"] if others else []
    return []


def sequential_rule(rule: Rule, baseline: int | None, methods: int) -> SequentialRule:
    """The rule of a board of so many methods, with the position of the baseline."""
    smallest = None if rule.smallest is None else rule.smallest / 100
    return SequentialRule(methods, len(rule.seeds), baseline, smallest)


def tables(
    methods: Mapping[str, Sequence[Record]], seeds: Sequence[int], measure: str
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """The measure (n, m) by seed and method, NaN where there is none, and which runs failed or lack the measure."""
    values = measured(methods, measure).values
    table = np.array([[values.get(key, {}).get(seed, np.nan) for key in methods] for seed in seeds])
    lost = {key: {r.seed for r in records if r.status in ("done", "failed")} for key, records in methods.items()}
    return table, np.isnan(table) & np.array([[seed in lost[key] for key in methods] for seed in seeds])


def state_text(outcome: Outcome, rule: SequentialRule) -> str:
    """What closed a comparison: ``better``, ``worse``, ``within 1.5 points``, ``not to be settled``."""
    if outcome.state == "differs":
        return "better" if outcome.difference > 0 else "worse"
    return f"within {100 * (rule.smallest or 0):g} points" if outcome.state == "within" else outcome.state
