"""A YAML document that knows the position of each of its values, so that an error can point at it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from harness.core.errors import BadParameter, HarnessError, Location, SpecError, UnknownName, nearest

Step = str | int
At = tuple[Step, ...]
"""Path from the root to a value: keys and positions."""


_BYTES: Final = 2**20
_VALUES: Final = 1_000_000
_DEPTH: Final = 100
_BRACKET: Final = re.compile(r"[\[\]{}]")
_LISTS: Final = re.compile(r"(?:[-?] ){100}")
_ALIAS: Final = re.compile(r"\*\w")


@dataclass(frozen=True)
class Document:
    """Plain data, with positions where they come from a file."""

    data: Any
    file: Path | None = None

    def locate(self, at: At, *, key: bool = False) -> Location | None:
        """Position of a value (or of the key that holds it); of the nearest enclosing value if it does not exist."""
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
        """The error with its position in this document."""
        if self.file is None and at:
            error.headline = f"{path_text(at)}: {error.headline}"
        error.where = error.where or self.locate(at, key=key)
        return error


def path_text(at: At) -> str:
    """``methods.pooling[0]``."""
    parts = [f"[{step}]" if isinstance(step, int) else f".{step}" for step in at]
    return "".join(parts).lstrip(".")


def plain(value: Any) -> Any:
    """Plain dicts, lists and scalars: pydantic's strict mode knows no subclasses."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    for kind in (bool, int, float, str):
        if isinstance(value, kind):
            return kind(value)
    return value


def shape_error(
    document: Document, detail: Mapping[str, Any], known: Sequence[str], at: At = (), patterns: str = ""
) -> HarnessError:
    """What pydantic found wrong (one of its ``errors()``) as an error with its position in the document.

    Args:
        document: where the value was read.
        detail: type, location, message and input, as pydantic gives them.
        known: keys that are allowed.
        at: path from the root of the document to the value that was validated.
        patterns: what a text that matches no pattern should be.
    """
    at = (*at, *detail["loc"])
    if detail["type"] == "extra_forbidden":
        fix = f"{nearest(str(at[-1]), known)} known: {', '.join(known)}".strip()
        return document.error(UnknownName(f'unknown key "{at[-1]}"', fix=fix), at, key=True)
    if detail["type"] == "missing":
        return document.error(SpecError(f'the key "{at[-1]}" is missing', fix=f"add {at[-1]}: ..."), at[:-1], key=True)
    reason = str(detail["msg"]).removeprefix("Input should be ").removeprefix("Value error, ")
    if detail["type"] == "string_pattern_mismatch" and patterns:
        reason = patterns
    return document.error(BadParameter(f"{path_text(at)} = {detail['input']!r} should be {reason}"), at)


def read_document(source: Path | Mapping[str, Any], kind: str = "spec") -> Document:
    """Read a YAML file (only plain data; no tags, no objects) or take a mapping as it is.

    Args:
        source: the file, or what it would hold.
        kind: what messages call it.

    Raises:
        SpecError: no such file, not UTF-8, not YAML, or not a mapping; with line and column.
    """
    if isinstance(source, Mapping):
        _require_finite(source, kind, None)
        return Document(dict(source))
    from ruamel.yaml import YAML
    from ruamel.yaml.constructor import DuplicateKeyError
    from ruamel.yaml.error import MarkedYAMLError, YAMLError

    text = _text(source, kind)
    _refuse_depth(text, kind, source)
    reader = YAML(typ="rt", pure=True)
    try:
        if _ALIAS.search(text):
            _refuse_circles(YAML(typ="rt", pure=True).parse(text), kind, source)
        data = reader.load(text)
    except DuplicateKeyError as error:
        mark = error.problem_mark
        raise SpecError("duplicate key", where=_mark(source, mark), fix="keep one of the two") from error
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise SpecError(f"not YAML: {error.problem}", where=_mark(source, mark)) from error
    except (YAMLError, ValueError, RecursionError) as error:
        raise SpecError(f"not YAML: {str(error).partition(chr(10))[0]}", where=Location(source)) from error
    if not isinstance(data, Mapping):
        raise SpecError(f"the {kind} is no mapping of keys to values", where=Location(source, 1, 1))
    _require_finite(data, kind, Location(source))
    return Document(data, source)


def _text(source: Path, kind: str) -> str:
    """The text of a file, of which no more is read than such a file has."""
    try:
        with source.open("rb") as file:
            content = file.read(_BYTES + 1)
        if len(content) > _BYTES:
            raise SpecError(f"{source} is longer than the {_BYTES:,} bytes of a {kind}", fix="name data in files")
        return content.decode()
    except OSError as error:
        raise SpecError(f"cannot read {source}: {error.strerror}", fix=f"give the path of a {kind} file") from error
    except UnicodeDecodeError as error:
        raise SpecError(f"{source} is not a text file in UTF-8") from error


def _refuse_depth(text: str, kind: str, source: Path) -> None:
    """Refuse brackets in brackets, and lists in lists on one line, before a parser takes its time over them."""
    depth, deepest = 0, 0
    for match in _BRACKET.finditer(text):
        depth += 1 if match[0] in "[{" else -1
        deepest = max(deepest, depth)
    if deepest > _DEPTH or _LISTS.search(text):
        raise SpecError(f"the {kind} is nested more than {_DEPTH} deep", where=Location(source))


def _refuse_circles(events: Iterable[Any], kind: str, source: Path) -> None:
    """Refuse an alias inside of what it stands for; the reader would put nothing in its place."""
    around: list[str | None] = []
    for event in events:
        name = type(event).__name__
        if name in ("MappingStartEvent", "SequenceStartEvent"):
            around.append(event.anchor)
        elif name in ("MappingEndEvent", "SequenceEndEvent"):
            around.pop()
        elif name == "AliasEvent" and event.anchor in around:
            raise SpecError(f"an alias of the {kind} holds itself", where=_mark(source, event.start_mark))


def _require_finite(data: Any, kind: str, where: Location | None) -> None:
    """Refuse what is small as a text and without end as data: aliases of aliases, and those that hold themselves."""
    sizes: dict[int, int] = {}

    def size(value: Any, depth: int) -> int:
        if isinstance(value, str):
            if not value.isascii() and any("\ud800" <= character <= "\udfff" for character in value):
                raise SpecError(f"half of a character in the {kind}: {value!r}", where=where)
            return 1
        if not isinstance(value, Mapping | list | tuple):
            return 1
        known = sizes.get(id(value))
        if known == 0:
            raise SpecError(f"an alias of the {kind} holds itself", where=where)
        if depth > _DEPTH:
            raise SpecError(f"the {kind} is nested more than {_DEPTH} deep", where=where)
        if known is None:
            sizes[id(value)] = 0
            items = [*value.keys(), *value.values()] if isinstance(value, Mapping) else value
            known = sizes[id(value)] = 1 + sum(size(item, depth + 1) for item in items)
        if known > _VALUES:
            raise SpecError(f"the {kind} has more than {_VALUES:,} values, its aliases written out", where=where)
        return known

    size(data, 0)


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
