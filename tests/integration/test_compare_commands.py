"""``harness compare`` and ``harness gate`` as a user types them: another source of a plugin is measured and judged."""

from __future__ import annotations

import json

import pytest

PLUGIN = """
from dataclasses import dataclass
from harness import hookimpl

@dataclass(frozen=True)
class Mine:
    def pool(self, maps):
        return maps.amax((-2, -1)) ** {power}

@hookimpl
def harness_register(registry):
    registry.pooling("mine", Mine)
"""
SPEC = """\
name: toy
task: retrieval
datasets: toy-images
methods: {{backbone: colour, pooling: [mac, mine]}}
plugins: [{toy}, mine.py]
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory, request, harness_command):
    """Records of two versions of a plugin: the second makes all descriptors equal."""
    path = tmp_path_factory.mktemp("compare")
    toy = request.config.rootpath / "tests" / "fixtures" / "toy.py"
    (path / "spec.yaml").write_text(SPEC.format(toy=toy))
    for name, power in (("old", 1), ("new", 0)):
        (path / "mine.py").write_text(PLUGIN.format(power=power))
        done = harness_command("run", "spec.yaml", "--runs", name, "--cache", "cache", cwd=path)
        assert done.code == 0, done.err
    (path / "empty").mkdir()
    return path


def test_compare_says_what_changed_and_why(folder, harness_command):
    done = harness_command("compare", "old", "new", "--out", "changes.md", cwd=folder)
    assert done.code == 0, done.err
    assert done.out == (folder / "changes.md").read_text()
    row = next(line for line in done.out.splitlines() if line.startswith("| colour · mine"))
    assert "source of pooling" in row
    assert "- toy-images: map\\_medium (1): colour · mac\n" in done.out
    content = json.loads(harness_command("compare", "old", "new", "--format", "json", cwd=folder).out)
    differences = {method["label"]: method["changes"][0]["difference"] for method in content["methods"]}
    assert differences["colour · mac"] == 0 > differences["colour · mine"]


def test_the_gate_has_an_exit_code_for_each_answer(folder, harness_command):
    same = harness_command("gate", "old", "old", cwd=folder)
    assert (same.code, same.err) == (0, "")
    assert same.out.startswith("gate: 0 worse, 0 could not be judged, of 2 methods compared")
    unknown = harness_command("gate", "old", "new", cwd=folder)  # four queries are too few for a test
    assert unknown.code == 6
    assert "cannot be judged: toy-images · colour · mine: map_medium 100.00 to" in unknown.err
    worse = harness_command("gate", "old", "new", "--tolerance", "1", "--out", "report.md", cwd=folder)
    assert worse.code == 5
    assert worse.err.startswith("worse: toy-images · colour · mine: map_medium 100.00 to")
    assert (folder / "report.md").read_text().startswith("# old → new")
    assert harness_command("gate", "old", "new", "--tolerance", "map_medium=100", cwd=folder).code == 0


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["gate", "old", "empty"], 6, "there are no records in empty"),
        (["gate", "old", "nowhere"], 2, "there is no nowhere"),
        (["gate", "old", "new", "--metric", "map_medum"], 2, 'did you mean "map_medium"?'),
        (["gate", "old", "new", "--tolerance", "little"], 2, 'bad tolerance "little"'),
        (["compare", "old", "HEAD:new"], 2, "as a file or in git"),
        (["compare", "old", "new", "--format", "html"], 2, 'unknown format "html"'),
        (["compare", "old", "spec.yaml", "--plugin", "gone.py"], 3, "gone.py"),
        (["compare", "mine.py", "old"], 2, "mine.py is neither a spec nor a record"),
    ],
)
def test_mistakes(folder, arguments, code, words, harness_command):
    done = harness_command(*arguments, cwd=folder)
    assert (done.code, words in done.err, "Traceback" in done.err) == (code, True, False), done.err
    assert done.out == ""
