"""Reports for people and programs: a table a method, the list of rules, JSON."""

from __future__ import annotations

import dataclasses
import json
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, Final

from harness.conformance.cost import Measured
from harness.conformance.rule import Rule
from harness.conformance.suite import Report, Result, Status
from harness.plugin_api import KINDS

_MANY: Final = 3
_WORDS: Final = {
    "passed": "passed",
    "failed": "FAILED",
    "declared": "declared",
    "unneeded": "declared",
    "skipped": "skipped",
}


def table(reports: Sequence[Report]) -> str:
    """What was found, method by method, and a line that adds it up."""
    # Of many methods only what did not pass is shown.
    parts = [_report(report, brief=len(reports) > _MANY) for report in reports]
    if len(reports) > 1:
        counts = Counter(result.status for report in reports for result in report.results)
        bad = [f"{report.kind}:{report.name}" for report in reports if report.failed]
        parts.append(f"{len(reports)} methods: {_sum(counts)}" + (f"\nfailed: {', '.join(bad)}" if bad else ""))
    return "\n\n".join(parts) + "\n"


def as_json(reports: Sequence[Report]) -> str:
    """The same for programs."""
    return json.dumps([_data(report) for report in reports], indent=1, ensure_ascii=False) + "\n"


def rule_list(rules: Iterable[Rule]) -> str:
    """All rules with why they exist, and for which kinds they hold."""
    parts = []
    for rule in rules:
        offered = f", if it offers {rule.hook.__name__}" if rule.hook else ""
        parts.append(f"{rule.name}  ({_kinds(rule)}{offered})\n    {rule.why}")
    return "\n".join(parts) + "\n"


def rules_markdown() -> str:
    """The rules as the page of the documentation has them: those of several kinds, then kind by kind."""
    from harness.conformance.rules import all_rules

    rules = all_rules()
    general = [rule for rule in rules if len(rule.kinds) > 1]
    parts = ["## Several kinds\n\n" + _rows(general, kinds=True)]
    for kind in KINDS:
        own = [rule for rule in rules if rule.kinds == (kind,)]
        parts += [f"## {kind}\n\n{_rows(own)}"] if own else []
    return "\n\n".join(parts) + "\n"


def _rows(rules: Sequence[Rule], *, kinds: bool = False) -> str:
    head = ["| rule | holds for | why |", "| --- | --- | --- |"] if kinds else ["| rule | why |", "| --- | --- |"]
    rows = []
    for rule in rules:
        middle = f" {_kinds(rule)} |" if kinds else ""
        offered = f" ({rule.hook.__name__})" if rule.hook else ""
        rows.append(f"| `{rule.name}`{offered} |{middle} {rule.why} |")
    return "\n".join([*head, *rows])


def _kinds(rule: Rule) -> str:
    missing = [kind for kind in KINDS if kind not in rule.kinds]
    if not missing:
        return "all kinds"
    return f"all but {', '.join(missing)}" if len(missing) < 3 else ", ".join(rule.kinds)


def _report(report: Report, brief: bool) -> str:
    width = max((len(result.rule.name) for result in report.results), default=0)
    shown = [
        result for result in report.results if result.status != "skipped" and (not brief or result.status != "passed")
    ]
    lines = [line for result in shown for line in _result(result, width)] + _skipped(report)
    counts = Counter(result.status for result in report.results)
    cost = [f"  cost      {_cost(report.cost)}"] if report.cost else []
    return "\n".join([f'{report.kind} "{report.name}" ({report.plugin})', *lines, *cost, f"  {_sum(counts)}"])


def _result(result: Result, width: int) -> list[str]:
    text = result.text
    if result.status == "declared":
        text = f"{result.text}; declared: {result.reason}"
    lines = [f"  {_WORDS[result.status]:<8}  {result.rule.name:<{width}}  {text}".rstrip()]
    if result.status == "failed":
        facts = [("why", result.rule.why), ("input", result.inputs), ("right", result.right)]
        lines += [f"            {name + ':':<6} {value}" for name, value in facts if value]
    return lines


def _skipped(report: Report) -> list[str]:
    """One line for all rules that were skipped for the same reason."""
    names: dict[str, list[str]] = {}
    for result in report.results:
        if result.status == "skipped":
            names.setdefault(result.text, []).append(result.rule.name)
    return [f"  skipped   {', '.join(rules)}: {reason}" for reason, rules in names.items()]


def _sum(counts: Counter[Status]) -> str:
    shown: tuple[Status, ...] = ("passed", "failed", "declared", "skipped")
    words = [f"{counts[status]} {status}" for status in shown if counts[status]]
    if counts["unneeded"]:
        words.append(f"{counts['unneeded']} declared without need")
    return ", ".join(words) or "nothing checked"


def _cost(cost: Measured) -> str:
    own = f"{_seconds(cost.seconds)}, {cost.megabytes:.1f} MB"
    if not cost.baseline:
        return f"{own} for {cost.case}"
    times = cost.seconds / cost.baseline_seconds if cost.baseline_seconds else float("nan")
    other = f"{_seconds(cost.baseline_seconds)}, {cost.baseline_megabytes:.1f} MB"
    return f"{own} for {cost.case}; {cost.baseline}: {other} ({times:.3g} times the time)"


def _seconds(seconds: float) -> str:
    return f"{seconds:.3g} s" if seconds >= 0.1 else f"{1000 * seconds:.3g} ms"


def _data(report: Report) -> dict[str, Any]:
    results = [
        {"rule": result.rule.name, "why": result.rule.why, **{key: getattr(result, key) for key in _KEYS}}
        for result in report.results
    ]
    cost = dataclasses.asdict(report.cost) if report.cost else None
    return {"kind": report.kind, "name": report.name, "plugin": report.plugin, "rules": results, "cost": cost}


_KEYS: Final = ("status", "text", "inputs", "right", "reason")
