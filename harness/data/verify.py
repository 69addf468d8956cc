"""Whether a dataset is what it should be: counts, checksums, every image decoded, unchanged since first verified."""

from __future__ import annotations

import gzip
import hashlib
import time
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from harness.core.digest import file_checksum
from harness.core.errors import DataDamaged, DataMissing
from harness.core.progress import Progress
from harness.data.audit.audit import audit_dataset
from harness.data.audit.finding import Finding
from harness.data.catalogue import NamedDataset, counts, wrong_counts
from harness.data.entry import SourceFile
from harness.data.manifest import DatasetManifest, FileRecord, read_manifest, write_manifest
from harness.data.stand_in.marker import names_stand_in
from harness.plugin_api import DataFolders, RetrievalSet

_SHOWN: Final = 20
_LARGEST: Final = 1 << 32

How = Literal["published", "content", "recorded", "first", "wrong"]
"""How a file was checked: it has the ``published`` checksum; its ``content`` has (a repacked copy); it equals the
``recorded`` first download; it is the ``first`` download; or it is ``wrong``."""


@dataclass(frozen=True)
class FileCheck:
    """One file compared with what is known of it; ``problem`` is empty unless it is wrong."""

    how: How
    record: FileRecord
    problem: str = ""


@dataclass(frozen=True)
class Verification:
    """The result of verifying a dataset.

    Attributes:
        name: of the dataset.
        fingerprint: of the data; records carry it.
        counts: what is in the data.
        decoded: images that were decoded; of classification sets the loader has read all.
        checksums: how each file was checked.
        problems: what is wrong, one sentence each; empty for a correct dataset.
        stand_in: generated in place of the published data, so that neither counts nor checksums are compared.
        findings: warnings and notes of the audit; its errors are problems.
    """

    name: str
    fingerprint: str
    counts: Mapping[str, int]
    decoded: int
    checksums: Mapping[str, How]
    problems: tuple[str, ...]
    stand_in: bool = False
    findings: tuple[Finding, ...] = ()

    def require(self) -> Verification:
        """This verification, if it found no problem. Raises ``DataDamaged`` that lists the problems."""
        if not self.problems:
            return self
        rest = len(self.problems) - _SHOWN
        lines = [*self.problems[:_SHOWN], *([f"and {rest:,} more"] if rest > 0 else [])]
        raise DataDamaged(
            f"{self.name} is not what it should be:\n" + "\n".join(f"  - {line}" for line in lines),
            fix=f"remove what is wrong and run: harness datasets fetch {self.name}; for a copy of your own, name the"
            " dataset image-classes or image-instances in the spec",
        )


def verify_dataset(
    dataset: NamedDataset, folders: DataFolders, *, progress: Progress | None = None, remember: bool = True
) -> Verification:
    """Load a dataset, count, compare checksums, audit it (which decodes every image).

    Args:
        dataset: what to verify.
        folders: where its data are.
        progress: told how far the work is.
        remember: record checksums and fingerprint of a dataset that is verified for the first time.

    Raises:
        DataMissing: the data do not exist; says what to put where.
        DataDamaged: the loader cannot read them.
    """
    manifest = read_manifest(folders.root, dataset.name)
    stand_in = is_stand_in_set(dataset, folders)
    checks = {} if stand_in else _checks(dataset, folders.root, manifest)
    problems = [check.problem for check in checks.values() if check.problem]
    try:
        loaded = dataset.loader.load(folders)
    except DataMissing as missing:
        missing.fix = dataset.entry.how_to_get(dataset.name, folders.root)
        raise
    present = counts(loaded)
    problems += [
        f"{present.get(key, 0):,} {key}, there should be {expected:,}"
        for key, expected in wrong_counts(dataset.entry, present).items()
        if not stand_in
    ]
    images = set(loaded.images) | set(loaded.queries) if isinstance(loaded, RetrievalSet) else set()
    published = bool(dataset.entry.counts)
    audit = audit_dataset(dataset.name, dataset.loader, folders, published=published, progress=progress, loaded=loaded)
    problems += [found.message for found in audit.of("error")]
    fingerprint = audit.fingerprint
    if manifest.fingerprint not in ("", fingerprint) and not stand_in:
        problems.append(f"the data have changed since {manifest.date}: fingerprint {fingerprint[:12]}")
    if remember and not problems and not stand_in:
        files = {name: check.record for name, check in checks.items()}
        remember_dataset(dataset, folders.root, fingerprint, present, files)
    how = {name: check.how for name, check in checks.items()}
    findings = tuple(audit.of("warning", "note"))
    return Verification(dataset.name, fingerprint, present, len(images), how, tuple(problems), stand_in, findings)


def is_stand_in_set(dataset: NamedDataset, folders: DataFolders) -> bool:
    """Whether the data in the data folder are a stand-in."""
    return names_stand_in(vars(dataset.loader), folders.root)


def remember_dataset(
    dataset: NamedDataset, root: Path, fingerprint: str, present: Mapping[str, int], files: Mapping[str, FileRecord]
) -> None:
    """Record a verified dataset; what is recorded of a file already stays."""
    manifest = read_manifest(root, dataset.name)
    if manifest.fingerprint == fingerprint and set(files) <= set(manifest.files):
        return
    date = manifest.date or time.strftime("%Y-%m-%d")
    write_manifest(root, dataset.name, DatasetManifest(fingerprint, date, dict(present), {**files, **manifest.files}))


def check_file(path: Path, file: SourceFile, first: FileRecord | None) -> FileCheck:
    """Compare a file with its published checksum, or else with its first download, if there was one."""
    sha256 = file_checksum(path)
    record = FileRecord(sha256, path.stat().st_size, first.url if first else "", bool(file.checksum))
    algorithm, _, published = file.checksum.partition(":")
    if file.checksum:
        checksum = file_checksum(path, algorithm)
        if checksum == published:
            return FileCheck("published", record)
        if file.content and _contains(path, file.content):
            return FileCheck("content", record)
        kind = algorithm.upper()
        problem = f"{path} is not the published file: its {kind} is {checksum}, published is {published}"
        return FileCheck("wrong", record, problem)
    if first is None or sha256 == first.sha256:
        return FileCheck("recorded" if first else "first", record)
    problem = f"{path} differs from the first download: its SHA-256 is {sha256}, was {first.sha256}"
    return FileCheck("wrong", record, problem)


def find_file(root: Path, file: SourceFile) -> Path | None:
    """A file that is kept as it was downloaded, or the content of a ``.gz`` file that was unpacked."""
    path = root / file.to / file.name
    unpacked = path.with_suffix("") if file.content else path
    return next((place for place in (path, unpacked) if place.is_file()), None)


def _checks(dataset: NamedDataset, root: Path, manifest: DatasetManifest) -> dict[str, FileCheck]:
    """The files that are kept as they were downloaded."""
    paths = {file: find_file(root, file) for file in dataset.entry.files if not file.unpack}
    return {file.name: check_file(path, file, manifest.files.get(file.name)) for file, path in paths.items() if path}


def _contains(path: Path, checksum: str) -> bool:
    """Whether a file, decompressed if it is a ``.gz`` file, holds bytes with this checksum."""
    algorithm, _, expected = checksum.partition(":")
    total, left = hashlib.new(algorithm, usedforsecurity=False), _LARGEST
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as content:
            while left > 0 and (block := content.read(1 << 20)):
                total.update(block)
                left -= len(block)
    except (OSError, EOFError, zlib.error):
        return False
    return total.hexdigest() == expected
