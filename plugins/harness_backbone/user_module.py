"""A network of one's own: a function that returns a module of torch."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from functools import lru_cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

from annotated_types import Ge

from harness.core.errors import DataDamaged, InvalidInput
from harness.data.checkpoint import checked_sum, read_checkpoint

if TYPE_CHECKING:
    from torch import Tensor

    from harness_backbone.network import ImageNetwork

_FORM: Final = "a function without parameters that returns a torch.nn.Module: images (n, 3, H, W) -> maps (n, C, h, w)"
_PLACE: Final = "package.module:function, installed or in a folder on PYTHONPATH"


@dataclass(frozen=True)
class UserModule:
    """Any module of torch that turns images into maps; its function must be importable (this project).

    Formula:
        maps = max(0, module((image - mean) / std))

    Attributes:
        factory: ``package.module:function``, a function without parameters that returns a ``torch.nn.Module``: images
            (n, 3, H, W) to maps (n, C, h, w). Random initial weights come from ``seed``.
        stride: pixels of the image per cell of the map.
        weights: the path of its state dict; empty: the weights that the function gives.
        checksum: SHA-256 of that file; filled in from the file where it is not given.
        code: SHA-256 of the file of the function; filled in where it is not given, so that other code gives another
            run. What that file imports does not count.
        mean: of the colours in [0, 1].
        std: of the colours in [0, 1].
        seed: of random initial weights.
        min_side: smaller images are padded to this side by the mean colour, below and on the right.
    """

    factory: str
    stride: Annotated[int, Ge(1)]
    weights: Literal[""] | Path = ""
    checksum: str = ""
    code: str = ""
    mean: tuple[float, float, float] = (0.485, 0.456, 0.406)  # torchvision: colours of ImageNet
    std: tuple[float, float, float] = (0.229, 0.224, 0.225)
    seed: Annotated[int, Ge(0)] = 0
    min_side: Annotated[int, Ge(1)] = 1

    def __post_init__(self) -> None:
        if self.weights:
            object.__setattr__(self, "checksum", checked_sum(self.weights, self.checksum))
        object.__setattr__(self, "code", self.code or code_of(self.factory, "factory", _FORM))

    def maps(self, image: Tensor) -> Tensor:
        """Image (3, H, W) float32 in [0, 1], RGB -> maps (C, h, w) float32, not negative.

        Raises:
            InvalidInput: no image, or the function or its module is not as described.
            DataMissing: there is no file of weights.
            DataDamaged: the weights do not fit.
        """
        maps = _network(self, str(image.device)).maps(image)
        if maps.ndim != 3:
            raise InvalidInput(f"{self.factory} gives {maps.ndim - 2} dimensions instead of maps", fix=_FORM)
        return maps

    def module(self) -> ImageNetwork:
        """A copy of the network that may be trained. Raises as ``maps``."""
        return deepcopy(_network(self, "cpu")).requires_grad_(True)

    def checkpoint(self, module: ImageNetwork) -> dict[str, Any]:
        """What a file of trained weights holds: the state dict of the function's module."""
        built = next(iter(module.features.children()))
        return dict(built.state_dict())


def code_of(function: str, what: str, form: str) -> str:
    """SHA-256 of the file of a function ``package.module:function``.

    Raises:
        InvalidInput: there is no such module; ``what`` is what the message calls it, ``form`` what it should be.
    """
    module, _, name = function.partition(":")
    try:
        spec = find_spec(module) if module and name else None
    except (ImportError, ValueError):
        spec = None
    if spec is None or not spec.origin:
        raise InvalidInput(f"{what} {function} cannot be found", fix=f"{_PLACE}, {form}")
    return hashlib.sha256(Path(spec.origin).read_bytes()).hexdigest()


def function_of(function: str, code: str, what: str, form: str) -> Callable[..., Any]:
    """The function ``package.module:function`` itself, if its file is the one of this SHA-256.

    Raises:
        InvalidInput: there is no such function; ``what`` is what the message calls it, ``form`` what it should be.
        DataDamaged: its file has changed.
    """
    if code_of(function, what, form) != code:
        raise DataDamaged(f"the file of {what} {function} has changed since the run was planned")
    module, _, name = function.partition(":")
    called = getattr(import_module(module), name, None)
    if not callable(called):
        raise InvalidInput(f"{what} {function} is no function", fix=form)
    return called  # type: ignore[no-any-return]


@lru_cache(maxsize=2)
def _network(backbone: UserModule, device: str) -> ImageNetwork:
    import torch

    from harness.core.generators import torch_seeded
    from harness_backbone.network import ImageNetwork

    with torch_seeded(backbone.seed):
        factory = function_of(backbone.factory, backbone.code, "factory", _FORM)
        try:
            built = factory()
        except TypeError as error:
            raise InvalidInput(f"factory {backbone.factory} cannot be called: {error}", fix=_FORM) from error
    if not isinstance(built, torch.nn.Module):
        raise InvalidInput(f"factory {backbone.factory} gives a {type(built).__name__}", fix=_FORM)
    if backbone.weights:
        state = read_checkpoint(backbone.weights, backbone.checksum).state
        try:
            built.load_state_dict(dict(state))
        except RuntimeError as error:
            reason = str(error).strip().splitlines()[-1].strip()
            raise DataDamaged(f"weights {backbone.weights} do not fit {backbone.factory}: {reason}") from error
    network = ImageNetwork(torch.nn.Sequential(built, torch.nn.ReLU()), backbone.mean, backbone.std, backbone.min_side)
    return network.eval().requires_grad_(False).to(device)
