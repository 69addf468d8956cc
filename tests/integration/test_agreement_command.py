"""``harness agreement``: from a spec to tables and pictures."""

from __future__ import annotations

import json

import pytest
import typer
from typer.testing import CliRunner

from harness.cli.agreement import agreement
from harness.core.errors import Errors, SpecError, UnknownName

SPEC = """
name: small
task: active-learning
datasets: [toy-classes]
methods: {network: {small-cnn: {width: 4}}, learning: {supervised: {epochs: 2}}, acquisition: ACQUISITIONS}
seeds: [0, 1]
protocol: {initial: 3, budget: 3, cycles: CYCLES}
"""

PLUGIN = """
from dataclasses import dataclass
import numpy as np
from harness import hookimpl

@dataclass(frozen=True)
class Rolled:
    '''The unlabelled examples from a place on, round and round.'''
    start: int = 0

    def select(self, pool, budget, rng):
        return np.roll(pool.unlabelled, -self.start)[:budget]

@hookimpl
def harness_register(registry):
    registry.acquisition("rolled", Rolled)
"""

app = typer.Typer(pretty_exceptions_enable=False)
app.command()(agreement)


@pytest.fixture
def call(tmp_path, toy):
    """Runs the command on a spec with these acquisitions."""

    def run(acquisitions, *arguments, cycles=2, spec=SPEC):
        path = tmp_path / "spec.yaml"
        (tmp_path / "rolled.py").write_text(PLUGIN)
        path.write_text(spec.replace("ACQUISITIONS", acquisitions).replace("CYCLES", str(cycles)))
        arguments = [
            str(path),
            "--plugin",
            toy,
            "--plugin",
            str(tmp_path / "rolled.py"),
            "--cache",
            str(tmp_path / "cache"),
            *map(str, arguments),
        ]
        return CliRunner().invoke(app, arguments)

    return run


def table_rows(text, name):
    return [line for line in text.splitlines() if f"| {name} " in line]


def test_tables_and_a_picture(call, tmp_path):
    out, plots = tmp_path / "study.md", tmp_path / "plots"
    done = call("[random, entropy, rolled]", "--out", out, "--plots", plots)
    assert done.exit_code == 0, done.output + repr(done.exception)
    assert done.stdout == out.read_text()
    assert done.stdout.startswith("## toy-classes · small-cnn · supervised: pseudo-labels\n\nReference: entropy")
    assert len(table_rows(done.stdout, "random")) == len(table_rows(done.stdout, "rolled")) == 2
    assert not table_rows(done.stdout, "entropy")
    assert sorted(file.name for file in plots.iterdir()) == ["toy-classes-ranks.csv", "toy-classes-ranks.svg"]


def kept(cache):
    """All files with their content, and when arrays were written; a description's time is that of its last use."""
    files = sorted(file for file in cache.rglob("*") if file.is_file())
    return [(file, file.read_bytes(), file.suffix == ".npz" and file.stat().st_mtime_ns) for file in files]


def test_a_second_call_gives_the_same_and_makes_nothing(call, tmp_path):
    plots = [tmp_path / "a", tmp_path / "b"]
    first = call("[random, entropy]", "--plots", plots[0])
    made = kept(tmp_path / "cache")
    second = call("[random, entropy]", "--plots", plots[1])
    assert first.stdout == second.stdout
    assert made == kept(tmp_path / "cache")
    assert [(folder / "toy-classes-ranks.svg").read_bytes() for folder in plots[:1]] == [
        (plots[1] / "toy-classes-ranks.svg").read_bytes()
    ]


def test_the_reference_is_of_the_spec_or_has_its_defaults(call):
    listed = call("[random, {rolled: {start: 2}}]", "--reference", "rolled", "--json")
    other = call("[random, {rolled: {start: 1}}]", "--reference", "rolled", "--json")
    unlisted = call("[random]", "--reference", "rolled", "--json")
    data = [json.loads(done.stdout)[0] for done in (listed, other, unlisted)]
    assert [(study["reference"], study["rows"][0]["seeds"]) for study in data] == [("rolled", [0, 1])] * 3
    assert data[0]["rows"] != data[2]["rows"]
    again = json.loads(call("[random, rolled]", "--reference", "rolled", "--json").stdout)
    assert again[0] == data[2]


