"""A checkpoint for ``learned-gem`` to be tried on by ``harness check``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any


def checkpoint(folder: Path) -> Mapping[str, Any]:
    """A file as cirtorch writes it, with an exponent of 2.5."""
    import torch

    path = folder / "gem.pth"
    torch.save({"state_dict": {"pool.p": torch.tensor([2.5])}, "meta": {}}, path)
    return {"weights": str(path)}
