"""Another process that makes a method and answers one input after the other: ``python -m harness.conformance.worker``.

One process serves a whole check, as loading torch takes seconds; for each input it forks, so that nothing is kept from
one to the next (without ``fork`` it answers itself). Messages are pickles with their length before them.
"""

from __future__ import annotations

import atexit
import contextlib
import importlib
import os
import pickle
import signal
import struct
import subprocess
import sys
import threading
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import IO, Any, Final, cast

from harness.conformance import opened
from harness.conformance.case import Case
from harness.conformance.trial import Trial
from harness.conformance.under_test import MethodUnderTest
from harness.conformance.values import Plain, plain
from harness.registry import Registry, load_registry
from harness.registry.parameters import named_files
from harness.registry.source import warm

_SECONDS: Final = 300.0
_DIED: Final = "it ended the process"
_ANSWERED: Final = 83
"""Exit status of a child that has sent its answer: a plugin that ends the process gives another one."""
_LIBRARIES: Final = ("torch._dynamo", "torchvision", "faiss", "cv2", "sklearn.linear_model", "scipy.sparse.csgraph")
"""Slow to load: where this process has them, the other one loads them once and before it forks."""


class WorkerFailed(Exception):
    """The other process could not answer; says why. ``ended``: because it was gone."""

    def __init__(self, message: str, *, ended: bool = False) -> None:
        super().__init__(message)
        self.ended = ended


@dataclass(frozen=True)
class SubprocessResult:
    """What another process made of an input; ``failure`` is why it did not, ``ended`` that the process was gone."""

    case: Case
    plain: Plain
    failure: str = ""
    ended: bool = False
    undeclared: tuple[str, ...] = ()
    """Files that it read though no parameter names them."""


class Worker:
    """The other process, started on creation."""

    def __init__(self) -> None:
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "harness.conformance.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment,
            start_new_session=True,  # so that it can be ended with the children that it has forked
        )
        self._jobs, self._answers = cast(IO[bytes], self._process.stdin), cast(IO[bytes], self._process.stdout)

    def answer(self, trial: Trial, case: int) -> tuple[Plain, list[str]]:
        """The answer of the method of a trial to the input at a position, and files that it read undeclared.

        Raises:
            WorkerFailed: there is none.
        """
        entry = trial.tested.entry
        job = {
            # The process may have been started in another folder.
            "plugins": [os.path.abspath(name) if os.path.isfile(name) else name for name in trial.tested.plugins],
            "method": (entry.kind, entry.name),
            "parameters": dict(trial.parameters),
            "folder": str(trial.folder),
            "case": case,
            "libraries": [name for name in _LIBRARIES if name in sys.modules],
        }
        clock = threading.Timer(_SECONDS, self._kill)
        clock.start()
        try:
            _send(self._jobs, job)
            found, error = _receive(self._answers)
        except (OSError, EOFError, struct.error) as lost:
            self.close()
            worker.cache_clear()
            raise WorkerFailed(f"it took more than {_SECONDS:g} seconds, or ended the process", ended=True) from lost
        finally:
            clock.cancel()
        if error:
            raise WorkerFailed(error, ended=error.startswith(_DIED))
        return cast(tuple[Plain, list[str]], found)

    def _kill(self) -> None:
        if hasattr(os, "killpg"):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
        else:
            self._process.kill()

    def close(self) -> None:
        """End the process."""
        self._kill()
        self._process.wait()
        self._answers.close()
        with contextlib.suppress(OSError):
            self._jobs.close()


@cache
def worker() -> Worker:
    """The process that all checks share."""
    shared = Worker()
    atexit.register(shared.close)
    return shared


@lru_cache(maxsize=1)  # the rules of one trial ask one after the other
def subprocess_result(trial: Trial) -> SubprocessResult:
    """What another process answers to the first plain input of a trial; asked once."""
    case = next((case for case in trial.cases if case.judge == "plain-inputs"), trial.cases[0])
    try:
        answer, undeclared = worker().answer(trial, trial.cases.index(case))
        return SubprocessResult(case, answer, undeclared=tuple(undeclared))
    except WorkerFailed as failure:
        return SubprocessResult(case, [], str(failure), failure.ended)


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
    """Answer jobs until there are no more, each in a process of its own that knows nothing of the others."""
    # A plugin that prints must not write into the answers.
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    registry = load_registry()
    while True:
        try:
            job = _receive(sys.stdin.buffer)
        except EOFError:
            return
        if not hasattr(os, "fork"):
            _send(answers, _result(job, registry))
            continue
        # Loading starts no computation, so that a child can go on from here.
        for library in ("torch", *job["libraries"]):
            importlib.import_module(library)
        if job["plugins"]:
            warm()
        child = os.fork()
        if child == 0:
            _send(answers, _result(job, registry))
            os._exit(_ANSWERED)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        if status != _ANSWERED:
            _send(answers, (None, f"{_DIED} with exit status {status}"))


def _result(job: dict[str, Any], registry: Registry) -> tuple[tuple[Plain, list[str]] | None, str]:
    try:
        return _perform(job, registry), ""
    except SystemExit as ending:
        return None, f"{_DIED} with exit status {ending.code}"
    except BaseException as error:
        return None, f"{type(error).__name__}: {error}"


def _perform(job: dict[str, Any], registry: Registry) -> tuple[Plain, list[str]]:
    """The answer, and the files that no parameter names."""
    began = opened.now()
    with opened.recording() as files:
        for plugin in job["plugins"]:
            registry.load(plugin)
        tested = MethodUnderTest(registry.entry(*job["method"]), registry, tuple(job["plugins"]))
        trial = Trial(tested, Path(job["folder"]), job["parameters"])
        answer = plain(trial.answer(trial.cases[job["case"]]))
    declared: list[str | Path] = list(named_files(tested.label, tested.entry.load(), trial.parameters).values())
    if tested.entry.kind == "dataset":
        declared += [trial.folders.root, trial.folders.cache]
    return answer, opened.undeclared(files, declared, began)


if __name__ == "__main__":
    _serve()
