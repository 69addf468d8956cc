"""The README is run: its plugin, its commands, its Python, its specs."""

from __future__ import annotations

import re
import shlex

import pytest
import yaml

from harness.data.folders import data_folders
from harness.runs.plan import make_plan


@pytest.fixture
def readme(root):
    return (root / "README.md").read_text()


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


@pytest.fixture
def board(tmp_path, root):
    """The README's comparison of two poolings, on fewer and smaller images, in a folder of its own."""
    folder = tmp_path / "leaderboards" / "first-look"
    folder.mkdir(parents=True)
    spec = (root / "leaderboards" / "first-look" / "spec.yaml").read_text()
    small = "datasets: [{synthetic-instances: {objects: 4, images: 30, queries: 4, size: 96}}]"
    assert "datasets: [synthetic-instances]" in spec
    spec = spec.replace("datasets: [synthetic-instances]", small).replace("image_size: 256", "image_size: 96")
    content = yaml.safe_load(spec)
    content["methods"] = [{"backbone": "tiny", "pooling": ["mac", "gem"]}]
    (folder / "spec.yaml").write_text(yaml.safe_dump(content))
    return tmp_path


def test_the_plugin_has_at_most_twelve_lines(readme):
    plugin = next(block for block in blocks(readme, "python") if "hookimpl" in block)
    assert len(plugin.splitlines()) <= 12


def test_the_plugin_and_its_commands_put_it_on_the_leaderboard(readme, board, harness_command):
    plugin = next(block for block in blocks(readme, "python") if "hookimpl" in block)
    (board / "mine.py").write_text(plugin)
    output = ""
    for line in next(block for block in blocks(readme, "bash") if "mine.py" in block).splitlines():
        program, *arguments = shlex.split(line)
        done = harness_command(*arguments, cwd=board)
        assert (program, done.code) == ("harness", 0), done.err
        output = done.out
    names = [line.split("|")[2].strip() for line in output.splitlines() if re.match(r"\| +\d", line)]
    assert "top-mean" in names
    assert "gem" in names


def test_the_python_runs(readme):
    code = next(block for block in blocks(readme, "python") if "load_registry" in block)
    names: dict = {}
    exec(code, names)  # noqa: S102  # what a user pastes
    assert len(names["picks"]) == 10


def test_the_spec_is_right(readme, tmp_path):
    (spec,) = blocks(readme, "yaml")
    (tmp_path / "spec.yaml").write_text(spec)
    assert len(make_plan(tmp_path / "spec.yaml", data_folders()).runs) == 8


def test_the_mistake_is_what_the_harness_says(readme, tmp_path, harness_command):
    (spec,) = blocks(readme, "yaml")
    shown = re.search(r"^    error\[.*?(?=\n\n[^ ])", readme, re.MULTILINE | re.DOTALL)
    assert shown is not None
    (tmp_path / "spec.yaml").write_text(spec.replace("mac, {gem", "mac, {gemm"))
    done = harness_command("run", "spec.yaml", cwd=tmp_path)
    assert done.code == 2
    assert done.err.strip() == re.sub(r"^    ", "", shown[0], flags=re.MULTILINE).strip()


def test_every_command_named_in_the_text_exists(readme, harness_command):
    for command in re.findall(r"`harness ([a-z]+)", readme):
        assert harness_command(command, "--help").code == 0, command


def test_the_rows_shown_are_those_of_the_generated_leaderboards(readme, root):
    """First value and rank as in the committed leaderboards."""
    shown = readme[readme.index("## What comes out") : readme.index("## Say what")]
    generated = "".join((root / "leaderboards" / n / "README.md").read_text() for n in ("photographs", "quick-active"))
    ranks = {
        (cells[0], re.search(r"\d+\.\d\d", row)[0])
        for row in re.findall(r"^\| +\d.*", generated, re.MULTILINE)
        for cells in [[cell.strip() for cell in row.strip("|").split("|")]]
    }
    rows = re.findall(r"^\| +\d.*", shown, re.MULTILINE)
    assert len(rows) >= 8
    for row in rows:
        assert (row.split("|")[1].strip(), re.search(r"\d+\.\d\d", row)[0]) in ranks, row
