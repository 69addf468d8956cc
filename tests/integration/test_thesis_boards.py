"""Every board of the thesis goes from plan to leaderboard on stand-ins, in the default executor.

The short form has one combination of each set of methods of a board, on one dataset, and small networks that `harness
train` makes as docs/thesis.md says; `make thesis-check` runs all rows on all datasets with networks of the real size.
"""

from __future__ import annotations

import csv
import io
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from ruamel.yaml import YAML

from harness.boards import read_reference
from harness.data.stand_in.marker import NOTE, mark
from harness.data.stand_in.write import write_stand_in
from harness.registry import load_registry
from harness.runs.store import Store
from harness.studies.spatial_spec import train_spatial
from harness.studies.train_whitening import train_whitening

BOARDS = [f"thesis-table-{n}" for n in ("3-2", "3-4", "4-1", "4-2", "4-3", "4-5", "4-6", "4-7", "4-8", "5-1")]
BOARDS.append("thesis-figure-5-10")
LIKE_OTHERS = {f"thesis-table-{n}" for n in ("4-1", "4-3", "4-5", "4-6", "4-7")}
"""Of the methods and data of 4-2 and 4-8, which stand for them where time counts."""
PLUGIN = str(Path(__file__).parents[1] / "fixtures" / "small_networks.py")
IMAGENET = {"vgg16": "vgg16-397923af.pth", "resnet101": "resnet101-63fe2227.pth"}
VGG16, RESNET101 = "retrievalSfM120k-vgg16-gem-b4dcdc6.pth", "retrievalSfM120k-resnet101-gem-b80fb85.pth"
NETWORKS = {
    VGG16: ("vgg16", "gem", "imagenet"),
    RESNET101: ("resnet101", "gem", "imagenet"),
    "thesis/vgg16-mac.pth": ("vgg16", "mac", "imagenet"),
    "thesis/resnet101-mac.pth": ("resnet101", "mac", "imagenet"),
}
"""Files below ``networks``: what is trained with which pooling, and from where."""
for name, pooling, start in (
    ("vgg16", "mac", "thesis/vgg16-mac.pth"),
    ("resnet101", "mac", "thesis/resnet101-mac.pth"),
    ("resnet101", "gem", RESNET101),
):
    NETWORKS[f"thesis/{name}-{pooling}-tsp.pth"] = (name, pooling, start)
RETRIEVAL, CLASSIFICATION = ("roxford5k", "rparis6k", "instre"), ("cifar10", "cifar100")
LABELS = 10
"""Initial labels and budget of a cycle, in place of 100 or 1,000."""
yaml = YAML(typ="safe", pure=True)
yaml.default_flow_style = False


@dataclass(frozen=True)
class Form:
    """How far a board is cut."""

    images: int
    size: int
    classified: tuple[int, int]
    """Images of CIFAR-10 and of CIFAR-100."""
    names: dict[str, str]
    """Names of methods in place of those that the board has."""
    whole: bool
    """All combinations on all datasets, with networks of the real size; otherwise small ones that are trained here."""


