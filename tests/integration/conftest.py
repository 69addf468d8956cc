"""Commands run in this process: a new one would load torch again, for seconds."""

from __future__ import annotations

import contextlib
import io
import shlex
import socket
import subprocess
import sys
import time
import warnings
from dataclasses import dataclass

import pytest

from harness.cli import main


@dataclass(frozen=True)
class Done:
    """What a command left: exit code and what it printed."""

    code: int
    out: str
    err: str


@pytest.fixture
def command(monkeypatch, capsys):
    """Run a line as a user types it (``harness run spec.yaml``) in the current folder."""

    def run(line: str) -> Done:
        monkeypatch.setattr("sys.argv", shlex.split(line))
        capsys.readouterr()
        code = 0
        try:
            main()
        except SystemExit as stop:
            code = stop.code or 0
        printed = capsys.readouterr()
        return Done(code, printed.out, printed.err)

    return run


@pytest.fixture(scope="session")
def harness_command():
    """Call ``harness`` with arguments in a folder, as a process of its own would, without loading torch in each.

    Also for fixtures of a module. What processes below it print is not seen.
    """
    from harness.registry import foreign

    def call(*arguments: str, cwd=None) -> Done:
        out, err = io.StringIO(), io.StringIO()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("sys.argv", ["harness", *arguments])
            patch.setattr(foreign, "_loaded", {})
            patch.setattr(warnings, "showwarning", warnings.showwarning)
            if cwd is not None:
                patch.chdir(cwd)
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
                try:
                    main()
                    code = 0
                except SystemExit as stop:
                    code = stop.code or 0
        return Done(code, out.getvalue(), err.getvalue())

    return call


@pytest.fixture
def free_port() -> int:
    """A port of this machine that nobody listens on."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@pytest.fixture
def cluster(free_port):
    """A scheduler of Dask with two workers: its address, and their processes."""
    pytest.importorskip("distributed")
    address = f"tcp://127.0.0.1:{free_port}"
    code = "from distributed.cli.dask_{}; main()"
    scheduler = code.format("scheduler import main")
    words = ["--host", address, "--dashboard-address", ":0", "--no-dashboard"]
    children = [subprocess.Popen([sys.executable, "-c", scheduler, *words], stderr=subprocess.DEVNULL)]
    time.sleep(1)
    worker = code.format("worker import main")
    options = ["--nthreads", "1", "--no-nanny", "--no-dashboard", "--memory-limit", "0"]
    children += [
        subprocess.Popen(
            [sys.executable, "-c", worker, address, *options], stderr=subprocess.DEVNULL, start_new_session=True
        )
        for _ in range(2)
    ]
    yield address, children
    for child in children:
        child.kill()
        child.wait()


@pytest.fixture
def without_costs():
    """What a record says besides when, where and at what cost it was made."""

    def untimed(value):
        if isinstance(value, dict):
            return {key: untimed(part) for key, part in value.items() if not key.endswith("_seconds")}
        return [untimed(part) for part in value] if isinstance(value, list) else value

    def plain(record) -> dict:
        content = record.model_dump(exclude={"started", "finished", "cost", "figures", "environment"})
        if content["failure"]:
            del content["failure"]["traceback"]
        for cycle in content["details"].get("cycles", ()):
            for stage in ("train", "extract", "acquire"):
                del cycle[stage]
        return untimed(content)

    return plain
