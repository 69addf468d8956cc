"""Which files a process reads: those that no parameter names are inputs that nothing identifies."""

from __future__ import annotations

import os
import site
import sys
import sysconfig
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from harness.registry.modules import built_in_packages, code_file

_CODE: Final = (".py", ".pyc", ".pyi", ".so", ".pyd", ".dylib", ".dll", ".pth")
_SYSTEM: Final = ("/proc", "/sys", "/dev", "/etc", "/usr", "/lib", "/run")

_seen: list[str] | None = None
_hooked: list[bool] = []


@contextmanager
def recording() -> Iterator[list[str]]:
    """The files that are opened to be read meanwhile: by ``open`` or ``os.open``, and by ``cv2.imread``.

    ``np.load``, ``torch.load`` and PIL end in the first; what other compiled code opens on its own is not seen.
    """
    global _seen
    if not _hooked:
        _hooked.append(True)
        sys.addaudithook(_note)  # there for good: it looks at what is opened while something records
    files: list[str] = []
    _seen = files
    cv2 = sys.modules.get("cv2")  # an image read without it is read by PIL
    imread = getattr(cv2, "imread", None)

    def noting(path: Any, *arguments: Any, **options: Any) -> Any:
        _note("open", (path, "r", 0))
        return imread(path, *arguments, **options)  # type: ignore[misc]

    if imread:
        cv2.imread = noting  # type: ignore[union-attr]
    try:
        yield files
    finally:
        _seen = None
        if imread:
            cv2.imread = imread  # type: ignore[union-attr]


def undeclared(files: Iterable[str], declared: Iterable[str | Path], since: float) -> list[str]:
    """Of these files those that a method had no business to read.

    Code, what is installed, the system's files, caches and what was written since ``since`` (seconds) may be read, and
    so may what is below one of the ``declared`` files and folders.
    """
    allowed = [*_own_places(), *(Path(path).resolve() for path in declared)]
    found = []
    for name in dict.fromkeys(files):
        path = Path(os.path.realpath(name))
        if not path.is_file() or path.suffix in _CODE or path.stat().st_ctime >= since:
            continue
        if not any(path.is_relative_to(place) for place in allowed):
            found.append(str(path))
    return found


def _note(event: str, arguments: tuple[Any, ...]) -> None:
    if _seen is None or event != "open":
        return
    path, mode, flags = arguments
    reads = ("r" in mode or "+" in mode) if isinstance(mode, str) else (flags or 0) & os.O_ACCMODE != os.O_WRONLY
    if reads and isinstance(path, str | bytes | os.PathLike):
        _seen.append(os.path.abspath(os.fsdecode(path)))


def _own_places() -> list[Path]:
    installed = [*sysconfig.get_paths().values(), *site.getsitepackages(), site.getusersitepackages()]
    packages = [str(file.parent) for name in built_in_packages() if (file := code_file(name))]
    caches = [os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache"), os.environ.get("TORCH_HOME", "")]
    places = [*installed, *packages, *caches, *_SYSTEM, sys.prefix, sys.base_prefix]
    return [Path(place).resolve() for place in places if place and place != "/usr/local/bin"]


def now() -> float:
    """The time before which a file was there."""
    return time.time() - 0.01  # the clock of file systems is coarse
