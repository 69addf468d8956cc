"""What goes wrong with files of numpy arrays that a user names."""

from __future__ import annotations

import zipfile
import zlib
from typing import Final

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
