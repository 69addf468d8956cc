"""Digests of data files: what the bytes are, not where they lie. Remembered, so that a second call reads no file.

What is remembered lies in ``folders.cache / "fingerprints"``, under the path, size and modification time of the files.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Final

from harness.core.digest import digest, file_checksum
from harness.core.errors import DataMissing
from harness.core.files import write_atomically
from harness.plugin_api import DataFolders
from harness.registry.source import source_digest

_SETTLED_NS: Final = 2_000_000_000
"""Younger files are not remembered: they could change again within one tick of the file system's clock."""

State = tuple[str, int, int]


def value_digest(value: object) -> str:
    """SHA-256 of a JSON-able value in canonical form, as 64 hex characters: of parameters that decide the data."""
    return digest(value)


def code_digest(module: str) -> str:
    """SHA-256 of the source of a module and of what it uses, as 64 hex characters: of code that generates data."""
    return source_digest(module)


def file_digest(path: Path, folders: DataFolders) -> str:
    """SHA-256 of the bytes of one file, as 64 hex characters.

    Raises:
        DataMissing: there is no such file.
    """
    return _remembered("file", [path], path.parent, folders)


def files_digest(paths: Iterable[Path], root: Path, folders: DataFolders) -> str:
    """SHA-256 over the bytes and the names of files, as 64 hex characters.

    The order in which the files are given does not matter, nor does where ``root`` lies.

    Args:
        paths: files below ``root``.
        root: folder to which the names are relative.
        folders: where digests are remembered.

    Raises:
        DataMissing: one of the files does not exist.
    """
    return _remembered("files", sorted(paths), root, folders)


def named_digest(files: Mapping[str, Path], folders: DataFolders) -> str:
    """SHA-256 over files under names of the dataset: the same wherever an archive or a user has put them.

    Raises:
        DataMissing: one of the files does not exist.
    """
    root = folders.root
    states = [_state(path) for path in files.values()]
    memo = _memo(["named", str(root.absolute()), sorted(files), states], folders)
    return _known(memo, states, lambda: digest([[name, file_checksum(files[name])] for name in sorted(files)]))


def _remembered(kind: str, paths: list[Path], root: Path, folders: DataFolders) -> str:
    states = [_state(path) for path in paths]
    memo = _memo([kind, str(root.absolute()), states], folders)
    return _known(memo, states, lambda: file_checksum(paths[0]) if kind == "file" else _combined(paths, root))


def _memo(key: list[object], folders: DataFolders) -> Path:
    return folders.cache / "fingerprints" / f"{digest(key)[:40]}.txt"


def _known(memo: Path, states: list[State], read: Callable[[], str]) -> str:
    try:
        known = memo.read_text(encoding="ascii")
        if len(known) == 64:
            return known
    except (OSError, UnicodeDecodeError):
        pass
    found = read()
    if all(time.time_ns() - modified > _SETTLED_NS for _, _, modified in states):
        write_atomically(memo, found.encode())
    return found


def _combined(paths: list[Path], root: Path) -> str:
    return digest([[path.relative_to(root).as_posix(), file_checksum(path)] for path in paths])


def _state(path: Path) -> State:
    try:
        stat = path.stat()
    except FileNotFoundError as error:
        raise DataMissing(f"there is no file {path}") from error
    return str(path.absolute()), stat.st_size, stat.st_mtime_ns