def test_variants_of_a_method_are_told_apart_and_combinations_stand_apart(call):
    done = call("[{rolled: {start: [0, 1]}}, random]", "--json", "--unlabelled")
    (study,) = json.loads(done.stdout)
    assert [row["acquisition"] for row in study["rows"]] == ["rolled start=0", "rolled start=1", "random"]
    done = call("[rolled, random]", "--json", spec=SPEC.replace("epochs: 2", "epochs: [1, 2]"))
    titles = [study["title"] for study in json.loads(done.stdout)]
    assert titles == [f"toy-classes · small-cnn · supervised epochs={n}" for n in (1, 2)]


def test_a_catalogue_of_the_user_says_what_a_dataset_should_hold(call, tmp_path):
    catalogue = tmp_path / "sets.yaml"
    entry = "loader: toy-classes, task: active-learning, description: a, protocol: a, source: a, licence: a"
    catalogue.write_text(f"mine: {{{entry}, counts: {{train: 999, test: 30, classes: 3}}}}\n")
    (tmp_path / "reference.yaml").write_text(
        "source: {work: A, table: Table 1}\nstudy: agreement\n"
        "columns: [{title: a, dataset: mine, metric: agree, cycle: 0}]\n"
        "common: {network: small-cnn, learning: supervised}\n"
        "rows: [{name: Random, methods: {acquisition: random}, values: [50.0]}]\n"
    )
    arguments = ("[random, entropy]", "--catalogue", catalogue)
    spec = SPEC.replace("toy-classes", "mine")
    text = call(*arguments, spec=spec).stdout
    assert "Not comparable with other results of mine: 60 train (catalogue: 999)." in text
    assert "No differences: not comparable with other results of mine" in text
    (study,) = json.loads(call(*arguments, "--json", spec=spec).stdout)
    assert study["warnings"] == ["Not comparable with other results of mine: 60 train (catalogue: 999)."]
    assert [(one["measured"] is None, one["difference"]) for one in study["published"]] == [(False, None)]


def test_mistakes_are_one_clear_sentence(call):
    cases = [
        (call("[entropy]"), SpecError, 'no acquisition beside the reference "entropy"'),
        (call("[random]", cycles=1), SpecError, "acquires nothing"),
        (call("[random]", "--reference", "entopy"), UnknownName, 'unknown acquisition "entopy"'),
        (call("[random, {rolled: {start: [0, 1]}}]", "--reference", "rolled"), SpecError, "with 2 sets of parameters"),
        (call("[nosuch]"), Errors, "1 errors"),
    ]
    for done, kind, text in cases:
        assert isinstance(done.exception, kind), done.exception
        assert text in done.exception.headline


def test_a_spec_of_another_task_is_refused(root):
    done = CliRunner().invoke(app, [str(root / "leaderboards" / "quick-retrieval" / "spec.yaml")])
    assert isinstance(done.exception, SpecError)
    assert "is a retrieval spec" in done.exception.headline


def test_published_numbers_beside_the_spec_stand_beside_the_measured_ones(call, tmp_path):
    (tmp_path / "reference.yaml").write_text(
        "source: {work: A. Author 2020, table: Table 7}\nstudy: agreement\n"
        "columns:\n  - {title: agree, dataset: toy-classes, metric: agree, cycle: 0}\n"
        "rows:\n  - {name: Chance, methods: {acquisition: random}, values: [12.5]}\n"
    )
    text = call("[random, entropy]").output
    assert "Published: Table 7 of A. Author 2020." in text
    (line,) = [line for line in text.splitlines() if "| Chance " in line]
    measured, published, difference = (float(cell) for cell in line.strip("| ").split("|")[3:])
    assert published == 12.5
    assert difference == pytest.approx(measured - published)
    (study,) = json.loads(call("[random, entropy]", "--json").output)
    assert study["published"][0]["measured"] == pytest.approx(measured, abs=0.005)
