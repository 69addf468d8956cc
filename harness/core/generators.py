"""Torch's own random generators: set for a while, and restored. Loads torch."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def torch_seeded(seed: int, device: torch.device | None = None) -> Iterator[None]:
    """Inside, the generators of the CPU and of ``device`` start from ``seed``; afterwards they are as before.

    ``torch.manual_seed`` would seed those of all devices, which nobody restores.

    Args:
        seed: at least 0, below 2**63.
        device: where random numbers are drawn besides the CPU; only CUDA has a generator of its own.
    """
    cuda = device is not None and device.type == "cuda"
    with torch.random.fork_rng(devices=[device] if cuda else []):
        torch.default_generator.manual_seed(seed)
        if cuda:
            with torch.cuda.device(device):
                torch.cuda.manual_seed(seed)
        yield
