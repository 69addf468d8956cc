"""A reproduced run as text for people and as JSON for programs."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Literal

from harness.studies.reproduce import DetailCheck, MetricCheck, Reproduction


def render_reproduction(reproduction: Reproduction, format: Literal["text", "json"] = "text") -> str:
    """Metrics and details one by one, and what changed since the original run."""
    return _json(reproduction) if format == "json" else _text(reproduction)


def _text(reproduction: Reproduction) -> str:
    outcome = f"{'is reproduced' if reproduction.same else 'DIFFERS'}: {_outcome(reproduction)}"
    lines = [f"run {reproduction.record.id} {outcome}"]
    lines += [f"  {_metric(check)}" for check in reproduction.metrics]
    lines += [f"  {_detail(check)}" for check in reproduction.details]
    unchanged = "sources, versions and machine are unchanged"
    lines.append("changed since the original run:" if reproduction.differs else unchanged)
    return "\n".join([*lines, *(f"  {clause}" for clause in reproduction.differs)])


def _outcome(reproduction: Reproduction) -> str:
    failures = [record.failure for record in (reproduction.record, reproduction.again)]
    if any(failures):
        then, now = (f"{failure.code}: {failure.message}" if failure else "a result" for failure in failures)
        return f"recorded {then}, now {now}"
    metrics, wrong = len(reproduction.metrics), sum(not check.same for check in reproduction.metrics)
    return f"{wrong} of {metrics} metrics differ" if wrong else f"{metrics} metrics agree"


def _metric(check: MetricCheck) -> str:
    if check.recorded == check.again:
        return f"{check.metric} {check.recorded}: equal"
    accepted = f"within {check.tolerance:g} points" if check.same else f"more than {check.tolerance:g} points"
    return f"{check.metric} {check.recorded}, now {check.again}: {accepted if check.tolerance else 'differs'}"


def _detail(check: DetailCheck) -> str:
    if not check.different:
        return f"{check.name}: {check.values} values equal"
    return f"{check.name}: {check.different} of {check.values} values differ, first {check.first}"


def _json(reproduction: Reproduction) -> str:
    failures = [record.failure for record in (reproduction.record, reproduction.again)]
    content = {
        "id": reproduction.record.id,
        "same": reproduction.same,
        "metrics": [{**asdict(check), "same": check.same} for check in reproduction.metrics],
        "details": [asdict(check) for check in reproduction.details],
        "differs": reproduction.differs,
        "failures": [failure.model_dump() if failure else None for failure in failures],
    }
    return json.dumps(content, indent=1, ensure_ascii=False)
