"""``harness describe``: the harness for programs, as JSON."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Annotated, Any

import typer

from harness.cli.listing import dump, registry_of
from harness.cli.options import Plugins
from harness.core.errors import EXIT_CODES
from harness.plugin_api import KINDS


def describe(
    context: typer.Context,
    plugin: Plugins = None,
    schema: Annotated[bool, typer.Option("--schema", help="Print the JSON schema of specs, for editors.")] = False,
) -> None:
    """Print commands, methods, parameters and protocol options as JSON, for scripts and agents."""
    from harness.runs.identity import protocol_class
    from harness.runs.schema import parameters_schema, spec_schema
    from harness.runs.spec import STAGES

    registry = registry_of(plugin)
    if schema:
        print(dump(spec_schema(registry)))
        return
    methods = {
        kind: {
            name: {"summary": entry.summary, "parameters": parameters_schema(entry.load())}
            for name in registry.names(kind)
            if (entry := registry.entry(kind, name))
        }
        for kind in KINDS
    }
    options = {task: parameters_schema(protocol_class(task)) for task in STAGES}
    codes = {str(code): meaning for code, meaning in EXIT_CODES.items()}
    print(
        dump(
            {
                "commands": list(commands(context.find_root().command)),
                "methods": methods,
                "protocol": options,
                "exit_codes": codes,
            }
        )
    )


def commands(root: Any) -> Iterator[dict[str, Any]]:
    """Every command below ``root`` that the help shows, with its arguments and options."""
    yield from _below(root, "harness")


def _below(command: Any, name: str) -> Iterator[dict[str, Any]]:
    children = getattr(command, "commands", None)
    if children is not None:
        for child in sorted(child for child in children if not children[child].hidden):
            yield from _below(children[child], f"{name} {child}")
        return
    shown = [parameter for parameter in command.params if not getattr(parameter, "hidden", False)]
    yield {
        "command": name,
        "help": _line(command.help),
        "arguments": [_argument(one) for one in shown if one.param_type_name == "argument"],
        "options": [_option(one) for one in shown if one.param_type_name == "option"],
    }


def _argument(argument: Any) -> dict[str, Any]:
    several = argument.nargs == -1
    return {
        "name": argument.name,
        "required": argument.required,
        "several": several,
        "help": _line(getattr(argument, "help", "")),
    }


def _option(option: Any) -> dict[str, Any]:
    default = option.default
    plain = isinstance(default, int | float | str) and not isinstance(default, bool) and default != ""
    return {
        "names": [*option.opts, *option.secondary_opts],
        "flag": bool(getattr(option, "is_flag", False)),
        "several": bool(option.multiple),
        "default": default if plain else None,
        "help": _line(getattr(option, "help", "")),
    }


def _line(text: str | None) -> str:
    return re.sub(r"\s+", " ", text or "").strip()
