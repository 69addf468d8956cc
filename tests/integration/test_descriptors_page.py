"""The page on descriptors and results of others is run as it stands."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "descriptors.md"


@pytest.fixture
def page():
    return PAGE.read_text()


@pytest.fixture
def folder(tmp_path, monkeypatch, page):
    """The files of the page, made."""
    monkeypatch.chdir(tmp_path)
    files = dict(re.findall(r'^```\w+ title="([\w.]+)"\n(.*?)^```', page, re.MULTILINE | re.DOTALL))
    for name, content in files.items():
        (tmp_path / name).write_text(content)
    exec(compile(files["make.py"], "make.py", "exec"), {})  # noqa: S102  # our own page
    return tmp_path


def test_three_commands_lead_from_arrays_to_a_board_with_a_foreign_ranking(folder, page, command):
    lines = re.search(r"^```bash\n(.*?)^```", page, re.MULTILINE | re.DOTALL)[1].splitlines()
    assert len(lines) == 3
    for line in lines:
        done = command(line.replace("run spec.yaml", "run spec.yaml --executor inline"))
        assert done.code == 0, done.err
    rows = [[cell.strip() for cell in row.strip("|").split("|")] for row in done.out.splitlines() if "|" in row]
    header = rows[0]
    body = [dict(zip(header, row, strict=True)) for row in rows[2:] if len(row) == len(header)]
    methods = {(row["ranking"], row["descriptors"], row["whitening"], row["expansion"]) for row in body}
    own = {("none", "mine", w, e) for w in ("none", "pca") for e in ("none", "aqe", "diffusion")}
    assert methods == {*own, ("theirs", "none", "none", "none")}
    theirs = next(row for row in body if row["ranking"] == "theirs")
    assert "†" in theirs["mAP"]
    assert "to" in theirs["95% interval"]
    assert "measured by Another lab" in done.out

    verified = command("harness records verify runs/imported")
    assert (verified.code, "1 OK" in verified.out) == (0, True)
    exported = command("harness export spec.yaml --out rankings")
    assert exported.code == 0, exported.err
    np.testing.assert_array_equal(np.load("rankings/theirs.npy"), np.load("theirs.npy"))
    assert Path("rankings/medium.qrels").read_text().startswith("q00.jpg 0 000.jpg 1\n")
    again = command("harness import rankings spec.yaml rankings/theirs.medium.run --name theirs-again")
    assert again.code == 0, again.err
    scores = re.findall(r"^\|.*theirs.*?\| +([\d.]+)", command("harness leaderboard spec.yaml").out, re.MULTILINE)
    assert len(scores) == 2
    page_made = command("harness page runs --out site")
    assert page_made.code == 0, page_made.err


def test_the_readme_shows_the_same_three_commands(root, page):
    commands = re.search(r"^```bash\n(.*?)^```", page, re.MULTILINE | re.DOTALL)[1].splitlines()
    shown = (root / "README.md").read_text()
    assert "\n".join(f"    {line}" for line in commands) in shown or "\n".join(commands) in shown
    spec = re.sub(r"\s+", "", shown)
    assert "datasets:[{descriptors:{ground_truth:gnd.json}}]" in spec
    for value in ("descriptors:[{mine:{database:database.npy,queries:queries.npy}}]", "whitening:[none,pca]",
                  "expansion:[none,aqe,diffusion]"):  # fmt: skip
        assert value in spec


def test_wrong_rankings_are_one_sentence_and_exit_code_4(folder, command):
    np.save("twice.npy", np.zeros((24, 2), int))
    done = command("harness import rankings spec.yaml twice.npy")
    assert done.code == 4
    assert "query 0: id 0 is ranked twice" in done.err
    assert "Traceback" not in done.err


def test_a_ranking_of_the_spec_of_another_task_is_refused(folder, command):
    Path("other.yaml").write_text(
        "name: a\ntask: active-learning\ndatasets: digits\nmethods: {learning: pretrain, acquisition: random}\n"
    )
    done = command("harness import rankings other.yaml theirs.npy")
    assert done.code == 2
    assert "rankings are of retrieval" in done.err


def test_export_and_import_name_what_they_do_not_know(folder, command):
    assert 'unknown format "csv"' in command("harness export spec.yaml --out a --format csv").err
    assert "there are no records" in command("harness export spec.yaml --out a").err
    assert "not a dataset of this spec" in command("harness import rankings spec.yaml theirs.npy --dataset b").err
