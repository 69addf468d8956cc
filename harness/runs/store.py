"""A folder of records, one JSON file a run, each written whole or not at all and carrying its checksum."""

from __future__ import annotations

import json
import os
import re
import stat
import warnings
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path
from typing import Final

from pydantic import ValidationError

from harness.core.errors import DataDamaged, FileUnusable
from harness.core.files import write_atomically
from harness.core.locks import Lock, remove_temporary, sweep, try_lock
from harness.core.signed import is_signed, signed, unsigned, verified
from harness.core.text import sentence
from harness.runs.plausibility import implausible
from harness.runs.record import SCHEMA, Record
from harness.runs.upgrade import EARLIER, upgraded

RESULTS: Final = "results.json"
"""What a leaderboard folder may hold beside records."""
_AGAIN: Final = "delete the file, or run the spec again: the run is then repeated"


class Store:
    """Records under ``folder``, found by run id. Several processes may use one folder.

    Args:
        folder: of the records.
        ranks: whether records are read with the ranking of every query, which is nearly all of a record of retrieval;
            tables do without.
    """

    def __init__(self, folder: Path, *, ranks: bool = True) -> None:
        self.folder = folder
        self.ranks = ranks

    def path(self, run_id: str) -> Path:
        """File of a run's record, whether it is there or not."""
        return self.folder / f"{run_id}.json"

    def read(self, run_id: str) -> Record | None:
        """The record of a run, None if there is none. Raises ``DataDamaged``."""
        path = self.path(run_id)
        if not os.path.lexists(path):
            return self._earlier.get(run_id)
        written, record = _read(path, self.ranks)
        if written != run_id:
            raise DataDamaged(f"{path} holds the record of another run, {written}", fix=_AGAIN)
        return record

    def read_many(self, run_ids: Iterable[str]) -> dict[str, Record]:
        """The records that are there, by id. A damaged one is named by a warning and counts as not there."""
        records = {run_id: self._readable(run_id) for run_id in run_ids}
        return {run_id: record for run_id, record in records.items() if record is not None}

    def read_all(self) -> list[Record]:
        """All records of the folder, ordered by id. A damaged one is named by a warning and left out."""
        files = [path for path in sorted(self.folder.glob("*.json")) if path.name != RESULTS]
        records = self.read_many(path.stem for path in files)
        # A run that was done again has a record under each of its ids: the later one counts.
        by_id = {record.id: record for file, record in records.items() if record.id != file}
        return list((by_id | {record.id: record for file, record in records.items() if record.id == file}).values())

    def write(self, record: Record) -> None:
        """Write atomically; a record of the same id is replaced. Raises ``FileUnusable``."""
        try:
            write_atomically(self.path(record.id), signed(record.model_dump(by_alias=True)))
        except OSError as error:
            raise FileUnusable.of(error, self.path(record.id)) from error

    def ranks_path(self, run_id: str) -> Path:
        """File of the rankings of a run beside its record, whether it is there or not."""
        return self.folder / f"{run_id}.ranks.npy"

    def keeps_ranks(self, record: Record, wanted: int | None) -> bool:
        """Whether as many images of each ranking as ``wanted`` (None: all) are stored beside a record."""
        about = record.details.get("kept_ranks")
        if not isinstance(about, dict) or not self.ranks_path(record.id).is_file():
            return False
        return about.get("wanted") is None or (wanted is not None and about["wanted"] >= wanted)

    def claim(self, run_id: str) -> Lock | None:
        """The right to do a run, which one process has at a time; None while another has it."""
        held = try_lock(self.folder, run_id)
        if held is not None:
            remove_temporary(self.folder, run_id)
        return held

    def sweep(self) -> None:
        """Remove what killed processes left behind."""
        sweep(self.folder)

    @cached_property
    def _earlier(self) -> dict[str, Record]:
        """Records in files of earlier formats, under the ids that their runs have now."""
        earlier = {}
        for path in self.folder.glob("*.json"):
            if path.name != RESULTS and _is_earlier(path) and (record := self._readable(path.stem)) is not None:
                earlier[record.id] = record
        return earlier

    def _readable(self, run_id: str) -> Record | None:
        try:
            return self.read(run_id)
        except DataDamaged as error:
            warnings.warn(f"{error.headline}: it counts as not there", stacklevel=4)
            return None


