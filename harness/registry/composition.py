"""Composed methods, by name: ``pretrain+semi``, ``random+coreset``.

A learning scheme ``a+b`` prepares as ``a`` and trains as ``b``. An acquisition ``a+b`` chooses as ``a`` in cycle 0, as
``b`` from then on; with more parts each has one cycle, the last one the rest. A parameter that several parts have is
one parameter, with the default of the last. So nobody writes a class per combination.
"""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Final

from harness.core.errors import BadParameter
from harness.registry import source
from harness.registry.modules import is_built_in, is_standard
from harness.registry.session import is_of_session, session_digest

COMPOSED: Final = frozenset({"acquisition", "learning"})
"""Kinds whose names may be joined by ``+``."""


@cache
def composed(kind: str, name: str, parts: tuple[type, ...]) -> type:
    """The class of a method composed of ``parts``: a frozen dataclass with the parameters of all.

    Raises:
        BadParameter: a learning scheme of more than two parts, or whose first part prepares nothing of its own.
    """
    arguments = (kind, name, parts)
    if kind == "learning":
        parts = (_preparing(name, parts), parts[-1])
    # Later parts come first: their fields, types and defaults count.
    owners = {field.name: part for part in parts for field in dataclasses.fields(part)}
    specified = [
        (field.name, typing.get_type_hints(part, include_extras=True)[field.name], _copied(field))
        for part in reversed(parts)
        for field in dataclasses.fields(part)
        if owners[field.name] is part
    ]
    summary = " ".join(f"{part.__name__}." if part is parts[-1] else f"{part.__name__}, then" for part in parts)
    behaviour = {"learning": _learning, "acquisition": _acquisition}[kind](parts)
    behaviour = {**behaviour, "__reduce__": lambda self: (_again, (arguments, vars(self)))}
    method = dataclasses.make_dataclass(name, specified, namespace={**behaviour, "__doc__": summary}, frozen=True)
    method.parts = parts  # type: ignore[attr-defined]
    method.__module__ = parts[-1].__module__
    return method


def _again(arguments: tuple[str, str, tuple[type, ...]], values: Mapping[str, Any]) -> Any:
    """What a pickle of a composed method becomes: its class is in no module, so it is composed again."""
    return composed(*arguments)(**values)


def code_of(method: type) -> str:
    """What identifies the code of a method: ``v1``, its declared result version, where it is built in, else its source.

    Of a composed method: that of each part.

    Raises:
        PluginError: its source changed after it was loaded.
    """
    return "+".join(_code(part) for part in getattr(method, "parts", (method,)))


def source_of(method: type) -> str:
    """Digest of the exact source behind a method, or behind all its parts; for comparison, it identifies nothing."""
    return "+".join(_exact(part)[:16] for part in getattr(method, "parts", (method,)))


def _exact(method: type) -> str:
    return session_digest(method) if is_of_session(method) else source.source_digest(*_modules(method))


def sources_behind(method: type, modules: Sequence[str] = ()) -> dict[str, Path]:
    """The foreign files behind a method, and behind modules: place relative to each other -> file."""
    return source.foreign_files([*_modules(method), *modules])


def _code(method: type) -> str:
    if is_of_session(method):
        return session_digest(method)[:16]
    written = _modules(method)
    if all(map(is_built_in, written)):
        return f"v{getattr(method, 'result_version', 1)}"
    return source.foreign_digest(*written)[:16]


def _modules(method: type) -> list[str]:
    """The modules in which a class, what it inherits and its functions are written: its own first."""
    written = [owner.__module__ for owner in method.__mro__]
    functions = [getattr(value, "__module__", None) for owner in method.__mro__ for value in vars(owner).values()]
    names = dict.fromkeys(name for name in [*written, *functions] if isinstance(name, str) and not is_standard(name))
    return [name for name in names if not name.startswith("harness.")] or [method.__module__]


def deviations_of(method: type) -> dict[str, str]:
    """What a method, or a part of it, declares that it does otherwise than its rules say: rule -> reason."""
    declared: dict[str, str] = {}
    for part in getattr(method, "parts", (method,)):
        own = getattr(part, "deviations", {})
        if isinstance(own, Mapping):
            declared |= {str(rule): str(reason) for rule, reason in own.items()}
    return declared


def preparation(learning: Any, identity: Any) -> Any:
    """What decides the weights that ``learning.prepare`` gives: the class that has it, its parameters, its source.

    Args:
        learning: a learning scheme.
        identity: what identifies the whole scheme, for one that has ``prepare`` to itself.
    """
    parts = getattr(type(learning), "parts", (type(learning),))
    owner = next((c for c in parts[0].__mro__ if "prepare" in vars(c)), parts[0])
    if owner is type(learning) or not dataclasses.is_dataclass(owner):
        return identity
    values = {field.name: getattr(learning, field.name) for field in dataclasses.fields(owner)}
    return {"class": owner.__qualname__, "parameters": values, "digest": _code(owner)}


def _preparing(name: str, parts: tuple[type, ...]) -> type:
    """The class of the first part that has ``prepare``, without what else the part does."""
    owner = next((c for c in parts[0].__mro__ if "prepare" in vars(c)), None)
    if len(parts) != 2 or owner is None or owner in parts[1].__mro__:
        raise BadParameter(
            f'learning "{name}" cannot be composed: the first of two prepares the weights, the second trains',
            fix="pretrain+semi",
        )
    return owner


def _part(whole: Any, part: type) -> Any:
    return part(**{field.name: getattr(whole, field.name) for field in dataclasses.fields(part)})


def _learning(parts: tuple[type, ...]) -> Mapping[str, Any]:
    def prepare(self: Any, model: Any, data: Any, rng: Any) -> Any:
        return _part(self, parts[0]).prepare(model, data, rng)

    def train(self: Any, model: Any, data: Any, rng: Any) -> Any:
        return _part(self, parts[1]).train(model, data, rng)

    def restore(self: Any, model: Any, images: Any, weights: Any) -> Any:
        return _part(self, parts[1]).restore(model, images, weights)

    return {"prepare": prepare, "train": train, **({"restore": restore} if hasattr(parts[1], "restore") else {})}


def _acquisition(parts: tuple[type, ...]) -> Mapping[str, Any]:
    def at(self: Any, cycle: int) -> Any:
        return _part(self, parts[min(cycle, len(parts) - 1)])

    def select(self: Any, pool: Any, budget: int, rng: Any) -> Any:
        return at(self, 0).select(pool, budget, rng)

    return {"at": at, "select": select}


def _copied(field: dataclasses.Field[Any]) -> Any:
    if field.default is not dataclasses.MISSING:
        return dataclasses.field(default=field.default)
    if field.default_factory is not dataclasses.MISSING:
        return dataclasses.field(default_factory=field.default_factory)
    return dataclasses.field()
