"""The command line, assembled. A command is imported when it is asked for, and imports what is slow when it runs."""

from __future__ import annotations

from typing import Annotated

import typer

import harness
from harness.cli.help import AllCommands
from harness.core.errors import EXIT_CODES

app = typer.Typer(
    name="harness",
    cls=AllCommands,
    help=(
        "Benchmarks for deep active learning and instance image retrieval: say what to compare in a spec, harness run "
        "measures it, harness leaderboard shows it. Exit codes: "
        + ", ".join(f"{code} {meaning}" for code, meaning in EXIT_CODES.items())
        + "."
    ),
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def _version(asked: bool) -> None:
    if asked:
        print(f"harness {harness.__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", help="Show the version and exit.", callback=_version, is_eager=True)
    ] = False,
) -> None:
    """Options of ``harness`` itself; ``app`` has their help."""
