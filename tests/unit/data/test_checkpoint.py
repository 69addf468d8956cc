"""Files of weights, read by several threads at once."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch

from harness.core.errors import ContractError
from harness.data.checkpoint import network_of, read_checkpoint


def test_threads_may_read_checkpoints_at_once(tmp_path, monkeypatch):
    """What torch takes for safe is the same for all threads: one that was done took it from the others."""
    whitening = {"m": np.zeros((2, 1)), "P": np.eye(2)}
    files = [tmp_path / f"{number}.pth" for number in range(2)]
    for file in files:
        torch.save({"state_dict": {}, "meta": {"Lw": {"mine": {"ms": whitening}}}}, file)
    load, both = torch.load, threading.Event()
    seen = []

    def first_waits_for_the_second(*arguments, **options):
        seen.append(threading.get_ident())
        if len(seen) == 1:
            both.wait(0.2)  # with a lock the second never comes meanwhile
            return load(*arguments, **options)
        content = load(*arguments, **options)
        both.set()
        return content

    monkeypatch.setattr(torch, "load", first_waits_for_the_second)
    with ThreadPoolExecutor(2) as threads:
        read = list(threads.map(read_checkpoint, files))
    assert len(set(seen)) == 2
    assert [list(checkpoint.projections) for checkpoint in read] == [["mine"], ["mine"]]


class Shifted(torch.nn.Module):
    """A layer, a buffer and an attribute that no state dict has."""

    def __init__(self, device=None):
        super().__init__()
        self.layer = torch.nn.Linear(2, 2)
        self.register_buffer("grid", torch.arange(2.0, device=device), persistent=False)
        self.scale = torch.full((2,), 3.0, device=device)

    def forward(self, x):
        return (self.layer(x) + self.grid) * self.scale


def test_tensors_that_no_file_holds_have_values_or_are_named(tmp_path):
    network, file = Shifted(), tmp_path / "shifted.pt"
    torch.save(network.state_dict(), file)
    read = network_of(file, "", lambda state: Shifted("cpu"), what="network", fix="another")
    assert torch.equal(read(torch.ones(1, 2)), network(torch.ones(1, 2)))
    with pytest.raises(ContractError, match=r"the network has .* not in its weights: grid, scale"):
        network_of(file, "", lambda state: Shifted(), what="network", fix="another")
