"""Devices and torch's generators, on a machine without a GPU: torch's view of the cards is replaced."""

from __future__ import annotations

import ast
import contextlib
import types

import numpy as np
import pytest
import torch

from harness.core.devices import autocast, computing, default_device, is_bf16, usable
from harness.core.errors import InvalidInput
from harness.core.generators import torch_seeded
from harness.graph import Solver, affinity, neighbours, normalise
from harness.search.exact import top_k


@pytest.fixture
def cards(monkeypatch):
    """Sets how many CUDA devices torch sees."""

    def seen(count):
        monkeypatch.setattr(torch.version, "cuda", "13.0")
        monkeypatch.setattr(torch.cuda, "device_count", lambda: count)

    return seen


@pytest.mark.parametrize(
    ("count", "device", "message"),
    [
        (0, "cuda", "no CUDA device here"),
        (1, "cuda:1", "1 CUDA device here"),
        (2, "cuda:7", "2 CUDA devices here"),
        (1, "gpu", 'no device is called "gpu"'),
    ],
)
def test_a_device_that_is_not_there_is_one_sentence(cards, count, device, message):
    cards(count)
    with pytest.raises(InvalidInput, match=message) as caught:
        usable(device)
    assert "\n" not in caught.value.headline
    assert caught.value.fix


def test_a_torch_without_cuda_says_so(monkeypatch):
    monkeypatch.setattr(torch.version, "cuda", None)
    with pytest.raises(InvalidInput, match="without CUDA"):
        usable("cuda")


def test_devices_that_are_there(cards):
    cards(2)
    assert [usable(name) for name in ("cpu", "cpu:0", "cuda", "cuda:1")] == ["cpu", "cpu:0", "cuda", "cuda:1"]


def test_search_and_solver_refuse_a_card_that_is_not_there(cards):
    cards(0)
    x = np.eye(12, dtype=np.float32)
    with pytest.raises(InvalidInput, match="no CUDA device"):
        top_k(x, x, 2, device="cuda")
    with pytest.raises(InvalidInput, match="no CUDA device"):
        Solver(x, device="cuda")


def test_seeding_touches_no_other_generator(monkeypatch):
    def refused(*_):
        raise AssertionError("a generator that is not restored")

    for name in ("manual_seed", "manual_seed_all"):
        monkeypatch.setattr(torch.cuda, name, refused)
    before = torch.get_rng_state()
    with torch_seeded(7):
        drawn = torch.rand(4)
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(drawn, torch.rand(4, generator=torch.Generator().manual_seed(7)))


def test_the_generator_of_the_device_is_seeded_and_restored(monkeypatch):
    calls = []
    monkeypatch.setattr(torch.cuda, "get_rng_state", lambda device: calls.append(("read", device)) or "state")
    monkeypatch.setattr(torch.cuda, "set_rng_state", lambda state, device: calls.append((state, device)))
    monkeypatch.setattr(torch.cuda, "manual_seed", lambda seed: calls.append(("seed", seed)))
    monkeypatch.setattr(torch.cuda, "device", lambda device: contextlib.nullcontext(calls.append(("on", device))))
    device = torch.device("cuda:1")
    with torch_seeded(7, device):
        calls.append("inside")
    assert calls == [("read", device), ("on", device), ("seed", 7), "inside", ("state", device)]


def test_nothing_seeds_the_generators_of_all_devices(root):
    found = [
        f"{path.relative_to(root)}:{node.lineno}"
        for folder in ("harness", "plugins")
        for path in (root / folder).rglob("*.py")
        if "manual_seed" in (text := path.read_text(encoding="utf-8"))
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Attribute) and node.attr == "manual_seed" and ast.unparse(node.value) == "torch"
    ]
    assert found == []


def test_a_run_says_where_its_searches_and_solves_are_done():
    x = np.random.default_rng(0).normal(size=(40, 8)).astype(np.float32)
    graph = normalise(affinity(x, 5).astype(np.float64))
    assert default_device() == "cpu"
    with computing("cpu:0"):
        assert default_device() == "cpu:0"
        assert neighbours(x, 3).report.device == "cpu:0"
        assert neighbours(x, 3, method="hnsw").report.device == "cpu"
        assert Solver(graph).device == "cpu:0"
        assert Solver(graph, device="cpu").device == "cpu"
        with computing("cpu", "bf16"):
            assert default_device() == "cpu"
            assert is_bf16()
        assert not is_bf16()
    assert default_device() == "cpu"


def test_bfloat16_is_for_networks_of_the_run():
    weight = torch.rand(4, 4)
    with computing("cpu", "bf16"):
        assert (weight @ weight).dtype == torch.float32
        with autocast("cpu"):
            assert (weight @ weight).dtype == torch.bfloat16
    with autocast("cpu"):
        assert (weight @ weight).dtype == torch.float32


def test_tf32_needs_a_gpu():
    with pytest.raises(InvalidInput, match="arithmetic of a GPU"), computing("cpu", "tf32"):
        pass


@pytest.mark.parametrize("numerics", ["fp32", "tf32", "bf16"])
def test_switches_of_tf32_are_set_and_restored(cards, numerics):
    cards(1)
    matmul, cudnn = torch.backends.cuda.matmul, torch.backends.cudnn
    if not hasattr(matmul, "fp32_precision"):
        pytest.skip("torch has the older switches only: the next test is of them")
    before = matmul.fp32_precision, cudnn.conv.fp32_precision, cudnn.rnn.fp32_precision
    with computing("cuda", numerics):
        wanted = "tf32" if numerics == "tf32" else "ieee"
        assert (matmul.fp32_precision, cudnn.conv.fp32_precision) == (wanted, wanted)
    assert (matmul.fp32_precision, cudnn.conv.fp32_precision, cudnn.rnn.fp32_precision) == before
    assert torch.get_float32_matmul_precision() == "highest"


def test_the_older_switches_of_tf32(cards, monkeypatch):
    cards(1)
    older = [types.SimpleNamespace(allow_tf32=value) for value in (False, True)]
    monkeypatch.setattr(torch.backends.cuda, "matmul", older[0])
    monkeypatch.setattr(torch.backends, "cudnn", older[1])
    with computing("cuda", "fp32"):
        assert [part.allow_tf32 for part in older] == [False, False]
    with computing("cuda", "tf32"):
        assert [part.allow_tf32 for part in older] == [True, True]
    assert [part.allow_tf32 for part in older] == [False, True]
