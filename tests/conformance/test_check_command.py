"""``harness check`` and ``pytest --harness-plugin`` as a user types them."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from types import SimpleNamespace

import pytest

from harness.cli import main
from harness.conformance.rules import rules_of

HEAD = """
from dataclasses import dataclass
from typing import ClassVar
from harness import hookimpl

@dataclass(frozen=True)
class Mean:
    '''Mean of each map.'''
    deviations: ClassVar = {DEVIATIONS}
    def pool(self, maps):
        return RESULT

@hookimpl
def harness_register(registry):
    registry.pooling("my-mean", Mean)
"""
GOOD = "maps.mean((-2, -1))"
WRONG = "maps.double().mean((-2, -1))"


@pytest.fixture
def plugin(tmp_path):
    def write(result=GOOD, deviations=""):
        path = tmp_path / "mine.py"
        path.write_text(HEAD.replace("RESULT", result).replace("DEVIATIONS", deviations))
        return str(path)

    return write


@pytest.fixture
def harness(monkeypatch, capsys):
    """The command in this process: loading torch for each test would take longer than the tests."""

    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["harness", "check", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        return SimpleNamespace(returncode=ended.value.code or 0, **capsys.readouterr()._asdict())

    return call


def test_a_right_plugin_is_told_so_with_its_cost(plugin, harness):
    done = harness(plugin())
    assert done.returncode == 0, done.out + done.err
    assert 'pooling "my-mean" (mine.py)' in done.out
    assert "passed    batch" in done.out
    assert "spoc:" in done.out
    asked = [rule for rule in rules_of("pooling") if not rule.hook]
    assert f"{len(asked)} passed, " in done.out
    left = [rule.name for rule in rules_of("pooling") if rule.hook]
    assert f"skipped   {', '.join(left)}: an optional hook that it does not offer" in done.out
    assert "FAILED" not in done.out


def test_a_failure_says_rule_reason_input_and_remedy(plugin, harness):
    done = harness(plugin(WRONG), "--no-cost")
    assert done.returncode == 3
    (line,) = [line for line in done.out.splitlines() if "FAILED" in line]
    assert line.split()[:2] == ["FAILED", "dtype"]
    assert "float64" in line
    for words in ("why:   Other types", "input: maps = float32 (1, 2, 2) [0.25, 0, 0, 0.5]", "right: float32"):
        assert words in done.out
    assert "Traceback" not in done.out + done.err


def test_declared_deviations_are_reported_and_do_not_fail(plugin, harness):
    done = harness(plugin(WRONG, "'dtype': 'float64 is the point', 'batch': 'none'"), "--json", "--no-cost")
    assert done.returncode == 0, done.out
    (report,) = json.loads(done.out)
    found = {rule["rule"]: rule for rule in report["rules"]}
    assert found["dtype"]["status"] == "declared"
    assert found["dtype"]["reason"] == "float64 is the point"
    assert found["batch"]["status"] == "unneeded"
    assert "does not occur" in found["batch"]["text"]


def test_one_rule_and_all_rules(plugin, harness):
    done = harness(plugin(WRONG), "--rule", "shape", "--no-cost", "--json")
    assert done.returncode == 0
    assert [rule["rule"] for rule in json.loads(done.out)[0]["rules"]] == ["shape"]
    listed = harness("--list")
    assert listed.returncode == 0
    assert "other-queries  (expansion)" in listed.out
    assert "deterministic  (all kinds)" in listed.out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), ["say what to check"]),
        (("pooling:gemm",), ["unknown pooling", 'did you mean "gem"?']),
        (("gem",), ['nothing called "gem"', "did you mean pooling:gem?"]),
        (("no-such-plugin",), ['nothing called "no-such-plugin"']),
        (("pooling:gem", "--rule", "dtpye"), ['unknown rule "dtpye"', 'did you mean "dtype"?']),
    ],
)
def test_mistakes_are_named(arguments, words, harness):
    done = harness(*arguments)
    assert done.returncode == 2
    assert "Traceback" not in done.err
    for word in words:
        assert word in done.err


def test_a_file_that_cannot_be_loaded(tmp_path, harness):
    path = tmp_path / "mine.py"
    path.write_text("import no_such_module")
    done = harness(str(path))
    assert done.returncode == 3
    assert "no_such_module" in done.err
    assert "Traceback" not in done.err


PYTEST = ["-p", "harness.conformance.pytest_plugin", "-p", "no:cacheprovider", "-q"]


def run_pytest(folder: Path, *arguments: str) -> SimpleNamespace:
    """In this process, which has loaded torch and has the process that checks are forked from."""
    out, err = io.StringIO(), io.StringIO()
    apart = ["-p", "no:faulthandler", "-p", "no:xdist", "--import-mode=importlib", "--rootdir", str(folder)]
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
        patch.chdir(folder)
        code = pytest.main([*PYTEST, *apart, *arguments])
    return SimpleNamespace(returncode=code, out=out.getvalue(), err=err.getvalue())


def test_the_pytest_plugin_makes_a_test_of_each_rule(plugin, tmp_path):
    (tmp_path / "test_own.py").write_text("def test_own():\n    assert True\n")
    done = run_pytest(tmp_path, "--harness-plugin", plugin(WRONG, "'finite': 'none'"), "-k", "not worker")
    assert done.returncode == 1, done.out
    assert "pooling:my-mean::dtype" in done.out
    assert "right: float32" in done.out
    assert "Traceback" not in done.out
    # Without worker; dtype fails, and finite, which is declared and does not occur. The file's own test passes.
    asked = [rule for rule in rules_of("pooling") if not rule.hook]
    assert f"2 failed, {len(asked) - 3 + 1} passed" in done.out


def test_the_pytest_plugin_is_idle_without_its_option(tmp_path):
    (tmp_path / "test_own.py").write_text(
        "import sys\ndef test_own():\n    assert not {'torch', 'numpy', 'harness.registry'} & set(sys.modules)\n"
    )
    command = [sys.executable, "-m", "pytest", *PYTEST]  # in a process that has imported nothing
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stdout


def test_the_entry_point_and_the_option_p_are_one_plugin(root):
    import tomllib

    points = tomllib.loads((root / "pyproject.toml").read_text())["project"]["entry-points"]["pytest11"]
    assert points == {"harness.conformance.pytest_plugin": "harness.conformance.pytest_plugin"}


def test_an_unknown_target_of_the_pytest_plugin(tmp_path):
    done = run_pytest(tmp_path, "--harness-plugin", "gone.py")
    assert done.returncode == 4
    assert "there is no plugin file gone.py" in done.err + done.out


def installed(folder: Path, code: str) -> None:
    """A distribution with one entry point, as pip leaves it."""
    (folder / "some_pooling.py").write_text(code)
    info = folder / "some_pooling-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: some-pooling\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[harness]\nx = some_pooling\n")


def test_an_installed_plugin_is_checked_by_its_name(tmp_path, monkeypatch, harness):
    installed(tmp_path, HEAD.replace("RESULT", GOOD).replace("DEVIATIONS", ""))
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "some_pooling", raising=False)
    done = harness("some-pooling", "--no-cost", "--rule", "dtype", "--rule", "frozen-dataclass")
    assert done.returncode == 0, done.out + done.err
    assert 'pooling "my-mean" (some-pooling)' in done.out


def test_an_installed_plugin_that_is_broken_is_named(tmp_path, monkeypatch, harness):
    installed(tmp_path, "import no_such_module")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "some_pooling", raising=False)
    done = harness("some-pooling")
    assert done.returncode == 3
    assert "no_such_module" in done.err


def test_a_class_that_cannot_be_loaded_is_a_failure_of_its_own(tmp_path, harness):
    path = tmp_path / "mine.py"
    path.write_text(
        "from harness import hookimpl\n"
        "@hookimpl\n"
        "def harness_register(registry):\n"
        "    registry.pooling('lazy', 'no_such_module:Mean')\n"
    )
    done = harness(str(path))
    assert done.returncode == 3
    assert "no_such_module" in done.out
    assert "FAILED" in done.out


def test_parameters_for_the_check_that_cannot_be_made(tmp_path, harness):
    path = tmp_path / "mine.py"
    text = HEAD.replace("RESULT", GOOD).replace("DEVIATIONS", "")
    path.write_text(text.replace('"my-mean", Mean', '"my-mean", Mean, check=lambda folder: 1 / 0'))
    done = harness(str(path))
    assert done.returncode == 3
    assert "division by zero" in done.err + done.out
