"""What arithmetic runs on and how precise it is. Loads torch only where something else than the CPU is asked for."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any, Final, Literal

from harness.core.errors import InvalidInput
from harness.core.threads import OPERATION

Device = Literal["cpu", "cuda"]
Numerics = Literal["fp32", "tf32", "bf16"]
CPU: Final = "cpu"
CUDA: Final = "cuda"
FP32: Final = "fp32"
TF32: Final = "tf32"
BF16: Final = "bf16"
_FIX: Final = "use device cpu; harness doctor lists the GPUs"

_inside: list[tuple[str, str]] = []
"""Device and numerics of the runs under way, the innermost last."""


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


def require_numerics(device: str, numerics: str) -> None:
    """Raises ``InvalidInput`` for arithmetic that a device does not have."""
    if numerics == TF32 and device == CPU:
        raise InvalidInput("numerics tf32 is arithmetic of a GPU", fix="device: cuda, or numerics: fp32")


def numerics_key(device: str, numerics: str) -> str:
    """The part of keys of the cache that says how numbers were computed."""
    return f"{numerics}-{device}-threads-{OPERATION}"


@contextlib.contextmanager
def computing(device: str, numerics: str = FP32) -> Iterator[None]:
    """Inside, this is the device of searches, graphs and solves, and the precision of products.

    The newer and the older switches of torch for TF32 are left as they were.

    Raises:
        InvalidInput: torch cannot compute on the device, or not so.
    """
    require_numerics(usable(device), numerics)
    _inside.append((device, numerics))
    try:
        with _tf32(numerics == TF32) if device != CPU else contextlib.nullcontext():
            yield
    finally:
        _inside.pop()


def default_device() -> str:
    """Where work is done of which nobody said it: the device of the run under way, else the CPU."""
    return _inside[-1][0] if _inside else CPU


def is_bf16() -> bool:
    """Whether the run under way wants products of networks in bfloat16."""
    return bool(_inside) and _inside[-1][1] == BF16


def autocast(device: str, wanted: bool = False) -> contextlib.AbstractContextManager[Any]:
    """Inside, products of networks are in bfloat16 if ``wanted`` or if the run is so; weights and sums stay float32.

    Args:
        device: where the network is.
        wanted: whether a method asks for it.
    """
    import torch

    return torch.autocast(torch.device(device).type, torch.bfloat16, enabled=wanted or is_bf16())


@contextlib.contextmanager
def _tf32(allowed: bool) -> Iterator[None]:
    """Products and convolutions of float32 on CUDA with TF32 or without."""
    import torch

    matmul: Any = torch.backends.cuda.matmul
    cudnn: Any = torch.backends.cudnn
    switches: list[tuple[Any, str, Any]] = [(matmul, "allow_tf32", allowed), (cudnn, "allow_tf32", allowed)]
    if hasattr(matmul, "fp32_precision"):  # since torch 2.9; reading the older ones can fail where these are in use
        precision = "tf32" if allowed else "ieee"
        switches = [(part, "fp32_precision", precision) for part in (matmul, cudnn.conv, cudnn.rnn)]
    before = [getattr(part, name) for part, name, _ in switches]
    for part, name, value in switches:
        setattr(part, name, value)
    try:
        yield
    finally:
        for (part, name, _), value in zip(switches, before, strict=True):
            setattr(part, name, value)
