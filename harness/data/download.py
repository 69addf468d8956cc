"""One file from the first of several addresses that gives it whole and correct; in place as a whole or not at all."""

from __future__ import annotations

from pathlib import Path

from harness.core.digest import file_checksum
from harness.core.errors import DataMissing
from harness.core.progress import Progress, SilentProgress
from harness.data.disk import writing_to
from harness.data.entry import SourceFile
from harness.data.transfer import PartialFile, RetryPolicy, SourceUnavailable, TransferBudget, transfer

__all__ = ["DownloadFailed", "RetryPolicy", "download"]


class DownloadFailed(DataMissing):
    """No address gave the file."""

    code = "D420"


def download(
    file: SourceFile, folder: Path, *, progress: Progress | None = None, policy: RetryPolicy | None = None
) -> tuple[Path, str]:
    """Get a file from the first of its addresses that gives it whole and correct.

    An interrupted transfer resumes where it stopped, also in a later call. A correct file that exists is kept.

    Args:
        file: name, addresses, checksum.
        folder: where it goes; created if needed.
        progress: told how far the work is, in kilobytes.
        policy: time-outs and attempts.

    Returns:
        The file, and the address that gave it.

    Raises:
        DownloadFailed: no address gave the file; says what each answered and what to put where.
        NoSpace: the disk is full or cannot be written to.
    """
    target = folder / file.name
    if target.is_file() and _is_correct(target, file):
        return target, file.urls[0]
    with writing_to(folder):
        folder.mkdir(parents=True, exist_ok=True)
    limit = (file.size or 0) if file.checksum else 0
    part = PartialFile(folder / f".{file.name}.part", file.name, limit, progress or SilentProgress())
    reasons, policy = [], policy or RetryPolicy()
    budget = TransferBudget(policy)
    for url in file.urls:
        try:
            with writing_to(folder):
                transfer(url, part, policy, budget)
                if not _is_correct(part.path, file):
                    part.discard()
                    raise SourceUnavailable(f"sends another file: its checksum is not {file.checksum}")
                part.complete(target)
            return target, url
        except SourceUnavailable as error:
            reasons.append(f"{url}: {error}")
    tried = "its address" if len(file.urls) == 1 else f"any of its {len(file.urls)} addresses"
    raise DownloadFailed(
        f"{file.name} could not be downloaded from {tried}",
        why="; ".join(reasons),
        fix=f"put {file.name} into {folder} yourself and run the command again",
    )


def _is_correct(path: Path, file: SourceFile) -> bool:
    algorithm, _, published = file.checksum.partition(":")
    return not file.checksum or file_checksum(path, algorithm) == published
