"""``harness run --report`` and ``harness send`` as a user types them."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

SPEC = (
    "name: toy\ntask: retrieval\ndatasets: toy-images\nmethods: {{backbone: colour, pooling: mac}}\nplugins: [{toy}]\n"
)


def harness(*arguments: str, cwd=None) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "harness", *arguments], capture_output=True, text=True, cwd=cwd)


@pytest.fixture
def folder(tmp_path, root, toy):
    """A spec, and the sink of the documentation."""
    (tmp_path / "spec.yaml").write_text(SPEC.format(toy=toy))
    (code,) = re.findall(r"```python\n(.*?)```", (root / "docs" / "reporters.md").read_text(), re.DOTALL)
    (tmp_path / "lines.py").write_text(code)
    return tmp_path


def test_the_reporter_of_the_documentation(folder):
    run = harness("run", "spec.yaml", "--plugin", "lines.py", "--report", "lines", cwd=folder)
    assert run.returncode == 0, run.stderr
    line = next(line for line in run.stdout.splitlines() if line.startswith("done "))
    again = harness("send", "runs", "--to", "lines", "--plugin", "lines.py", cwd=folder)
    assert again.stdout.splitlines() == [line, "1 records sent to lines."]


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["run", "spec.yaml", "--report", "mlflo"], 2, 'did you mean "mlflow"?'),
        (["run", "spec.yaml", "--report", "mlflow"], 3, "MLFLOW_TRACKING_URI"),
        (["send", "nowhere", "--to", "mlflow"], 2, "there is no nowhere"),
        (["send", ".", "--to", "mlflow"], 2, "there are no records in ."),
        (["send", "lines.py", "--to", "mlflow"], 2, "lines.py is neither a spec nor a record"),
    ],
)
def test_mistakes(folder, monkeypatch, arguments, code, words):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    done = harness(*arguments, cwd=folder)
    assert (done.returncode, words in done.stderr, "Traceback" in done.stderr) == (code, True, False), done.stderr
    assert not (folder / "runs").exists()


def test_reporters_are_listed():
    assert "mlflow" in harness("methods", "sink").stdout
