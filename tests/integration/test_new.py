"""``harness new``: what it writes is right as it is, for every kind."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from harness.plugin_api import KINDS, PLUGIN_API_VERSION
from harness.registry import load_registry
from harness.scaffold import new_plugin

TRIED = ("pooling",)
"""`make test-all` does the others."""


@pytest.mark.parametrize(
    "kind", [pytest.param(kind, marks=[] if kind in TRIED else [pytest.mark.slow]) for kind in KINDS]
)
def test_a_new_method_passes_its_checks_and_gets_a_row_without_an_edit(kind, tmp_path, monkeypatch, command):
    monkeypatch.chdir(tmp_path)
    made = command(f"harness new {kind} fresh-idea")
    assert made.code == 0, made.err
    lines = re.findall(r"^  (harness .*)", made.out, re.MULTILINE)
    assert [line.split()[1] for line in lines] == ["check", "run", "leaderboard"]
    outputs = {}
    for line in lines:
        # The isolation of runs is tested elsewhere; once for each task shows that the line works as it is printed.
        inline = " --executor inline" if " run " in line and kind not in TRIED else ""
        done = command(line + inline)
        assert done.code == 0, (line, done)
        outputs[line.split()[1]] = done.out
    assert "failed" not in outputs["check"]
    assert "0 failed" in outputs["run"]
    rows = re.findall(r"^\| +\d.*", outputs["leaderboard"], re.MULTILINE)
    assert len(rows) == 2
    assert "fresh-idea" in outputs["leaderboard"]
    assert "failed" not in outputs["leaderboard"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_new_package_registers_its_method(kind, tmp_path, monkeypatch):
    name = f"packed-{kind}"
    new_plugin(kind, name, package=True, folder=tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path / name / "src"))
    registry = load_registry([name.replace("-", "_")])
    assert registry.create(kind, name)
    assert registry.entry(kind, name).target == f"packed_{kind}.method:Packed{kind.capitalize()}"


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """A method of every kind, as a file and as a package."""
    folder = tmp_path_factory.mktemp("written")
    for kind in KINDS:
        for package in (False, True):
            new_plugin(kind, "fresh-idea", package=package, folder=folder / kind / str(package))
    return folder


@pytest.mark.parametrize(
    "check", [["format", "--check"], ["check", "--select", "I,F,E,W,UP,D", "--ignore", "D105,D107"]]
)
def test_what_is_written_is_formatted_and_clean(check, written):
    ruff = [sys.executable, "-m", "ruff", *check, "--isolated", "--line-length", "120", "--no-cache"]
    settings = ["--config", "lint.pydocstyle.convention='google'", "--config", "lint.isort.known-first-party=['h']"]
    ruff += settings if check[0] == "check" else []
    sources = [str(path) for path in written.rglob("*.py") if "tests" not in path.parts]
    assert len(sources) >= 3 * len(KINDS)
    done = subprocess.run([*ruff, *sources], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_no_placeholder_is_left(written):
    assert not [path for path in written.rglob("*") if "my-method" in path.name or "my_module" in path.name]
    for path in written.rglob("*"):
        if path.is_file():
            assert not re.search(r"my-method|my_module|MyMethod|\bKIND\b", path.read_text()), path


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("harness new pooling TopMean", ["'TopMean' cannot be the name", "small letters", "fix: top-mean"]),
        ("harness new pooling ../evil", ["'../evil' cannot be the name", "fix: evil"]),
        ("harness new pooling ''", ["'' cannot be the name"]),
        (f"harness new pooling {'a' * 41}", ["cannot be the name", "at most 40"]),
        ("harness new pooling none", ['"none" means something else']),
        ("harness new pooling class", ['"class" means something else', "my-class"]),
        ("harness new pooling gem", ['there is a pooling "gem" already', "vision-evaluation-harness"]),
        ("harness new pooling json", ['"json" is the name of an installed module']),
        ("harness new pooling torch", ['"torch" is the name of an installed module']),
        ("harness new poling mine", ['unknown kind "poling"', 'did you mean "pooling"?']),
    ],
)
def test_mistakes_are_sentences_and_write_nothing(line, words, tmp_path, monkeypatch, command):
    (tmp_path / "taken").write_text("a file")
    monkeypatch.chdir(tmp_path)
    done = command(line)
    assert done.code == 2
    for word in words:
        assert word in done.err
    assert [path.name for path in tmp_path.iterdir()] == ["taken"]


@pytest.mark.parametrize("package", [False, True])
def test_nothing_is_overwritten(package, tmp_path, monkeypatch, command):
    monkeypatch.chdir(tmp_path)
    existing = tmp_path / ("fresh-idea" if package else "fresh_idea.yaml")
    existing.write_text("mine")
    done = command("harness new pooling fresh-idea" + " --package" * package)
    assert done.code == 2
    assert "exists already" in done.err
    assert existing.read_text() == "mine"
    assert [path.name for path in tmp_path.iterdir()] == [existing.name]


def test_a_folder_that_is_not_there_is_made(tmp_path):
    made = new_plugin("pooling", "fresh-idea", folder=tmp_path / "a" / "b")
    assert {path.name for path in made.files} == {"fresh_idea.py", "fresh_idea.yaml"}
    assert all(path.is_file() for path in made.files)


@pytest.mark.parametrize("package", [False, True])
def test_the_version_of_the_plugin_api_is_said(package, tmp_path):
    made = new_plugin("pooling", "fresh-idea", package=package, folder=tmp_path)
    said = [
        line for file in made.files for line in file.read_text().splitlines() if line.startswith("harness_plugin_api")
    ]
    assert said == [f"harness_plugin_api = {PLUGIN_API_VERSION}"]


def test_the_templates_are_in_the_distribution(root):
    """Everything below ``harness`` goes into the wheel: nothing there may be left out by name."""
    import tomllib

    wheel = tomllib.loads((root / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"]
    assert "harness" in wheel["packages"]
    assert not {"exclude", "only-include"} & set(wheel)
    templates = root / "harness" / "scaffold" / "templates"
    assert {path.stem for path in templates.glob("*.py")} == set(KINDS)
