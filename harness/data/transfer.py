"""One transfer from one address, by HTTP or FTP, that resumes where it was interrupted.

What arrived so far is kept in ``.NAME.part``; its address and the server's mark of its version in ``.NAME.part.json``.
"""

from __future__ import annotations

import errno
import http.client
import json
import os
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from harness.core.progress import Progress
from harness.data.disk import require_space, size_text, writing_to

_BLOCK: Final = 1 << 18
_NO_NAME: Final = "its name cannot be resolved: no network?"
_NO_CONNECTION: Final = "no connection"
_PARTIAL, _REQUEST_TIMEOUT, _RANGE_NOT_SATISFIABLE, _TOO_MANY_REQUESTS = 206, 408, 416, 429
_UNREACHABLE: Final = (errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ECONNREFUSED)


@dataclass(frozen=True)
class RetryPolicy:
    """How long to wait for a server, and how often to try again.

    Attributes:
        timeout: seconds without a byte after which a transfer counts as interrupted.
        retries: further attempts at one address that bring nothing new; an interruption after progress does not count.
        pause: seconds before a further attempt; doubled each time that nothing new arrived.
        deadline: seconds for one file, all attempts at all addresses together.
        least_rate: bytes a second below which, over ``rate_seconds``, a transfer counts as interrupted.
        rate_seconds: how long a transfer may be slower.
        connections: attempts at one file in all, whether they bring something or not.
    """

    timeout: float = 30.0
    retries: int = 3
    pause: float = 1.0
    deadline: float = 48 * 3600.0
    least_rate: float = 1_000.0
    rate_seconds: float = 60.0
    connections: int = 200


class TransferBudget:
    """What is left of the time and the connections for one file.

    Args:
        policy: says how much there is.
    """

    def __init__(self, policy: RetryPolicy) -> None:
        self._policy, self._connections = policy, 0
        self._ends = time.monotonic() + policy.deadline

    def connect(self) -> None:
        """Count one connection. Raises ``SourceUnavailable`` where there were too many, or they took too long."""
        self._connections += 1
        if self._connections > self._policy.connections:
            raise SourceUnavailable(f"the file is not whole after {self._policy.connections} connections")
        self._require_time()

    def paced(self, blocks: Iterable[bytes]) -> Iterator[bytes]:
        """The blocks as they arrive.

        Raises:
            TransferInterrupted: they arrive too slowly.
            SourceUnavailable: the time for the file is over.
        """
        since, received = time.monotonic(), 0
        for block in blocks:
            yield block
            received += len(block)
            self._require_time()
            seconds = time.monotonic() - since
            if seconds > self._policy.rate_seconds:
                if received < self._policy.least_rate * seconds:
                    raise TransferInterrupted(f"sends less than {size_text(self._policy.least_rate)} a second")
                since, received = time.monotonic(), 0

    def _require_time(self) -> None:
        if time.monotonic() > self._ends:
            raise SourceUnavailable(f"the file is not whole after {self._policy.deadline:g} seconds")


class TransferInterrupted(Exception):
    """A transfer that stopped and may be resumed."""


class SourceUnavailable(Exception):
    """An address that does not give the file."""


@dataclass
class _Version:
    """What is known of a partial file: its address, the server's mark of its version, its size as a whole."""

    url: str = ""
    mark: str = ""
    total: int = 0


