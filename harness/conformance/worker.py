"""Another process that makes a method and answers one input after the other: ``python -m harness.conformance.worker``.

One process serves a whole check, as loading torch takes seconds. Messages are pickles with their length before them.
"""

from __future__ import annotations

import atexit
import os
import pickle
import struct
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import IO, Any, Final

from harness.conformance.trial import Trial
from harness.conformance.values import Plain

_SECONDS: Final = 300.0


class WorkerFailed(Exception):
    """The other process could not answer; says why."""


class Worker:
    """The other process, started on creation."""

    def __init__(self) -> None:
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "harness.conformance.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment,
        )

    def answer(self, trial: Trial, case: int) -> Plain:
        """The answer of the method of a trial to the input at a position. Raises ``WorkerFailed``."""
        entry = trial.subject.entry
        job = {
            "plugins": trial.subject.plugins,
            "method": (entry.kind, entry.name),
            "parameters": dict(trial.given_parameters),
            "folder": str(trial.folder),
            "case": case,
        }
        clock = threading.Timer(_SECONDS, self._process.kill)
        clock.start()
        try:
            assert self._process.stdin is not None and self._process.stdout is not None  # noqa: S101
            _send(self._process.stdin, job)
            found, error = _receive(self._process.stdout)
        except (OSError, EOFError, struct.error) as lost:
            self.close()
            worker.cache_clear()
            raise WorkerFailed(f"the process died ({self._process.returncode})") from lost
        finally:
            clock.cancel()
        if error:
            raise WorkerFailed(error)
        plain: Plain = found
        return plain

    def close(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.wait()


@cache
def worker() -> Worker:
    """The process that all checks share."""
    shared = Worker()
    atexit.register(shared.close)
    return shared


@contextmanager
def new_worker() -> Iterator[Worker]:
    """A process that has answered nothing yet."""
    process = Worker()
    try:
        yield process
    finally:
        process.close()


def _send(stream: IO[bytes], message: Any) -> None:
    data = pickle.dumps(message)
    stream.write(struct.pack("<Q", len(data)) + data)
    stream.flush()


def _receive(stream: IO[bytes]) -> Any:
    header = stream.read(8)
    if not header:
        raise EOFError
    return pickle.loads(stream.read(struct.unpack("<Q", header)[0]))


def _serve() -> None:
    """Answer jobs until there are no more."""
    # A plugin that prints must not write into the answers.
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    while True:
        try:
            job = _receive(sys.stdin.buffer)
        except EOFError:
            return
        try:
            _send(answers, (_perform(job), ""))
        except Exception as error:
            _send(answers, (None, f"{type(error).__name__}: {error}"))


def _perform(job: dict[str, Any]) -> Plain:
    from harness.conformance.subject import Subject
    from harness.conformance.values import plain
    from harness.registry import load_registry

    registry = load_registry(job["plugins"])
    subject = Subject(registry.entry(*job["method"]), registry, tuple(job["plugins"]))
    trial = Trial(subject, Path(job["folder"]), job["parameters"])
    return plain(trial.answer(trial.cases[job["case"]]))


if __name__ == "__main__":
    _serve()
