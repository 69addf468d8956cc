"""Methods that a spec given from Python holds themselves: ``methods: {pooling: [MyPooling(p=3), "gem"]}``.

A class stands for its default parameters, an instance for its own. Either is registered under the name of its class,
for this plan alone; an instance of a registered class is that method.
"""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from harness.core.document import At, path_text
from harness.core.errors import HarnessError, PluginError, SpecError
from harness.plugin_api import KINDS
from harness.registry import Registry
from harness.registry.entries import Entry, Origin
from harness.registry.mistakes import require_no_module
from harness.registry.parameters import as_given

_PLAIN: Final = (str, int, float, bool, type(None), Mapping, list, tuple, Path)


def with_names(source: str | Path | Mapping[str, Any], registry: Registry) -> str | Path | Mapping[str, Any]:
    """The spec with a name and parameters in place of each class and instance, which the registry then knows.

    Raises:
        PluginError: one of them is no method.
        NameTaken: a class is called like another method of its kind.
    """
    if not isinstance(source, Mapping):
        return source
    named = dict(source)
    if isinstance(methods := source.get("methods"), Mapping):
        named["methods"] = _combination(methods, ("methods",), registry)
    elif isinstance(methods, list | tuple):
        named["methods"] = [
            _combination(item, ("methods", position), registry) if isinstance(item, Mapping) else item
            for position, item in enumerate(methods)
        ]
    if "datasets" in source:
        named["datasets"] = _choices("dataset", source["datasets"], ("datasets",), registry)
    return named


def _combination(methods: Mapping[str, Any], at: At, registry: Registry) -> dict[str, Any]:
    return {
        kind: _choices(kind, stated, (*at, kind), registry) if kind in KINDS else stated
        for kind, stated in methods.items()
    }


def _choices(kind: str, stated: Any, at: At, registry: Registry) -> Any:
    if isinstance(stated, list | tuple):
        return [_choice(kind, item, (*at, position), registry) for position, item in enumerate(stated)]
    return _choice(kind, stated, at, registry)


def _choice(kind: str, stated: Any, at: At, registry: Registry) -> Any:
    if isinstance(stated, Mapping) and (classes := [key for key in stated if isinstance(key, type)]):
        name = classes[0].__name__
        raise SpecError(
            f"{path_text(at)}: the class {name} in place of a name, with parameters of its own",
            fix=f"give instances: [{name}(...), {name}(...)]",
        )
    if isinstance(stated, _PLAIN):
        return stated
    try:
        method = stated if isinstance(stated, type) else type(stated)
        _require_method(kind, stated, method)
        return {_registered(kind, method, registry): {} if stated is method else as_given(stated)}
    except HarnessError as error:
        error.headline = f"{path_text(at)}: {error.headline}"
        raise


def _require_method(kind: str, stated: Any, method: type) -> None:
    """Raise ``PluginError`` for what is no method, with what it should be."""
    require_no_module(kind, method)
    if not dataclasses.is_dataclass(method):
        what = f"the class {method.__qualname__}" if stated is method else f"a {method.__qualname__}"
        raise PluginError(
            f"{what} is no {kind}: a {kind} is a dataclass whose fields are its parameters",
            fix="decorate the class with @dataclass(frozen=True), or give the name of a registered method",
        )


def _registered(kind: str, method: type, registry: Registry) -> str:
    """The name of a class in the registry, which gets it under its own where it is not there."""
    if name := registry.name_of(kind, method):
        return name
    version = str(getattr(sys.modules.get(method.__module__), "__version__", ""))
    origin = Origin(method.__module__, version, f"class {method.__qualname__} of {method.__module__}")
    registry.add_class(Entry(kind, method.__name__, method, origin))
    return method.__name__
