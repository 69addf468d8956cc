"""One file from the first of several addresses that gives it whole and right; there as a whole or not at all.

pooch checks the file and moves it into place; the transfer is our own, as pooch begins anew after each cut.
"""

from __future__ import annotations

from pathlib import Path

from harness.core.errors import DataMissing
from harness.core.progress import Progress, SilentProgress
from harness.data.entry import SourceFile
from harness.data.space import writing_to
from harness.data.transfer import Patience, Transfer, Unavailable

__all__ = ["DownloadFailed", "Patience", "download"]


class DownloadFailed(DataMissing):
    """No address gave the file."""

    code = "D420"


def download(
    file: SourceFile, folder: Path, *, progress: Progress | None = None, patience: Patience | None = None
) -> tuple[Path, str]:
    """Get a file from the first of its addresses that gives it whole and right.

    A cut transfer goes on where it stopped, also in a later call. A file that is there already and right stays.

    Args:
        file: name, addresses, checksum.
        folder: where it goes; made where it is not there.
        progress: told how far the work is, in kilobytes.
        patience: time-outs and attempts.

    Returns:
        The file, and the address that gave it.

    Raises:
        DownloadFailed: no address gave the file; says what each answered and what to put where.
        NoSpace: the disk is full or cannot be written to.
    """
    with writing_to(folder):
        folder.mkdir(parents=True, exist_ok=True)
    reasons = []
    for url in file.urls:
        try:
            return _retrieved(file, url, folder, progress or SilentProgress(), patience or Patience()), url
        except Unavailable as error:
            reasons.append(f"{url}: {error}")
    tried = "its address" if len(file.urls) == 1 else f"any of its {len(file.urls)} addresses"
    raise DownloadFailed(
        f"{file.name} could not be downloaded from {tried}",
        why="; ".join(reasons),
        fix=f"put {file.name} into {folder} yourself and run the command again",
    )


def _retrieved(file: SourceFile, url: str, folder: Path, progress: Progress, patience: Patience) -> Path:
    import pooch

    pooch.get_logger().setLevel("ERROR")
    limit = (file.size or 0) if file.checksum else 0
    transfer = Transfer(file.name, folder / f".{file.name}.part", limit, progress, patience)
    try:
        with writing_to(folder):
            return Path(pooch.retrieve(url, file.checksum or None, fname=file.name, path=folder, downloader=transfer))
    except ValueError as error:
        if "hash" not in str(error):  # pooch's word for a wrong checksum
            raise
        raise Unavailable(f"sends another file: its checksum is not {file.checksum}") from error
