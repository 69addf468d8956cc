"""``harness new``: a method, or the repository of a board, to start from."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

import typer

from harness.cli.completion import complete_kind
from harness.core.errors import SpecError
from harness.plugin_api import KINDS

BOARD: Final = "board"


def new(
    kind: Annotated[
        str,
        typer.Argument(
            help=f"One of: {', '.join(KINDS)}; or {BOARD}, the repository of a leaderboard.",
            show_default=False,
            autocompletion=complete_kind,
        ),
    ],
    name: Annotated[str, typer.Argument(help="What specs and leaderboards call it: top-mean.", show_default=False)],
    package: Annotated[bool, typer.Option("--package", help="An installable package in place of a file.")] = False,
    folder: Annotated[Path, typer.Option("--folder", help="Where to write.")] = Path(),
) -> None:
    """Write a method that works, to be changed into your own, and a spec that compares it; or a board's repository."""
    from harness.scaffold import new_board, new_plugin

    if kind == BOARD and package:
        raise SpecError("a board is no package", fix=f"harness new board {name}")
    written = new_board(name, folder) if kind == BOARD else new_plugin(kind, name, package=package, folder=folder)
    print("\n".join(f"written  {file}" for file in written.files))
    print("\n".join(["", "It works as it is; try it, then change it:", *(f"  {line}" for line in written.commands)]))
