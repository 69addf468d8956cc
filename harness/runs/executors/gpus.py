"""GPU slots: one run a card, also with several harness processes on the machine. Loads no CUDA."""

from __future__ import annotations

import os
import tempfile
import time
import warnings
from functools import cached_property
from pathlib import Path
from typing import Final

from harness.core.cards import VISIBLE, cuda_devices, lock_name
from harness.core.locks import Lock, try_lock

_SILENT_SECONDS: Final = 2.0
Taken = tuple[Lock | None, dict[str, str]]
"""What a run holds, and the variables of its process."""
NO_CARD: Taken = (None, {VISIBLE: ""})
"""Of a run on the CPU: its process sees no card."""


class GpuSlots:
    """A lock per card, in a folder that all processes of the user on this machine see.

    Args:
        devices: names for ``CUDA_VISIBLE_DEVICES``; default: all there are, looked for when a run needs one.
        folder: of the locks.
    """

    def __init__(self, devices: tuple[str, ...] | None = None, folder: Path | None = None) -> None:
        self._given = devices
        self._folder = folder or Path(tempfile.gettempdir()) / f"harness-gpu-slots-{os.getuid()}"

    @cached_property
    def devices(self) -> tuple[str, ...]:
        """The cards."""
        return cuda_devices() if self._given is None else self._given

    def take(self) -> Taken | None:
        """A free card and the variables that show only it; no card where there is none at all; None: all are taken."""
        if not self.devices:
            return None, {}
        for device in self.devices:
            held = try_lock(self._folder, f"gpu{lock_name(device).replace('/', '-')}")
            if held is not None:
                return held, {VISIBLE: device}
        return None


class Patience:
    """How long runs have been waiting for cards that other processes hold; says it once."""

    def __init__(self) -> None:
        self._since: float | None = None
        self._said = False

    def waited(self, waits: bool, cards: int) -> float:
        """Seconds since runs wait for others without a break, now that it is known whether they do.

        Args:
            waits: whether a run could begin if another process gave up a card.
            cards: how many there are.
        """
        if not waits:
            self._since = None
            return 0.0
        now = time.monotonic()
        self._since = self._since or now
        if now - self._since > _SILENT_SECONDS and not self._said:
            self._said = True
            held = "the GPU of this machine is" if cards == 1 else f"all {cards} GPUs of this machine are"
            warnings.warn(f"waiting for a GPU: {held} in use by other processes", stacklevel=4)
        return now - self._since
