"""Archives from outside, unpacked so that nothing leaves the folder and nothing fills the disk.

Links, devices and names that point elsewhere are refused, and so is an archive that grows beyond all reason. What is
unpacked appears in its folder as a whole or not at all.
"""

from __future__ import annotations

import bz2
import gzip
import lzma
import os
import re
import shutil
import stat
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Any, Final

from harness.core.errors import DataDamaged, DataMissing
from harness.core.progress import Progress, SilentProgress
from harness.data.disk import size_text, writing_to

_BLOCK: Final = 1 << 20
_LONGEST_HEADER: Final = 1 << 20
_HEADERS: Final = (
    tarfile.GNUTYPE_LONGNAME,
    tarfile.GNUTYPE_LONGLINK,
    tarfile.XHDTYPE,
    tarfile.XGLTYPE,
    tarfile.SOLARIS_XHDTYPE,
)
_UNREADABLE: Final = (
    tarfile.TarError,
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    ValueError,
    RuntimeError,
    NotImplementedError,
    gzip.BadGzipFile,
)


@dataclass(frozen=True)
class Limits:
    """How much an archive may hold.

    Attributes:
        ratio: bytes unpacked for each byte of the archive; photographs stay near 1, text below 20.
        grace: bytes that any archive may hold, whatever its ratio.
        members: files and folders.
    """

    ratio: float = 100.0
    grace: int = 64 << 20
    members: int = 5_000_000


def unpack(
    archive: Path,
    into: Path,
    *,
    flat: bool = False,
    keep: tuple[str, ...] = (),
    limits: Limits | None = None,
    progress: Progress | None = None,
    work: Path | None = None,
) -> int:
    """Unpack a tar (plain, gzip, bzip2, xz) or zip archive; files of the folder with the same name are replaced.

    Args:
        archive: the file.
        into: folder; created if needed.
        flat: leave out the folders of the archive.
        keep: suffixes of the files to keep, lower case; empty keeps all.
        limits: sizes that are refused.
        progress: told how far the work is, in bytes of the archive.
        work: folder on the same disk for what is not complete yet; beside ``into`` if None.

    Returns:
        Number of files.

    Raises:
        DataMissing: there is no such archive.
        DataDamaged: it is not an archive, is truncated, holds links, devices or names that leave the folder, holds two
            files of one name, or grows beyond the limits.
        NoSpace: the disk is full or cannot be written to.
    """
    if not archive.is_file():
        raise DataMissing(f"there is no archive {archive}")
    with writing_to(into):
        into.mkdir(parents=True, exist_ok=True)
        part = Path(tempfile.mkdtemp(dir=work or into.parent, prefix=f".{into.name}.unpacking-"))
        try:
            unpacking = _Unpacking(archive, part, flat, keep, limits or Limits(), progress or SilentProgress())
            try:
                with archive.open("rb") as file:
                    zipped = file.read(2) == b"PK"
                (_from_zip if zipped else _from_tar)(archive, unpacking)
            except _UNREADABLE as error:
                raise DataDamaged(
                    f"{archive} cannot be unpacked: {error}", fix="remove it and get it again; it may be truncated"
                ) from error
            unpacking.done()
            _move(part, into)
            return len(unpacking.targets)
        finally:
            shutil.rmtree(part, ignore_errors=True)


