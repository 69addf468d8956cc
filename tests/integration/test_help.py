"""What a first-time user reads: every command has its place, whole sentences, and options that say what they take."""

from __future__ import annotations

import pytest
import typer
from typer.testing import CliRunner

from harness.cli.app import app
from harness.cli.help import ORDER


def paths(command, path=()):
    yield path
    for name, child in getattr(command, "commands", {}).items():
        yield from paths(child, (*path, name))


PATHS = list(paths(typer.main.get_command(app)))


@pytest.mark.parametrize("path", PATHS, ids=" ".join)
def test_the_help_of_each_command_is_whole(path):
    done = CliRunner().invoke(app, [*path, "--help"])
    assert done.exit_code == 0
    assert not [line for line in done.output.splitlines() if line.rstrip().endswith("...") and "[" not in line]
    for line in done.output.splitlines():
        if line.lstrip().startswith("--"):
            assert "list[" not in line


def test_commands_stand_in_the_order_of_work():
    command = typer.main.get_command(app)
    listed = command.list_commands(None)
    assert listed == [name for name in ORDER if name in listed], "give the new command a place in harness/cli/help.py"
    output = CliRunner().invoke(app, ["--help"]).output
    output = output[output.index("Commands:") :]
    places = [output.index(f"\n  {name} ") for name in listed]
    assert places == sorted(places)
