"""A job under way in a worker process, as its parent sees it: what it sends and prints, what it takes, how it ended."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any, Final

import psutil

from harness.core.locks import Lock
from harness.runs import single
from harness.runs.executors.job import Job
from harness.runs.executors.messages import RECORD, STARTED, WARNING, BadMessage, Messages, available
from harness.runs.record import Failure, Record

_OUTPUT_KEPT: Final = 10_000
_OUTPUT_BYTES: Final = 2**30
"""A run that prints more than this is ended."""

_WARNINGS: Final = 100
"""Warnings of one run that are shown."""
_START_SECONDS: Final = 120.0
"""A process that did not even begin within this time is ended."""

_STACK_SECONDS: Final = 0.3
_FAMILY_SECONDS: Final = 0.5
_MAY_BE_OUTSIDE: Final = frozenset({signal.SIGKILL, signal.SIGTERM, signal.SIGHUP, signal.SIGINT})
_FORKER_DIED: Final = 255  # what multiprocessing gives where the process that forked has died too


@dataclass
class WorkerProcess:
    """A process that does jobs, and the pipes to it.

    Attributes:
        process: it; it leads a process group, which what it starts belongs to.
        jobs: jobs to it.
        messages: messages of ``worker.serve`` from it.
        output: what it prints.
        environment: variables that it was started with.
    """

    process: BaseProcess
    jobs: Connection
    messages: Connection
    output: Connection
    environment: dict[str, str]

    @property
    def pid(self) -> int:
        """Of the process, which was started before it came here."""
        return int(self.process.pid)  # type: ignore[arg-type]

    def close(self) -> None:
        """Kill it, if it is still there, and close the pipes."""
        self.kill()
        for pipe in (self.jobs, self.messages, self.output):
            pipe.close()

    def kill(self) -> None:
        """End it and all that it started, if it is still there."""
        with contextlib.suppress(ProcessLookupError, PermissionError):  # before it leads a group, there is none
            os.killpg(self.pid, signal.SIGKILL)
        if self.process.is_alive():
            self.process.kill()
        self.process.join(5)


@dataclass
class _Output:
    """The end of what a process prints."""

    pipe: Connection
    tail: bytes = b""
    printed: int = 0

    def __post_init__(self) -> None:
        os.set_blocking(self.pipe.fileno(), False)

    def read(self) -> None:
        """Take what is there now."""
        for content in available(self.pipe):
            self.printed += len(content)
            self.tail = (self.tail + content)[-_OUTPUT_KEPT:]


@dataclass
class _Memory:
    """Resident memory of a process and what it started."""

    pid: int
    _family: list[psutil.Process] = field(default_factory=list)
    _known_until: float = 0.0

    def resident_bytes(self) -> int:
        """Now; a new child is noticed a little later, as looking for them takes long."""
        now, total = time.monotonic(), 0
        with contextlib.suppress(psutil.Error):
            if now > self._known_until:
                leader = psutil.Process(self.pid)
                self._family, self._known_until = [leader, *leader.children(recursive=True)], now + _FAMILY_SECONDS
        for member in self._family:
            with contextlib.suppress(psutil.Error):
                total += int(member.memory_info().rss)
        return total


class RunningJob:
    """One job under way.

    Args:
        job: what is done.
        worker: where.
        gpu: the card it holds; None: none.
    """

    def __init__(self, job: Job, worker: WorkerProcess, gpu: Lock | None) -> None:
        self.job, self.worker, self._gpu = job, worker, gpu
        self._process, self._messages = worker.process, Messages(worker.messages, job.description)
        self._output, self._memory = _Output(worker.output), _Memory(worker.pid)
        self._began, self._started_at, self._started = time.monotonic(), single.now(), False
        self._record: Record | None = None
        self._reason: tuple[str, str] | None = None
        self.warnings: list[str] = []
        with contextlib.suppress(OSError):  # one that has died already is noticed by its exit
            worker.jobs.send(job)

    @property
    def pipes(self) -> list[Any]:
        """What to wait for."""
        pipes = [pipe for pipe in (self.worker.messages, self._output.pipe) if not pipe.closed]
        return [*pipes, self._process.sentinel]

    def read(self) -> Iterator[tuple[str, Any]]:
        """Take in output and messages; yields the messages that are for others."""
        self._output.read()
        try:
            for kind, content in self._messages.read():
                if kind == STARTED:
                    self._started, self._began = True, time.monotonic()
                elif kind == RECORD:
                    self._record = content
                    return
                elif kind != WARNING:
                    yield kind, content
                elif len(self.warnings) < _WARNINGS:
                    self.warnings.append(content)
        except BadMessage as error:
            self._reason = self._reason or ("BadMessage", f"the process of the run sent {error}")

    def over(self) -> bool:
        """Whether the run has ended, by itself or because it took too much."""
        if self._record is not None:
            return True
        self._reason = self._reason or self._excess()
        return self._reason is not None or self._process.exitcode is not None

    def end(self) -> bool:
        """Let go of the card; and of the process with all that it started, unless it may do another run: whether so."""
        if self._gpu is not None:
            self._gpu.release()
        if self._record is not None and self._record.status == "done" and self.job.may_share and self._messages.clean:
            return True
        if self._reason is not None and self._reason[0] == "Timeout":
            self._print_stack()
        self.worker.kill()
        for _ in self.read():
            pass
        self.worker.close()
        return False

    @property
    def holds_card(self) -> bool:
        """Whether a card is locked for it."""
        return self._gpu is not None

    @property
    def killed_from_outside(self) -> bool:
        """Whether somebody else (the system, where memory ran out; a person) ended it. After ``end``."""
        code = self._process.exitcode
        if self._record is not None or self._reason is not None or code is None:
            return False
        return code == _FORKER_DIED or -code in _MAY_BE_OUTSIDE

    def record(self) -> Record:
        """The record that the run sent, or one that says how it ended. After ``end``."""
        output = self._output.tail.decode(errors="replace")
        if self._record is not None:
            failure = self._record.failure and Failure(**{**self._record.failure.model_dump(), "output": output})
            return self._record.model_copy(update={"failure": failure})
        code, message = self._reason or self._ending()
        name = _signal_name(self._process.exitcode) if self._reason is None else "SIGKILL"
        failure = Failure(code=code, message=message, traceback="", signal=name, output=output)
        return single.failed(self.job.description, failure, self._started_at, self.job.surroundings)

    def _ending(self) -> tuple[str, str]:
        code = self._process.exitcode
        if code is not None and code < 0:
            return "Killed", f"the process of the run was ended by {_signal_name(code)}"
        if code == _FORKER_DIED:
            return "Lost", "the process of the run was lost"
        return "Exited", f"the process of the run ended itself with exit code {code} and gave no result"

    def _excess(self) -> tuple[str, str] | None:
        limits, elapsed = self.job.limits, time.monotonic() - self._began
        if not self._started and elapsed > _START_SECONDS:
            return "Lost", f"the process of the run did not begin within {_START_SECONDS:.0f} s"
        if self._started and limits.seconds is not None and elapsed > limits.seconds:
            return "Timeout", f"took longer than {limits.seconds:g} s"
        if self._output.printed > _OUTPUT_BYTES:
            return "OutputLimit", f"printed more than {_OUTPUT_BYTES // 2**20} MB"
        if limits.memory_bytes is not None and (used := self._memory.resident_bytes()) > limits.memory_bytes:
            return "MemoryLimit", f"took {used / 2**20:.0f} MB of memory; {limits.memory_bytes / 2**20:.0f} are allowed"
        return None

    def _print_stack(self) -> None:
        """Have the process print where it is; it cannot answer where it holds on in compiled code."""
        with contextlib.suppress(OSError):
            os.kill(self.worker.pid, signal.SIGUSR1)
            until = time.monotonic() + _STACK_SECONDS
            while time.monotonic() < until:
                time.sleep(0.02)
                self._output.read()


def _signal_name(code: int | None) -> str:
    if code is None or code >= 0:
        return ""
    try:
        return signal.Signals(-code).name
    except ValueError:
        return f"signal {-code}"
