"""Every board of the thesis goes from plan to leaderboard on stand-ins, in the default executor.

The short form has one combination of each set of methods of a board, on one dataset; `make thesis-check` runs all
boards, in both forms. Boards of retrieval load networks of hundreds of megabytes: they are slow in the short form too.
"""

from __future__ import annotations

import csv
import io
import time
from dataclasses import dataclass
from typing import Any

import pytest
from ruamel.yaml import YAML

from harness.boards import read_reference
from harness.data.stand_in.marker import NOTE
from harness.data.stand_in.write import write_stand_in
from harness.runs.store import Store

BOARDS = [f"thesis-table-{n}" for n in ("3-2", "3-4", "4-1", "4-2", "4-3", "4-5", "4-6", "4-7", "4-8", "5-1")]
BOARDS.append("thesis-figure-5-10")
RETRIEVAL, CLASSIFICATION = ("roxford5k", "rparis6k", "instre"), ("cifar10", "cifar100")
LABELS = 10
"""Initial labels and budget of a cycle, in place of 100 or 1,000."""
yaml = YAML(typ="safe", pure=True)
yaml.default_flow_style = False


@dataclass(frozen=True)
class Form:
    """How far a board is cut."""

    images: int
    classified: int
    values: dict[str, Any]
    """In place of those that the spec gives to parameters and protocol options of these names."""
    backbone: dict[str, Any]
    network: str
    whole: bool
    """All combinations on all datasets."""


TRAINING = {"epochs": 10, "pre_epochs": 1, "semi_epochs": 2, "learning_rate": 0.02}
"""Few steps that fit ten labels wherever they are computed: a run whose training learns nothing fails."""
SHORT = Form(10, 100, TRAINING | {"image_size": 48}, {"min_side": 32}, "small-cnn", whole=False)
FULL = Form(20, 120, TRAINING | {"image_size": 96}, {}, "cnn13", whole=True)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Makes the data folder of a form, once."""
    made = {}

    def folder(form: Form):
        if form.whole not in made:
            made[form.whole] = out = tmp_path_factory.mktemp("stand-ins")
            write_stand_in("networks", out)
            for name in RETRIEVAL:
                write_stand_in(name, out, images=form.images, size=64)
            for name in CLASSIFICATION:
                write_stand_in(name, out, images=form.classified)
        return made[form.whole]

    return folder


def small(value: Any, form: Form) -> Any:
    if isinstance(value, list):
        return [small(item, form) for item in value]
    if not isinstance(value, dict):
        return value
    return {key: form.values.get(key, small(item, form)) for key, item in value.items()}


def alternatives(value: Any) -> list:
    return value if isinstance(value, list) else [value]


def cut(root, name: str, folder, form: Form):
    """Write a board's spec and its published numbers, cut; rows keep their methods. Returns the path of the spec."""
    source = root / "leaderboards" / name
    spec, reference = (yaml.load(source / f"{file}.yaml") for file in ("spec", "reference"))
    spec = small(spec, form)
    for combination in alternatives(spec["methods"]):
        combination["network"] = form.network
    if spec["task"] == "retrieval":
        _cut_retrieval(spec, form)
    else:
        _cut_active(spec, reference, form)
    if not form.whole:
        spec["datasets"] = spec["datasets"][:1]
    reference["columns"], kept = [], reference["columns"]
    wanted = [position for position, column in enumerate(kept) if column["dataset"] in spec["datasets"]]
    reference["columns"] = [kept[position] for position in wanted]
    for row in reference["rows"]:
        row["values"] = [row["values"][position] for position in wanted]
    folder.mkdir()
    for file, content in (("spec", spec), ("reference", reference)):
        yaml.dump(content, folder / f"{file}.yaml")
    return folder / "spec.yaml"


def _cut_retrieval(spec: dict, form: Form) -> None:
    seen, combinations = set(), []
    for combination in alternatives(spec["methods"]):
        del combination["network"]
        for parameters in combination["backbone"].values():
            parameters |= form.backbone
        kinds = str({kind: _names(choice) for kind, choice in combination.items()})
        if form.whole or kinds not in seen:
            combinations.append(combination)
        seen.add(kinds)
    spec["methods"] = combinations


def _names(choice: Any) -> list:
    return [next(iter(one)) if isinstance(one, dict) else one for one in alternatives(choice)]


def _cut_active(spec: dict, reference: dict, form: Form) -> None:
    spec["seeds"] = [0]
    initial = {name: own["initial"] for name, own in spec.pop("protocols", {}).items()}
    spec["protocol"] |= {"initial": LABELS, "budget": LABELS}
    reference["common"]["network"] = form.network
    for column in reference["columns"]:
        metric, at, labels = column["metric"].partition("@")
        if at:
            column["metric"] = f"{metric}@{int(labels) * LABELS // initial[column['dataset']]}"


def check(name: str, form: Form, root, tmp_path, data, command) -> None:
    """From plan to leaderboard; every published row has a measured number, and none that compares the two."""
    spec = cut(root, name, tmp_path / name, form)
    folders = f"--data {data(form)} --cache {data(form) / 'cache'}"
    started = time.perf_counter()
    done = command(f"harness run {spec} --dry-run {folders}")
    assert done.code == 0, done.err
    done = command(f"harness run {spec} --workers {2 if form.whole else 1} {folders}")
    assert done.code == 0, done.out + done.err
    records = Store(spec.parent / "runs").read_all()
    print(f"{name}: {len(records)} runs, {time.perf_counter() - started:.0f} s")
    assert {record.status for record in records} == {"done"}
    assert all(record.stand_in for record in records)
    reference = read_reference(spec.parent / "reference.yaml")
    if reference.study == "agreement":
        done = command(f"harness agreement {spec} {folders}")
        assert done.code == 0, done.err
        assert all(row.name in done.out for row in reference.rows)
        return
    done = command(f"harness leaderboard {spec} {folders} --plots {tmp_path / 'plots'}")
    assert done.code == 0, done.err
    assert NOTE in done.out
    assert ", difference" not in done.out
    assert list((tmp_path / "plots").glob("*.svg"))
    _assert_measured(command(f"harness leaderboard {spec} {folders} --format csv").out, reference, records)


def _assert_measured(table: str, reference, records) -> None:
    """Rows that a record fits have a number; where the board is whole, that is all of them."""
    fitting = {row.name for record in records if (row := reference.row_of(record))}
    rows = list(csv.DictReader(io.StringIO(table[table.index("task,dataset,rank") :])))
    measured = [row for row in rows if row["runs"] == row["expected"]]
    # A spreadsheet would take a name that begins with + for a formula: it has an apostrophe before it.
    assert {row["published as"].removeprefix("'") for row in measured} >= fitting
    metric = reference.columns[0].metric
    assert any(row[f"{metric} mean"] for row in measured)


@pytest.mark.parametrize("name", [*BOARDS[:2], *(pytest.param(name, marks=pytest.mark.slow) for name in BOARDS[2:])])
def test_a_board_of_the_thesis_runs_from_plan_to_leaderboard(name, root, tmp_path, data, command):
    check(name, SHORT, root, tmp_path, data, command)


@pytest.mark.slow
@pytest.mark.parametrize("name", BOARDS)
def test_a_whole_board_of_the_thesis_runs_from_plan_to_leaderboard(name, root, tmp_path, data, command):
    check(name, FULL, root, tmp_path, data, command)
