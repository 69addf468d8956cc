"""Files of weights: loaded without running any code in them, and checked before use.

Two formats of torch are known: a plain state dict, and the published checkpoints of Radenovic et al. 2018 (cirtorch), a
state dict with ``meta``. A file is identified by its SHA-256, a part of every key and record.
"""

from __future__ import annotations

import hashlib
import io
import pickle
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import numpy as np

from harness.core.errors import ContractError, DataDamaged, DataMissing
from harness.data.folders import located

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor
    from torch.nn import Module

    Doubles = NDArray[np.float64]

_Network = TypeVar("_Network", bound="Module")
_PLACE: Final = (
    "put it there, below the working folder or the data folder (--data, HARNESS_DATA); docs/thesis.md says which "
    "networks are published and where"
)

_READING: Final = threading.Lock()
_UNREADABLE: Final = (pickle.UnpicklingError, RuntimeError, EOFError, ValueError, KeyError, TypeError, AttributeError)
"""What torch raises on files that are cut off, damaged, not checkpoints, or hold more than tensors."""
_NO_NETWORK: Final = (LookupError, RuntimeError, AssertionError, ValueError, TypeError, ArithmeticError)
"""What torch and code that reads shapes raise on tensors of other names and shapes."""


@dataclass(frozen=True)
class Checkpoint:
    """A network as it was published.

    Attributes:
        state: name -> tensor; names as in the file.
        architecture: such as ``resnet101``; empty where the file does not say.
        mean: of the colours in [0, 1] that the network expects, or None.
        std: likewise.
        p: learnt exponent of the generalised mean, or None.
        layer: learnt whitening layer (weight (d, D), bias (d,)), or None.
        projections: name of the training set -> ``ss`` or ``ms`` (single or multi-scale) -> (mean (D,), projection
            (D, D)) of a supervised whitening learnt after the network.
    """

    state: Mapping[str, Tensor]
    architecture: str = ""
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None
    p: float | None = None
    layer: tuple[Doubles, Doubles] | None = None
    projections: Mapping[str, Mapping[str, tuple[Doubles, Doubles]]] = field(default_factory=dict)


def checked_sum(weights: str | Path, checksum: str) -> str:
    """The checksum that identifies a file of weights: ``checksum``, or that of the file where it is empty.

    Raises:
        DataMissing: the checksum is empty and there is no such file.
    """
    return checksum or hashlib.sha256(file_content(weights)).hexdigest()


def file_content(weights: str | Path, checksum: str = "") -> bytes:
    """The bytes of a file of weights; a relative path counts from the working folder, else from the data folder.

    Raises:
        DataMissing: there is no such file.
        DataDamaged: it is not the file of this SHA-256.
    """
    try:
        content = located(weights).read_bytes()
    except OSError as error:
        raise DataMissing(f"weights {weights} cannot be read: {error.strerror}", fix=_PLACE) from error
    if checksum and (actual := hashlib.sha256(content).hexdigest()) != checksum:
        raise DataDamaged(f"weights {weights} have the SHA-256 {actual}, not {checksum}", fix="the original file")
    return content


@lru_cache(maxsize=2)
def read_checkpoint(weights: str | Path, checksum: str = "") -> Checkpoint:
    """A checkpoint of torch. Nothing but tensors, arrays and plain containers is built from it.

    Raises:
        DataMissing: there is no such file.
        DataDamaged: it is not a checkpoint, holds anything else, or is not the file of this SHA-256.
    """
    loaded = _loaded(weights, checksum)
    try:
        return _checkpoint(loaded)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise DataDamaged(
            f"weights {weights} are not a checkpoint: {error}", fix="a state dict, or one with meta"
        ) from error


def whole_checkpoint(weights: str | Path) -> dict[str, Any]:
    """All that a checkpoint of Radenovic et al. 2018 holds: ``state_dict``, ``meta`` and what else is in the file.

    Raises:
        DataMissing: there is no such file.
        DataDamaged: it is not such a checkpoint, or holds more than tensors and plain values.
    """
    loaded = _loaded(weights, "")
    if not isinstance(loaded, dict) or not isinstance(loaded.get("meta"), dict) or "state_dict" not in loaded:
        raise DataDamaged(f"weights {weights} have no state_dict and meta", fix="a checkpoint in the form of cirtorch")
    return loaded


