"""The commands, and how help is shown: in the order of work, whole sentences, values named by what they are."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from typing import Any, Final

import typer
from typer.core import TyperGroup

from harness.core.errors import INTERRUPTED, FileUnusable

ORDER: Final = (
    *("run", "leaderboard", "page", "compare", "gate", "reproduce", "show", "records", "publish", "merge"),
    *("import", "export", "send"),
    *("methods", "datasets", "describe", "doctor", "new", "check", "verify", "plugins", "cache"),
    *("evaluate", "explain", "features", "agreement", "view", "train"),
)
"""First what a comparison needs, then what one looks up and extends, then the studies."""
_OTHER_MODULES: Final[Mapping[str, str]] = {
    "doctor": "listing",
    "explain": "evaluate",
    "gate": "compare",
    "import": "imports",
    "merge": "publish",
    "methods": "listing",
}
"""Modules of ``harness.cli`` that are not called as their command is."""
_VALUES: Final[Mapping[str, str]] = {
    "add": "KIND=NAME",
    "cache": "FOLDER",
    "catalogue": "FILE",
    "data": "FOLDER",
    "dataset": "NAME",
    "descriptors": "FILE",
    "folder": "FOLDER",
    "format": "NAME",
    "ground_truth": "FILE",
    "histogram": "FILE",
    "metric": "NAME",
    "plots": "FOLDER",
    "per_query": "FILE",
    "plugin": "FILE|MODULE",
    "protocol": "NAME",
    "query_descriptors": "FILE",
    "rankings": "FILE",
    "report": "NAME",
    "runs": "FOLDER",
    "slurm": "KEY=VALUE",
    "timeout": "SECONDS",
    "to": "NAME",
    "software": "VERSION",
    "tolerance": "[METRIC=]NUMBER",
    "uncropped": "FILE",
    "workers": "COUNT",
}


@contextmanager
def _own_errors() -> Iterator[None]:
    """Keep interrupts and closed pipes from typer, which ends by itself then, with a code that means something else."""
    try:
        yield
    except BrokenPipeError as error:
        raise FileUnusable.of(error) from error
    except KeyboardInterrupt as error:
        print("interrupted; run the same command again to resume", file=sys.stderr)
        raise SystemExit(INTERRUPTED) from error


class Commands(TyperGroup):
    """A group whose help is complete at a glance."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Names in the order of work; new ones last until they have a place."""
        place = {name: number for number, name in enumerate(ORDER)}
        return sorted(self.commands, key=lambda name: place.get(name, len(place)))

    def make_context(self, info_name: Any, args: Any, parent: Any = None, **extra: Any) -> Any:
        """Read the arguments."""
        with _own_errors():
            return super().make_context(info_name, args, parent, **extra)

    def invoke(self, ctx: Any) -> Any:
        """Do what a command does."""
        with _own_errors():
            return super().invoke(ctx)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The command, its first sentence as summary, its options with names for their values."""
        command = super().get_command(ctx, cmd_name)
        if command is not None and not command.short_help:
            # Else long sentences are cut where the line ends.
            command.short_help = " ".join((command.help or "").split()).partition(". ")[0].removesuffix(".") + "."
        for parameter in command.params if command is not None else ():
            flag = getattr(parameter, "is_flag", False)
            if parameter.param_type_name == "option" and parameter.metavar is None and not flag:
                name = parameter.name or ""
                # Of a list the type would be shown, which says nothing to a user.
                parameter.metavar = _VALUES.get(name, name.upper() if getattr(parameter, "multiple", False) else None)
        return command


class AllCommands(Commands):
    """The commands of ``harness``. Only one that is asked for is imported: all of them take as long as a board."""

    def __init__(self, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.commands: Any = _Imported()


class _Imported(Mapping[str, Any]):
    """The commands by name, in the order of work, each imported where it is read."""

    def __init__(self) -> None:
        self._commands: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        if name not in ORDER:
            raise KeyError(name)
        if name not in self._commands:
            self._commands[name] = _command(name)
        return self._commands[name]

    def __iter__(self) -> Iterator[str]:
        return iter(ORDER)

    def __len__(self) -> int:
        return len(ORDER)


def _command(name: str) -> Any:
    module = _OTHER_MODULES.get(name, name)
    defined = getattr(import_module(f"harness.cli.{module}"), "imports" if name == "import" else name)
    app = typer.Typer(rich_markup_mode=None)
    if isinstance(defined, typer.Typer):
        app.add_typer(defined, name=name)
    else:
        app.command(name)(defined)
    return typer.main.get_group(app).commands[name]
