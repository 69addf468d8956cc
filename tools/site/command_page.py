"""The page of commands, from the command line itself."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any


def text() -> str:
    """Every command with its help, arguments and options."""
    import typer

    from harness.cli.app import app
    from harness.core.errors import EXIT_CODES

    rows = [f"| {code} | {meaning} |" for code, meaning in EXIT_CODES.items()]
    head = "\n".join(["# Commands", "", "| exit code | meaning |", "| --- | --- |", *rows, ""])
    return "\n".join([head, *_commands(typer.main.get_command(app), "harness")])


def _commands(command: Any, name: str) -> Iterator[str]:
    children = getattr(command, "commands", None)
    if children is not None:
        for child in sorted(name for name in children if not children[name].hidden):
            yield from _commands(children[child], f"{name} {child}")
        return
    shown = [parameter for parameter in command.params if not getattr(parameter, "hidden", False)]
    arguments = [parameter for parameter in shown if parameter.param_type_name == "argument"]
    usage = " ".join([name, *(_argument(argument) for argument in arguments), "[OPTIONS]"])
    yield f"## {name}\n\n{' '.join((command.help or '').split())}\n\n    {usage}\n"
    rows = [f"| {_name(parameter)} | {_cell(getattr(parameter, 'help', '') or '')} |" for parameter in shown]
    if rows:
        yield "\n".join(["| | |", "| --- | --- |", *rows, ""])


def _argument(argument: Any) -> str:
    name = argument.name.upper() + ("..." if argument.nargs == -1 else "")
    return name if argument.required else f"[{name}]"


def _name(parameter: Any) -> str:
    if parameter.param_type_name == "argument":
        return f"`{parameter.name.upper()}`"
    names = " ".join(f"`{name}`" for name in (*parameter.opts, *parameter.secondary_opts))
    default = parameter.default
    plain = isinstance(default, int | float | str) and not isinstance(default, bool) and default != ""
    return f"{names} ({default})" if plain else names


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
