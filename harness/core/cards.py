"""The CUDA cards of this machine, found without torch and without CUDA."""

from __future__ import annotations

import itertools
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Final

VISIBLE: Final = "CUDA_VISIBLE_DEVICES"
_ORDER: Final = "CUDA_DEVICE_ORDER"
_CARDS: Final = Path("/proc/driver/nvidia/gpus")
_LISTED: Final = re.compile(r"^\s*(GPU|MIG) (.*?)\s*\(UUID: ([^)]+)\)", re.MULTILINE)
_NAME: Final = re.compile(r"\d+|(GPU|MIG)-.*")
_SECONDS: Final = 20.0


def cuda_devices() -> tuple[str, ...]:
    """What ``CUDA_VISIBLE_DEVICES`` may name of what this process may use: UUIDs of cards or parts (MIG) where known.

    Numbers mean another card in each job of a cluster, which numbers the cards of a job from 0, and may mean another
    one to CUDA than to the driver; UUIDs mean one card everywhere.
    """
    visible = os.environ.get(VISIBLE)
    listed = _listed()
    if visible is None:
        return tuple(uuid for uuid, _ in listed) or tuple(map(str, range(_count())))
    names = (name.strip() for name in visible.split(","))
    # CUDA ends the list at the first that is none, -1 or the NoDevFiles of SLURM for a job without a card.
    named = itertools.takewhile(_NAME.fullmatch, names)
    return tuple(dict.fromkeys(_uuid(name, listed) for name in named))


def lock_name(device: str) -> str:
    """What a card is called among all processes of the user on this machine.

    A number that CUDA was given by a job of SLURM is one of this job's cards, which no other job has.
    """
    job = os.environ.get("SLURM_JOB_ID", "")
    return f"{job}-{device}" if job and device.isdecimal() else device


def _uuid(name: str, listed: tuple[tuple[str, str], ...]) -> str:
    """The UUID of a card that is named by its number or the beginning of its UUID; the name where that is not clear."""
    if not name.isdecimal():
        whole = [uuid for uuid, _ in listed if uuid.startswith(name)]
        return whole[0] if len(whole) == 1 else name
    parts = any(uuid.startswith("MIG") for uuid, _ in listed)
    in_order = os.environ.get(_ORDER) == "PCI_BUS_ID" or len({model for _, model in listed}) == 1
    return listed[int(name)][0] if in_order and not parts and int(name) < len(listed) else name


def _listed() -> tuple[tuple[str, str], ...]:
    """UUID and model of each card in the order of the bus, of one that is cut into parts (MIG) those of its parts."""
    program = shutil.which("nvidia-smi")
    if program is None:
        return ()
    try:
        told = subprocess.run([program, "-L"], capture_output=True, text=True, timeout=_SECONDS, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return ()
    cards: list[list[tuple[str, str]]] = []
    for kind, model, uuid in _LISTED.findall(told):
        if kind == "GPU":
            cards.append([(uuid, model.partition(": ")[2] or model)])
        elif cards:
            cards[-1].append((uuid, model))
    return tuple(part for card in cards for part in (card[1:] or card))


def _count() -> int:
    """Cards that the driver lists."""
    return len(list(_CARDS.iterdir())) if _CARDS.is_dir() else 0