TRAINING = {"epochs": 10, "pre_epochs": 1, "semi_epochs": 2, "learning_rate": 0.02}
"""Few steps that fit ten labels wherever they are computed: a run whose training learns nothing fails."""
FEATURES = {"max_features": 48}
"""Of DSM: untrained networks have more than trained ones, and every pair of them is a hypothesis."""
SMALL = {"cnn13": "small-cnn", "vgg16": "small-vgg16", "resnet101": "small-resnet101"}
SHORT = Form(10, 72, (100, 100), SMALL, whole=False)
FULL = Form(20, 256, (120, 500), {"cnn13": "small-cnn"}, whole=True)
"""cnn13 learns nothing from ten labels; pre-training makes five clusters of each class."""
REGIONS = ("thesis-table-5-1", "thesis-figure-5-10")
"""Their poolings find regions; maps of VGG16 have room for several from 256 pixels on. Other boards see 96 pixels."""


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Makes the data folder of a form, once."""
    made = {}
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # small networks wait for threads more than they compute

    def folder(form: Form):
        if form.whole not in made:
            made[form.whole] = out = tmp_path_factory.mktemp("stand-ins")
            for name in RETRIEVAL:
                write_stand_in(name, out, images=form.images, size=form.size)
            for name, images in zip(CLASSIFICATION, form.classified, strict=True):
                write_stand_in(name, out, images=images)
            if form.whole:
                write_stand_in("networks", out)
            else:
                make_networks(out)
        return made[form.whole]

    yield folder
    torch.set_num_threads(threads)


def make_networks(data: Path) -> None:
    """The networks that the short form needs, small, made as docs/thesis.md says."""
    write_stand_in("sfm120k", data, images=20, size=48)
    networks = data / "networks"
    for folder in ("imagenet", "thesis", "whitening"):
        (networks / folder).mkdir(parents=True)
    mark(networks, "networks", 0, 0)
    registry = load_registry([PLUGIN])
    for name, file in IMAGENET.items():
        network = registry.create("backbone", SMALL[name], weights="none")
        torch.save(network.module().features.state_dict(), networks / "imagenet" / file)
    for file, (name, pooling, start) in NETWORKS.items():
        matching = {"dsm": FEATURES} if file.endswith("-tsp.pth") else "none"
        spec = {
            "name": "network",
            "plugins": [PLUGIN],
            "backbone": {SMALL[name]: {"weights": start if start == "imagenet" else f"networks/{start}"}},
            "dataset": "sfm120k",
            "training": {"pooling": pooling, "steps": 1, "batch": 2, "negatives": 2, "size": 48, "pool": 12,
                         "queries": 2, "optimiser": "sgd", "learn_p": pooling == "gem"},
            "checkpoints": {str(networks / file): {"matching": matching}},
        }  # fmt: skip
        (_,) = train_spatial(spec, data=data, cache=data / "cache")
        _whiten(data, name, f"networks/{file}", pooling, networks / file)
    for name in IMAGENET:
        _whiten(data, name, "imagenet", "gem", networks / "whitening" / f"{name}-imagenet-gem.pth")


def _whiten(data: Path, name: str, weights: str, pooling: str, out: Path) -> None:
    spec = {
        "name": "whitening",
        "task": "retrieval",
        "datasets": [{"sfm120k": {"part": "whiten"}}],
        "plugins": [PLUGIN],
        "methods": {
            "backbone": {SMALL[name]: {"weights": weights}},
            "pooling": pooling,
            "whitening": {"supervised": {"preset": "thesis"}},
        },
        "protocol": {"image_size": 48, "scales": [1.0, 0.5]},
    }
    train_whitening(spec, out, into=out.exists(), data=data, cache=data / "cache")


def replaced(value: Any, values: dict[str, Any], names: dict[str, str]) -> Any:
    """The same with other values of keys and other names."""
    if isinstance(value, list):
        return [replaced(item, values, names) for item in value]
    if isinstance(value, dict):
        return {names.get(key, key): values.get(key, replaced(item, values, names)) for key, item in value.items()}
    return names.get(value, value) if isinstance(value, str) else value


def alternatives(value: Any) -> list:
    return value if isinstance(value, list) else [value]


def cut(root, name: str, folder, form: Form):
    """Write a board's spec and its published numbers, cut; rows keep their methods. Returns the path of the spec."""
    source = root / "leaderboards" / name
    spec, reference = (yaml.load(source / f"{file}.yaml") for file in ("spec", "reference"))
    values = TRAINING if form.whole else TRAINING | FEATURES
    spec = replaced(spec, values | {"image_size": form.size if name in REGIONS else min(form.size, 96)}, form.names)
    reference = replaced(reference, {}, form.names)
    if spec["task"] == "retrieval":
        _cut_retrieval(spec, form)
    else:
        _cut_active(spec, reference)
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
    if form.whole:
        return
    spec["plugins"] = [PLUGIN]
    combinations = {}
    for combination in alternatives(spec["methods"]):
        for methods in _each_once(combination):
            names = str({kind: choice if isinstance(choice, str) else list(choice) for kind, choice in methods.items()})
            combinations[names] = methods
    spec["methods"] = list(combinations.values())  # of each set of methods the last: +TSP where there is one
    scales = spec["protocol"]["scales"]
    spec["protocol"]["scales"] = scales[-1] if isinstance(scales[-1], list) else scales


def _each_once(combination: dict) -> Iterator[dict]:
    """Combinations without alternatives, in which each method is at least once; of swept parameters the last value."""
    kinds = {kind: alternatives(choice) for kind, choice in combination.items() if kind != "protocol"}
    options = {kind: combination[kind] for kind in combination.keys() - kinds}
    for number in range(max(map(len, kinds.values()))):
        yield options | {kind: _last(choices[min(number, len(choices) - 1)]) for kind, choices in kinds.items()}


def _last(choice: Any) -> Any:
    """A method without sweeps."""
    if isinstance(choice, str):
        return choice
    ((name, values),) = choice.items()
    return {name: {key: value[-1] if isinstance(value, list) else value for key, value in values.items()}}


def _cut_active(spec: dict, reference: dict) -> None:
    spec["seeds"] = [0]
    initial = {name: own["initial"] for name, own in spec.pop("protocols", {}).items()}
    spec["protocol"] |= {"initial": LABELS, "budget": LABELS}
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


@pytest.mark.parametrize("name", [pytest.param(n, marks=pytest.mark.slow) if n in LIKE_OTHERS else n for n in BOARDS])
def test_a_board_of_the_thesis_runs_from_plan_to_leaderboard(name, root, tmp_path, data, command):
    check(name, SHORT, root, tmp_path, data, command)


@pytest.mark.slow
@pytest.mark.parametrize("name", BOARDS)
def test_a_whole_board_of_the_thesis_runs_from_plan_to_leaderboard(name, root, tmp_path, data, command):
    check(name, FULL, root, tmp_path, data, command)
