"""Each board of the thesis shows each image to each network once at each scale, whatever reads the maps."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

import pytest
import yaml

from harness.data.folders import data_folders
from harness.data.stand_in.write import write_stand_in
from harness.runs.plan import make_plan
from harness.runs.runner import run_plan
from harness.runs.store import Store

COUNTING = str(Path(__file__).parents[1] / "fixtures" / "counting.py")
BOARDS = ("figure-5-10", "table-4-1", "table-4-2", "table-4-3", *(f"table-4-{n}" for n in (5, 6, 7, 8)), "table-5-1")

QUICK = ("table-4-1",)
"""Powers of scales and networks; DSM, regions and poolings that learn are in the others."""


@pytest.fixture(scope="session")
def stand_ins(tmp_path_factory):
    """84 images a dataset, queries among them."""
    folder = tmp_path_factory.mktemp("stand-ins")
    for name in ("roxford5k", "rparis6k", "instre"):
        write_stand_in(name, folder, images=70, size=48)
    return folder


def cheap(root, board):
    """The spec of a board with a cheap network in place of each, and what needs files of networks replaced."""

    def replaced(kind, choice):
        name, values = next(iter(choice.items())) if isinstance(choice, dict) else (choice, {})
        if kind == "backbone":
            upsample = values.get("upsample", False)
            return {"counting": {"network": f"{name} {values['weights']}", "upsample": upsample}}
        return {"learned": {"pca": {"shrink": 0.1}}, "learned-gem": "gem"}.get(name, choice)

    spec = yaml.safe_load((root / "leaderboards" / f"thesis-{board}" / "spec.yaml").read_text())
    combinations = spec["methods"] if isinstance(spec["methods"], list) else [spec["methods"]]
    spec["methods"] = [
        {
            kind: [replaced(kind, one) for one in choice] if isinstance(choice, list) else replaced(kind, choice)
            for kind, choice in combination.items()
        }
        for combination in combinations
    ]
    spec["protocol"]["image_size"] = 48
    return spec


@pytest.mark.parametrize(
    "board", [board if board in QUICK else pytest.param(board, marks=pytest.mark.slow) for board in BOARDS]
)
def test_networks_times_images_times_scales(root, board, stand_ins, tmp_path):
    spec, cache = cheap(root, board), tmp_path / "cache"
    plan = make_plan(spec, data_folders(stand_ins, cache), plugins=(COUNTING,))
    expected: Counter[str] = Counter()
    for dataset in {run.dataset.fingerprint: run.dataset for run in plan.runs}.values():
        data = dataset.loader.method.load(plan.folders)
        assert len(data.images) + len(data.queries) == 84
        networks = {run.methods["backbone"].method for run in plan.runs}
        scales = {scale for run in plan.runs for scale in run.protocol.scales}
        for network in networks:
            expected[f"{network.network} {network.upsample}"] += 84 * len(scales)
    passes = sys.modules[type(plan.runs[0].methods["backbone"].method).__module__].PASSES  # type: ignore[attr-defined]
    passes.clear()
    records = run_plan(plan, Store(tmp_path / "runs"))
    assert [record.failure for record in records if record.status == "failed"] == []
    assert passes == expected
    assert not list((cache / "maps").glob("*"))


POOLINGS = ("mac", "spoc", "gem", "crow", "rmac", "rgem", "fs-egm")
WHITENINGS = ("none", "pca", {"pca": {"preset": "thesis"}})


def test_seven_poolings_and_three_whitenings_are_one_pass(tmp_path):
    images = {"synthetic-instances": {"objects": 3, "images": 12, "queries": 3, "size": 48}}
    methods = {"backbone": "counting", "pooling": [*POOLINGS], "whitening": [*WHITENINGS]}
    protocol = {"image_size": 48, "scales": [1.0, 0.5]}
    spec = {"name": "s", "task": "retrieval", "datasets": [images], "methods": methods, "protocol": protocol}
    plan = make_plan(spec, data_folders(tmp_path, tmp_path / "cache"), plugins=(COUNTING,))
    passes = sys.modules[type(plan.runs[0].methods["backbone"].method).__module__].PASSES  # type: ignore[attr-defined]
    passes.clear()
    records = run_plan(plan, Store(tmp_path / "runs"))
    assert [record.status for record in records] == ["done"] * 21
    assert passes == {"vgg16 False": (12 + 3) * 2}
    # The pass is in the cost of the first run, and in that of the others as shared.
    assert [record.cost["describe database"].cached for record in records] == [False] + [True] * 20


def test_each_run_has_the_cost_of_the_pass_that_it_shares(tmp_path):
    images = {"synthetic-instances": {"objects": 2, "images": 6, "queries": 2, "size": 48}}
    methods = {"backbone": "tiny", "pooling": ["gem", "mac", "spoc"]}
    spec = {"name": "s", "task": "retrieval", "datasets": [images], "methods": methods, "protocol": {"image_size": 48}}
    records = run_plan(make_plan(spec, data_folders(tmp_path, tmp_path / "cache")), Store(tmp_path / "runs"))
    for stage in ("describe database", "describe queries"):
        assert [record.cost[stage].cached for record in records] == [False, True, True]
