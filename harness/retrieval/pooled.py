"""From maps to descriptors: one pooling, and beside it those of other runs that want the same maps. Loads torch."""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from harness.core.errors import InvalidInput
from harness.plugin_api import Box, Pooling, PoolsAnywhere, PoolsQueries, PoolsUncroppedQueries, Role
from harness.plugin_api.contract import require_one_length, require_pooled
from harness.retrieval.extraction import POOL_BEHIND, prefetched

Floats = NDArray[np.float32]


@dataclass
class JointRows:
    """What other poolings make of the maps of one pass.

    Attributes:
        poolings: each pools all maps, unless it fails: its own run then says how.
        rows: of each the descriptors (n, scales, D) float32, or None where it failed.
        cpu_s: of each the CPU seconds.
        own_cpu_s: of the pooling whose pass it is.
    """

    poolings: Sequence[Pooling]
    rows: list[Floats | None] = field(default_factory=list)
    cpu_s: list[float] = field(default_factory=list)
    own_cpu_s: float = 0.0


def pooled_scales(
    maps: Iterable[list[Tensor]],
    pooling: Pooling,
    name: str,
    role: Role = "database",
    boxes: Iterable[Box | None] | None = None,
    joint: JointRows | None = None,
) -> Floats:
    """Each scale of each image pooled and L2-normalised; an image without any activation gets zeros.

    Args:
        maps: per image its maps, one per scale.
        pooling: gives (D,) for one tensor of maps; queries are pooled by its ``pool_query``, and those without a box by
            its ``pool_uncropped_query``, if it has them.
        name: what to call the pooling in messages.
        role: what the images are.
        boxes: per image its box or None; None: all are cropped, or all that counts is the role.
        joint: other poolings of the same maps; gets their descriptors.

    Returns:
        (n, scales, D) float32.

    Raises:
        ContractError: the pooling returned something else than finite vectors of one length.
    """
    cropped = itertools.repeat(True) if boxes is None else (box is not None for box in boxes)
    joint = joint or JointRows(())
    failed: set[int] = set()

    def tried(number: int, scales: list[Tensor], is_cropped: bool) -> tuple[Floats | None, float]:
        start = time.thread_time()
        try:
            row = None if number in failed else _row(joint.poolings[number], "", scales, role, is_cropped)
        except Exception:  # the run that it is of meets the same, and says so
            row = None
            failed.add(number)
        return row, time.thread_time() - start

    def descriptors(image: tuple[list[Tensor], bool]) -> tuple[Floats, float, list[tuple[Floats | None, float]]]:
        scales, is_cropped = image
        start = time.thread_time()
        row = _row(pooling, name, scales, role, is_cropped)
        own = time.thread_time() - start
        return row, own, [tried(number, scales, is_cropped) for number in range(len(joint.poolings))]

    rows: list[Floats] = []
    others: list[list[Floats | None]] = [[] for _ in joint.poolings]
    joint.cpu_s = [0.0] * len(others)
    for row, own, of_others in prefetched(descriptors, zip(maps, cropped, strict=False), POOL_BEHIND):
        rows.append(row)
        require_one_length(name, [rows[0][0], row[0]])
        joint.own_cpu_s += own
        for number, (other, seconds) in enumerate(of_others):
            others[number].append(other)
            joint.cpu_s[number] += seconds
    joint.rows = [_stacked(of_pooling) for of_pooling in others]
    return np.stack(rows) if rows else np.empty((0, 0, 0), np.float32)


def _row(pooling: Pooling, name: str, scales: list[Tensor], role: Role, cropped: bool) -> Floats:
    """The descriptors (scales, D) of one image."""
    pool = _pool_of(pooling, role, cropped)
    with torch.inference_mode():
        pooled = [require_pooled(name, pool(scale)) for scale in near(pooling, scales)]
        require_one_length(name, pooled)
        return torch.stack([_normalised(vector) for vector in pooled]).cpu().numpy()


def _stacked(rows: Sequence[Floats | None]) -> Floats | None:
    """All rows, or None where one is missing or of another length."""
    there = [row for row in rows if row is not None]
    return np.stack(there) if len(there) == len(rows) and len({row.shape for row in there}) == 1 else None


def near(pooling: Pooling, maps: Sequence[Tensor]) -> list[Tensor]:
    """Maps where a pooling can work on them: where they are, or in main memory."""
    anywhere = isinstance(pooling, PoolsAnywhere) and pooling.any_device
    return list(maps) if anywhere else [each.cpu() for each in maps]


def _pool_of(pooling: Pooling, role: Role, cropped: bool) -> Callable[[Tensor], Tensor]:
    """What pools an image of a role."""
    if role == "query" and not cropped and isinstance(pooling, PoolsUncroppedQueries):
        return pooling.pool_uncropped_query
    return pooling.pool_query if role == "query" and isinstance(pooling, PoolsQueries) else pooling.pool


def combined(scales: NDArray[np.float32], power: float = 1.0) -> NDArray[np.float32]:
    """The generalised mean over scales, L2-normalised: (n, scales, D) float32 -> (n, D) float32.

    Args:
        scales: what ``pooled_scales`` gives.
        power: exponent of the mean; infinite: the largest entry of all scales.

    Raises:
        InvalidInput: ``power`` is neither 1 nor infinite, and a descriptor has negative entries.
    """
    if scales.shape[1] == 1 or not len(scales):
        return scales.reshape(len(scales), scales.shape[-1])
    with torch.inference_mode():
        return np.stack([_combined(row, power).numpy() for row in torch.from_numpy(scales)])


def describe(
    maps: Iterable[list[Tensor]], pooling: Pooling, name: str, power: float = 1.0, role: Role = "database"
) -> NDArray[np.float32]:
    """Descriptors (n, D) float32 of images: ``pooled_scales``, ``combined``, with their arguments and errors."""
    return combined(pooled_scales(maps, pooling, name, role), power)


def _normalised(vector: Tensor) -> Tensor:
    """Length 1, computed in float64; zeros stay zeros."""
    exact = vector.double()
    largest = exact.abs().max()
    if largest == 0:
        return vector
    exact = exact / largest
    unit: Tensor = (exact / exact.norm()).float()
    return unit


def _combined(scales: Tensor, power: float) -> Tensor:
    """Of one image: (scales, D) -> (D,)."""
    if power == 1:
        return _normalised(scales.mean(0))
    if power == math.inf:
        return _normalised(scales.amax(0))
    if bool((scales < 0).any()):
        raise InvalidInput(f"scale_power = {power} needs descriptors without negative entries", fix="scale_power: 1")
    return _normalised(scales.pow(power).mean(0).pow(1 / power))
