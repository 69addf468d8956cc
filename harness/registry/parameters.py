"""Parameters of a method: the fields of its dataclass, validated by type and range, and expanded into sweeps."""

from __future__ import annotations

import dataclasses
import itertools
import json
import math
import types
import typing
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from harness.core.errors import (
    BadParameter,
    DataMissing,
    Errors,
    HarnessError,
    PluginError,
    SpecError,
    UnknownName,
    nearest,
)
from harness.registry.locations import class_location

Parameters = dict[str, Any]
LATER: Final[Mapping[str, Any]] = types.MappingProxyType({"later": True})
"""Metadata of a field that its class was given when there were results: at its default, which is as before, it does not
count for the identity of a run, so that these results stay what they are."""
MOST_RUNS: Final = 100_000
"""Runs of one plan."""
_UNIONS: Final = (typing.Union, types.UnionType, typing.Annotated)


@dataclass(frozen=True)
class Parameter:
    """One parameter for listings: name, type as its author wrote it, default (None where required)."""

    name: str
    type: str
    default: str | None


def describe(method: type) -> list[Parameter]:
    """The parameters of a method in the order of its fields."""
    return [
        Parameter(field.name, _type_text(field.type), None if is_required(field) else repr(_default(field)))
        for field in fields_of(method)
    ]


def sweep(label: str, method: type, given: Mapping[str, Any]) -> Iterator[Parameters]:
    """All combinations of the lists in ``given``; a list-valued field sweeps over a list of lists.

    Raises:
        Errors: unknown parameters, as the fields decide what a list means.
    """
    hints = hints_of(method)
    if unknown := _unknown(label, method, hints, given):
        raise Errors(unknown)
    axes = [values if _sweeps(hints[name], values) else [values] for name, values in given.items()]
    if (count := math.prod(map(len, axes))) > MOST_RUNS:
        raise Errors([SpecError(f"{label} has {count:,} alternatives; at most {MOST_RUNS:,} can be planned")])
    for combination in itertools.product(*axes):
        yield dict(zip(given, combination, strict=True))


def sweep_count(method: type, given: Mapping[str, Any]) -> int:
    """How many combinations ``sweep`` gives; unknown parameters count as one value."""
    hints = hints_of(method)
    swept = (values for name, values in given.items() if name in hints and _sweeps(hints[name], values))
    return math.prod(len(values) for values in swept)


def validate(label: str, method: type, given: Mapping[str, Any]) -> Any:
    """An instance of ``method`` with the ``given`` parameters and its own defaults.

    Args:
        label: how messages call the method, ``pooling "gem"``.
        method: a frozen dataclass.
        given: JSON-able values.

    Raises:
        Errors: one error per unknown, missing, wrongly typed or out-of-range parameter.
        DataMissing: a parameter names a file that does not exist.
    """
    from pydantic import TypeAdapter, ValidationError

    hints = hints_of(method)
    values: Parameters = {}
    errors = _unknown(label, method, hints, given)
    for field in fields_of(method):
        if field.name not in given:
            if is_required(field):
                errors.append(BadParameter(f"{label} needs the parameter {field.name}", fix=_example(field)))
            continue
        try:
            text = json.dumps(given[field.name], default=_plain)
            values[field.name] = TypeAdapter(hints[field.name]).validate_json(text, strict=True)
            json.dumps(values[field.name], default=_plain, allow_nan=False)
        except ValidationError as error:
            reason = error.errors()[0]["msg"].removeprefix("Input should be ")
            errors.append(_bad(label, field, given[field.name], reason))
        except ValueError:  # ValidationError, which is one, is caught above
            errors.append(_bad(label, field, given[field.name], "finite"))
        except TypeError:
            errors.append(_bad(label, field, given[field.name], "a plain number, string, flag or list"))
    if errors:
        raise Errors(errors)
    try:
        return method(**values)
    except DataMissing:
        raise  # not a mistake in the spec: a file that a parameter names does not exist yet
    except HarnessError as error:
        raise Errors([BadParameter(f"{label}: {error.headline}", fix=error.fix)]) from error
    except (ValueError, TypeError) as error:
        raise Errors([BadParameter(f"{label} refuses {values}: {error}")]) from error


def unprepared(method: type, given: Mapping[str, Any]) -> Any:
    """An instance that only holds its parameters, for a plan: ``__post_init__`` is left out, where files are missing.

    Args:
        method: the dataclass.
        given: parameters that ``validate`` accepted as far as it could.
    """
    instance: Any = object.__new__(method)
    for field in fields_of(method):
        object.__setattr__(instance, field.name, given.get(field.name, None if is_required(field) else _default(field)))
    return instance


def named_files(label: str, method: type, given: Mapping[str, Any]) -> dict[str, str]:
    """The files that parameters of a method name: fields whose type admits a ``Path``, defaults included.

    Args:
        label: how messages call the method.
        method: the dataclass.
        given: parameters as a spec has them.

    Raises:
        PluginError: a field holds several paths.
    """
    hints, named = hints_of(method), {}
    for field in fields_of(method):
        if not _mentions_path(hints[field.name]):
            continue
        if not _admits_path(hints[field.name]):
            raise PluginError(
                f"{label}: {field.name} is a {_type_text(field.type)}", fix="a field for each file: Path or Path | None"
            )
        value = given[field.name] if field.name in given else None if is_required(field) else _default(field)
        if isinstance(value, str | Path) and str(value) and value not in _literals(hints[field.name]):
            named[field.name] = Path(value).as_posix()
    return named


