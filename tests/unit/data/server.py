"""A web server on this machine that plays the mirrors of a dataset, good and bad."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Mirror:
    """Serves ``files``; the first part of the path says how: ``/cut/a.tgz`` closes after half of what is left."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.version = '"1"'
        self.requests: list[tuple[str, str]] = []
        self.counts: Counter[str] = Counter()
        self.cuts = 1
        self.base = ""
        self.closing = threading.Event()
        self.hung_up_first = False
        """Whether the server, not its client, ended a connection on which nothing came."""

    def url(self, way: str, name: str) -> str:
        return f"{self.base}/{way}/{name}"


class _Handler(BaseHTTPRequestHandler):
    mirror: Mirror

    def log_message(self, *_) -> None:
        pass

    def do_GET(self) -> None:
        mirror = self.mirror
        _, way, name = self.path.split("/")
        mirror.requests.append((self.path, self.headers.get("Range", "")))
        mirror.counts[self.path] += 1
        content = mirror.files.get(name)
        if way == "missing" or content is None:
            self.send_error(404)
            return
        if way == "ill" and mirror.counts[self.path] == 1:
            self.send_error(503)
            return
        if way == "wrong":
            content = bytes(len(content))
        if way == "longer":
            content += b"more"
        if way == "silent":
            self._hang()
            return
        start = self._start(way, content)
        if start is None:
            return
        rest = content[start:]
        if way == "unsized":
            self.end_headers()
        else:
            self.send_header("Content-Length", str(len(rest)))
            self.end_headers()
        if way == "cut" and mirror.counts[self.path] <= mirror.cuts:
            self.wfile.write(rest[: len(rest) // 2])
        elif way == "stall" and mirror.counts[self.path] == 1:
            self.wfile.write(rest[: len(rest) // 2])
            self.wfile.flush()
            self._hang()
        elif way == "drip":
            for position in range(len(rest)):
                self.wfile.write(rest[position : position + 1])
                if self.mirror.closing.wait(0.05):
                    break
        else:
            self.wfile.write(rest)
        self.close_connection = True

    def _hang(self) -> None:
        if not self.mirror.closing.wait(60):
            self.mirror.hung_up_first = True

    def _start(self, way: str, content: bytes) -> int | None:
        """Offset of the answer; the status line and the headers but the last are sent."""
        asked = self.headers.get("Range", "")
        valid = self.headers.get("If-Range") in (None, self.mirror.version)
        start = int(asked.removeprefix("bytes=").rstrip("-")) if asked and valid and way != "rangeless" else 0
        if asked and start >= len(content):
            self.send_error(416)
            return None
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        self.send_header("ETag", self.mirror.version)
        if way == "compressed":
            self.send_header("Content-Encoding", "gzip")
        return start


@contextmanager
def served() -> Iterator[Mirror]:
    """A running mirror."""
    mirror = Mirror()
    handler = type("Handler", (_Handler,), {"mirror": mirror})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    mirror.base = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield mirror
    finally:
        mirror.closing.set()
        server.shutdown()
        server.server_close()
