"""The command line, assembled. Commands import what is slow to import when they run."""

from __future__ import annotations

from typing import Annotated

import typer

import harness
from harness.cli.agreement import agreement
from harness.cli.cache import cache as caches
from harness.cli.check import check
from harness.cli.compare import compare, gate
from harness.cli.datasets import datasets
from harness.cli.describe import describe
from harness.cli.evaluate import evaluate, explain
from harness.cli.export import export
from harness.cli.features import features
from harness.cli.help import Commands
from harness.cli.imports import imports
from harness.cli.leaderboard import leaderboard
from harness.cli.listing import doctor, methods
from harness.cli.new import new
from harness.cli.page import page
from harness.cli.plugins import plugins
from harness.cli.publish import merge, publish
from harness.cli.records import records
from harness.cli.reproduce import reproduce
from harness.cli.run import run
from harness.cli.send import send
from harness.cli.show import show
from harness.cli.train import train
from harness.cli.verify import verify
from harness.cli.view import view
from harness.core.errors import EXIT_CODES

app = typer.Typer(
    name="harness",
    cls=Commands,
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
_COMMANDS = (
    *(agreement, check, compare, describe, doctor, evaluate, explain, export, features, gate, leaderboard),
    *(merge, methods, new, page, publish, reproduce, run, send, show, verify),
)
for command in _COMMANDS:
    app.command()(command)
_GROUPS = {
    "cache": caches,
    "datasets": datasets,
    "import": imports,
    "plugins": plugins,
    "records": records,
    "train": train,
    "view": view,
}
for name, group in _GROUPS.items():
    app.add_typer(group, name=name)


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
