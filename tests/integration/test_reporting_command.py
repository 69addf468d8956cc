"""``harness run --report`` and ``harness send`` as a user types them."""

from __future__ import annotations

import re

import pytest

SPEC = (
    "name: toy\ntask: retrieval\ndatasets: toy-images\nmethods: {{backbone: colour, pooling: mac}}\nplugins: [{toy}]\n"
)


@pytest.fixture
def folder(tmp_path, root, toy):
    """A spec, and the sink of the documentation."""
    (tmp_path / "spec.yaml").write_text(SPEC.format(toy=toy))
    (code,) = re.findall(r"```python\n(.*?)```", (root / "docs" / "reporters.md").read_text(), re.DOTALL)
    (tmp_path / "lines.py").write_text(code)
    return tmp_path


def test_the_reporter_of_the_documentation(folder, harness_command):
    run = harness_command("run", "spec.yaml", "--plugin", "lines.py", "--report", "lines", cwd=folder)
    assert run.code == 0, run.err
    line = next(line for line in run.out.splitlines() if line.startswith("done "))
    again = harness_command("send", "runs", "--to", "lines", "--plugin", "lines.py", cwd=folder)
    assert again.out.splitlines() == [line, "1 records sent to lines."]


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
def test_mistakes(folder, monkeypatch, arguments, code, words, harness_command):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    done = harness_command(*arguments, cwd=folder)
    assert (done.code, words in done.err, "Traceback" in done.err) == (code, True, False), done.err
    assert not (folder / "runs").exists()


def test_reporters_are_listed(harness_command):
    assert "mlflow" in harness_command("methods", "sink").out
