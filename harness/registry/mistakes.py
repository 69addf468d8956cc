"""What beginners get wrong in a plugin, each with a sentence that says what to write instead."""

from __future__ import annotations

import inspect
import sys
import types
from typing import Any, Final

from harness import plugin_api
from harness.core.errors import Location, PluginError, nearest
from harness.plugin_api import KINDS, Registrar
from harness.plugin_api.registration import REQUIRED_METHODS
from harness.registry.entries import Entry, reason
from harness.registry.locations import class_location, function_location

_EXAMPLE: Final = 'registry.pooling("mine", Mine), the name and the class'
_PROTOCOLS: Final = {
    "acquisition": "AcquisitionFunction",
    "expansion": "QueryExpansion",
    "learning": "LearningScheme",
    "reranking": "Reranker",
}
"""Protocols that are not called as their kind is."""


def require_hook(module: types.ModuleType, origin: str) -> None:
    """Raise ``PluginError`` where ``harness_register`` is no hook: it would never be called."""
    function = module.harness_register
    if isinstance(function, types.FunctionType) and not hasattr(function, "harness_impl"):
        raise PluginError(
            f"harness_register of {origin} is not marked with @hookimpl, so it is never called",
            where=function_location(function),
            fix="from harness import hookimpl, and @hookimpl on the line above def harness_register(registry)",
        )


def require_entry(entry: Entry) -> None:
    """Raise ``PluginError`` for a name that is none, and for what is neither a class nor says where one is."""
    call = f"registry.{entry.kind}"
    if not entry.name or entry.name == "none" or not isinstance(entry.name, str):
        raise PluginError(
            f"plugin {entry.origin.plugin} registers a {entry.kind} under the name {entry.name!r}",
            fix=f'{call}("mine", Mine): first the name, a text, then the class',
        )
    if isinstance(entry.target, type):
        require_no_module(entry.kind, entry.target)
        return
    if isinstance(entry.target, str):
        return
    require_no_module(entry.kind, type(entry.target))
    name = type(entry.target).__name__
    if isinstance(entry.target, types.FunctionType):
        fix = (
            f"write a frozen dataclass with the method {REQUIRED_METHODS[entry.kind][0]}: harness new {entry.kind} mine"
        )
        raise PluginError(f'{call}("{entry.name}", ...) got the function {entry.target.__name__}', fix=fix)
    raise PluginError(
        f'{call}("{entry.name}", ...) got an instance of {name} in place of a class',
        fix=f'{call}("{entry.name}", {name}); a spec gives the parameters: {{{entry.name}: {{PARAMETER: VALUE}}}}',
    )


def require_no_module(kind: str, method: type) -> None:
    """Raise ``PluginError`` for a network of torch: it is no method by itself."""
    torch = sys.modules.get("torch")
    if torch is None or not issubclass(method, torch.nn.Module):
        return
    fix = (
        f"write a frozen dataclass whose method {REQUIRED_METHODS[kind][0]} calls it: tutorial of backbones, last part"
    )
    if kind == "backbone":
        fix = 'in the spec: backbone: {module: {factory: "mine:network", stride: 8, weights: mine.pt}}'
    raise PluginError(
        f"{method.__qualname__} is a torch.nn.Module, which is no {kind} by itself",
        where=class_location(method),
        fix=fix,
    )


def of_registration(error: Exception, source: str, where: Location | None) -> PluginError:
    """What went wrong in ``harness_register``, as one sentence."""
    headline, fix = f"plugin {source} failed to register: {reason(error)}", f"a call such as {_EXAMPLE}"
    if isinstance(error, AttributeError) and isinstance(error.obj, Registrar):
        headline = f"plugin {source} failed to register: there is no registry.{error.name}"
        fix = f"{nearest(error.name or '', KINDS)} {', '.join(f'registry.{kind}' for kind in KINDS)}".strip()
    return PluginError(headline, where=where, fix=fix)


def require_methods(kind: str, name: str, method: Any) -> None:
    """Raise ``PluginError`` where an instance lacks what its kind is called by, or takes other arguments."""
    protocol = getattr(plugin_api, _PROTOCOLS.get(kind, kind.capitalize()), None)
    for required in REQUIRED_METHODS.get(kind, ()):
        function = getattr(type(method), required, None)
        stated = getattr(protocol, required, None)
        if not hasattr(method, required):
            raise PluginError(
                f'{kind} "{name}" has no {required}',
                where=class_location(type(method)),
                fix=f"write {_definition(required, stated)} in the class",
            )
        if isinstance(function, types.FunctionType) and isinstance(stated, types.FunctionType):
            _require_arguments(f'{kind} "{name}"', function, stated)


def _require_arguments(label: str, function: types.FunctionType, stated: types.FunctionType) -> None:
    arguments = list(inspect.signature(stated).parameters)
    try:
        inspect.signature(function).bind(*arguments)
    except TypeError as error:
        raise PluginError(
            f"{label}: {function.__name__} cannot be called as its kind is: {error}",
            where=function_location(function),
            fix=f"def {function.__name__}({', '.join(arguments)})",
        ) from error


def _definition(name: str, stated: object) -> str:
    if isinstance(stated, types.FunctionType):
        return f"def {name}({', '.join(inspect.signature(stated).parameters)})"
    return f"a field or property {name}"
