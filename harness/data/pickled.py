"""Pickles of published datasets, read without running anything that they ask for.

Allowed are containers, numbers, texts, bytes and numpy arrays of numbers and texts. Everything else is refused by name.
The opcodes are checked before anything is read, and the few names that arrays need are replaced by placeholders of this
module: no function of numpy, and none of the caller's, is reached from a pickle.
"""

from __future__ import annotations

import io
import pickle  # only its Unpickler, with find_class below
import pickletools
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from harness.core.errors import DataDamaged, DataMissing

_PLAIN: Final = """
    PROTO FRAME STOP MARK NONE NEWTRUE NEWFALSE INT BININT BININT1 BININT2 LONG LONG1 LONG4 FLOAT BINFLOAT
    STRING BINSTRING SHORT_BINSTRING BINBYTES SHORT_BINBYTES BINBYTES8 BYTEARRAY8
    UNICODE SHORT_BINUNICODE BINUNICODE BINUNICODE8
    EMPTY_LIST LIST APPEND APPENDS EMPTY_TUPLE TUPLE TUPLE1 TUPLE2 TUPLE3 EMPTY_DICT DICT SETITEM SETITEMS
    GET BINGET LONG_BINGET PUT BINPUT LONG_BINPUT MEMOIZE
"""
_CONTAINERS: Final = frozenset(_PLAIN.split())
_VALUES: Final = frozenset("NONE NEWTRUE NEWFALSE INT BININT BININT1 BININT2 LONG LONG1 FLOAT BINFLOAT".split())
"""Opcodes that put one value on the stack and do nothing else: nearly all of a long list."""
_ATOMS: Final = (str, bytes, int, float, bool, type(None))
_OPCODES: Final = _CONTAINERS | {"GLOBAL", "STACK_GLOBAL", "REDUCE", "BUILD"}
_KEYED: Final = frozenset({"DICT", "SETITEM", "SETITEMS"})
_PUTS: Final = frozenset({"PUT", "BINPUT", "LONG_BINPUT"})
_DTYPE: Final = re.compile(r"b1|[iu][1248]|f[248]|[SU]\d{1,4}")
_DEEPEST: Final = 32
_LARGEST_KEY: Final = 1_000
"""Values in a tuple that is a key of a dictionary, each counted as often as it is in it: hashing visits them all."""


