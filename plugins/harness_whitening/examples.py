"""A checkpoint for ``learned`` to be tried on by ``harness check``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np


def checkpoint(folder: Path) -> Mapping[str, Any]:
    """A file as cirtorch writes it, with a random whitening of the six dimensions of the check's descriptors."""
    import torch

    rng = np.random.default_rng(0)
    stored = {kind: {"m": rng.normal(size=(6, 1)), "P": rng.normal(size=(6, 6))} for kind in ("ss", "ms")}
    path = folder / "whitening.pth"
    torch.save({"state_dict": {}, "meta": {"Lw": {"retrieval-SfM-120k": stored}}}, path)
    return {"weights": str(path)}
