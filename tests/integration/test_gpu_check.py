"""``make gpu-check`` where there is no GPU: it says so, and its parts work on the CPU."""

from __future__ import annotations

import importlib
import json
import sys

import pytest
import torch


@pytest.fixture
def check(root, monkeypatch):
    monkeypatch.syspath_prepend(str(root / "tools" / "gpu"))
    monkeypatch.setenv("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    yield importlib.import_module("check")
    for name in ("check", "computations", "facts", "networks", "surroundings"):
        sys.modules.pop(name, None)


def test_without_a_gpu_one_sentence_says_so(check, monkeypatch, capsys):
    monkeypatch.setattr(torch.version, "cuda", "13.0")
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    assert check.main([]) == 0
    assert capsys.readouterr().out == 'Nothing to check: device "cuda": torch sees no CUDA device here.\n'


def test_what_is_wrong_is_counted_and_a_part_that_breaks_is_wrong(check, monkeypatch, capsys, tmp_path):
    def wrong(setting):
        yield check.Fact("one is two", 1 == 2, False)
        raise ValueError("broken")

    def right(setting):
        yield check.Fact("half", 0.5)

    monkeypatch.setattr(check, "PARTS", ((1, wrong), (1, right), (1000, wrong)))
    assert check.main(["--device", "cpu:0", "--out", str(tmp_path / "facts.json")]) == 1
    lines = capsys.readouterr().out
    assert "FAIL one is two: False" in lines
    assert "ValueError: broken" in lines
    assert "     half: 0.5" in lines
    assert "left out: 0 s of 420 are gone" in lines
    assert lines.endswith("2 of 5 facts are wrong.\n")
    assert len(json.loads((tmp_path / "facts.json").read_text())) == 5


def test_the_parts_fit_into_its_time(check):
    assert sum(need for need, _ in check.PARTS) <= 420


@pytest.mark.parametrize("part", ["machine", "search"])
def test_parts_work_on_the_cpu(check, capsys, part):
    assert check.main(["--device", "cpu:0", "--small", "--only", part]) == 0
    assert "ok  " in capsys.readouterr().out


@pytest.mark.slow
def test_all_parts_work_on_the_cpu(check, capsys):
    assert check.main(["--device", "cpu:0", "--small", "--seconds", "3600"]) == 0
    assert "left out" not in capsys.readouterr().out
