"""Where in a plugin's file something is written or went wrong."""

from __future__ import annotations

import linecache
import re
import sys
import traceback
import types
from pathlib import Path

from harness.core.errors import Location


def functions_of(method: type) -> list[types.FunctionType]:
    """The functions that are written in a class, not those that a decorator adds."""
    members = [getattr(m, "__func__", getattr(m, "fget", getattr(m, "func", m))) for m in vars(method).values()]
    own = f"{method.__qualname__}."
    return [m for m in members if isinstance(m, types.FunctionType) and m.__qualname__.startswith(own)]


def class_location(method: type) -> Location | None:
    """The line on which a class begins; None where its source is not to be had."""
    files = [function.__code__.co_filename for function in functions_of(method)]
    files.append(getattr(sys.modules.get(method.__module__), "__file__", None) or "")
    pattern = re.compile(rf"\s*class {re.escape(method.__name__)}\b")
    for file in dict.fromkeys(files):
        for number, line in enumerate(linecache.getlines(file), start=1):
            if pattern.match(line):
                return Location(Path(file), number, line.index("class") + 1, len(f"class {method.__name__}"))
    return None


def function_location(function: types.FunctionType) -> Location:
    """The line on which a function begins."""
    return Location(Path(function.__code__.co_filename), function.__code__.co_firstlineno, 1)


def raised_in(error: BaseException, plugin: str) -> Location | None:
    """The innermost line of a plugin's file at which an error was raised; None where it was raised elsewhere."""
    if isinstance(error, SyntaxError) and error.filename and error.lineno:
        return Location(Path(error.filename), error.lineno, max(error.offset or 1, 1))
    places = [
        Location(Path(frame.f_code.co_filename), line, 1)
        for frame, line in traceback.walk_tb(error.__traceback__)
        if Path(frame.f_code.co_filename).name == Path(plugin).name
    ]
    return places[-1] if places else None
