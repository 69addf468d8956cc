"""Files of weights, read by several threads at once."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch

from harness.data.checkpoint import read_checkpoint


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
