"""Rankings longer than a record holds, stored beside it: any metric can be computed from them later without a run.

A run leaves them in the cache, whatever process does it; the runner moves them beside the record, as ``ID.ranks.npy``.
"""

from __future__ import annotations

import io
import shutil
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.core.digest import file_checksum
from harness.core.errors import DataDamaged, DataMissing, FileUnusable
from harness.core.files import write_atomically
from harness.data.array_files import ARRAY_ERRORS

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from harness.plugin_api import DataFolders
    from harness.runs.record import Record
    from harness.runs.store import Store


def leave_ranks(run_id: str, ranks: NDArray[np.int64], wanted: int | None, folders: DataFolders) -> dict[str, Any]:
    """Write rankings (q, k) where the runner finds them.

    Returns:
        What the record says of them: ``wanted``, their ``shape`` and the ``sha256`` of the file.
    """
    path = _left(run_id, folders)
    content = io.BytesIO()
    np.save(content, ranks.astype(np.int32), allow_pickle=False)
    write_atomically(path, content.getvalue())
    return {"wanted": wanted, "shape": list(ranks.shape), "sha256": file_checksum(path)}


def store_ranks(record: Record, folders: DataFolders, store: Store) -> None:
    """Move what a run left beside its record; a warning says where there is nothing.

    Raises:
        FileUnusable: it cannot be written there.
    """
    if "kept_ranks" not in record.details:
        return  # of a failure
    path = _left(record.id, folders)
    if not path.is_file():
        warnings.warn(f"the rankings of run {record.id} were not left in {path.parent}: not stored", stacklevel=2)
        return
    try:
        shutil.move(path, store.ranks_path(record.id))
    except OSError as error:
        raise FileUnusable.of(error, store.ranks_path(record.id)) from error


def keep_ranks(record: Record, rankings: Sequence[NDArray[np.int64]], store: Store) -> None:
    """Store rankings of any lengths beside a record that says nothing of them: -1 follows a shorter one.

    Raises:
        FileUnusable: it cannot be written there.
    """
    longest = max(map(len, rankings))
    rows = np.full((len(rankings), longest), -1, np.int32)
    for row, ids in zip(rows, rankings, strict=True):
        row[: len(ids)] = ids
    content = io.BytesIO()
    np.save(content, rows, allow_pickle=False)
    try:
        write_atomically(store.ranks_path(record.id), content.getvalue())
    except OSError as error:
        raise FileUnusable.of(error, store.ranks_path(record.id)) from error


def read_ranks(record: Record, store: Store) -> NDArray[np.int64]:
    """The rankings (q, k) of a record, stored beside it or in it; shorter ones end in -1.

    Raises:
        DataMissing: it has none.
        DataDamaged: the file beside it is not the one that the run left.
    """
    about, path = record.details.get("kept_ranks"), store.ranks_path(record.id)
    if isinstance(about, dict) and path.is_file():
        if file_checksum(path) != about.get("sha256"):
            raise DataDamaged(f"{path} is not what the run left", fix="remove it, and run the spec again")
        return _loaded(path)
    if record.measured_by and path.is_file():
        return _loaded(path)
    lists = record.details.get("ranks")
    if not isinstance(lists, list) or not lists:
        raise DataMissing(f"run {record.id} has no rankings", fix="a retrieval run; keep_ranks: N in the spec")
    return np.array(lists, np.int64)


def _loaded(path: Path) -> NDArray[np.int64]:
    try:
        ranks: NDArray[np.int64] = np.load(path, allow_pickle=False).astype(np.int64)
    except ARRAY_ERRORS as error:
        raise DataDamaged(f"{path} is damaged: {error}", fix="remove it, and import the rankings again") from error
    return ranks


def _left(run_id: str, folders: DataFolders) -> Path:
    return folders.cache / "kept-ranks" / f"{run_id}.npy"
