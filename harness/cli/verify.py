"""``harness verify``: methods, protocols and metrics beside their slow references."""

from __future__ import annotations

from typing import Annotated

import typer

from harness.cli.options import AsJson, Plugins
from harness.core.errors import BROKEN_PLUGIN, DONE


def verify(
    method: Annotated[
        str | None,
        typer.Argument(
            help="A method (gem or pooling:gem), a protocol, a plugin file or an installed plugin; all if not given.",
            show_default=False,
        ),
    ] = None,
    kind: Annotated[
        str | None, typer.Option("--kind", help="Of this kind only; also protocol or metric.", show_default=False)
    ] = None,
    plugin: Plugins = None,
    workers: Annotated[
        int | None,
        typer.Option("--workers", min=1, help="Processes; as many as there are CPUs if not given.", show_default=False),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Compare methods, protocols and metrics with slow references written from their formulas, on small cases."""
    from harness.conformance import evidence

    verdicts = evidence.verify(method or "--all", kind=kind, plugins=tuple(plugin or ()), workers=workers)
    print(evidence.as_json(verdicts) if as_json else evidence.table(verdicts), end="")
    raise typer.Exit(DONE if all(verdict.holds for verdict in verdicts) else BROKEN_PLUGIN)