def network_of(
    weights: str | Path, checksum: str, build: Callable[[Mapping[str, Tensor]], _Network], *, what: str, fix: str
) -> _Network:
    """The network of a state dict, in evaluation mode; no initial weights are drawn for it.

    Args:
        weights: the path of the file.
        checksum: its SHA-256; empty: any.
        build: the network that such tensors fit, from their names and shapes. Called where tensors take no memory and
            have no values: what the file does not hold has to be made with ``device="cpu"``.
        what: what messages call it.
        fix: what the file should be.

    Raises:
        DataMissing: there is no such file.
        DataDamaged: it holds something else.
        ContractError: ``build`` leaves tensors without values that are not in the file.
    """
    import torch

    state = read_checkpoint(weights, checksum).state
    try:
        with torch.device("meta"):
            network = build(state)
        network.load_state_dict(
            {name: value.float() if value.is_floating_point() else value for name, value in state.items()}, assign=True
        )
    except _NO_NETWORK as error:
        reason = " ".join(str(error).split())[:200]
        raise DataDamaged(f"weights {weights} are no {what}: {reason}", fix=fix) from error
    _require_values(network, what)
    return network.eval().requires_grad_(False)


def _require_values(network: Module, what: str) -> None:
    from torch import Tensor

    empty = [
        f"{place}.{name}".strip(".")
        for place, module in network.named_modules()
        for name, value in (*module.named_buffers(recurse=False), *vars(module).items())
        if isinstance(value, Tensor) and value.is_meta
    ]
    if empty:
        raise ContractError(
            f"the {what} has tensors that are not in its weights: {', '.join(empty)}",
            fix='make them with device="cpu"',
        )


def _loaded(weights: str | Path, checksum: str) -> Any:
    import torch

    content = file_content(weights, checksum)
    try:
        # What torch takes for safe counts for the whole process: threads that pool read the same file at once.
        with _READING, torch.serialization.safe_globals(_arrays()):
            return torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except _UNREADABLE as error:
        reason = str(error).strip().partition("\n")[0][:200]
        raise DataDamaged(f"weights {weights} are refused: {reason}", fix="a file of tensors only") from error


def _arrays() -> list[Any]:
    """The functions that rebuild numpy's arrays, under their names of numpy 1 and 2: published files hold arrays."""
    rebuild = np.zeros(0).__reduce__()[0]
    names = [f"numpy.{core}.multiarray._reconstruct" for core in ("core", "_core")]
    types = [type(np.dtype(kind)) for kind in ("f4", "f8", "i8")]
    return [*((rebuild, name) for name in names), np.ndarray, np.dtype, *types]


def _checkpoint(loaded: Any) -> Checkpoint:
    import torch

    if not isinstance(loaded, Mapping):
        raise TypeError(f"a {type(loaded).__name__} instead of a state dict")
    meta = loaded.get("meta", {}) if "state_dict" in loaded else {}
    state = dict(loaded["state_dict"]) if "state_dict" in loaded else dict(loaded)
    for name, value in state.items():
        if not isinstance(name, str) or not isinstance(value, torch.Tensor):
            raise TypeError(f"{name!r} is a {type(value).__name__}, not a tensor")
        if value.is_floating_point() and not bool(torch.isfinite(value).all()):
            raise ValueError(f"{name} has NaN or infinite values")
    exponents = [state.pop(name) for name in ("pool.p", "pool.rpool.p") if name in state]
    layer = [state.pop(f"whiten.{part}", None) for part in ("weight", "bias")]
    return Checkpoint(
        state=state,
        architecture=str(meta.get("architecture", "")),
        mean=_colours(meta.get("mean")),
        std=_colours(meta.get("std")),
        p=float(exponents[0].flatten()[0]) if exponents and exponents[0].numel() == 1 else None,
        layer=None if layer[0] is None or layer[1] is None else (_doubles(layer[0]), _doubles(layer[1])),
        projections={
            str(name): {kind: (_doubles(part["m"]).ravel(), _doubles(part["P"])) for kind, part in scales.items()}
            for name, scales in dict(meta.get("Lw", {})).items()
        },
    )


def _colours(values: Any) -> tuple[float, ...] | None:
    return None if values is None else tuple(float(value) for value in values)


def _doubles(values: Any) -> Doubles:
    return np.asarray(values, np.float64)
