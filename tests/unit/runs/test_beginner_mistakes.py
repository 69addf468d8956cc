"""What beginners get wrong: each message names the remedy, and the line of the file that has to change."""

from __future__ import annotations

from pathlib import Path

import pytest

import harness
from harness.cli import main
from harness.cli.display import leaderboard_command
from harness.core.errors import Errors, HarnessError
from harness.data.folders import data_folders
from harness.registry import load_registry
from harness.runs.plan import make_plan

HEAD = """\
from dataclasses import dataclass
import torch
from harness import hookimpl

@dataclass(frozen=True)
class Mean:
    p: float = 1.0
    def pool(self, maps):
        return maps.mean(dim=(-2, -1))

"""
HOOK = "@hookimpl\ndef harness_register(registry):\n    "
MODULE = "class Net(torch.nn.Module):\n    pass\n\n"
FUNCTION = "def mean(maps):\n    return maps\n\n"

REGISTRATION = {
    "instance instead of class": (HOOK + 'registry.pooling("m", Mean(p=2))', "instance of Mean", '("m", Mean)'),
    "function instead of class": (FUNCTION + HOOK + 'registry.pooling("m", mean)', "function mean", "frozen dataclass"),
    "hookimpl forgotten": (
        'def harness_register(registry):\n    registry.pooling("m", Mean)',
        "not marked with @hookimpl",
        "from harness import hookimpl",
    ),
    "one name twice": (
        HOOK + 'registry.pooling("m", Mean)\n    registry.pooling("m", Mean)',
        'the pooling "m" twice',
        "own name",
    ),
    "a taken name": (HOOK + 'registry.pooling("gem", Mean)', 'two plugins claim the pooling "gem"', "rename"),
    "registry.pool": (HOOK + 'registry.pool("m", Mean)', "there is no registry.pool", "registry.pooling"),
    "name and class swapped": (HOOK + 'registry.pooling(Mean, "m")', "under the name", "first the name"),
    "no class": (HOOK + 'registry.pooling("m")', "missing 1 required", 'registry.pooling("mine", Mine)'),
    "the name none": (HOOK + 'registry.pooling("none", Mean)', "under the name 'none'", 'registry.pooling("mine"'),
    "module of torch": (MODULE + HOOK + 'registry.pooling("m", Net)', "Net is a torch.nn.Module", "dataclass"),
    "module as an instance": (MODULE + HOOK + 'registry.pooling("m", Net())', "is a torch.nn.Module", "dataclass"),
    "module as a backbone": (MODULE + HOOK + 'registry.backbone("m", Net)', "is a torch.nn.Module", "factory"),
    "class that is not there": (HOOK + 'registry.pooling("m", Maen)', "name 'Maen' is not defined", "registry.pooling"),
}
"""Name -> end of the file, words of the headline, words of the remedy; the line is the last, or one of those below."""
LINES = {
    "hookimpl forgotten": "def harness_register",
    "module of torch": "class Net",
    "module as an instance": "class Net",
    "module as a backbone": "class Net",
}


def message(error: HarnessError, file: Path, line: str, words: str, remedy: str) -> None:
    text = str(error)
    assert words in error.headline, text
    assert remedy in error.fix, text
    assert error.where is not None, text
    assert Path(error.where.file).name == file.name, text
    assert line in file.read_text().splitlines()[error.where.line - 1], text
    assert "\n".join(text.splitlines()[1:3]).count("|") >= 2, f"the line is not quoted: {text}"


@pytest.fixture(scope="module")
def registry():
    return load_registry()


