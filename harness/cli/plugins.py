"""``harness plugins``: indexes of plugins, without a server."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from harness.cli.help import Commands
from harness.cli.options import AsJson, Plugins
from harness.core.errors import BROKEN_PLUGIN, DONE

_NOBODY = """\
No plugin is listed: nobody has asked yet to be in the index that comes with the harness.
The methods of the harness itself: harness methods. Other indexes: harness plugins list FILE, or https://ADDRESS.
To be listed: harness plugins add, and a pull request."""

plugins = typer.Typer(cls=Commands, help="List plugins of an index, or add one to it.", no_args_is_help=True)


@plugins.command("list")
def list_plugins(
    indexes: Annotated[
        list[str] | None,
        typer.Argument(help="Index files or https addresses [default: the bundled one].", show_default=False),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show the plugins of indexes: name, methods, source, version, result of harness check when they were added."""
    import json

    from harness.conformance.index import BUNDLED, rows

    names = ("name", "methods", "source", "version", "check")
    found = rows(indexes or [BUNDLED])
    if as_json:
        print(json.dumps([dict(zip(names, row, strict=True)) for row in found], indent=1))
    elif found:
        from tabulate import tabulate

        print(tabulate(found, names, tablefmt="github", disable_numparse=True))
    else:
        print("No plugin is listed." if indexes else _NOBODY)


@plugins.command()
def add(
    target: Annotated[str, typer.Argument(help="An installed plugin, or a plugin file.", show_default=False)],
    to: Annotated[Path, typer.Option("--to", help="Index file, written as JSON.", show_default=False)],
    source: Annotated[
        str, typer.Option("--source", help="Where others get it: an https address, or the package.", show_default=False)
    ],
    plugin: Plugins = None,
) -> None:
    """Hold a plugin to the rules of its kinds and write it into an index. Exit code 3: it breaks a rule."""
    from harness.conformance.index import add as add_entry
    from harness.conformance.index import entry_of

    entry = entry_of(target, source, tuple(plugin or ()))
    add_entry(to, entry)
    failed = entry.check.failed if entry.check else 0
    print(f"{entry.name}: {failed} rules broken; written to {to}")
    raise typer.Exit(BROKEN_PLUGIN if failed else DONE)
