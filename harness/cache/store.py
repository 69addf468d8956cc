"""Arrays kept on disk under a key that says how they were made.

A key is a JSON-able mapping: the stage, the methods with parameters and source digests, the keys of the inputs. Its
SHA-256 names two files: ``<digest>.npz`` and, written last, ``<digest>.json`` with the key itself, the checksum and
the cost of making. Without a valid ``.json`` beside it an array file does not exist. A damaged entry is named and made
again.
"""

from __future__ import annotations

import hashlib
import io
import json
import warnings
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.core.cost import Cost, measured
from harness.core.digest import digest
from harness.core.files import write_atomically

Arrays = dict[str, NDArray[Any]]
Key = Mapping[str, Any]


@dataclass(frozen=True)
class Made:
    """Arrays with what it cost to make them, now or once."""

    arrays: Arrays
    cost: Cost


class Cache:
    """A folder of content-keyed arrays; ``root=None`` keeps nothing."""

    def __init__(self, root: Path | None) -> None:
        self.root = root

    def get_or_make(self, key: Key, make: Callable[[], Arrays]) -> Made:
        """The arrays under ``key``, read if they are there and whole, else made, measured and kept."""
        if self.root is None:
            return _make(make)
        path = self.root / digest(dict(key))[:40]
        found = _read(path)
        if found is None:
            found = _make(make)
            _write(path, key, found)
        return found


def _make(make: Callable[[], Arrays]) -> Made:
    with measured() as cost:
        arrays = make()
    return Made(arrays, cost)


def _write(path: Path, key: Key, made: Made) -> None:
    buffer = io.BytesIO()
    np.savez(buffer, **made.arrays)  # type: ignore[arg-type]  # numpy's stub takes the names for options
    content = buffer.getvalue()
    sidecar = {"key": key, "sha256": hashlib.sha256(content).hexdigest(), "cost": asdict(made.cost)}
    write_atomically(path.with_suffix(".npz"), content)
    write_atomically(path.with_suffix(".json"), json.dumps(sidecar, indent=1, sort_keys=True).encode())


def _read(path: Path) -> Made | None:
    try:
        sidecar = json.loads(path.with_suffix(".json").read_text())
        content = path.with_suffix(".npz").read_bytes()
        if hashlib.sha256(content).hexdigest() != sidecar["sha256"]:
            raise ValueError("checksum differs")
        with np.load(io.BytesIO(content), allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        return Made(arrays, Cost(**{**sidecar["cost"], "cached": True}))
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError, OSError) as error:
        warnings.warn(f"cache file {path}.npz is damaged ({error}): made again", stacklevel=3)
        return None
