"""One transfer from one address, by HTTP or FTP, that goes on where it stopped.

What came so far is kept in ``.NAME.part``; its address and the mark of its version in ``.NAME.part.json``.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from harness.core.progress import Progress
from harness.data.space import require_space, size_text, writing_to

_BLOCK: Final = 1 << 18
_NO_NAME: Final = "its name is not known here: no network?"
_NO_CONNECTION: Final = "no connection"


@dataclass(frozen=True)
class Patience:
    """How long to wait for a server, and how often to ask again.

    Attributes:
        timeout: seconds without a byte after which a transfer counts as cut.
        retries: further attempts at one address that bring nothing new; a cut after progress does not count.
        pause: seconds before a further attempt; doubled each time that nothing new came.
    """

    timeout: float = 30.0
    retries: int = 3
    pause: float = 1.0


class Cut(Exception):
    """A transfer that stopped and may go on."""


class Unavailable(Exception):
    """An address that does not give the file."""


@dataclass
class State:
    """What is known of a file that is only partly there: its address, the server's mark of its version, its size."""

    url: str = ""
    version: str = ""
    total: int = 0


class Transfer:
    """A downloader for pooch: called with an address and the file to write.

    Args:
        name: of the file, for messages.
        part: where to keep what came so far.
        limit: bytes after which it cannot be the file that is asked for; 0: none.
        progress: told how far the work is, in kilobytes.
        patience: time-outs and attempts.
    """

    def __init__(self, name: str, part: Path, limit: int, progress: Progress, patience: Patience) -> None:
        self._name, self._part, self._notes = name, part, part.with_name(part.name + ".json")
        self._limit, self._progress, self._patience = limit, progress, patience

    def __call__(self, url: str, output_file: Any, pooch: object, check_only: bool = False) -> None:
        """Bring the file of ``url`` to ``output_file``. Raises ``Unavailable``, or ``NoSpace``."""
        attempts = 0
        while True:
            before = self.size
            try:
                (_from_ftp if urlsplit(url).scheme == "ftp" else _from_http)(self, url, self._patience.timeout)
                break
            except Cut as cut:
                attempts = 0 if self.size > before else attempts + 1
                if attempts > self._patience.retries:
                    raise Unavailable(str(cut)) from cut
                time.sleep(self._patience.pause * 2 ** max(0, attempts - 1))
        self._show(self.size, self.size)
        os.replace(self._part, output_file)
        self._notes.unlink(missing_ok=True)

    @property
    def size(self) -> int:
        """Bytes that are there already."""
        return self._part.stat().st_size if self._part.exists() else 0

    def state(self, url: str) -> State:
        """What is known of the part; one that came from another address is thrown away."""
        try:
            state = State(**json.loads(self._notes.read_text()))
        except (OSError, ValueError, TypeError):
            state = State()
        if state.url == url:
            return state
        self.forget()
        return State(url)

    def forget(self) -> None:
        """Throw away what came so far."""
        self._part.unlink(missing_ok=True)
        self._notes.unlink(missing_ok=True)

    def receive(self, blocks: Iterable[bytes], state: State) -> None:
        """Write blocks behind what is there.

        Raises:
            Cut: fewer bytes came than were announced.
            Unavailable: more bytes came than were announced, or than the file has.
            NoSpace: the disk is full.
        """
        done = self.size
        if state.total:
            require_space(self._part.parent, state.total - done, self._name)
        with writing_to(self._part.parent):
            self._notes.write_text(json.dumps(asdict(state)))
            out = self._part.open("ab")
        with out:
            self._show(done, state.total)
            for block in blocks:
                done += len(block)
                self._refuse_too_much(done, state.total)
                with writing_to(self._part.parent):
                    out.write(block)
                if done != state.total:  # the end is shown once, by the caller
                    self._show(done, state.total)
        if done < state.total:
            raise Cut(f"stopped after {size_text(done)} of {size_text(state.total)}")

    def _refuse_too_much(self, done: int, announced: int) -> None:
        for most, whose in ((announced, "it announced"), (self._limit, "the file has")):
            if most and done > most:
                self.forget()
                raise Unavailable(f"sends more than the {size_text(most)} that {whose}")

    def _show(self, done: int, total: int) -> None:
        # Of a file of unknown size there is always one kilobyte more to come.
        kilobytes = -(-total // 1000) if total else done // 1000 + 1
        self._progress.update(
            f"{self._name} (kB)", min(done // 1000, kilobytes) if done < total else kilobytes, kilobytes
        )


def _from_http(transfer: Transfer, url: str, timeout: float) -> None:
    import requests
    from urllib3.exceptions import HTTPError

    state, offset = transfer.state(url), transfer.size
    headers = {"Accept-Encoding": "identity"}
    if offset:
        headers["Range"] = f"bytes={offset}-"
        headers |= {"If-Range": state.version} if state.version else {}
    try:
        with requests.get(url, headers=headers, stream=True, timeout=timeout) as answer:
            if answer.status_code == 416 or (answer.status_code == 206 and not _goes_on(answer, offset, state)):
                transfer.forget()
                raise Cut("the file at this address has changed")
            if answer.status_code in (408, 429) or answer.status_code >= 500:
                raise Cut(f"answers {answer.status_code} {answer.reason}")
            if answer.status_code not in (200, 206):
                raise Unavailable(f"answers {answer.status_code} {answer.reason}")
            if answer.status_code == 200:
                transfer.forget()
                state = State(url, _version(answer.headers), int(answer.headers.get("Content-Length") or 0))
            # As sent: some servers call a .tgz a compressed answer, and requests would unpack it.
            transfer.receive(answer.raw.stream(_BLOCK, decode_content=False), state)
    except (requests.RequestException, HTTPError) as error:
        raise _stopped(transfer, error, timeout) from error


def _goes_on(answer: Any, offset: int, state: State) -> bool:
    """Whether an answer is the rest of the same file: ``Content-Range: bytes 100-199/200``."""
    span, _, total = answer.headers.get("Content-Range", "").removeprefix("bytes ").partition("/")
    start = span.partition("-")[0]
    return start == str(offset) and (not state.total or total in ("*", str(state.total)))


def _version(headers: Mapping[str, str]) -> str:
    """A mark with which the server can tell whether the file is still the same."""
    mark = headers.get("ETag", "")
    return headers.get("Last-Modified", "") if not mark or mark.startswith("W/") else mark


def _from_ftp(transfer: Transfer, url: str, timeout: float) -> None:
    import ftplib

    where = urlsplit(url)
    state = transfer.state(url)
    try:
        with ftplib.FTP(timeout=timeout) as server:
            server.connect(where.hostname or "", where.port or ftplib.FTP_PORT)
            server.login()
            server.voidcmd("TYPE I")
            total = server.size(unquote(where.path)) or 0
            if state.total != total:
                transfer.forget()
            state.total = total
            with server.transfercmd(f"RETR {unquote(where.path)}", rest=transfer.size or None) as data:
                transfer.receive(_blocks(data), state)
            server.voidresp()
    except ftplib.error_perm as error:
        raise Unavailable(f"answers {error}") from error
    except (OSError, EOFError, ftplib.Error) as error:
        raise _stopped(transfer, error, timeout) from error


def _blocks(data: Any) -> Iterator[bytes]:
    while block := data.recv(_BLOCK):
        yield block


def _stopped(transfer: Transfer, error: BaseException, timeout: float) -> Cut | Unavailable:
    """A connection that never was is no cut: without a network nobody should wait for further attempts."""
    reason = _reason(error, timeout)
    return Unavailable(reason) if not transfer.size and reason in (_NO_NAME, _NO_CONNECTION) else Cut(reason)


def _reason(error: BaseException, timeout: float) -> str:
    text = f"{type(error).__name__} {error}".lower()
    if "timed out" in text or "timeout" in text:
        return f"sent nothing for {timeout:g} seconds"
    if any(words in text for words in ("name or service", "name resolution", "getaddrinfo", "nodename", "resolve")):
        return _NO_NAME
    if any(words in text for words in ("refused", "unreachable", "no route", "max retries")):
        return _NO_CONNECTION
    if any(words in text for words in ("incomplete", "broken", "reset", "closed", "aborted")):
        return "the connection was cut"
    return str(error).partition("\n")[0][:200] or type(error).__name__
