"""An index of plugins at an https address, on a server of this machine with a certificate of the test."""

from __future__ import annotations

import json
import shutil
import ssl
import subprocess
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from harness.conformance import index
from harness.conformance.index import read_index, rows
from harness.core.errors import DataMissing, SpecError

pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl makes the certificate")
INDEX = {
    "format": 1,
    "plugins": [{"name": "top-mean", "methods": {"pooling": ["top-mean"]}, "source": "top-mean", "version": "1.0"}],
}


class Answers(BaseHTTPRequestHandler):
    """An index, redirections to it and elsewhere, and what no index is."""

    def do_GET(self):
        to = {
            "/moved": f"https://localhost:{self.server.server_port}/index.json",
            "/down": "http://localhost/index.json",
        }
        if self.path in to:
            self.send_response(302)
            self.send_header("Location", to[self.path])
            self.end_headers()
        elif self.path == "/missing":
            self.send_error(404)
        elif self.path == "/cut":
            self.send_response(200)
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            self.wfile.write(b"zz\r\nno chunk")
        else:
            self.send_response(200)
            self.end_headers()
            if self.path == "/slow":
                for _ in range(30):
                    self.wfile.write(b" ")
                    self.wfile.flush()
                    time.sleep(0.02)
            self.wfile.write(b"#" * (2 << 20) if self.path == "/large" else json.dumps(INDEX).encode())

    def log_message(self, *_):
        """Nothing is printed."""


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """Of localhost, signed by itself."""
    folder = tmp_path_factory.mktemp("certificate")
    names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-days", "2"]
    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", str(folder / "key.pem")]
    subprocess.run(
        ["openssl", "req", "-x509", *key, *names, "-out", str(folder / "certificate.pem")],
        check=True,
        capture_output=True,
    )
    return folder


@pytest.fixture(scope="module")
def server(certificate):
    """Its port."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate / "certificate.pem", certificate / "key.pem")
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server.server_port
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def address(server, certificate, monkeypatch):
    """Of the server, which is trusted."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate / "certificate.pem"))
    monkeypatch.setenv("no_proxy", "localhost,127.0.0.1")
    return f"https://localhost:{server}"


@pytest.mark.parametrize("path", ["index.json", "moved"])
def test_an_index_is_read(address, path):
    ((name, methods, source, version, check),) = rows([f"{address}/{path}"])
    assert (name, methods, source, version) == ("top-mean", "pooling: top-mean", "top-mean", "1.0")
    assert check == "not checked"


def test_a_certificate_that_is_not_trusted_is_refused(server, monkeypatch):
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    monkeypatch.setenv("no_proxy", "localhost,127.0.0.1")
    with pytest.raises(DataMissing, match="certificate verify failed"):
        read_index(f"https://localhost:{server}/index.json")


def test_a_certificate_of_another_name_is_refused(address):
    with pytest.raises(DataMissing, match=r"127\.0\.0\.1"):
        read_index(address.replace("localhost", "127.0.0.1") + "/index.json")


@pytest.mark.parametrize(
    ("path", "words"),
    [("down", "it leads to http://localhost/index.json"), ("missing", "404"), ("cut", "cannot be read")],
)
def test_what_is_not_there_or_leads_astray(address, path, words):
    with pytest.raises(DataMissing, match=words):
        read_index(f"{address}/{path}")


def test_an_index_that_does_not_end_is_not_read_to_the_end(address):
    with pytest.raises(SpecError, match="too large"):
        read_index(f"{address}/large")


def test_an_index_that_trickles_is_given_up(address, monkeypatch):
    monkeypatch.setattr(index, "_SECONDS", 0.2)
    with pytest.raises(DataMissing, match=r"more than 0.2 seconds"):
        read_index(f"{address}/slow")
