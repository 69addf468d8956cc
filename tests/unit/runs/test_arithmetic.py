"""``device`` and ``numerics`` of a spec: what they mean for identities, records and boards. Needs no GPU."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

import harness
from harness.boards.building import boards
from harness.boards.footer import machines
from harness.core.devices import numerics_key
from harness.core.errors import Errors, InvalidInput, SpecError
from harness.data.folders import data_folders
from harness.registry import load_registry
from harness.runs import devices, environment
from harness.runs.identity import recorded_id
from harness.runs.plan import make_plan
from harness.runs.plausibility import implausible
from harness.runs.recreate import describe, restored
from harness.runs.shared_maps import kept_maps
from harness.studies.reproduce import reproduce

TOY = str(Path(__file__).parents[2] / "fixtures" / "toy.py")
SPEC = {
    "name": "arithmetic",
    "task": "retrieval",
    "datasets": "toy-images",
    "plugins": [TOY],
    "methods": {"backbone": "colour", "pooling": ["mac", "spoc"]},
}
LEARNING = {
    "name": "arithmetic",
    "task": "active-learning",
    "datasets": "digits",
    "seeds": 0,
    "methods": {"network": "small-cnn", "learning": {"supervised": {"epochs": 2}}, "acquisition": "random"},
    "protocol": {"initial": 10, "budget": 10, "cycles": 2},
}


@pytest.fixture
def folders(tmp_path):
    return {"data": tmp_path / "data", "cache": tmp_path / "cache"}


@pytest.fixture
def plan(folders):
    def planned(spec=SPEC, device=None, numerics=None, **changes):
        return make_plan({**spec, **changes}, data_folders(**folders), device=device, numerics=numerics)

    return planned


@pytest.mark.parametrize("spec", [SPEC, LEARNING])
def test_float32_on_the_cpu_is_what_runs_were_before(plan, spec):
    plain, stated = plan(spec).runs, plan(spec, device="cpu", numerics="fp32").runs
    assert [run.id for run in stated] == [run.id for run in plain]
    assert not {"device", "numerics"} & describe(stated[0]).protocol.keys()
    assert "numerics" not in json.dumps(describe(plain[0]).non_default)
    assert numerics_key("cpu", "fp32") == "fp32-cpu-threads-1"


@pytest.mark.parametrize("spec", [SPEC, LEARNING])
def test_other_arithmetic_is_another_run(plan, spec):
    settings = [("cpu", "fp32"), ("cpu", "bf16"), ("cuda", "fp32"), ("cuda", "tf32"), ("cuda", "bf16")]
    runs = [plan(spec, device=device, numerics=numerics).runs[0] for device, numerics in settings]
    assert len({run.id for run in runs}) == len(settings)
    described = describe(runs[3])
    assert (described.protocol["device"], described.protocol["numerics"]) == ("cuda", "tf32")
    assert recorded_id(described) == described.id
    again = restored(described, load_registry([TOY]), (), plan().folders)
    assert (again.protocol.device, again.protocol.numerics) == ("cuda", "tf32")


def test_a_run_of_a_gpu_is_not_reproduced_where_there_is_none(plan, folders, monkeypatch):
    def usable(device):
        raise InvalidInput(f"no {device} here")

    monkeypatch.setattr("harness.core.devices.usable", usable)
    monkeypatch.setattr("harness.runs.tasks.usable", usable)
    monkeypatch.setattr("harness.studies.reproduce.usable", usable, raising=False)
    record = describe(plan(device="cuda").runs[0]).model_copy(update={"status": "done"})
    with pytest.raises(InvalidInput, match="no cuda here"):
        reproduce(record, plugins=[TOY], data=folders["data"])


def test_options_of_the_command_come_before_all_that_the_spec_says(plan):
    own = {"device": "cuda", "numerics": "bf16"}
    combination = {**SPEC["methods"], "protocol": {"device": "cuda"}}
    for stated in ({"protocol": own}, {"protocols": {"toy-images": own}}, {"methods": [combination]}):
        asked = plan(device="cpu", numerics="fp32", **stated).runs
        assert [run.id for run in asked] == [run.id for run in plan().runs]
    kept = plan(numerics="fp32", protocol=own).runs[0].protocol
    assert (kept.device, kept.numerics) == ("cuda", "fp32")


def test_keys_of_the_spec_and_options_of_the_command_say_the_same(plan):
    stated = plan(device="cuda", numerics="tf32").runs
    spec = {**SPEC, "device": "cuda", "numerics": "tf32"}
    assert [run.id for run in plan(spec).runs] == [run.id for run in stated]
    assert [run.id for run in plan(spec, device="cpu", numerics="fp32").runs] == [run.id for run in plan().runs]
    both = {**SPEC, "protocol": {"device": ["cpu", "cuda"]}}
    assert [run.setting for run in plan(both).runs[::2]] == ["device=cpu", "device=cuda"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"device": "gpu"}, "device"),
        ({"numerics": "fp16"}, "numerics"),
        ({"numerics": "tf32"}, "numerics tf32 is arithmetic of a GPU"),
    ],
)
def test_what_is_no_arithmetic_is_one_mistake(plan, changes, message):
    with pytest.raises(Errors, match=message) as caught:
        plan({**SPEC, **changes})
    assert len(caught.value.errors) == 1


def test_options_that_are_none_are_refused(plan):
    with pytest.raises(SpecError, match='unknown device "gpu"'):
        plan(device="gpu")


@pytest.mark.parametrize(
    ("cards", "built", "device"), [(("0",), True, "cuda"), ((), True, "cpu"), (("0",), False, "cpu")]
)
def test_auto_is_decided_where_the_runs_are_planned(monkeypatch, plan, cards, built, device):
    monkeypatch.setattr(devices, "cuda_devices", lambda: cards)
    monkeypatch.setattr(devices, "torch_has_cuda", lambda: built)
    assert [run.id for run in plan(device="auto").runs] == [run.id for run in plan(device=device).runs]


def test_whether_torch_has_cuda_is_read_from_its_file():
    assert devices.torch_has_cuda() == (torch.version.cuda is not None)


def test_kept_maps_of_other_arithmetic_lie_apart(plan, tmp_path):
    spec = {**SPEC, "methods": {**SPEC["methods"], "reranking": "dsm"}}
    runs = [plan(spec, device=device).runs[0] for device in ("cpu", "cuda")]
    assert runs[0].shares_maps
    assert len({kept_maps(run, tmp_path) for run in runs}) == 2


def test_a_card_that_is_not_there_fails_the_run_in_one_sentence(monkeypatch, tmp_path, folders):
    monkeypatch.setattr(torch.version, "cuda", "13.0")
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    for spec in (SPEC, LEARNING):
        record = harness.run(spec, runs=tmp_path / "runs", device="cuda", **folders)[0]
        assert record.failure.message == 'device "cuda": torch sees no CUDA device here'
        assert record.failure.fix
        assert not implausible(record)


def test_boards_do_not_mix_arithmetic(tmp_path, folders):
    records = [
        record
        for numerics in ("fp32", "bf16")
        for record in harness.run(SPEC, runs=tmp_path / "runs", numerics=numerics, **folders)
    ]
    assert {record.status for record in records} == {"done"}
    found = boards(records)
    assert [len(board.rows) for board in found] == [2, 2]
    assert [board.dataset for board in found] == ["toy-images", "toy-images numerics=bf16"]
    assert "numerics bf16" in harness.leaderboard(records, format="markdown", cost=False)


@pytest.mark.slow
def test_learning_in_bfloat16_is_another_training(tmp_path, folders):
    plain, rough = (
        harness.run(LEARNING, runs=tmp_path / "runs", numerics=numerics, **folders)[0] for numerics in ("fp32", "bf16")
    )
    assert rough.status == "done"
    losses = [record.details["cycles"][0]["health"]["loss"] for record in (plain, rough)]
    assert losses[0] != losses[1]
    assert losses[0] == pytest.approx(losses[1], rel=0.2)


def test_boards_name_the_card_and_its_driver(monkeypatch, tmp_path, plan):
    run = describe(plan(device="cuda").runs[0])
    gpu = {"name": "NVIDIA H200", "driver": "570.86.15", "cuda": "12.8", "memory_bytes": 150_000_000_000}
    done = {"status": "done", "figures": {"gpu_peak_bytes": 2.5e9}, "metrics": {"map_medium": 0.5}}
    record = run.model_copy(update={**done, "environment": {"cpu": "EPYC", "gpu": gpu}})
    assert machines([record]) == ["NVIDIA H200 (driver 570.86.15) with EPYC"]
    table = harness.leaderboard([record], format="markdown")
    assert "GPU peak MB" in table
    assert "2500.0" in table
    assert "device cuda" in table
    version = tmp_path / "version"
    version.write_text("NVRM version: NVIDIA UNIX x86_64 Kernel Module  570.86.15  Fri Jan 10\nGCC version: 12.2\n")
    monkeypatch.setattr(environment, "_DRIVER", version)
    assert environment._driver() == "570.86.15"


def test_the_card_of_a_run_stands_in_its_record(monkeypatch, tmp_path, folders):
    """A run that believes to be on a card: what is asked of torch is replaced, work is done on the CPU."""
    from harness.core import devices as core
    from harness.retrieval import extraction
    from harness.runs import single, tasks

    monkeypatch.setattr(core, "usable", lambda device: "cpu")
    monkeypatch.setattr(tasks, "usable", lambda device: device)
    on_cpu = extraction._tensor
    monkeypatch.setattr(extraction, "_tensor", lambda image, device="cpu": on_cpu(image))
    monkeypatch.setattr(single, "gpu_in_use", lambda: {"name": "a card"})
    for name, value in (("reset_peak_memory_stats", None), ("max_memory_allocated", 7), ("empty_cache", None)):
        monkeypatch.setattr(torch.cuda, name, lambda value=value: value)
    monkeypatch.setattr("harness.search.exact.default_device", lambda: "cpu")
    record = harness.run(SPEC, runs=tmp_path / "runs", device="cuda", **folders)[0]
    assert record.failure is None
    assert record.environment["gpu"] == {"name": "a card"}
    assert record.figures["gpu_peak_bytes"] == 7
    plain = harness.run(SPEC, runs=tmp_path / "runs", **folders)[0]
    assert "gpu" not in plain.environment
    assert "gpu_peak_bytes" not in plain.figures
    assert np.array_equal(plain.details["ranks"], record.details["ranks"])
