"""Whether a dataset is what it should be: counts, checksums, every image decoded, the same as when first seen."""

from __future__ import annotations

import gzip
import hashlib
import time
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from harness.core.digest import file_checksum
from harness.core.errors import DataDamaged, DataMissing
from harness.core.progress import Progress, SilentProgress
from harness.data.decode import undecodable
from harness.data.entry import SourceFile
from harness.data.manifest import Kept, KeptFile, read_kept, write_kept
from harness.data.named import NamedDataset, counts
from harness.plugin_api import DataFolders, RetrievalSet

_SHOWN: Final = 20
_LARGEST: Final = 1 << 32


@dataclass(frozen=True)
class Verification:
    """What was found.

    Attributes:
        name: of the dataset.
        fingerprint: of the data; records carry it.
        counts: what is in the data.
        decoded: images that were decoded; of classification sets the loader has read all.
        checksums: file -> how it was found right: ``published`` checksum, ``content`` of a repacked file, ``recorded``
            at the first download; ``first`` where it is recorded now, ``wrong`` where it is not right.
        problems: what is wrong, one sentence each; empty for a dataset that is right.
    """

    name: str
    fingerprint: str
    counts: Mapping[str, int]
    decoded: int
    checksums: Mapping[str, str]
    problems: tuple[str, ...]

    def require(self) -> Verification:
        """This verification, if it found nothing wrong. Raises ``DataDamaged`` that lists the problems."""
        if not self.problems:
            return self
        rest = len(self.problems) - _SHOWN
        lines = [*self.problems[:_SHOWN], *([f"and {rest:,} more"] if rest > 0 else [])]
        raise DataDamaged(
            f"{self.name} is not what it should be:\n" + "\n".join(f"  - {line}" for line in lines),
            fix=f"remove what is wrong and run: harness datasets fetch {self.name}",
        )


def verify_dataset(
    dataset: NamedDataset, folders: DataFolders, *, progress: Progress | None = None, remember: bool = True
) -> Verification:
    """Load a dataset, count, compare checksums, decode every image.

    Args:
        dataset: what to verify.
        folders: where its data lie.
        progress: told how far the work is.
        remember: keep checksums and fingerprint of a dataset that was found right for the first time.

    Raises:
        DataMissing: the data are not there; says what to put where.
        DataDamaged: the loader cannot read them.
    """
    kept = read_kept(folders.root, dataset.name)
    files = dict(_files(dataset, folders.root, kept))
    problems = [problem for _, _, problem in files.values() if problem]
    try:
        loaded = dataset.loader.load(folders)
    except DataMissing as missing:
        missing.fix = dataset.entry.how_to_get(dataset.name, folders.root)
        raise
    found = counts(loaded)
    problems += [
        f"{found.get(key, 0):,} {key}, there should be {wanted:,}"
        for key, wanted in dataset.entry.counts.items()
        if found.get(key) != wanted
    ]
    images: list[Path] = []
    if isinstance(loaded, RetrievalSet):
        images = list(dict.fromkeys((*loaded.images, *loaded.queries)))
        problems += undecodable(images, progress or SilentProgress())
    fingerprint = dataset.loader.fingerprint(folders)
    if kept.fingerprint not in ("", fingerprint):
        problems.append(f"the data are others than on {kept.date}: fingerprint {fingerprint[:12]}")
    if remember and not problems:
        now = {name: known for name, (_, known, _) in files.items()}
        remember_dataset(dataset, folders.root, fingerprint, found, now)
    checked = {name: how for name, (how, _, _) in files.items()}
    return Verification(dataset.name, fingerprint, found, len(images), checked, tuple(problems))


def remember_dataset(
    dataset: NamedDataset, root: Path, fingerprint: str, found: Mapping[str, int], files: Mapping[str, KeptFile]
) -> None:
    """Keep what was found right; what is known of a file already stays."""
    kept = read_kept(root, dataset.name)
    if kept.fingerprint == fingerprint and set(files) <= set(kept.files):
        return
    date = kept.date or time.strftime("%Y-%m-%d")
    write_kept(root, dataset.name, Kept(fingerprint, date, dict(found), {**files, **kept.files}))


def checked_file(path: Path, file: SourceFile, known: KeptFile | None) -> tuple[str, KeptFile, str]:
    """How a file was found right (see ``Verification``), what it is, and what is wrong with it, if anything."""
    sha256 = file_checksum(path, "sha256")
    now = KeptFile(sha256, path.stat().st_size, known.url if known else "", bool(file.checksum))
    kind, _, published = file.checksum.partition(":")
    if file.checksum:
        found = file_checksum(path, kind)
        if found == published:
            return "published", now, ""
        if file.content and _holds(path, file.content):
            return "content", now, ""
        return (
            "wrong",
            now,
            f"{path} is not the published file: its {kind.upper()} is {found}, published is {published}",
        )
    if known is None or sha256 == known.sha256:
        return "recorded" if known else "first", now, ""
    changed = f"{path} is another file than the one first downloaded: its SHA-256 is {sha256}, was {known.sha256}"
    return "wrong", now, changed


def found_file(root: Path, file: SourceFile) -> Path | None:
    """A file that stays as it was downloaded, or what is left of a ``.gz`` file when it was unpacked."""
    path = root / file.to / file.name
    plain = path.with_suffix("") if file.content else path
    return next((place for place in (path, plain) if place.is_file()), None)


def _files(dataset: NamedDataset, root: Path, kept: Kept) -> Iterator[tuple[str, tuple[str, KeptFile, str]]]:
    """The files that stay as they were downloaded."""
    for file in dataset.entry.files:
        path = None if file.unpack else found_file(root, file)
        if path is not None:
            yield file.name, checked_file(path, file, kept.files.get(file.name))


def _holds(path: Path, checksum: str) -> bool:
    """Whether a file, unpacked if it is a ``.gz`` file, holds bytes with this checksum."""
    kind, _, wanted = checksum.partition(":")
    total, left = hashlib.new(kind, usedforsecurity=False), _LARGEST
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as content:
            while left > 0 and (block := content.read(1 << 20)):
                total.update(block)
                left -= len(block)
    except (OSError, EOFError, zlib.error):
        return False
    return total.hexdigest() == wanted
