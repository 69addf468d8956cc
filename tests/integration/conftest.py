"""Commands run in this process: a new one would load torch again, for seconds."""

from __future__ import annotations

import shlex
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
