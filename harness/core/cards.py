"""The CUDA cards of this machine, found without torch and without CUDA."""

from __future__ import annotations

import os
from pathlib import Path


def cuda_devices() -> tuple[str, ...]:
    """The CUDA devices that this process may use, from ``CUDA_VISIBLE_DEVICES`` or what the driver lists."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        return tuple(name.strip() for name in visible.split(",") if name.strip() not in ("", "-1"))
    cards = Path("/proc/driver/nvidia/gpus")
    return tuple(str(index) for index in range(len(list(cards.iterdir())))) if cards.is_dir() else ()
