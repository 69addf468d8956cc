"""Everything that can be wrong in a spec is reported in one go, with its place and its remedy."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from harness.core.errors import Errors, HarnessError
from harness.data.folders import data_folders
from harness.runs.plan import make_plan

RETRIEVAL = """\
name: my comparison
task: retrieval
descripton: a typing mistake
datasets:
  - toy-imags
  - image-instances: {path: nowhere/at/all}
  - toy-classes
methods:
  backbone: colour
  pooling:
    - gemm
    - gem: {p: -1}
    - gem: {q: 3}
    - gem: {p: three}
    - [a, list]
  whitenning: pca
  acquisition: random
seeds: [0, 1, 1, -2, x]
protocol:
  image_size: 0
  scale: [1]
plugins: [gone.py]
"""

MISTAKES = [
    (1, "name", "my comparison"),
    (3, "descripton", 'did you mean "description"?'),
    (5, "toy-imags", 'did you mean "toy-images"?'),
    (6, "nowhere/at/all", ""),
    (7, "toy-classes", "the task is retrieval"),
    (11, "gemm", 'did you mean "gem"?'),
    (12, "-1", "greater than 0"),
    (13, 'no parameter "q"', "known: "),
    (14, "three", "number"),
    (15, "does not name a method", "write a name"),
    (16, "whitenning", 'did you mean "whitening"?'),
    (17, "acquisition", "does not belong to a retrieval run"),
    (18, "duplicate seed 1", "once"),
    (18, "seed -2 is negative", ""),
    (18, "'x'", "integer"),
    (20, "image_size", "greater than or equal to 1"),
    (21, 'no parameter "scale"', 'did you mean "scales"?'),
    (22, "gone.py", ""),
]


@pytest.fixture
def found(tmp_path, toy):
    path = tmp_path / "spec.yaml"
    path.write_text(RETRIEVAL)
    with pytest.raises(Errors) as caught:
        make_plan(path, data_folders(tmp_path / "data", tmp_path / "cache"), plugins=(toy,))
    return caught.value


@pytest.mark.parametrize(("line", "what", "remedy"), MISTAKES)
def test_each_mistake_is_reported_at_its_line_with_its_remedy(found, line, what, remedy):
    texts = [str(error) for error in found.errors if error.where is not None and error.where.line == line]
    assert any(what in text and remedy in text for text in texts), texts or str(found)


def test_nothing_else_is_reported(found):
    assert len(found.errors) == len(MISTAKES), str(found)


def test_every_line_is_quoted_and_marked(found):
    for error in found.errors:
        text = str(error)
        quoted = re.search(r"^ +(\d+) \| (.*)\n +\| ( *)(\^+)", text, re.MULTILINE)
        assert quoted is not None, text
        line, margin, marks = quoted[2], len(quoted[3]), len(quoted[4])
        assert line == RETRIEVAL.splitlines()[int(quoted[1]) - 1]
        assert line[margin : margin + marks].strip() == line[margin : margin + marks], text


def test_they_come_in_the_order_of_the_file(found):
    lines = [error.where.line for error in found.errors]
    assert lines == sorted(lines)


def test_the_command_exits_with_2_and_writes_nothing(tmp_path, toy):
    (tmp_path / "spec.yaml").write_text(RETRIEVAL)
    command = [sys.executable, "-m", "harness", "run", str(tmp_path / "spec.yaml"), "--plugin", toy]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert done.stderr.count("error[") == len(MISTAKES)
    assert [path.name for path in tmp_path.iterdir()] == ["spec.yaml"]


ACTIVE = """\
name: a
task: active-learning
datasets: toy-classes
methods: {learning: supervised, acquisition: [random, random]}
protocol: {initial: 10, budget: -5, cycles: 0}
"""


def test_negative_budget_and_no_cycles(tmp_path, toy):
    path = tmp_path / "spec.yaml"
    path.write_text(ACTIVE)
    with pytest.raises(Errors) as caught:
        make_plan(path, data_folders(), plugins=(toy,))
    text = str(caught.value)
    assert "budget" in text
    assert "-5" in text
    assert "cycles" in text


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "mapping"),
        ("- a", "mapping"),
        ("name: a\nname: b", "duplicate key"),
        ("name: [a", "not YAML"),
        ("a: b: c", "not YAML"),
        ("\tname: a", "not YAML"),
        ("name: !!python/object/apply:os.system ['true']\ntask: retrieval", ""),
        ("name: a\ntask: segmentation", "'retrieval' or 'active-learning'"),
        ("name: a", '"task" is missing'),
        ("name: a\ntask: retrieval\ndatasets: []\nmethods: []", "datasets is empty"),
        ("name: a\ntask: retrieval\ndatasets: {a: 1, b: 2}\nmethods: {}", "needs a backbone"),
        (
            "name: a\ntask: retrieval\ndatasets: toy-images\nmethods: {backbone: colour, pooling: none}",
            "needs a pooling",
        ),
        ("&a [*a]", ""),
        ("name: a\ntask: retrieval\n? [x, y]\n: 3\n", ""),
        ("name: a\ntask: retrieval\n1: 3\n", ""),
        ("name: a\ntask: retrieval\nseeds: {}\nprotocol: []\nplugins: 3\nmethods: 3\ndatasets: 3", "protocol"),
    ],
)
def test_mangled_specs_never_end_in_a_traceback(tmp_path, toy, text, words):
    path = tmp_path / "spec.yaml"
    path.write_text(text)
    with pytest.raises(HarnessError) as caught:
        make_plan(path, data_folders(), plugins=(toy,))
    assert words in str(caught.value)


def test_a_mapping_from_python_names_the_way_to_the_mistake(toy):
    spec = {
        "name": "a",
        "task": "retrieval",
        "datasets": "toy-images",
        "methods": {"backbone": "colour", "pooling": ["x"]},
    }
    with pytest.raises(Errors) as caught:
        make_plan(spec, data_folders(), plugins=(toy,))
    assert "methods.pooling[0]" in str(caught.value)
