"""Digests of data files: what the bytes are, not where they lie. Remembered, so that a second call reads no file.

What is remembered is in ``folders.cache / "fingerprints"``, under the path, size, times and inode of the files: a file
that was replaced by another of the same size and modification time is read again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from harness.core.digest import digest, file_checksum
from harness.core.errors import DataMissing
from harness.core.files import write_atomically
from harness.plugin_api import DataFolders
from harness.registry.foreign import foreign_code
from harness.registry.modules import FileState, is_settled, state_of
from harness.registry.source import source_digest


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
    return _remembered("file", [path], folders, lambda: file_checksum(path))


def checked_digest(path: Path, folders: DataFolders, check: Callable[[Path], object]) -> str:
    """``file_digest`` of a file that passes a check, done once for its bytes: so that a plan knows what is wrong.

    Raises:
        DataMissing: there is no such file.
        DataDamaged: what ``check`` raises.
    """

    def compute() -> str:
        check(path)
        return file_checksum(path)

    return _remembered("checked file", [path], folders, compute)


def md5_digest(path: Path, folders: DataFolders) -> str:
    """MD5 of the bytes of one file, as 32 hex characters, to be compared with a published one.

    Raises:
        DataMissing: there is no such file.
    """
    return _remembered("md5", [path], folders, lambda: file_checksum(path, "md5"))


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
    ordered = sorted(paths)
    return _named([path.relative_to(root).as_posix() for path in ordered], ordered, folders)


def named_digest(files: Mapping[str, Path], folders: DataFolders) -> str:
    """SHA-256 over files under names of the dataset: the same wherever an archive or a user has put them.

    Raises:
        DataMissing: one of the files does not exist.
    """
    names = sorted(files)
    return _named(names, [files[name] for name in names], folders)


def _named(names: Sequence[str], paths: Sequence[Path], folders: DataFolders) -> str:
    pairs = list(zip(names, paths, strict=True))
    return _remembered(names, paths, folders, lambda: digest([[name, file_checksum(path)] for name, path in pairs]))


def _remembered(key: object, paths: Sequence[Path], folders: DataFolders, compute: Callable[[], str]) -> str:
    states = [_state(path) for path in paths]
    # As for arrays: what a process with foreign code has computed serves no clean one.
    foreign = [[code.name, code.digest] for code in foreign_code()]
    contents = [[key, states], *([[key, states, foreign]] if foreign else [])]
    memos = [folders.cache / "fingerprints" / f"{digest(content)[:40]}.txt" for content in contents]
    length = 32 if key == "md5" else 64
    for memo in memos:
        try:
            remembered = memo.read_text(encoding="ascii")
            if len(remembered) == length:
                return remembered
        except (OSError, UnicodeDecodeError):
            pass
    computed = compute()
    if all(map(is_settled, states)):
        write_atomically(memos[-1], computed.encode())
    return computed


def _state(path: Path) -> FileState:
    try:
        return state_of(path)
    except FileNotFoundError as error:
        raise DataMissing(f"there is no file {path}") from error
