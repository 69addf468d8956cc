"""The page of commands, from the command line itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import typer

from harness.cli.app import app
from harness.cli.describe import commands
from harness.core.errors import EXIT_CODES


def text() -> str:
    """Every command with its help, arguments and options."""
    rows = [f"| {code} | {meaning} |" for code, meaning in EXIT_CODES.items()]
    head = ["# Commands", "", "| exit code | meaning |", "| --- | --- |", *rows, ""]
    return "\n".join(
        [*head, *(line for command in commands(typer.main.get_command(app)) for line in _command(command))]
    )


def _command(command: Mapping[str, Any]) -> Iterator[str]:
    name, arguments, options = command["command"], command["arguments"], command["options"]
    usage = " ".join([name, *(_argument(argument) for argument in arguments), "[OPTIONS]"])
    yield f"## {name}\n\n{command['help']}\n\n    {usage}\n"
    rows = [(f"`{argument['name'].upper()}`", argument["help"]) for argument in arguments]
    rows += [(_option(option), option["help"]) for option in options]
    if rows:
        yield "\n".join(["| | |", "| --- | --- |", *(f"| {name} | {_cell(text)} |" for name, text in rows), ""])


def _argument(argument: Mapping[str, Any]) -> str:
    name = argument["name"].upper() + ("..." if argument["several"] else "")
    return name if argument["required"] else f"[{name}]"


def _option(option: Mapping[str, Any]) -> str:
    names = " ".join(f"`{name}`" for name in option["names"])
    return names if option["default"] is None else f"{names} ({option['default']})"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
