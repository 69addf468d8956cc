"""The process that does runs: cut off from the terminal, gone with its parent, its output caught; it sends records.

A run with methods of a plugin that is not built in has a process to itself. Runs of built-in methods alone follow one
another in one process as long as they end well: what is warm stays warm, and nothing foreign was in it.
"""

from __future__ import annotations

import contextlib
import faulthandler
import os
import signal
import sys
import tempfile
import threading
import time
import warnings
from functools import cache
from multiprocessing import forkserver, util
from multiprocessing.connection import Connection
from typing import Any, Final

from harness.core import threads
from harness.core.cost import set_contended
from harness.core.text import printable, sentence
from harness.registry import Registry, load_registry
from harness.runs import single
from harness.runs.executors.job import Job
from harness.runs.executors.messages import PROGRESS, RECORD, STARTED, WARNING, encoded
from harness.runs.record import Record

_PROGRESS_SECONDS: Final = 0.2
_WARNING_LENGTH: Final = 2_000
_PARENT_DIES: Final = 1  # PR_SET_PDEATHSIG of prctl(2)


def serve(jobs: Connection, messages: Connection, output: Connection, environment: dict[str, str]) -> None:
    """Do the jobs that come, until one is not to be followed by another, or ends other than well."""
    _cut_off(output)
    os.environ.update(environment)
    tempfile.tempdir = None  # as the environment says
    parent = _Parent(messages)
    warnings.showwarning = parent.show_warning
    while True:
        try:
            job: Job = jobs.recv()
        except (EOFError, OSError):
            break
        parent.run_id = job.description.id
        parent.send(STARTED, None)
        record = _record(job, parent)
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        remove_semaphores()  # before the runner may end this process
        parent.send(RECORD, record.model_dump(by_alias=True))
        if not (job.may_share and record.status == "done"):
            break
    os._exit(0)  # threads and exit handlers of plugins have no say any more


def remove_semaphores() -> None:
    """Remove the names of this process's semaphores, numba's among them: a tracker would warn of what is left."""
    for finalizer in list(util._finalizer_registry.values()):  # type: ignore[attr-defined]
        if getattr(finalizer._callback, "__qualname__", "") == "SemLock._cleanup":
            finalizer()


@cache
def _built_in() -> Registry:
    """The built-in methods, which no run has to find again; no foreign code is loaded for runs of them."""
    return load_registry(built_in_only=True)


def _record(job: Job, parent: _Parent) -> Record:
    """Whatever a plugin does to this process it does to this run alone."""
    started = single.now()
    try:
        registry = load_registry(job.plugins) if job.foreign else _built_in()
        run = job.restore(registry)
        threads.limit(job.limits.threads)
        set_contended(job.contended)
        return single.execute(run, job.folders, parent, job.surroundings, job.places)
    except BaseException as error:  # a plugin may raise anything, while it is loaded too
        return single.failed(job.description, single.failure_of(error), started, job.surroundings)


class _Parent:
    """The other end of the pipe: gets progress, not more often than a person can see, warnings, and the record."""

    def __init__(self, messages: Connection) -> None:
        self._messages, self._last, self.run_id = messages, 0.0, ""
        self._one_at_a_time = threading.Lock()  # threads of a method may warn

    def send(self, kind: str, content: Any) -> None:
        """Send one message, whole."""
        message = memoryview(encoded(kind, self.run_id, content))
        with self._one_at_a_time:
            while message:
                message = message[os.write(self._messages.fileno(), message) :]

    def update(self, label: str, done: int, total: int) -> None:
        """See ``harness.core.progress.Progress``."""
        if done in (0, total) or time.monotonic() - self._last > _PROGRESS_SECONDS:
            self._last = time.monotonic()
            self.send(PROGRESS, (sentence(label), int(done), int(total)))

    def show_warning(self, message: Warning | str, *rest: Any, **options: Any) -> None:
        """In place of ``warnings.showwarning``."""
        self.send(WARNING, printable(message, _WARNING_LENGTH, keep="\n\t"))


def _cut_off(output: Connection) -> None:
    os.setsid()  # Ctrl-C in the terminal reaches the parent alone, which ends the whole group
    _die_with_parent()
    with open(os.devnull) as nothing:
        os.dup2(nothing.fileno(), 0)
    for stream in (1, 2):
        os.dup2(output.fileno(), stream)
    output.close()
    faulthandler.enable(all_threads=False)  # what crashes in compiled code says where
    faulthandler.register(signal.SIGUSR1)  # asked before a run that takes too long is ended


def _let_go_of_forker() -> None:
    """Close the pipe by which the forking process would live as long as this one does, its runner dead or not."""
    server: Any = forkserver._forkserver
    if getattr(server, "_forkserver_alive_fd", None) is not None:
        os.close(server._forkserver_alive_fd)
        server._forkserver_alive_fd = server._forkserver_address = server._forkserver_pid = None


def _die_with_parent() -> None:
    """The process that forked this one ends with the runner; this one then gets killed, even if it hangs."""
    _let_go_of_forker()
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(_PARENT_DIES, signal.SIGKILL)
        if os.getppid() == 1:
            os._exit(1)
        return
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1)
        os.killpg(0, signal.SIGKILL)

    threading.Thread(target=watch, daemon=True).start()


with contextlib.suppress(Exception):  # in the process that forks the workers; they meet the same error and report it
    _built_in()
