"""``harness reproduce``: a record's run again, and whether it gives the same."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli.options import AsJson, Data, Plugins

if TYPE_CHECKING:
    from harness.studies.reproduce import DetailCheck, MetricCheck, Reproduction


def reproduce(
    record: Annotated[str, typer.Argument(help="The .json file of a run, or COMMIT:PATH of it.", show_default=False)],
    tolerance: Annotated[
        list[str] | None,
        typer.Option("--tolerance", help="Points that may differ: NUMBER, or METRIC=NUMBER [default: not a digit]."),
    ] = None,
    plugin: Plugins = None,
    data: Data = None,
    out: Annotated[Path | None, typer.Option("--out", help="Folder that gets the new record.")] = None,
    as_json: AsJson = False,
) -> None:
    """Do the run of a record again and compare what comes out.

    Nothing is taken from the cache.
    """
    from harness.cli.display import Bars
    from harness.core.errors import DONE, REGRESSION
    from harness.runs.tolerances import parse_tolerances
    from harness.studies.reproduce import reproduce as reproduce_record

    accepted = parse_tolerances(tolerance or ())
    with Bars() as bars:
        found = reproduce_record(record, plugins=plugin or (), data=data, out=out, tolerance=accepted, progress=bars)
    print(_json(found) if as_json else _text(found))
    raise typer.Exit(DONE if found.same else REGRESSION)


def _text(found: Reproduction) -> str:
    lines = [f"run {found.record.id} {'is reproduced' if found.same else 'DIFFERS'}: {_outcome(found)}"]
    lines += [f"  {_metric(check)}" for check in found.metrics]
    lines += [f"  {_detail(check)}" for check in found.details]
    lines.append("not as it was then:" if found.differs else "sources, versions and machine are as they were then")
    return "\n".join([*lines, *(f"  {clause}" for clause in found.differs)])


def _outcome(found: Reproduction) -> str:
    sides = [f"{one.failure.code}: {one.failure.message}" if one.failure else "" for one in (found.record, found.again)]
    if any(sides):
        return f"recorded {sides[0] or 'a result'}, now {sides[1] or 'a result'}"
    wrong = sum(not check.same for check in found.metrics)
    return f"{wrong} of {len(found.metrics)} metrics differ" if wrong else f"{len(found.metrics)} metrics agree"


def _metric(check: MetricCheck) -> str:
    if check.recorded == check.again:
        return f"{check.metric} {check.recorded}: equal"
    accepted = f"within {check.tolerance:g} points" if check.same else f"more than {check.tolerance:g} points"
    return f"{check.metric} {check.recorded}, now {check.again}: {accepted if check.tolerance else 'differs'}"


def _detail(check: DetailCheck) -> str:
    if not check.different:
        return f"{check.name}: {check.values} values equal"
    return f"{check.name}: {check.different} of {check.values} values differ, first {check.first}"


def _json(found: Reproduction) -> str:
    content = {
        "id": found.record.id,
        "same": found.same,
        "metrics": [{**asdict(check), "same": check.same} for check in found.metrics],
        "details": [asdict(check) for check in found.details],
        "differs": found.differs,
        "failures": [one.failure.model_dump() if one.failure else None for one in (found.record, found.again)],
    }
    return json.dumps(content, indent=1, ensure_ascii=False)
