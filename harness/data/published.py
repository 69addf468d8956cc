"""Files with a published checksum, as loaders need them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from harness.core.digest import file_checksum
from harness.core.errors import DataDamaged, DataMissing


def published_file(root: Path, places: Sequence[str], name: str, md5: str, what: str) -> Path:
    """A file in one of several folders, compared with its published checksum where one is given.

    Args:
        root: the data folder.
        places: folders below it, the usual one first.
        name: of the file.
        md5: published checksum; empty: the file is only found.
        what: what a user should put there.

    Raises:
        DataMissing: the file is in none of the folders.
        DataDamaged: it is another file than the published one.
    """
    file = next((root / place / name for place in places if (root / place / name).is_file()), None)
    if file is None:
        raise DataMissing(f"there is no {name} in {root / places[0]}", fix=f"put {what} there")
    if md5:
        found = file_checksum(file, "md5")
        if found != md5:
            raise DataDamaged(
                f"{file} is not the published file: its MD5 is {found}, published is {md5}",
                fix="remove it and get it again",
            )
    return file
