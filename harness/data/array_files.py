"""Files of numpy arrays that a user names, and what goes wrong with them."""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

ARRAY_ERRORS: Final = (
    OSError,
    ValueError,
    EOFError,
    KeyError,
    MemoryError,
    RuntimeError,
    zipfile.BadZipFile,
    zlib.error,
)
"""What ``numpy.load`` and the archives that it opens raise on a file that is damaged or claims another size."""


def array_in(path: Path, name: str, *, or_only: bool = False) -> NDArray[Any] | None:
    """The array of an ``.npy`` file, mapped, or the one of this name in an ``.npz``; None where it has none.

    Args:
        path: the file.
        name: of the array in an ``.npz``.
        or_only: take the array of an ``.npz`` that has a single one, whatever its name.

    Raises:
        FileNotFoundError: there is no such file.
        Exception: what numpy makes of a file that is damaged, mostly one of ``ARRAY_ERRORS``.
    """
    loaded: Any = np.load(path, mmap_mode="r", allow_pickle=False)
    if isinstance(loaded, np.lib.npyio.NpzFile):
        with loaded:
            names = loaded.files if or_only and len(loaded.files) == 1 else [name]
            loaded = loaded[names[0]] if names[0] in loaded.files else None
    array: NDArray[Any] | None = loaded
    return array
