"""Checks of arrays and tensors that several kinds share."""

from __future__ import annotations

from typing import Any

import numpy as np

from harness.conformance.violation import Violation


def require_tensor(value: Any, what: str = "the answer") -> None:
    """A tensor of torch. Raises ``Violation``."""
    import torch

    if not isinstance(value, torch.Tensor):
        raise Violation(f"{what} is {type(value).__name__}", right="a torch.Tensor")


def require_array(value: Any, what: str = "the answer") -> None:
    """An array of numpy. Raises ``Violation``."""
    if not isinstance(value, np.ndarray):
        raise Violation(f"{what} is {type(value).__name__}", right="a numpy.ndarray")


def require_dtype(value: Any, name: str, what: str = "the answer") -> None:
    """Numbers of this type. Raises ``Violation``."""
    found = str(value.dtype).removeprefix("torch.")
    if found != name:
        raise Violation(f"{what} is {found}", right=name)


def require_shape(value: Any, shape: tuple[int | None, ...], names: str, what: str = "the answer") -> None:
    """This shape, None standing for any size of at least one. Raises ``Violation``."""
    found = tuple(value.shape)
    fits = len(found) == len(shape) and all(
        (a >= 1 if b is None else a == b) for a, b in zip(found, shape, strict=True)
    )
    if not fits:
        wanted = ", ".join("*" if size is None else str(size) for size in shape)
        raise Violation(f"{what} has shape {found}", right=f"({wanted}{',' if len(shape) == 1 else ''}): {names}")
