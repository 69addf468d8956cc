"""A YAML document that knows where each of its values stands, so that an error can point at it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.errors import HarnessError, Location, SpecError

Step = str | int
At = tuple[Step, ...]
"""Way from the root to a value: keys and positions."""


@dataclass(frozen=True)
class Document:
    """Plain data, with positions where they come from a file."""

    data: Any
    file: Path | None = None

    def locate(self, at: At, *, key: bool = False) -> Location | None:
        """Where a value (or the key that holds it) stands; the nearest enclosing place if it is not there."""
        if self.file is None:
            return None
        node, line, column, text = self.data, 0, 0, ""
        for step in at:
            position = _position(node, step, key=key and step is at[-1])
            if position is None:
                break
            (line, column), node = position, _child(node, step)
            text = str(step) if key or not isinstance(node, str | int | float) else str(node)
        return Location(self.file, line + 1, column + 1, max(len(text), 1))

    def error(self, error: HarnessError, at: At, *, key: bool = False) -> HarnessError:
        """The error with its place in this document."""
        if self.file is None and at:
            error.headline = f"{path_text(at)}: {error.headline}"
        error.where = error.where or self.locate(at, key=key)
        return error


def path_text(at: At) -> str:
    """``methods.pooling[0]``."""
    parts = [f"[{step}]" if isinstance(step, int) else f".{step}" for step in at]
    return "".join(parts).lstrip(".")


def read_document(source: Path | Mapping[str, Any]) -> Document:
    """Read a YAML file (only plain data; no tags, no objects) or take a mapping as it is.

    Raises:
        SpecError: no such file, not UTF-8, not YAML, or not a mapping; with line and column.
    """
    if isinstance(source, Mapping):
        return Document(dict(source))
    from ruamel.yaml import YAML
    from ruamel.yaml.constructor import DuplicateKeyError
    from ruamel.yaml.error import MarkedYAMLError, YAMLError

    try:
        text = source.read_text(encoding="utf-8")
    except OSError as error:
        raise SpecError(f"cannot read {source}: {error.strerror}", fix="give the path of a spec file") from error
    except UnicodeDecodeError as error:
        raise SpecError(f"{source} is not a text file in UTF-8") from error
    reader = YAML(typ="rt", pure=True)
    try:
        data = reader.load(text)
    except DuplicateKeyError as error:
        mark = error.problem_mark
        raise SpecError("a key stands twice", where=_mark(source, mark), fix="keep one of the two") from error
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise SpecError(f"not YAML: {error.problem}", where=_mark(source, mark)) from error
    except (YAMLError, ValueError, RecursionError) as error:
        raise SpecError(f"not YAML: {str(error).partition(chr(10))[0]}", where=Location(source)) from error
    if not isinstance(data, Mapping):
        raise SpecError("a spec is a mapping of keys to values", where=Location(source, 1, 1))
    return Document(data, source)


def _mark(file: Path, mark: Any) -> Location:
    return Location(file, mark.line + 1, mark.column + 1) if mark is not None else Location(file)


def _position(node: Any, step: Step, *, key: bool) -> tuple[int, int] | None:
    positions = getattr(node, "lc", None)
    if positions is None:
        return None
    try:
        if isinstance(node, Sequence):
            line, column = positions.item(step)
        else:
            line, column = positions.key(step) if key or _is_block(node, step) else positions.value(step)
    except (KeyError, IndexError, TypeError):
        return None
    return line, column


def _is_block(node: Any, step: Step) -> bool:
    """Containers are pointed at by their key: their own start may be lines below."""
    return isinstance(_child(node, step), Mapping | list)


def _child(node: Any, step: Step) -> Any:
    try:
        return node[step]
    except (KeyError, IndexError, TypeError):
        return None
