"""``harness show``: one record, for people."""

from __future__ import annotations

from harness.cli.options import AsJson, Run, RunsOfId


def show(run: Run, runs: RunsOfId = None, as_json: AsJson = False) -> None:
    """Show one run: methods, parameters, metrics, health, cost, and why it failed."""
    from harness.boards.render.record import record_text
    from harness.cli.listing import dump
    from harness.runs.targets import Resolver

    record = Resolver().record(run, runs)
    print(dump(record.model_dump(by_alias=True)) if as_json else record_text(record))
