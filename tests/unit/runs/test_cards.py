"""Cards and who has them, without a card: ``nvidia-smi`` is a script, and nothing is computed on CUDA."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

import harness
from harness.core import cards
from harness.core.cards import cuda_devices, lock_name
from harness.core.progress import SilentProgress
from harness.runs.executors import gpus
from harness.runs.executors.choose import Options
from harness.runs.executors.gpus import GpuSlots
from harness.runs.executors.processes import Processes

TOY = str(Path(__file__).parents[2] / "fixtures" / "toy.py")
ALIKE = "GPU 0: NVIDIA H200 (UUID: GPU-aaa1)\nGPU 1: NVIDIA H200 (UUID: GPU-bbb2)\n"
UNLIKE = "GPU 0: Tesla T4 (UUID: GPU-aaa1)\nGPU 1: NVIDIA H200 (UUID: GPU-bbb2)\n"
PARTS = ALIKE + "  MIG 3g.71gb     Device  0: (UUID: MIG-ccc3)\n  MIG 3g.71gb     Device  1: (UUID: MIG-ddd4)\n"


@pytest.fixture
def machine(monkeypatch, tmp_path):
    """A machine whose driver lists these cards; without a list it has neither the program nor the folder."""
    for name in ("CUDA_VISIBLE_DEVICES", "CUDA_DEVICE_ORDER", "SLURM_JOB_ID"):
        monkeypatch.delenv(name, raising=False)

    def made(listed=None, numbered=0, **variables):
        folder = tmp_path / "bin"
        folder.mkdir()
        monkeypatch.setenv("PATH", str(folder))
        if listed is not None:
            (folder / "nvidia-smi").write_text(f"#!/bin/sh\nprintf '%s' '{listed}'\n")
            (folder / "nvidia-smi").chmod(0o755)
        for number in range(numbered):
            (tmp_path / "gpus" / str(number)).mkdir(parents=True)
        monkeypatch.setattr(cards, "_CARDS", tmp_path / "gpus")
        for name, value in variables.items():
            monkeypatch.setenv(name, value)

    return made


@pytest.mark.parametrize(
    ("listed", "visible", "found"),
    [
        (ALIKE, None, ("GPU-aaa1", "GPU-bbb2")),
        (ALIKE, "1", ("GPU-bbb2",)),
        (ALIKE, "1, 0", ("GPU-bbb2", "GPU-aaa1")),
        (ALIKE, "GPU-bb", ("GPU-bbb2",)),
        (ALIKE, "GPU-", ("GPU-",)),
        (ALIKE, "5", ("5",)),
        (ALIKE, "-1", ()),
        (ALIKE, "", ()),
        (ALIKE, "NoDevFiles", ()),  # what SLURM says to a job without a card
        (ALIKE, "1,-1,0", ("GPU-bbb2",)),  # CUDA does not read on
        (UNLIKE, "1", ("1",)),  # CUDA may number them otherwise
        (PARTS, None, ("GPU-aaa1", "MIG-ccc3", "MIG-ddd4")),
        (PARTS, "MIG-ddd4", ("MIG-ddd4",)),
        (PARTS, "0", ("0",)),
        (None, "2, 3", ("2", "3")),
        (None, None, ()),
    ],
)
def test_cards_are_named_by_what_means_one_card_everywhere(machine, listed, visible, found):
    machine(listed, **({} if visible is None else {"CUDA_VISIBLE_DEVICES": visible}))
    assert cuda_devices() == found


def test_cards_of_different_models_are_numbered_by_the_bus_where_cuda_does_so_too(machine):
    machine(UNLIKE, CUDA_VISIBLE_DEVICES="1", CUDA_DEVICE_ORDER="PCI_BUS_ID")
    assert cuda_devices() == ("GPU-bbb2",)


def test_without_the_program_the_driver_counts(machine):
    machine(None, numbered=2)
    assert cuda_devices() == ("0", "1")


def test_a_number_means_a_card_of_its_job(monkeypatch):
    monkeypatch.delenv("SLURM_JOB_ID", raising=False)
    assert lock_name("0") == "0"
    monkeypatch.setenv("SLURM_JOB_ID", "17")
    assert (lock_name("0"), lock_name("GPU-aaa1")) == ("17-0", "GPU-aaa1")


def test_a_card_is_given_to_one_run_at_a_time(tmp_path):
    slots, others = (GpuSlots(("0", "1"), tmp_path) for _ in range(2))
    first, second = slots.take(), others.take()
    assert [first[1], second[1]] == [{"CUDA_VISIBLE_DEVICES": "0"}, {"CUDA_VISIBLE_DEVICES": "1"}]
    assert slots.take() is None
    first[0].release()
    assert others.take()[1] == {"CUDA_VISIBLE_DEVICES": "0"}
    assert GpuSlots((), tmp_path).take() == (None, {})


@pytest.fixture
def spec():
    return {
        "name": "cards",
        "task": "retrieval",
        "datasets": "toy-images",
        "plugins": [TOY],
        "methods": {"backbone": "colour", "pooling": "mac"},
    }


def test_a_run_waits_for_a_card_with_a_message_and_not_longer_than_it_may_take(tmp_path, monkeypatch, spec):
    monkeypatch.setattr("tempfile.gettempdir", lambda: str(tmp_path))
    monkeypatch.setattr(gpus, "cuda_devices", lambda: ("GPU-aaa1",))
    monkeypatch.setattr(gpus, "_SILENT_SECONDS", 0.1)
    held, _ = GpuSlots().take()
    options = Options(executor="processes", workers=2, seconds=0.4)
    folders = {name: tmp_path / name for name in ("runs", "cache", "data")}
    with pytest.warns(UserWarning, match="waiting for a GPU: the GPU of this machine is in use by other processes"):
        (record,) = harness.run(spec, device="cuda", options=options, **folders)
    held.release()
    assert record.failure.code == "Timeout"
    assert "waited longer than 0.4 s for a GPU" in record.failure.message


def test_time_counts_without_a_break_only(monkeypatch):
    clock = iter([10.0, 14.0, 20.0])
    monkeypatch.setattr(gpus.time, "monotonic", lambda: next(clock))
    patience = gpus.Patience()
    assert patience.waited(True, 2) == 0
    with pytest.warns(UserWarning, match="all 2 GPUs"):
        assert patience.waited(True, 2) == 4
    assert patience.waited(False, 0) == 0
    assert patience.waited(True, 2) == 0


def test_an_idle_process_gives_its_card_up(tmp_path):
    ended = []
    idle = [
        SimpleNamespace(environment={"CUDA_VISIBLE_DEVICES": card}, close=lambda card=card: ended.append(card))
        for card in ("", "GPU-aaa1")
    ]
    executor = Processes(1, SilentProgress(), gpus=GpuSlots((), tmp_path))
    executor._idle = list(idle)
    executor._start_waiting()
    assert ended == ["GPU-aaa1"]
    assert executor._idle == idle[:1]
    executor._idle.clear()