def resolved(instance: Any) -> Parameters:
    """All parameters of an instance, defaults included, as JSON-able values; those that came ``LATER`` where stated."""
    values = {field.name: getattr(instance, field.name) for field in fields_of(type(instance))}
    for field in fields_of(type(instance)):
        if field.metadata.get("later") and values[field.name] == _default(field):
            del values[field.name]
    return typing.cast(Parameters, json.loads(json.dumps(values, default=_plain)))


def as_given(instance: Any) -> Parameters:
    """The parameters of an instance as a spec states them: ``validate`` makes the same instance, ``sweep`` one.

    Raises:
        PluginError: a value is not JSON-able.
    """
    hints = hints_of(type(instance))
    try:
        values = resolved(instance)
    except TypeError as error:
        name = type(instance).__qualname__
        raise PluginError(
            f"a parameter of {name} cannot be written to a record: {error}",
            fix="parameters are numbers, strings, flags, lists of these, and paths of files",
        ) from error
    return {
        name: [value] if takes_list(hints[name]) and isinstance(value, list) else value
        for name, value in values.items()
    }


def non_default(instance: Any, stated: Mapping[str, Any] | None = None) -> list[str]:
    """Names of the parameters that are not at their default, those without a default included; sorted.

    Args:
        instance: a configured method.
        stated: defaults that count before those of its class, as the catalogue states them.
    """
    own = {field.name: _default(field) for field in fields_of(type(instance)) if not is_required(field)}
    defaults = json.loads(json.dumps({**own, **(stated or {})}, default=_plain))
    values = resolved(instance)
    return sorted(name for name, value in values.items() if name not in defaults or defaults[name] != value)


def fields_of(method: type) -> tuple[dataclasses.Field[Any], ...]:
    """The parameters as fields of the dataclass. Raises ``PluginError`` for anything else."""
    if not dataclasses.is_dataclass(method):
        raise PluginError(
            f"{method.__module__}.{method.__qualname__} is not a dataclass",
            where=class_location(method),
            why="the fields of a method are its parameters",
            fix="decorate the class with @dataclass(frozen=True)",
        )
    return tuple(field for field in dataclasses.fields(method) if field.init)


def hints_of(method: type) -> dict[str, Any]:
    """Their types, resolved."""
    names = [field.name for field in fields_of(method)]
    try:
        hints = typing.get_type_hints(method, include_extras=True)
    except NameError as error:
        raise PluginError(
            f"{method.__module__}.{method.__qualname__}: a field's type cannot be resolved: {error}",
            fix="import the types of fields outside TYPE_CHECKING",
        ) from error
    return {name: hints[name] for name in names}


def _unknown(label: str, method: type, hints: Mapping[str, Any], given: Mapping[str, Any]) -> list[HarnessError]:
    known = ", ".join(hints) or "none: it has no parameters"
    errors: list[HarnessError] = []
    for name in (name for name in map(str, given) if name not in hints):
        fix = f"{nearest(name, hints)} known: {known}".strip()
        value = getattr(method, name, None)
        if name.isidentifier() and isinstance(value, int | float | str):
            fix = (
                f"write it in the class with its type, {name}: {type(value).__name__} = {value!r}: only that is a field"
            )
        errors.append(UnknownName(f'{label} has no parameter "{name}"', fix=fix, parameter=name))
    return errors


def _sweeps(hint: Any, value: Any) -> bool:
    if not isinstance(value, list):
        return False
    return not takes_list(hint) or (bool(value) and all(isinstance(item, list) for item in value))


def takes_list(hint: Any) -> bool:
    """Whether a value of this type may be a list: then only a list of lists is a sweep."""
    origin = typing.get_origin(hint)
    if origin in _UNIONS:
        return any(takes_list(argument) for argument in typing.get_args(hint))
    return (origin or hint) in (list, tuple)


def _mentions_path(hint: Any) -> bool:
    return hint is Path or any(_mentions_path(argument) for argument in typing.get_args(hint))


def _admits_path(hint: Any) -> bool:
    """Whether a field may be a path: ``Path``, ``Path | None``, ``Literal["none"] | Path``."""
    alternatives = typing.get_args(hint) if typing.get_origin(hint) in _UNIONS else (hint,)
    return any(alternative is Path for alternative in alternatives)


def _literals(hint: Any) -> set[Any]:
    """Values that a field may have and that name no file."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is typing.Literal:
        return set(arguments)
    return {value for argument in arguments for value in _literals(argument)} if origin in _UNIONS else set()


def _bad(label: str, field: dataclasses.Field[Any], value: Any, reason: str) -> BadParameter:
    return BadParameter(
        f"{label}: {field.name} = {value!r} is not allowed; should be {reason}",
        fix=_example(field),
        parameter=field.name,
    )


def _example(field: dataclasses.Field[Any]) -> str:
    default = "" if is_required(field) else f", default {_default(field)!r}"
    return f"{field.name}: {_type_text(field.type)}{default}"


def is_required(field: dataclasses.Field[Any]) -> bool:
    """Whether a parameter has no default."""
    return field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING


def _default(field: dataclasses.Field[Any]) -> Any:
    return field.default if field.default_factory is dataclasses.MISSING else field.default_factory()


def _type_text(annotation: Any) -> str:
    return annotation if isinstance(annotation, str) else getattr(annotation, "__name__", str(annotation))


def _plain(value: Any) -> Any:
    """Numpy scalars and paths as JSON has them."""
    if hasattr(value, "item"):
        return value.item()
    if hasattr(value, "__fspath__"):
        return str(value)
    raise TypeError(f"{type(value).__name__} is not JSON-able")