def read_pickle(path: Path, *, arrays: bool = True) -> Any:
    """What a pickle of plain data holds; texts of Python 2 are read as Latin-1.

    Args:
        path: the file.
        arrays: whether numpy arrays are read too; without them no name at all is looked up.

    Returns:
        Dicts, lists, tuples, numbers, texts, bytes, numpy arrays.

    Raises:
        DataMissing: there is no such file.
        DataDamaged: it is truncated or not a pickle, or it asks for anything but plain data; nothing was run.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError as error:
        raise DataMissing(f"there is no file {path}") from error
    except OSError as error:
        raise DataDamaged(f"{path} cannot be read: {error}") from error
    _check_opcodes(path, content, _OPCODES if arrays else _CONTAINERS)
    try:
        return _plain(path, _Unpickler(path, content).load(), {}, 0)
    except DataDamaged:
        raise
    except Exception as error:  # whatever a broken pickle makes the unpickler raise
        raise DataDamaged(f"{path} is not a readable pickle: {error}") from error


def _check_opcodes(path: Path, content: bytes, allowed: frozenset[str]) -> None:
    sizes = _Sizes()
    try:
        for number, (opcode, argument, _) in enumerate(pickletools.genops(content)):
            if opcode.name in _VALUES:
                sizes.push()
                continue
            if opcode.name == "GLOBAL" and str(argument).replace(" ", ".") not in _PLACEHOLDERS:
                raise _refused(path, str(argument).replace(" ", "."))
            if opcode.name not in allowed:
                what = f" ({str(argument).replace(' ', '.')})" if argument is not None else ""
                raise _refused(path, f"the opcode {opcode.name}{what}")
            if opcode.name in _PUTS and int(argument or 0) > number:  # would make the unpickler fill the memory
                raise DataDamaged(f"{path} is not a readable pickle: it remembers place {argument}")
            if sizes.after(opcode, argument) > _LARGEST_KEY:
                raise DataDamaged(f"{path} has a key of more than {_LARGEST_KEY:,} values: refused, nothing was run")
    except DataDamaged:
        raise
    except Exception as error:  # genops raises what its readers raise on bytes that are not a pickle
        raise DataDamaged(f"{path} is not a readable pickle: {error}") from error


class _Sizes:
    """How many values a tuple on the stack holds, in tuples of it too, as the unpickler would build it; 1 for others.

    Keys are hashed while a pickle is read: one of tuples in tuples ends the process where it is deep, and is never done
    where they are shared.
    """

    def __init__(self) -> None:
        self._stack: list[int] = []
        self._marks: list[int] = []
        self._memo: dict[int, int] = {}

    def push(self) -> None:
        """Put a value that is no tuple on the stack."""
        self._stack.append(1)

    def after(self, opcode: pickletools.OpcodeInfo, argument: Any) -> int:
        """Apply an opcode; the size of the largest key that it puts into a dictionary, 0 where it puts none."""
        name, before = opcode.name, opcode.stack_before
        if name == "MARK":
            self._marks.append(len(self._stack))
        elif name == "MEMOIZE" or name in _PUTS:
            self._memo[len(self._memo) if name == "MEMOIZE" else int(argument)] = self._stack[-1]
        elif name.endswith("GET"):
            self._stack.append(self._memo[int(argument)])
        elif before or opcode.stack_after:
            to_mark = pickletools.markobject in before
            items = self._popped(self._marks.pop() if to_mark else len(self._stack))
            items = self._popped(len(self._stack) - len(before) + 2 * to_mark) + items
            is_tuple = pickletools.pytuple in opcode.stack_after
            # Sizes can double with every tuple: the exact number is not needed.
            self._stack.append(min(1 + sum(items), 2 * _LARGEST_KEY) if is_tuple else 1)
            return max(items[name != "DICT" :: 2], default=0) if name in _KEYED else 0
        return 0

    def _popped(self, start: int) -> list[int]:
        items = self._stack[start:]
        del self._stack[start:]
        return items


def _refused(path: Path, name: str) -> DataDamaged:
    return DataDamaged(
        f"{path} asks for {name}: refused, nothing was run",
        why="a pickle can run any program; only plain containers, numbers, texts and numpy arrays are read",
        fix="get the file from its publisher again, or use the JSON form",
    )


class _Unpickler(pickle.Unpickler):
    def __init__(self, path: Path, content: bytes) -> None:
        super().__init__(io.BytesIO(content), encoding="latin1")
        self._path = path

    def find_class(self, module: str, name: str) -> Any:
        placeholder = _PLACEHOLDERS.get(f"{module}.{name}")
        if placeholder is None:
            raise _refused(self._path, f"{module}.{name}")
        return placeholder()

    def persistent_load(self, pid: Any) -> Any:
        raise _refused(self._path, f"the persistent object {pid!r}")


class _DType:
    """In place of ``numpy.dtype``: called with a type code, then given its byte order."""

    __slots__ = ("dtype",)
    dtype: np.dtype[Any]

    def __call__(self, code: str, *_: object) -> _DType:
        if not isinstance(code, str) or not _DTYPE.fullmatch(code):
            raise ValueError(f"arrays of type {code!r} are not read, only numbers and texts")
        described = _DType()
        described.dtype = np.dtype(code)
        return described

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        if any(part is not None for part in state[2:5]) or state[1] not in ("<", ">", "=", "|"):
            raise ValueError("arrays of records are not read")
        self.dtype = self.dtype.newbyteorder(state[1])


class _Array:
    """In place of an array: created empty, then given its shape and bytes."""

    __slots__ = ("value",)
    value: NDArray[Any]

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        _, shape, dtype, fortran, content = state
        self.value = _array(content, dtype, shape, "F" if fortran else "C")


class _NdArray:
    __slots__ = ()


class _Reconstruct:
    __slots__ = ()

    def __call__(self, kind: object, *_: object) -> _Array:
        if not isinstance(kind, _NdArray):
            raise ValueError("only numpy.ndarray is read")
        return _Array()


class _FromBuffer:
    __slots__ = ()

    def __call__(self, content: Any, dtype: Any, shape: Any, order: Any) -> _Array:
        array = _Array()
        array.value = _array(content, dtype, shape, order)
        return array


class _Scalar:
    __slots__ = ()

    def __call__(self, dtype: Any, content: Any) -> Any:
        return _array(content, dtype, (), "C").item()


class _Encode:
    """In place of ``codecs.encode``, with which old protocols write bytes."""

    __slots__ = ()

    def __call__(self, text: str, encoding: str) -> bytes:
        if encoding != "latin1":
            raise ValueError(f"bytes in {encoding!r} are not read")
        return text.encode("latin1")


class _NoBytes:
    """In place of ``bytes``, with which old protocols write empty ones."""

    __slots__ = ()

    def __call__(self) -> bytes:
        return b""


_PLACEHOLDERS: Final[Mapping[str, Callable[[], Any]]] = {
    "numpy.dtype": _DType,
    "numpy.ndarray": _NdArray,
    "_codecs.encode": _Encode,
    "__builtin__.bytes": _NoBytes,
    "builtins.bytes": _NoBytes,
    **{
        f"numpy.{core}.{name}": placeholder
        for core in ("core", "_core")
        for name, placeholder in (
            ("multiarray._reconstruct", _Reconstruct),
            ("multiarray.scalar", _Scalar),
            ("numeric._frombuffer", _FromBuffer),
        )
    },
}


def _array(content: Any, dtype: Any, shape: Any, order: Any) -> NDArray[Any]:
    raw = content.encode("latin1") if isinstance(content, str) else bytes(content)
    if not isinstance(dtype, _DType) or not isinstance(shape, tuple) or order not in ("C", "F"):
        raise ValueError("an array without type, shape or order")
    # A copy, as a view of bytes cannot be written to.
    return np.frombuffer(raw, dtype=dtype.dtype).reshape(shape, order=order).copy()


def _plain(path: Path, value: Any, done: dict[int, tuple[Any, Any]], depth: int) -> Any:
    """The value with arrays for their placeholders. Shared parts are visited once; ``done`` keeps them alive."""
    if isinstance(value, _ATOMS):
        return value
    if id(value) in done:
        if done[id(value)][1] is done:
            raise DataDamaged(f"{path} holds a list that contains itself")
        return done[id(value)][1]
    if depth > _DEEPEST:
        raise DataDamaged(f"{path} is nested more than {_DEEPEST} deep")
    done[id(value)] = (value, done)
    if isinstance(value, dict):
        plain: Any = {_plain(path, k, done, depth + 1): _plain(path, v, done, depth + 1) for k, v in value.items()}
    elif isinstance(value, list | tuple):
        plain = type(value)(x if isinstance(x, _ATOMS) else _plain(path, x, done, depth + 1) for x in value)
    elif isinstance(value, _Array) and hasattr(value, "value"):
        plain = value.value
    elif isinstance(value, bytearray):
        plain = bytes(value)
    else:
        raise DataDamaged(f"{path} holds a {type(value).__name__.lstrip('_')} where data should be")
    done[id(value)] = (value, plain)
    return plain
