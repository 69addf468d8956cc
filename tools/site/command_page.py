"""The page of commands, from the command line itself."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any


def text() -> str:
    """Every command with its help, arguments and options."""
    import typer

    from harness.cli.app import app

    head = """# Commands

Exit codes: 0 done, 1 some runs failed, 2 a mistake of yours, 3 a plugin is broken or breaks the rules, 4 data are missing
or damaged, 5 a regression was shown, 6 nothing was measured or nothing can be compared, 130 interrupted.
"""
    return "\n".join([head, *_commands(typer.main.get_command(app), "harness")])


def _commands(command: Any, name: str) -> Iterator[str]:
    children = getattr(command, "commands", None)
    if children is not None:
        for child in sorted(children):
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
