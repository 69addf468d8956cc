"""``harness check``: holds a plugin to the rules of its kind."""

from __future__ import annotations

from typing import Annotated

import typer

from harness.cli.options import AsJson, Plugins
from harness.core.errors import BROKEN_PLUGIN, DONE, SpecError


def check(
    target: Annotated[
        str | None,
        typer.Argument(help="A plugin file, an installed plugin, or KIND:NAME.", show_default=False),
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="Check everything that is installed.")] = False,
    rule: Annotated[list[str] | None, typer.Option("--rule", help="Try this rule only; may be repeated.")] = None,
    plugin: Plugins = None,
    show: Annotated[bool, typer.Option("--list", help="List all rules and why they exist.")] = False,
    cost: Annotated[bool, typer.Option("--cost/--no-cost", help="Measure time and memory.")] = True,
    as_json: AsJson = False,
) -> None:
    """Check that a plugin keeps the rules that the built-in methods are held to."""
    if show:
        from harness.conformance.rules import all_rules
        from harness.conformance.text import rule_list

        print(rule_list(all_rules()), end="")
        return
    if (target is None) == (not every):
        raise SpecError("say what to check", fix="harness check mine.py, harness check pooling:gem, or --all")
    from harness.conformance import check as check_target
    from harness.conformance import text

    reports = check_target(target or "--all", rules=tuple(rule or ()), plugins=tuple(plugin or ()), cost=cost)
    print(text.as_json(reports) if as_json else text.table(reports), end="")
    raise typer.Exit(BROKEN_PLUGIN if any(report.failed for report in reports) else DONE)