class PartialFile:
    """What has arrived of a file so far.

    Args:
        path: where it is kept.
        name: of the file, for messages.
        limit: bytes after which it cannot be the file that is asked for; 0: none.
        progress: told how far the transfer is, in kilobytes.
    """

    def __init__(self, path: Path, name: str, limit: int, progress: Progress) -> None:
        self.path, self._notes = path, path.with_name(path.name + ".json")
        self._name, self._limit, self._progress = name, limit, progress

    @property
    def size(self) -> int:
        """Bytes that have arrived."""
        return self.path.stat().st_size if self.path.exists() else 0

    def version(self, url: str) -> _Version:
        """What is known of the file; what arrived from another address is discarded."""
        try:
            version = _Version(**json.loads(self._notes.read_text()))
        except (OSError, ValueError, TypeError):
            version = _Version()
        if version.url == url:
            return version
        self.discard()
        return _Version(url)

    def discard(self) -> None:
        """Remove what has arrived."""
        self.path.unlink(missing_ok=True)
        self._notes.unlink(missing_ok=True)

    def append(self, blocks: Iterable[bytes], version: _Version) -> None:
        """Write blocks behind what has arrived.

        Raises:
            TransferInterrupted: fewer bytes arrived than were announced.
            SourceUnavailable: more bytes arrived than were announced, or than the file has.
            NoSpace: the disk is full.
        """
        done = self.size
        if version.total:
            require_space(self.path.parent, version.total - done, self._name)
        with writing_to(self.path.parent):
            self._notes.write_text(json.dumps(asdict(version)))
            out = self.path.open("ab")
        with out:
            self._show(done, version.total)
            for block in blocks:
                done += len(block)
                self._refuse_excess(done, version.total)
                with writing_to(self.path.parent):
                    out.write(block)
                if done != version.total:  # ``complete`` shows the end
                    self._show(done, version.total)
        if done < version.total:
            raise TransferInterrupted(f"stopped after {size_text(done)} of {size_text(version.total)}")

    def complete(self, target: Path) -> None:
        """Move the whole file to its place."""
        self._show(self.size, self.size)
        os.replace(self.path, target)
        self._notes.unlink(missing_ok=True)

    def _refuse_excess(self, done: int, announced: int) -> None:
        for most, whose in ((announced, "it announced"), (self._limit, "the file has")):
            if most and done > most:
                self.discard()
                raise SourceUnavailable(f"sends more than the {size_text(most)} that {whose}")

    def _show(self, done: int, total: int) -> None:
        # Of a file of unknown size there is always one kilobyte more to come.
        kilobytes = -(-total // 1000) if total else done // 1000 + 1
        steps = min(done // 1000, kilobytes) if done < total else kilobytes
        self._progress.update(f"{self._name} (kB)", steps, kilobytes)


def transfer(url: str, part: PartialFile, policy: RetryPolicy, budget: TransferBudget | None = None) -> None:
    """Receive the rest of a file from one address.

    Args:
        url: the address.
        part: what has arrived, and takes the rest.
        policy: time-outs and attempts.
        budget: what is left for the file after other addresses; None: nothing was spent.

    Raises:
        SourceUnavailable: it does not give the file.
        NoSpace: the disk is full.
    """
    budget = budget or TransferBudget(policy)
    receive = _from_ftp if urlsplit(url).scheme == "ftp" else _from_http
    attempts = 0
    while True:
        before = part.size
        budget.connect()
        try:
            return receive(part, url, policy.timeout, budget)
        except TransferInterrupted as interrupted:
            attempts = 0 if part.size > before else attempts + 1
            if attempts > policy.retries:
                raise SourceUnavailable(str(interrupted)) from interrupted
            time.sleep(policy.pause * 2 ** max(0, attempts - 1))


def _from_http(part: PartialFile, url: str, timeout: float, budget: TransferBudget) -> None:
    version, offset = part.version(url), part.size
    headers = {"Accept-Encoding": "identity", "User-Agent": "vision-evaluation-harness"}
    if offset:
        headers["Range"] = f"bytes={offset}-"
        headers |= {"If-Range": version.mark} if version.mark else {}
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=timeout) as response:
            if response.status == _PARTIAL:
                if not _continues(response.headers, offset, version):
                    raise _changed(part)
            else:
                part.discard()
                version = _Version(url, _mark(response.headers), int(response.headers.get("Content-Length") or 0))
            part.append(budget.paced(_blocks(response.read1)), version)  # what is there, not a whole block
    except urllib.error.HTTPError as error:
        raise _refused(error, part) from error
    except (OSError, http.client.HTTPException) as error:
        raise _stopped(error, part, timeout) from error


def _refused(error: urllib.error.HTTPError, part: PartialFile) -> TransferInterrupted | SourceUnavailable:
    if error.code == _RANGE_NOT_SATISFIABLE:
        return _changed(part)
    busy = error.code in (_REQUEST_TIMEOUT, _TOO_MANY_REQUESTS) or error.code >= 500
    return (TransferInterrupted if busy else SourceUnavailable)(f"answers {error.code} {error.reason}")


def _changed(part: PartialFile) -> TransferInterrupted:
    part.discard()
    return TransferInterrupted("the file at this address has changed")


def _continues(headers: Mapping[str, str], offset: int, version: _Version) -> bool:
    """Whether a response is the rest of the same file: ``Content-Range: bytes 100-199/200``."""
    span, _, total = headers.get("Content-Range", "").removeprefix("bytes ").partition("/")
    start = span.partition("-")[0]
    return start == str(offset) and (not version.total or total in ("*", str(version.total)))


def _mark(headers: Mapping[str, str]) -> str:
    """What tells the server whether the file is still the same."""
    mark = headers.get("ETag", "")
    return headers.get("Last-Modified", "") if not mark or mark.startswith("W/") else mark


def _from_ftp(part: PartialFile, url: str, timeout: float, budget: TransferBudget) -> None:
    import ftplib

    address = urlsplit(url)
    version = part.version(url)
    try:
        with ftplib.FTP(timeout=timeout) as server:
            server.connect(address.hostname or "", address.port or ftplib.FTP_PORT)
            server.login()
            server.voidcmd("TYPE I")
            total = server.size(unquote(address.path)) or 0
            if version.total != total:
                part.discard()
            version.total = total
            with server.transfercmd(f"RETR {unquote(address.path)}", rest=part.size or None) as data:
                part.append(budget.paced(_blocks(data.recv)), version)
            server.voidresp()
    except ftplib.error_perm as error:
        raise SourceUnavailable(f"answers {error}") from error
    except (OSError, EOFError, ftplib.Error) as error:
        raise _stopped(error, part, timeout) from error


def _blocks(read: Callable[[int], Any]) -> Iterator[bytes]:
    while block := read(_BLOCK):
        yield block


def _stopped(error: Exception, part: PartialFile, timeout: float) -> TransferInterrupted | SourceUnavailable:
    """A connection that never was is not retried: without a network nobody should wait for further attempts."""
    reason = _reason(error, timeout)
    never = not part.size and reason in (_NO_NAME, _NO_CONNECTION)
    return (SourceUnavailable if never else TransferInterrupted)(reason)


def _reason(error: Exception, timeout: float) -> str:
    if isinstance(error, urllib.error.URLError) and isinstance(error.reason, Exception):
        error = error.reason
    if isinstance(error, TimeoutError):
        return f"sent nothing for {timeout:g} seconds"
    if isinstance(error, socket.gaierror):
        return _NO_NAME
    if isinstance(error, OSError) and error.errno in _UNREACHABLE:
        return _NO_CONNECTION
    if isinstance(error, ConnectionError | EOFError | http.client.IncompleteRead):
        return "the connection was interrupted"
    return str(error).partition("\n")[0][:200] or type(error).__name__
