"""Inputs and answers of any method as plain arrays: compared, copied, and shown in a line."""

from __future__ import annotations

import dataclasses
import pickle
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

_SHOWN: Final = 8
Plain = list[tuple[str, NDArray[Any]]]
"""Arrays by where they lie in an answer."""


def plain(value: Any) -> Plain:
    """All arrays of an answer in a fixed order: tensors, dataclasses, mappings, sequences and modules taken apart."""
    return list(_parts("", value))


def _parts(where: str, value: Any) -> Iterator[tuple[str, NDArray[Any]]]:
    if hasattr(value, "unlabelled"):  # a pool: what an acquisition sees of it
        value = [value.features, value.probabilities, value.labels]
    if hasattr(value, "state_dict"):  # a module of torch
        value = dict(value.state_dict())
    if hasattr(value, "detach"):  # a tensor; one on the device meta has no values
        shape = tuple(value.shape)
        yield where, np.zeros(shape) if value.device.type == "meta" else value.detach().cpu().numpy()
    elif isinstance(value, np.ndarray | np.generic):
        yield where, np.asarray(value)
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        for field in dataclasses.fields(value):
            yield from _parts(f"{where}.{field.name}", getattr(value, field.name))
    elif isinstance(value, Mapping):
        for key in sorted(value, key=str):
            yield from _parts(f"{where}[{key}]", value[key])
    elif isinstance(value, list | tuple) and not all(isinstance(item, int | float) for item in value):
        for position, item in enumerate(value):
            yield from _parts(f"{where}[{position}]", item)
    elif isinstance(value, str | bytes | Path) or value is None:
        yield where, np.array(str(value))
    else:
        yield where, _array(value)


def _array(value: Any) -> NDArray[Any]:
    if isinstance(value, int | float | list | tuple):
        return np.asarray(value)
    return np.array(repr(type(value)))


def same(left: Plain, right: Plain) -> bool:
    """Whether two answers hold the same bytes."""
    return len(left) == len(right) and all(
        (a, x.dtype, x.shape) == (b, y.dtype, y.shape) and x.tobytes() == y.tobytes()
        for (a, x), (b, y) in zip(left, right, strict=True)
    )


def close(left: Any, right: Any, tolerance: float = 1e-4) -> bool:
    """Whether two arrays are equal up to this share of their largest entry; NaN equals NaN."""
    a, b = (np.asarray(part, np.float64) for part in (left, right))
    if a.shape != b.shape:
        return False
    size = float(np.abs(a[np.isfinite(a)]).max(initial=0))
    return bool(np.allclose(a, b, rtol=0, atol=tolerance * size, equal_nan=True))


def difference(left: Plain, right: Plain) -> str:
    """``0.5 and 0.75``: the first pair of values in which two answers differ, with where they lie."""
    for (where, a), (_, b) in zip(left, right, strict=False):
        if a.shape != b.shape or a.dtype != b.dtype:
            return f"{where or 'the answer'} is {a.dtype} {a.shape} and {b.dtype} {b.shape}".strip()
        unequal = np.atleast_1d((a != b) & ~((a != a) & (b != b)))
        if unequal.any():
            place = tuple(int(i) for i in np.argwhere(unequal)[0])
            x, y = np.atleast_1d(a)[place], np.atleast_1d(b)[place]
            return f"{where}{list(place)} is {_number(x)} and {_number(y)}"
    return f"{len(left)} and {len(right)} arrays"


def snapshot(value: Any) -> bytes:
    """Everything that an input holds, as bytes."""
    return pickle.dumps([(where, array.dtype.str, array.shape, array.tobytes()) for where, array in plain(value)])


def short(value: Any) -> str:
    """One line: type, shape, and the values where there are few."""
    if hasattr(value, "describe_short"):
        return str(value.describe_short())
    if hasattr(value, "detach"):
        value = value.detach().cpu().numpy()
    if isinstance(value, np.ndarray):
        text = f"{value.dtype} {value.shape}"
        if value.size == 0:
            return text
        if value.size <= _SHOWN:
            return f"{text} [{', '.join(map(_number, value.ravel()))}]"
        if value.dtype.kind in "fiu" and (value == value.flat[0]).all():
            return f"{text}, all {_number(value.flat[0])}"
        first = ", ".join(map(_number, value.ravel()[:_SHOWN]))
        return f"{text} [{first}, ...]"
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = [f"{field.name} {short(getattr(value, field.name))}" for field in dataclasses.fields(value)]
        return f"{type(value).__name__}({'; '.join(fields)})"
    if isinstance(value, list | tuple) and any(hasattr(item, "shape") for item in value):
        return "[" + "; ".join(short(item) for item in value[:3]) + ("; ...]" if len(value) > 3 else "]")
    text = repr(value)
    return text if len(text) <= 120 else text[:117] + "..."


def shown(inputs: Any) -> str:
    """Named inputs in one line."""
    if isinstance(inputs, Mapping):
        return ", ".join(f"{name} = {short(value)}" for name, value in inputs.items())
    return short(inputs)


def _number(value: Any) -> str:
    return f"{float(value):.4g}" if isinstance(value, np.floating | float) else str(value)