class _Unpacking:
    """Writes members below one folder, and counts what comes out of the archive."""

    def __init__(
        self, archive: Path, folder: Path, flat: bool, keep: tuple[str, ...], limits: Limits, progress: Progress
    ) -> None:
        self._archive, self._folder, self._flat, self._keep, self._progress = archive, folder, flat, keep, progress
        self._size = archive.stat().st_size
        self._bytes_left, self._members_left = int(max(limits.grace, limits.ratio * self._size)), limits.members
        self.targets: set[str] = set()
        self.read_up_to(0)

    def take(self, size: int) -> None:
        self._bytes_left -= size
        if self._bytes_left < 0:
            raise DataDamaged(
                f"{self._archive} of {size_text(self._size)} unpacks to far more: refused",
                why="an archive that grows so much is meant to fill the disk",
            )

    def member(self) -> None:
        self._members_left -= 1
        if self._members_left < 0:
            raise DataDamaged(f"{self._archive} holds too many files: refused")

    def read_up_to(self, position: int) -> None:
        self._progress.update(f"unpacking {self._archive.name}", min(position, self._size - 1), self._size)

    def done(self) -> None:
        self._progress.update(f"unpacking {self._archive.name}", self._size, self._size)

    def refuse(self, member: str, reason: str) -> DataDamaged:
        return DataDamaged(f"{self._archive}: {member!r} {reason}: refused, nothing was unpacked")

    def inside(self, member: str) -> PurePosixPath:
        """The path of a member below the folder. Raises ``DataDamaged`` for one that could lead elsewhere."""
        parts = PurePosixPath(member).parts
        if member.startswith("/") or re.match(r"[A-Za-z]:", member):
            raise self.refuse(member, "is an absolute path")
        if ".." in parts:
            raise self.refuse(member, "leaves the folder")
        if "\\" in member or "\0" in member or any(len(part.encode()) > 255 for part in parts):
            raise self.refuse(member, "is not a portable name")
        return PurePosixPath(*parts)

    def write(self, member: str, content: IO[bytes], counted: bool) -> None:
        path = self.inside(member)
        if path.name.startswith("._") or (self._keep and path.suffix.lower() not in self._keep):
            return
        target = path.name if self._flat else str(path)
        if target.casefold() in self.targets:
            raise self.refuse(member, f"is the second file {target}")
        self.targets.add(target.casefold())
        file = self._folder / target
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("xb") as out:
            while block := content.read(_BLOCK):
                if not counted:
                    self.take(len(block))
                out.write(block)


class _Counted:
    """A decompressed stream that is counted: also what tarfile skips, and what its headers claim."""

    def __init__(self, stream: Any, unpacking: _Unpacking, raw: IO[bytes]) -> None:
        self._stream, self._unpacking, self._raw = stream, unpacking, raw

    def read(self, size: int) -> bytes:
        block: bytes = self._stream.read(size)
        self._unpacking.take(len(block))
        self._unpacking.read_up_to(self._raw.tell())
        return block


class _Member(tarfile.TarInfo):
    def _proc_member(self, tar: tarfile.TarFile) -> Any:
        if self.type in _HEADERS and self.size > _LONGEST_HEADER:  # tarfile would read it into memory as a whole
            raise tarfile.ReadError(f"a header of {size_text(self.size)}")
        return super()._proc_member(tar)  # type: ignore[misc]  # what tarfile itself calls for every member


def _from_tar(archive: Path, unpacking: _Unpacking) -> None:
    with archive.open("rb") as raw, _decompressed(raw) as stream:
        counted = _Counted(stream, unpacking, raw)
        with tarfile.open(fileobj=counted, mode="r|", tarinfo=_Member) as tar:  # type: ignore[call-overload]
            for member in tar:
                unpacking.member()
                if member.isdir():
                    unpacking.inside(member.name)
                    continue
                if not member.isreg():
                    kind = "a link" if member.issym() or member.islnk() else "not a regular file"
                    raise unpacking.refuse(member.name, f"is {kind}")
                content = tar.extractfile(member)
                if content is not None:
                    unpacking.write(member.name, content, counted=True)
        while counted.read(_BLOCK):  # to the end, where the checksum of the compression is
            pass


@contextmanager
def _decompressed(raw: IO[bytes]) -> Iterator[Any]:
    start = raw.read(6)
    raw.seek(0)
    openers: dict[bytes, Any] = {b"\x1f\x8b": gzip.open, b"BZh": bz2.open, b"\xfd7zXZ\0": lzma.open}
    opener = next((opener for magic, opener in openers.items() if start.startswith(magic)), None)
    if opener is None:
        yield raw
        return
    with opener(raw, "rb") as stream:
        yield stream


def _from_zip(archive: Path, unpacking: _Unpacking) -> None:
    with zipfile.ZipFile(archive) as content:
        for info in content.infolist():
            unpacking.member()
            if stat.S_ISLNK(info.external_attr >> 16):
                raise unpacking.refuse(info.filename, "is a link")
            if info.flag_bits & 1:
                raise unpacking.refuse(info.filename, "is encrypted")
            if info.is_dir():
                unpacking.inside(info.filename)
                continue
            with content.open(info) as stream:
                unpacking.write(info.orig_filename, stream, counted=False)
            unpacking.read_up_to(info.header_offset + info.compress_size)


def _move(part: Path, into: Path) -> None:
    for parent, _, names in os.walk(part):
        target = into / Path(parent).relative_to(part)
        target.mkdir(parents=True, exist_ok=True)
        for name in names:
            os.replace(Path(parent, name), target / name)
