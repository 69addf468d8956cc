"""The process from which workers are forked, which may be killed at any time like any other."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import shutil
import socket
import tempfile
import time
from collections.abc import Callable
from multiprocessing import forkserver
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, Final

_STARTS: Final = 4
_END_SECONDS: Final = 5.0
_POLL_SECONDS: Final = 0.01
_SOCKET_PATH: Final = 88
"""Longest folder in which a socket can have its name."""
_ABANDONED_SECONDS: Final = 3600


def started(make: Callable[[], BaseProcess]) -> BaseProcess:
    """A process that was started; where the one that forks was killed meanwhile, as it loads too, there is another.

    Args:
        make: gives a new process; one whose start failed cannot be started again.

    Raises:
        OSError: no process can be started, for another reason.
    """
    for attempt in range(1, _STARTS + 1):
        process = make()
        try:
            process.start()
        except (OSError, EOFError) as error:
            if not _ended() or attempt == _STARTS:
                raise OSError(f"no process can be started: {error or type(error).__name__}") from error
        else:
            return process
    raise AssertionError


def use_for_sockets(folder: Path) -> None:
    """Let ``multiprocessing`` keep its sockets there, and not in a ``pymp-*`` that a killed process leaves behind."""
    process: Any = multiprocessing.current_process()
    if len(str(folder)) <= _SOCKET_PATH:
        process._config.setdefault("tempdir", str(folder))
    for left in Path(tempfile.gettempdir()).glob("pymp-*"):
        with contextlib.suppress(OSError):
            if _is_abandoned(left):
                shutil.rmtree(left, ignore_errors=True)


def _is_abandoned(folder: Path) -> bool:
    """Whether ``multiprocessing`` of this user made it, and nobody has listened there for a while."""
    state = folder.lstat()
    if state.st_uid != os.getuid() or time.time() - state.st_mtime < _ABANDONED_SECONDS:
        return False
    sockets = list(folder.iterdir())
    return bool(sockets) and all(path.is_socket() and not _listens(path) for path in sockets)


def _listens(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(1)
        try:
            client.connect(str(path))
        except ConnectionRefusedError:
            return False
    return True


def _ended() -> bool:
    """Whether the process that forks has died: its end is awaited, as it can be seen by its socket before."""
    server: Any = forkserver._forkserver
    until = time.monotonic() + _END_SECONDS
    with server._lock:
        if server._forkserver_pid is None:
            return True
        while not _reaped(server._forkserver_pid):
            if time.monotonic() > until:
                return False
            time.sleep(_POLL_SECONDS)
        os.close(server._forkserver_alive_fd)
        server._forkserver_alive_fd = server._forkserver_address = server._forkserver_pid = None
    return True


def _reaped(pid: int) -> bool:
    try:
        return os.waitpid(pid, os.WNOHANG)[0] == pid
    except ChildProcessError:
        return True
