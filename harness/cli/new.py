"""``harness new``: a method to start from."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from harness.cli.options import Kind


def new(
    kind: Kind,
    name: Annotated[str, typer.Argument(help="What specs and leaderboards call it: top-mean.", show_default=False)],
    package: Annotated[bool, typer.Option("--package", help="An installable package in place of a file.")] = False,
    folder: Annotated[Path, typer.Option("--folder", help="Where to write.")] = Path(),
) -> None:
    """Write a method that works, to be changed into your own, and a spec that compares it."""
    from harness.scaffold import new_plugin

    written = new_plugin(kind, name, package=package, folder=folder)
    print("\n".join(f"written  {file}" for file in written.files))
    print("\n".join(["", "It works as it is; try it, then change it:", *(f"  {line}" for line in written.commands)]))
