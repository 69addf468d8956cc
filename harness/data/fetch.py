"""From addresses to a usable dataset: download, unpack, verify, and only then put into the data folder.

Everything happens in ``.fetching/NAME`` of the data folder: what was downloaded and unpacked stays there until the
dataset as a whole is correct, so that an interrupted fetch resumes and an incomplete dataset is never seen.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from harness.core.errors import DataDamaged, DataMissing, HarnessError, InvalidInput
from harness.core.files import write_atomically
from harness.core.locks import try_lock
from harness.core.progress import Progress, SilentProgress
from harness.data.archives import unpack
from harness.data.catalogue import NamedDataset, counts, wrong_counts
from harness.data.disk import size_text, writing_to
from harness.data.download import DownloadFailed, RetryPolicy, download
from harness.data.entry import SourceFile
from harness.data.manifest import FileRecord, read_manifest
from harness.data.verify import (
    Verification,
    check_file,
    find_file,
    is_stand_in_set,
    remember_dataset,
    verify_dataset,
)
from harness.plugin_api import DataFolders


@dataclass(frozen=True)
class Fetched:
    """The result of a fetch.

    Attributes:
        downloaded: names of the files that were downloaded, with the address that gave each.
        verification: None where the dataset existed already with the counts that it should have.
        counts: what is in the data.
    """

    downloaded: dict[str, str]
    verification: Verification | None
    counts: dict[str, int]


def fetch_dataset(
    dataset: NamedDataset,
    folders: DataFolders,
    *,
    progress: Progress | None = None,
    policy: RetryPolicy | None = None,
    keep_archives: bool = False,
) -> Fetched:
    """Download a dataset of the catalogue into the data folder, unless it exists there.

    Archives and files that are in the data folder, or in the folder they belong to, are used instead of downloads.

    Args:
        dataset: what to fetch.
        folders: where the data go.
        progress: told how far the work is.
        policy: time-outs and attempts.
        keep_archives: leave the archives in ``.fetching`` afterwards.

    Raises:
        DownloadFailed: an address does not answer, or gives something else; says what to put where.
        DataMissing: there is nothing to download, and the data do not exist.
        DataDamaged: an archive or an image is not what it should be.
        NoSpace: the disk is full or cannot be written to.
        InvalidInput: the data folder has a stand-in of the dataset.
    """
    if is_stand_in_set(dataset, folders):
        fix = "fetch into another data folder (--data), or remove the stand-in"
        raise InvalidInput(f"{folders.root} has stand-in data in place of {dataset.name}", fix=fix)
    present = _present(dataset, folders)
    if present is not None:
        return Fetched({}, None, present)
    with _exclusive(dataset, folders.root):
        job = FetchJob(dataset, folders, progress or SilentProgress(), policy or RetryPolicy())
        for source in dataset.entry.files:
            if not job.has(source):
                for file in source.files():
                    job.get(file, last=source.parts == 1)
        verification = job.verified()
        job.finish(verification, keep_archives)
    return Fetched(job.downloaded, verification, dict(verification.counts))


def _present(dataset: NamedDataset, folders: DataFolders) -> dict[str, int] | None:
    """What is in the data, if they exist with the counts that they should have."""
    try:
        present = counts(dataset.loader.load(folders))
    except DataMissing as missing:
        if not dataset.entry.files:
            missing.fix = dataset.entry.how_to_get(dataset.name, folders.root)
            raise
        return None
    return None if dataset.entry.files and wrong_counts(dataset.entry, present) else dict(present)


@contextmanager
def _exclusive(dataset: NamedDataset, root: Path) -> Iterator[None]:
    folder = root / ".fetching"
    with writing_to(root):
        folder.mkdir(parents=True, exist_ok=True)
        lock = try_lock(folder, dataset.name)
    if lock is None:
        raise HarnessError(f"another process is fetching {dataset.name}", fix="wait for it")
    try:
        yield
    finally:
        lock.release()


class FetchJob:
    """One fetch: ``tree`` has the layout of the data folder, with links to what exists there already."""

    def __init__(self, dataset: NamedDataset, folders: DataFolders, progress: Progress, policy: RetryPolicy) -> None:
        self._dataset, self._root, self._cache = dataset, folders.root, folders.cache
        self._progress, self._policy = progress, policy
        self._folder = folders.root / ".fetching" / dataset.name
        self._tree, self._state = self._folder / "tree", self._folder / "state.json"
        self.downloaded: dict[str, str] = {}
        # What earlier attempts put into the tree, with its checksums.
        self._records: dict[str, FileRecord] = _read_state(self._state)
        with writing_to(folders.root):
            self._tree.mkdir(parents=True, exist_ok=True)
        for abandoned in self._folder.glob(".*.unpacking-*"):  # by a process that was killed
            shutil.rmtree(abandoned, ignore_errors=True)

    def has(self, source: SourceFile) -> bool:
        """Whether the data folder has what this file gives; it is then linked into the tree."""
        if not source.unpack:
            return False  # single files are looked at when it is their turn
        for place in (source.to, *source.or_at):
            folder = self._root / place
            if source.holds is not None and _count(folder, source.keep) >= source.holds:
                shared = any(other.to == source.to and not other.unpack for other in self._dataset.entry.files)
                for path in sorted(folder.iterdir()) if shared else [folder]:
                    self._link(path, self._tree / source.to / path.name if shared else self._tree / source.to)
                return True
        return False

    def get(self, file: SourceFile, last: bool) -> None:
        """Put one file or the content of one archive into the tree."""
        if not file.unpack:
            self._single(file)
        elif file.name not in self._records:
            archive, record = self._archive(file)
            self._unpack(archive, file)
            self._remember(file.name, record)
            if not last and archive.parent == self._folder:  # a hundred archives need not lie beside their content
                archive.unlink()

    def _unpack(self, archive: Path, file: SourceFile) -> None:
        into = self._tree / file.to
        _unlink(into)
        try:
            flat = file.unpack == "flat"
            unpack(archive, into, flat=flat, keep=file.keep, progress=self._progress, work=self._folder)
        except DataDamaged:
            if archive.parent == self._folder:
                archive.unlink()  # the next attempt downloads it again
            raise

    def verified(self) -> Verification:
        """The verification of the tree. Raises what is wrong with it."""
        try:
            return verify_dataset(
                self._dataset, DataFolders(self._tree, self._cache), progress=self._progress, remember=False
            ).require()
        except HarnessError as error:
            shutil.rmtree(self._tree, ignore_errors=True)  # the archives stay, to be unpacked again
            self._state.unlink(missing_ok=True)
            error.headline = error.headline.replace(str(self._tree), str(self._root))
            error.fix = f"the archives are kept in {self._folder}: remove it to download them again"
            raise

    def finish(self, verification: Verification, keep_archives: bool) -> None:
        """Put the tree into the data folder, record what it is, and clean up."""
        with writing_to(self._root):
            for path in sorted(self._tree.iterdir()):
                _put(path, self._root / path.name)
        remember_dataset(self._dataset, self._root, verification.fingerprint, verification.counts, self._records)
        shutil.rmtree(self._tree, ignore_errors=True)
        self._state.unlink(missing_ok=True)
        if not keep_archives:
            shutil.rmtree(self._folder, ignore_errors=True)

    def _single(self, file: SourceFile) -> None:
        existing, target = find_file(self._root, file), self._tree / file.to / file.name
        if existing is not None:
            self._records[file.name] = self._checked(existing, file)
            self._link(existing, self._tree / file.to / existing.name)
        elif file.name not in self._records or not target.is_file():
            path, record = self._download(file)
            with writing_to(self._folder):
                target.parent.mkdir(parents=True, exist_ok=True)
                os.replace(path, target)
            self._remember(file.name, record)

    def _archive(self, file: SourceFile) -> tuple[Path, FileRecord]:
        """The archive: where the user has put it, or downloaded."""
        for place in (self._root / file.to, (self._root / file.to).parent, self._root):
            if (place / file.name).is_file():
                return place / file.name, self._checked(place / file.name, file)
        return self._download(file)

    def _download(self, file: SourceFile) -> tuple[Path, FileRecord]:
        try:
            path, url = download(file, self._folder, progress=self._progress, policy=self._policy)
        except DownloadFailed as failed:
            size = f" ({size_text(file.size)})" if file.size else ""
            place = self._root if file.unpack else self._root / file.to
            failed.fix = (
                f"put {file.name}{size} into {place} and run the command again; or {self._dataset.entry.source}"
            )
            raise
        record = self._checked(path, file, url)
        self.downloaded[file.name] = url
        return path, record

    def _checked(self, path: Path, file: SourceFile, url: str = "") -> FileRecord:
        first = read_manifest(self._root, self._dataset.name).files.get(file.name)
        check = check_file(path, file, first)
        if check.problem:
            raise DataDamaged(check.problem, fix=f"remove {path} and run the command again")
        return replace(check.record, url=url or check.record.url)

    def _remember(self, name: str, record: FileRecord) -> None:
        self._records[name] = record
        with writing_to(self._folder):
            content = {name: asdict(file) for name, file in self._records.items()}
            write_atomically(self._state, json.dumps(content).encode())

    def _link(self, existing: Path, link: Path) -> None:
        _unlink(link)
        with writing_to(self._folder):
            link.parent.mkdir(parents=True, exist_ok=True)
            if not link.exists():
                link.symlink_to(existing.absolute(), target_is_directory=existing.is_dir())


def _unlink(link: Path) -> None:
    if link.is_symlink():
        link.unlink()


def _put(source: Path, target: Path) -> None:
    """Move a tree into the data folder; what links there exists there already."""
    if source.is_symlink():
        return
    if source.is_dir() and target.exists():
        for path in sorted(source.iterdir()):
            _put(path, target / path.name)
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir() and any(path.is_symlink() for path in source.rglob("*")):
        target.mkdir()
        _put(source, target)
        return
    os.replace(source, target)


def _count(folder: Path, keep: tuple[str, ...]) -> int:
    return sum(
        not name.startswith(".") and (not keep or name.lower().endswith(keep))
        for _, _, names in os.walk(folder)
        for name in names
    )


def _read_state(path: Path) -> dict[str, FileRecord]:
    try:
        return {name: FileRecord(**values) for name, values in json.loads(path.read_text()).items()}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}