def read_record(path: Path, *, ranks: bool = True) -> Record:
    """Read one record, with or without its rankings.

    Raises:
        DataDamaged: names the file and the first thing that is wrong.
    """
    return _read(path, ranks)[1]


def _read(path: Path, ranks: bool) -> tuple[str, Record]:
    """The id in the file and the record, whose id is another one where the format is an earlier one."""
    text = _content(path)
    try:
        quickly = _read_quickly(text, ranks)
        written, record = (quickly.id, quickly) if quickly is not None else _read_closely(text)
        reason = implausible(record)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise DataDamaged(f"{path} is a damaged record: {sentence(where)}: {first['msg']}", fix=_AGAIN) from error
    except (KeyError, TypeError, AttributeError) as error:
        reason = sentence(f"{type(error).__name__}: {error}")
        raise DataDamaged(f"{path} is a damaged record: {reason}", fix=_AGAIN) from error
    except (ValueError, RecursionError) as error:
        raise DataDamaged(f"{path} is not a valid record: {sentence(error)}", fix=_AGAIN) from error
    if reason:
        raise DataDamaged(f"{path} is not what a run can have left: {reason}", fix=_AGAIN)
    return written, record


def _is_earlier(path: Path) -> bool:
    """Whether a file says that it has an earlier format; read whole, as ``schema`` is one of its last fields."""
    try:
        text = _content(path)
    except DataDamaged:
        return False
    return any(re.search(rb'^ ?"schema": %d,?$' % schema, text, re.MULTILINE) for schema in EARLIER)


def _content(path: Path) -> bytes:
    """The bytes of a file; a link, a pipe or a device is none, and none is waited for."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        if stat.S_ISREG(os.fstat(handle).st_mode):
            with open(handle, "rb") as file:
                return file.read()
        os.close(handle)
        reason = "it is a folder, a pipe or a device"
    except OSError as error:
        reason = "it is a link" if path.is_symlink() else error.strerror or str(error)
    raise DataDamaged(f"{path} is not a valid record: {reason}", fix=_AGAIN)


def _read_closely(text: bytes) -> tuple[str, Record]:
    """What ``_read`` gives, of a text of which the first thing that is wrong is said. Raises ``ValueError``."""
    data = unsigned(text) if is_signed(text) else json.loads(text)
    if b"\\ud" in text.lower():  # half of a surrogate pair is no character: no table could be written
        json.dumps(data, ensure_ascii=False).encode()
    schema = data.get("schema") if isinstance(data, dict) else None
    if schema not in (*EARLIER, SCHEMA):
        raise ValueError(f"it has record format {schema!r}; this harness reads format {SCHEMA}")
    if not is_signed(text):
        raise ValueError("it carries no checksum")
    return data["id"], Record.model_validate(data) if schema == SCHEMA else upgraded(data)


def _read_quickly(text: bytes, ranks: bool) -> Record | None:
    """A record of the present format by pydantic's own parser; None for what has to be looked at more closely."""
    if not is_signed(text):
        return None
    try:
        content = verified(text) if ranks else _without_ranks(verified(text))
        return None if b"\\u" in content else Record.model_validate_json(content)
    except ValueError:
        return None


def _without_ranks(content: bytes) -> bytes:
    """A signed text less the lists of ``details.ranks``.

    Depth is indentation there, and no string holds a line feed, so that the lists are found without parsing their
    numbers; that is several times as fast as to read and forget them.
    """
    details = content.find(b'\n "details": {\n')
    first = content.find(b'\n  "ranks": [\n', details)
    if details < 0 or first < 0 or content.find(b"\n }", details, first) >= 0:
        return content
    last = content.rfind(b"]\n  ]")  # little follows the rankings, so that this end is near
    rankings = content[first + len(b'\n  "ranks": ') : last]
    if last < first or rankings.translate(None, b"0123456789,[] \n"):  # not lists of ids
        return content
    return content[:first] + b'\n  "ranks": [' + content[last + 4 :]
