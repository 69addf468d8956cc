"""What is small as a text and without end as a plan or as data is refused in one sentence, at once."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from harness.core.document import read_document
from harness.core.errors import DataDamaged, Errors, HarnessError, SpecError
from harness.data.folders import data_folders
from harness.data.instances import read_instances
from harness.runs.plan import make_plan

SPEC = {"name": "s", "task": "retrieval", "datasets": "toy-images", "methods": {"backbone": "colour", "pooling": "mac"}}
SECONDS = 2.0
MANY = list(range(1, 1001))


@pytest.fixture(autouse=True)
def _at_once():
    began = time.process_time()
    yield
    assert time.process_time() - began < SECONDS


@pytest.fixture
def plan(tmp_path, toy):
    make_plan(SPEC, data_folders(tmp_path, tmp_path), plugins=(toy,))  # what is loaded first is not what is measured

    def made(spec):
        return make_plan(spec, data_folders(tmp_path, tmp_path), plugins=(toy,))

    return made


def bomb(levels):
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, levels)]
    return "\n".join(lines) + f"\nname: s\ntask: retrieval\ndatasets: *a{levels - 1}\n"


TEXTS = {
    "aliases of aliases": (bomb(12), "more than 1,000,000 values"),
    "an alias that holds itself": ("name: &a [*a]\n", "holds itself"),
    "a mapping that holds itself": ("name: s\nmethods: &a {pooling: *a}\n", "holds itself"),
    "merged mappings": ("a: &a {x: 1}\nb: &b {<<: *a}\nc: &c [*a, *c]\n", "holds itself"),
    "nested without end": ("a: " + "[" * 10_000, "nested|not YAML"),
    "lists in lists": ("a: \n  " + "- " * 10_000 + "x", "nested"),
    "nested deeply": ("a: " + "[" * 150 + "]" * 150, "nested more than 100 deep"),
    "too long": ("# " + "x" * 2**20, "longer than"),
    "half a character": ('name: "\\ud800"\n', "half of a character|not YAML"),
}


@pytest.mark.parametrize("name", TEXTS)
def test_texts(tmp_path, name):
    text, words = TEXTS[name]
    (tmp_path / "spec.yaml").write_text(text)
    with pytest.raises(SpecError, match=words) as caught:
        read_document(tmp_path / "spec.yaml")
    assert "\n" not in caught.value.headline


def test_what_is_no_file_is_not_read_without_end():
    with pytest.raises(SpecError, match="longer than"):
        read_document(Path("/dev/zero"))


def test_a_mapping_that_holds_itself(plan):
    spec = {**SPEC}
    spec["protocol"] = spec
    with pytest.raises(SpecError, match="holds itself"):
        plan(spec)


@pytest.mark.parametrize(
    "changes",
    [
        {"methods": {"backbone": "colour", "pooling": {"gem": {"p": MANY, "eps": MANY}}}},
        {"methods": {"backbone": "colour", "pooling": {"gem": {"p": MANY}}}, "seeds": MANY},
        {"datasets": {"toy-images": {"count": MANY}}, "seeds": MANY},
        {"protocol": {"image_size": MANY, "depth": MANY}},
        {"protocols": {"toy-images": {"image_size": MANY, "depth": MANY}}},
        {"methods": [{"backbone": "colour", "pooling": {"gem": {"p": MANY}}}] * 101},
        {"seeds": list(range(100_001))},
    ],
)
def test_plans_of_more_than_100_000_runs(plan, changes):
    with pytest.raises(HarnessError, match=r"at most 100,000 can be planned"):
        plan({**SPEC, **changes})


def test_an_unknown_data_set_of_many_protocols(plan):
    with pytest.raises(Errors, match="1,000,000 alternatives"):
        plan({**SPEC, "protocols": {"nothing": {"image_size": MANY, "depth": MANY}}})


def truth(**changes):
    content = {"imlist": ["a.jpg", "b.jpg"], "queries": [{"image": "q.jpg", "easy": ["a.jpg"], "hard": [1]}]}
    return json.dumps({**content, **changes})


@pytest.mark.parametrize("depth", [200, 900, 10_000])
def test_ground_truths_nested_deeply(tmp_path, depth):
    for text in ("[" * depth + "]" * depth, f'{{"imlist": {"[" * depth + "]" * depth}, "queries": [1]}}'):
        (tmp_path / "gt.json").write_text(text)
        with pytest.raises(DataDamaged) as caught:
            read_instances(tmp_path / "gt.json", exists=lambda name: True)
        assert len(str(caught.value)) < 5_000


@pytest.mark.parametrize("name", ["../../secret.png", "/etc/passwd", "a/../../b.jpg", "..", "..\\b.jpg", "a\0.jpg"])
def test_names_outside_the_folder(tmp_path, name):
    for changes in ({"imlist": [name, "b.jpg"]}, {"queries": [{"image": name, "easy": [0]}]}):
        (tmp_path / "gt.json").write_text(truth(**changes))
        with pytest.raises(DataDamaged, match="leads out of the folder"):
            read_instances(tmp_path / "gt.json", exists=lambda name: True)
