"""What a worker process sends to its runner: lines of JSON of bounded size, each with the id of the run.

The worker may be in the hands of a plugin, so the runner unpickles nothing, waits for nothing and believes nothing: any
line that is not a message of this run ends the run, which then has the record of a failure.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from multiprocessing.connection import Connection
from typing import Any, Final

from pydantic import ValidationError

from harness.core.text import printable, sentence
from harness.runs.record import Record

STARTED, PROGRESS, WARNING, RECORD = "started", "progress", "warning", "record"
"""Kinds of message."""

RECORD_BYTES: Final = 2**29
"""The longest record: rankings of 70 queries over a million images have this size."""
_RECORD_CONTAINERS: Final = 2**20
"""Lists and objects of a record; each takes a hundred times the memory of its text."""
_MESSAGE_BYTES: Final = 2**16
_READ_BYTES: Final = 2**20
_READS: Final = 16
_LABEL, _WARNING = 200, 2_000
_COUNT: Final = 2**53
_PLANNED: Final = ("id", "task", "protocol", "protocol_id", "seed")
"""Fields that a record has from its plan, which no run may change."""


class BadMessage(ValueError):
    """What came is not a message of the run."""


def encoded(kind: str, run_id: str, content: Any) -> bytes:
    """A message as it is sent. Raises ``ValueError`` or ``TypeError`` for what JSON does not have."""
    return json.dumps([kind, run_id, content], separators=(",", ":"), allow_nan=False).encode() + b"\n"


class Messages:
    """The messages of one run, as they arrive.

    Args:
        pipe: where they come from; it is read without waiting.
        planned: the record of the run as it is before it was done.
    """

    def __init__(self, pipe: Connection, planned: Record) -> None:
        self._pipe, self._planned, self._received = pipe, planned, bytearray()
        os.set_blocking(pipe.fileno(), False)

    @property
    def clean(self) -> bool:
        """Whether nothing has arrived that is not yet read: then the pipe can serve another run."""
        return not self._received

    def read(self) -> Iterator[tuple[str, Any]]:
        """Kind and content of what has arrived: a label and two numbers, a sentence, a ``Record``, or None.

        Raises:
            BadMessage: anything else has arrived.
        """
        for block in available(self._pipe):
            searched = len(self._received)
            self._received += block
            while (end := self._received.find(b"\n", searched)) >= 0:
                line, searched = bytes(self._received[:end]), 0
                del self._received[: end + 1]
                yield self._message(line)
            if len(self._received) > RECORD_BYTES:
                raise BadMessage(f"more than {RECORD_BYTES // 2**20} MB")

    def _message(self, line: bytes) -> tuple[str, Any]:
        is_record = line.startswith(b'["record",')
        if len(line) > (RECORD_BYTES if is_record else _MESSAGE_BYTES):
            raise BadMessage(f"{len(line)} bytes that are not a record")
        if line.count(b"[") + line.count(b"{") > _RECORD_CONTAINERS:
            raise BadMessage("a record of too many parts")
        try:
            kind, run_id, content = json.loads(line)
        except (ValueError, TypeError, RecursionError) as error:
            raise BadMessage("what is not a message") from error
        if run_id != self._planned.id:
            raise BadMessage("a message of another run")
        return kind, self._checked(kind, content)

    def _checked(self, kind: str, content: Any) -> Any:
        if kind == STARTED and content is None:
            return None
        if kind == WARNING and isinstance(content, str):
            return printable(content, _WARNING, keep="\n\t")
        if kind == PROGRESS and _is_progress(content):
            return sentence(content[0], _LABEL), *content[1:]
        if kind == RECORD and isinstance(content, dict):
            return self._record(content)
        raise BadMessage("a message of unknown form")

    def _record(self, content: dict[str, Any]) -> Record:
        try:
            record = Record.model_validate(content)
            json.dumps(content, allow_nan=False, ensure_ascii=False).encode()  # what no file can hold is no record
        except ValidationError as error:
            where = ".".join(map(str, error.errors()[0]["loc"]))
            raise BadMessage(f"a record with a wrong {sentence(where, _LABEL)}") from error
        except (ValueError, RecursionError) as error:
            raise BadMessage("a record that cannot be written") from error
        changed = [name for name in _PLANNED if getattr(record, name) != getattr(self._planned, name)]
        if changed or record.methods.keys() != self._planned.methods.keys() or record.status == "missing":
            raise BadMessage(f"the record of another run ({', '.join(changed) or 'methods'})")
        return record


def _is_progress(content: Any) -> bool:
    types = [type(part) for part in content] if isinstance(content, list) else []
    return types == [str, int, int] and max(map(abs, content[1:])) <= _COUNT


def available(pipe: Connection) -> Iterator[bytes]:
    """What a non-blocking pipe holds now, but not for ever: one that floods must not keep the runner from the others.

    The pipe is closed when its other end is.
    """
    for _ in range(0 if pipe.closed else _READS):
        try:
            content = os.read(pipe.fileno(), _READ_BYTES)
        except BlockingIOError:
            return
        except OSError:
            content = b""
        if not content:
            pipe.close()
            return
        yield content
