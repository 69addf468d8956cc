"""Active learning hands its device on: to neighbours, label propagation and jLP. ``cpu:0`` takes the path of a GPU."""

from __future__ import annotations

import importlib

import numpy as np
import pytest
import torch
from blobs import DATA, PROTOCOL, Counting

from harness.active.loop import ActiveProtocol, run_cycles
from harness.cache import Cache
from harness.core.errors import InvalidInput
from harness.core.progress import SilentProgress
from harness.graph import engines
from harness.search import exact
from harness_acquisition.jlp import JointLabelPropagation
from harness_learning.ceal import CEAL
from harness_learning.deep_cluster import Pretrain
from harness_learning.label_propagation import SemiSupervised
from harness_learning.supervised import Supervised
from harness_network.small import SmallCNN

KEYS = {"dataset": "blobs", "learning": "semi", "network": "small", "acquisition": "jlp"}


def cycles(device, learning, protocol=PROTOCOL):
    methods = JointLabelPropagation(), learning, SmallCNN(width=4)
    options = {"keys": KEYS, "cache": Cache(None), "progress": SilentProgress(), "device": device}
    return run_cycles(DATA, *methods, protocol, 0, **options).cycles


def test_graphs_and_solves_of_a_run_are_done_on_its_device(monkeypatch):
    solved, searched = [], []
    begin, search = engines.TorchEngine.__init__, exact.part_top_k

    def engine(self, alpha_s, device):
        solved.append(device)
        begin(self, alpha_s, device)

    def part(*args, **options):
        searched.append(options["device"])
        return search(*args, **options)

    monkeypatch.setattr(engines.TorchEngine, "__init__", engine)
    monkeypatch.setattr(exact, "part_top_k", part)
    cycles("cpu:0", SEMI, ActiveProtocol(initial=4, budget=4, cycles=2))
    assert set(solved) == set(searched) == {"cpu:0"}
    assert len(solved) >= 3  # each training propagates, each acquisition solves


SEMI = SemiSupervised(epochs=3, semi_epochs=1, semi_batch=16, labelled_batch=4, k=5)
PRETRAIN = Pretrain(epochs=3, pre_epochs=1, pre_batch=16, clusters_per_class=2)


@pytest.mark.parametrize(
    "learning",
    [SEMI, *(pytest.param(one, marks=pytest.mark.slow) for one in (Supervised(epochs=3), PRETRAIN, CEAL(epochs=3)))],
    ids=lambda learning: type(learning).__name__,
)
def test_cycles_on_a_renamed_device_are_those_of_the_cpu(monkeypatch, root, learning):
    """Nothing mixes devices; a GPU would round otherwise."""
    monkeypatch.syspath_prepend(str(root / "tests" / "fixtures"))
    renamed = importlib.import_module("renamed_device")
    renamed.one_card(monkeypatch)
    here = cycles("cpu", learning)
    with renamed.RenamedDevice():
        there = cycles("cuda", learning)
    assert [cycle.labelled for cycle in there] == [cycle.labelled for cycle in here]
    assert [cycle.accuracy for cycle in there] == [cycle.accuracy for cycle in here]


def test_a_card_that_is_not_there_is_one_sentence(monkeypatch):
    monkeypatch.setattr(torch.version, "cuda", "13.0")
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    with pytest.raises(InvalidInput, match="torch sees no CUDA device here"):
        cycles("cuda", Counting())


def test_images_are_moved_as_bytes(monkeypatch):
    from harness.active import training

    pinned = []
    monkeypatch.setattr(torch.Tensor, "pin_memory", lambda self: pinned.append(self.dtype) or self)
    monkeypatch.setattr(torch.Tensor, "to", lambda self, *_, **__: self)
    images = np.zeros((2, 1, 4, 4), np.uint8)
    assert training.moved(images, torch.device("cpu")).dtype == torch.uint8
    assert pinned == []
    training.moved(images, torch.device("cuda"))
    assert pinned == [torch.uint8]
