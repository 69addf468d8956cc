"""The pages of commands, from the command line itself: one a command or group, and one that lists them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import groupby
from typing import Any

import typer

from harness.cli.app import app
from harness.cli.describe import commands
from harness.core.errors import EXIT_CODES

FOLDER = "reference/commands"


def pages() -> dict[str, str]:
    """Path in the site -> content."""
    return {f"{FOLDER}/index.md": "\n".join(_overview())} | {
        f"{FOLDER}/{group}.md": "\n".join(_page(group, own)) for group, own in _groups()
    }


def navigation() -> list[str]:
    """The pages in the order of the help."""
    return [f"{FOLDER}/index.md", *(f"{FOLDER}/{group}.md" for group, _ in _groups())]


def _groups() -> Iterator[tuple[str, list[Mapping[str, Any]]]]:
    """The word after ``harness``, and the commands that begin with it."""
    for group, own in groupby(commands(typer.main.get_command(app)), lambda command: command["command"].split()[1]):
        yield group, list(own)


def _overview() -> Iterator[str]:
    yield "# Commands\n\nFind the command for a task; each has a page with its arguments and options.\n"
    yield "| command | what it does |\n| --- | --- |"
    for group, own in _groups():
        yield from (f"| [`{one['command']}`]({group}.md) | {_cell(_summary(one))} |" for one in own)
    yield "\n## Exit codes\n\n| code | meaning |\n| --- | --- |"
    yield from (f"| {code} | {meaning} |" for code, meaning in EXIT_CODES.items())


def _summary(command: Mapping[str, Any]) -> str:
    return " ".join(command["help"].partition("\n\n")[0].split())


def _page(group: str, own: list[Mapping[str, Any]]) -> Iterator[str]:
    yield f"# harness {group}\n"
    if own[0]["command"] != f"harness {group}":
        yield f"Look up the arguments and options of `harness {group}` and its commands.\n"
    for command in own:
        yield from _command(command, heading=command["command"] != f"harness {group}")


def _command(command: Mapping[str, Any], heading: bool) -> Iterator[str]:
    name, arguments, options = command["command"], command["arguments"], command["options"]
    usage = " ".join([name, *(_argument(argument) for argument in arguments), "[OPTIONS]"])
    yield (f"## {name}\n\n" if heading else "") + f"{command['help']}\n\n    {usage}\n"
    rows = [(f"`{argument['name'].upper()}`", argument["help"]) for argument in arguments]
    rows += [(_option(option), option["help"]) for option in options]
    if rows:
        yield "\n".join(
            [
                "| argument or option | meaning |",
                "| --- | --- |",
                *(f"| {name} | {_cell(text)} |" for name, text in rows),
                "",
            ]
        )


def _argument(argument: Mapping[str, Any]) -> str:
    name = argument["name"].upper() + ("..." if argument["several"] else "")
    return name if argument["required"] else f"[{name}]"


def _option(option: Mapping[str, Any]) -> str:
    names = " ".join(f"`{name}`" for name in option["names"])
    return names if option["default"] is None else f"{names} ({option['default']})"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
