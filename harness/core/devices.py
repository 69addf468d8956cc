"""Devices that arithmetic may run on. Loads torch only where something else than the CPU is asked for."""

from __future__ import annotations

from typing import Final

from harness.core.errors import InvalidInput

CPU: Final = "cpu"
CUDA: Final = "cuda"
_FIX: Final = "use device cpu; harness doctor lists the GPUs"


def usable(device: str) -> str:
    """The same name, of a device that torch can compute on.

    Raises:
        InvalidInput: torch knows no such device, or there is no such GPU here.
    """
    if device == CPU:
        return device
    import torch

    try:
        kind, number = torch.device(device).type, torch.device(device).index or 0
    except RuntimeError as error:
        raise InvalidInput(f'no device is called "{device}"', fix="use cpu or cuda") from error
    if kind == CUDA and torch.version.cuda is None:
        raise InvalidInput(f'device "{device}": the installed torch is one without CUDA', fix=_FIX)
    if kind == CUDA and number >= (count := torch.cuda.device_count()):
        there = f"{count} CUDA {'device' if count == 1 else 'devices'}" if count else "no CUDA device"
        raise InvalidInput(f'device "{device}": torch sees {there} here', fix=_FIX)
    return device