@pytest.mark.parametrize("name", REGISTRATION)
def test_of_a_registration(name, registry, tmp_path):
    end, words, remedy = REGISTRATION[name]
    file = tmp_path / "mine.py"
    file.write_text(HEAD + end + "\n")
    with pytest.raises(HarnessError) as caught:
        registry.load(str(file))
    line = LINES.get(name) or end.splitlines()[-1]
    message(caught.value, file, line, words, remedy)
    assert not {"m", "none"} & set(registry.names("pooling"))


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("import torch\nx = (\n", "x = (", "SyntaxError"),
        ("\nimport no_such_package\n", "import no_such_package", "No module named 'no_such_package'"),
        ("\nx = 1 / 0\n", "x = 1 / 0", "ZeroDivisionError"),
    ],
)
def test_of_a_file_that_cannot_be_loaded(text, line, words, registry, tmp_path):
    file = tmp_path / "mine.py"
    file.write_text(text)
    with pytest.raises(HarnessError) as caught:
        registry.load(str(file))
    message(caught.value, file, line, words, "")


CLASSES = """\
from dataclasses import dataclass
from harness import hookimpl

class Plain:
    def pool(self, maps):
        return maps

@dataclass(frozen=True)
class Untyped:
    p = 3.0
    def pool(self, maps):
        return maps

@dataclass(frozen=True)
class Misspelt:
    def pol(self, maps):
        return maps

@dataclass(frozen=True)
class NoSelf:
    def pool(maps):
        return maps

@dataclass(frozen=True)
class TwoArguments:
    def pool(self, maps, weights):
        return maps

@dataclass(frozen=True)
class NeedsValue:
    p: float
    def pool(self, maps):
        return maps

@hookimpl
def harness_register(registry):
    for method in (Plain, Untyped, Misspelt, NoSelf, TwoArguments, NeedsValue):
        registry.pooling(method.__name__, method)
"""
SPEC = """\
name: my board
task: retrieval
datasets: toy-image
seed: 1
methods:
  backbone: colours
  pooling:
    - Plain
    - Untyped: {p: 2.0}
    - Misspelt
    - NoSelf
    - TwoArguments
    - NeedsValue
    - gem p=3
    - gem: 3
    - gem: {p: three}
    - gem: {q: 3}
    - gem: {p: -1}
  poolings: mac
  expansion: []
seeds: [0, one, 0]
protocol: {images_size: 64}
"""
OF_CLASSES = [
    ("class Plain", "is not a dataclass", "@dataclass(frozen=True)"),
    ("class Misspelt", 'pooling "Misspelt" has no pool', "def pool(self, maps)"),
    ("def pool(maps):", "pool cannot be called as its kind is", "def pool(self, maps)"),
    ("def pool(self, maps, weights):", "pool cannot be called as its kind is", "def pool(self, maps)"),
]
OF_SPECS = [
    ("name: my board", "name = 'my board' should be letters", ""),
    ("datasets: toy-image", 'unknown dataset "toy-image"', 'did you mean "toy-images"?'),
    ("seed: 1", 'unknown key "seed"', 'did you mean "seeds"?'),
    ("backbone: colours", 'unknown backbone "colours"', 'did you mean "colour"?'),
    ("Untyped: {p", 'pooling "Untyped" has no parameter "p"', "p: float = 3.0: only that is a field"),
    ("- NeedsValue", "needs the parameter p", "p: float"),
    ("gem p=3", 'unknown pooling "gem p=3"', 'did you mean "gem"?'),
    ("gem: 3", "does not name a method", "{name: {parameter: value}}"),
    ("gem: {p: three}", "p = 'three' is not allowed", "p: "),
    ("gem: {q: 3}", 'no parameter "q"', "known: p"),
    ("gem: {p: -1}", "p = -1 is not allowed; should be greater than 0", "p: "),
    ("poolings: mac", 'unknown kind "poolings"', 'did you mean "pooling"?'),
    ("expansion: []", "methods.expansion is empty", "name at least one"),
    ("seeds: [0, one, 0]", "seed 'one' should be an integer", ""),
    ("seeds: [0, one, 0]", "duplicate seed 0", "list each seed once"),
    ("images_size", 'no parameter "images_size"', 'did you mean "image_size"?'),
]


