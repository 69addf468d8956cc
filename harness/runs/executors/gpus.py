"""GPU slots: one run a card, also with several harness processes on the machine. Loads no CUDA."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from harness.core.cards import cuda_devices
from harness.core.locks import Lock, try_lock


class GpuSlots:
    """A lock per card, in a folder that all processes of the user on this machine see.

    Args:
        devices: names for ``CUDA_VISIBLE_DEVICES``; default: all there are.
        folder: of the locks.
    """

    def __init__(self, devices: tuple[str, ...] | None = None, folder: Path | None = None) -> None:
        self.devices = cuda_devices() if devices is None else devices
        self._folder = folder or Path(tempfile.gettempdir()) / f"harness-gpu-slots-{os.getuid()}"

    def take(self) -> tuple[Lock | None, dict[str, str]] | None:
        """A free card and the variables that show only it; no card where there is none at all; None: all are taken."""
        if not self.devices:
            return None, {}
        for device in self.devices:
            held = try_lock(self._folder, f"gpu{device.replace('/', '-')}")
            if held is not None:
                return held, {"CUDA_VISIBLE_DEVICES": device}
        return None
