"""The process of one run as its parent sees it: what it sends and prints, what it takes, how it ended."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any, Final

import psutil

from harness.core.locks import Lock
from harness.runs import single
from harness.runs.executors.job import Job
from harness.runs.executors.worker import RECORD, STARTED, WARNING
from harness.runs.record import Failure, Record

_OUTPUT_KEPT: Final = 10_000
_OUTPUT_BYTES: Final = 2**30
"""A run that prints more than this is ended."""

_READ_BYTES: Final = 2**20
_START_SECONDS: Final = 120.0
"""A process that did not even begin within this time is ended."""

_STACK_SECONDS: Final = 0.3
_FAMILY_SECONDS: Final = 0.5
_MAY_BE_OUTSIDE: Final = frozenset({signal.SIGKILL, signal.SIGTERM, signal.SIGHUP, signal.SIGINT})
_FORKER_DIED: Final = 255  # what multiprocessing gives where the process that forked has died too


@dataclass
class Child:
    """A process that does runs, and the pipes to it.

    Attributes:
        process: it.
        messages: jobs there, messages of ``worker.main`` back.
        output: what it prints.
        environment: variables that it was started with.
    """

    process: BaseProcess
    messages: Connection
    output: Connection
    environment: dict[str, str]

    def kill(self) -> None:
        """End it and all that it started, if it is still there."""
        _kill_group(self.process.pid)
        if self.process.is_alive():
            self.process.kill()
        self.process.join(5)

    def close(self) -> None:
        """Kill it and close the pipes."""
        self.kill()
        self.messages.close()
        self.output.close()


class Watched:
    """One run under way in a child.

    Args:
        job: what it does.
        child: where.
        gpu: the card it holds.
    """

    def __init__(self, job: Job, child: Child, gpu: Lock | None) -> None:
        self.job, self.child, self._gpu = job, child, gpu
        self._process, self._messages, self._output = child.process, child.messages, child.output
        os.set_blocking(self._output.fileno(), False)
        self._began = time.monotonic()
        self._started_at = single.now()
        self._started = False
        self._record: Record | None = None
        self._reason: tuple[str, str] | None = None
        self._tail = b""
        self._printed = 0
        self._family: list[psutil.Process] = []
        self._family_until = 0.0
        self.warnings: list[str] = []
        with contextlib.suppress(OSError):  # one that has died already is noticed by its exit
            self._messages.send(job)

    @property
    def pipes(self) -> list[Any]:
        """What to wait for."""
        pipes = [pipe for pipe in (self._messages, self._output) if not pipe.closed]
        return [*pipes, self._process.sentinel]

    def read(self) -> Iterator[tuple[str, Any]]:
        """Take in output and messages; yields the messages that are for others."""
        self._read_output()
        try:
            while not self._messages.closed and self._messages.poll():
                kind, content = self._messages.recv()
                if kind == STARTED:
                    self._started, self._began = True, time.monotonic()
                elif kind == RECORD:
                    self._record = content
                elif kind == WARNING:
                    self.warnings.append(content)
                else:
                    yield kind, content
        except (EOFError, OSError):
            self._messages.close()

    def over(self) -> bool:
        """Whether the run has ended, by itself or because it took too much."""
        if self._record is not None:
            return True
        self._reason = self._reason or self._excess()
        return self._reason is not None or self._process.exitcode is not None

    def end(self) -> bool:
        """Let go of the card, and end the process with all that it started unless it may do another run: whether so."""
        if self._gpu is not None:
            self._gpu.release()
        if self._record is not None and self._record.status == "done" and self.job.may_share:
            return True
        if self._reason is not None and self._reason[0] == "Timeout":
            self._ask_where()
        self.child.kill()
        for _ in self.read():
            pass
        self.child.close()
        return False

    @property
    def killed_from_outside(self) -> bool:
        """Whether somebody else (the system, where memory ran out; a person) ended it. After ``end``."""
        code = self._process.exitcode
        if self._record is not None or self._reason is not None or code is None:
            return False
        return code == _FORKER_DIED or -code in _MAY_BE_OUTSIDE

    def record(self) -> Record:
        """The record that the run sent, or one that says how it ended. After ``end``."""
        if self._record is not None and self._record.failure is None:
            return self._record
        output = self._tail[-_OUTPUT_KEPT:].decode(errors="replace")
        if self._record is not None and self._record.failure is not None:
            failure = self._record.failure.model_copy(update={"output": output})
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
        if self._printed > _OUTPUT_BYTES:
            return "OutputLimit", f"printed more than {_OUTPUT_BYTES // 2**20} MB"
        if limits.memory_bytes is not None and (used := self._resident_bytes()) > limits.memory_bytes:
            return "MemoryLimit", f"took {used / 2**20:.0f} MB of memory; {limits.memory_bytes / 2**20:.0f} are allowed"
        return None

    def _resident_bytes(self) -> int:
        """Of the process and what it started; a new child is noticed a little later: looking for them takes long."""
        now, total = time.monotonic(), 0
        try:
            if now > self._family_until:
                leader = psutil.Process(self._process.pid)
                self._family, self._family_until = [leader, *leader.children(recursive=True)], now + _FAMILY_SECONDS
        except psutil.Error:
            return 0
        for member in self._family:
            with contextlib.suppress(psutil.Error):
                total += int(member.memory_info().rss)
        return total

    def _read_output(self) -> None:
        """What is there now, but not for ever: a run that floods must not keep the parent from the others."""
        if self._output.closed:
            return
        try:
            for _ in range(16):
                content = os.read(self._output.fileno(), _READ_BYTES)
                if not content:
                    self._output.close()
                    return
                self._printed += len(content)
                self._tail = (self._tail + content)[-_OUTPUT_KEPT:]
        except BlockingIOError:
            pass
        except OSError:
            self._output.close()

    def _ask_where(self) -> None:
        """Have the process print where it is; it cannot answer where it holds on in compiled code."""
        try:
            os.kill(self._process.pid or 0, signal.SIGUSR1)
        except OSError:
            return
        until = time.monotonic() + _STACK_SECONDS
        while time.monotonic() < until:
            time.sleep(0.02)
            self._read_output()


def _kill_group(pid: int | None) -> None:
    """The worker leads a group; before it does, there is none of its number."""
    try:
        if pid:
            os.killpg(pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        pass


def _signal_name(code: int | None) -> str:
    try:
        return signal.Signals(-code).name if code is not None and code < 0 else ""
    except ValueError:
        return f"signal {-(code or 0)}"