@pytest.fixture(scope="module")
def found(tmp_path_factory, toy):
    folder = tmp_path_factory.mktemp("mistakes")
    (folder / "mine.py").write_text(CLASSES)
    (folder / "spec.yaml").write_text(SPEC)
    with pytest.raises(Errors) as caught:
        make_plan(folder / "spec.yaml", data_folders(folder, folder), plugins=(toy, str(folder / "mine.py")))
    return folder, caught.value.errors


@pytest.mark.parametrize(
    ("file", "line", "words", "remedy"),
    [*(("mine.py", *mistake) for mistake in OF_CLASSES), *(("spec.yaml", *mistake) for mistake in OF_SPECS)],
)
def test_of_a_class_or_a_spec(file, line, words, remedy, found):
    folder, errors = found
    same = [error for error in errors if words in error.headline and (error.where and line in quoted(error))]
    assert same, "\n".join(map(str, errors))
    assert any(remedy in f"{error.headline} {error.fix}" for error in same), same
    message(same[0], folder / file, line, words, remedy if remedy in same[0].fix else "")


def quoted(error: HarnessError) -> str:
    return error.where.quote() if error.where else ""


def test_nothing_else_is_reported(found):
    assert len(found[1]) == len(OF_CLASSES) + len(OF_SPECS), "\n".join(map(str, found[1]))


ANSWERS = """\
from dataclasses import dataclass
from harness import hookimpl

@dataclass(frozen=True)
class AList:
    def pool(self, maps):
        return maps.mean(dim=(-2, -1)).tolist()

@dataclass(frozen=True)
class Maps:
    def pool(self, maps):
        return maps

@dataclass(frozen=True)
class Raises:
    def pool(self, maps):
        return maps.averaged()

@hookimpl
def harness_register(registry):
    for method in (AList, Maps, Raises):
        registry.pooling(method.__name__, method)
"""


def test_of_what_a_method_returns(tmp_path, toy):
    (tmp_path / "mine.py").write_text(ANSWERS)
    methods = {"backbone": "colour", "pooling": ["AList", "Maps", "Raises"]}
    spec = {"name": "answers", "task": "retrieval", "datasets": "toy-images", "methods": methods}
    plugins = (toy, str(tmp_path / "mine.py"))
    records = harness.run(spec, plugins=plugins, runs=tmp_path / "runs", cache=tmp_path / "cache")
    failures = [record.failure for record in records]
    assert [failure.place for failure in failures] == [
        "mine.py:5 class AList",
        "mine.py:10 class Maps",
        "mine.py:17 in pool",
    ]
    assert ["list" in failures[0].message, "averaged" in failures[2].message] == [True, True]
    assert all(failure.fix for failure in failures[:2]), failures


def test_the_table_is_as_long_as_was_asked_for():
    assert len(REGISTRATION) + 3 + len(OF_CLASSES) + len(OF_SPECS) + 3 >= 28 + 6


def test_the_command_that_follows_a_run_shows_its_rows():
    shown = leaderboard_command(
        Path("a b.yaml"), plugin=["mine.py"], add=["pooling=m"], device=None, runs=Path("r"), catalogue=None
    )
    assert shown == "harness leaderboard 'a b.yaml' --plugin mine.py --add pooling=m --runs r"


def test_a_mistake_in_add_points_at_no_line_of_the_spec(tmp_path):
    spec = tmp_path / "spec.yaml"
    spec.write_text(
        "name: a\ntask: retrieval\ndatasets: synthetic-instances\nmethods: {backbone: tiny, pooling: gem}\n"
    )
    with pytest.raises(Errors) as caught:
        make_plan(spec, data_folders(tmp_path, tmp_path), add=("pooling=maac", "expansion=nope"))
    assert 'unknown pooling "maac"\n  fix: did you mean "mac"?' in str(caught.value)
    assert 'unknown expansion "nope"\n  fix:' in str(caught.value)


def test_formats_of_plots_need_plots(monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", "harness leaderboard spec.yaml --plot-formats pdf".split())
    with pytest.raises(SystemExit) as stop:
        main()
    assert stop.value.code == 2
    assert "fix: --plots FOLDER draws them" in capsys.readouterr().err
