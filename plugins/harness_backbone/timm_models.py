"""Networks of timm: convolutional ones up to a stage, Vision Transformers as a grid of tokens."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

from annotated_types import Ge

from harness.core.errors import DataDamaged, DataMissing, InvalidInput
from harness.data.checkpoint import checked_sum, read_checkpoint

if TYPE_CHECKING:
    from torch import Tensor

    from harness_backbone.timm_networks import TimmNetwork

PRETRAINED: Final = "pretrained"
NONE: Final = "none"


@dataclass(frozen=True)
class Timm:
    """Any convolutional network or Vision Transformer of timm by its name (Wightman 2019); extra ``timm``.

    Colours are normalised as the model's own data configuration says. The image of a Vision Transformer is resized so
    that patches divide its sides, by half a patch at most; positions are interpolated to that grid by timm.

    Formula:
        convolutional: the maps of the last stage with ``stage`` pixels per cell
        Vision Transformer: tokens after the last normalisation, as a grid; registers are left out

    Attributes:
        model: as timm calls it, with its tag: ``resnet50.a1_in1k``, ``vit_small_patch14_reg4_dinov2.lvd142m``.
        weights: ``pretrained`` (those of the tag, which timm downloads once), ``none`` (random initial weights), or the
            path of a state dict of timm.
        checksum: SHA-256 of the file; filled in from the file where it is not given, so that the content of the file is
            a part of every key.
        seed: of random initial weights.
        stage: of a convolutional network, pixels per cell where it ends; 0: its last stage.
        tokens: of a Vision Transformer, ``patches``, or ``class``: its class token as a map of one cell.
        signed: keep negative values, for ``spoc`` and ``mac``; with other poolings and with re-rankers that see maps
            such a run is refused when it is planned. Otherwise negative values become 0.
    """

    model: str
    weights: Literal["pretrained", "none"] | Path = PRETRAINED
    checksum: str = ""
    seed: Annotated[int, Ge(0)] = 0
    stage: Annotated[int, Ge(0)] = 0
    tokens: Literal["patches", "class"] = "patches"
    signed: bool = False

    def __post_init__(self) -> None:
        if self.weights not in (PRETRAINED, NONE):
            object.__setattr__(self, "checksum", checked_sum(self.weights, self.checksum))

    @property
    def stride(self) -> int:
        """Pixels of the image per cell of the map. Raises as ``maps``."""
        return _network(self, "cpu").stride

    def maps(self, image: Tensor) -> Tensor:
        """Image (3, H, W) float32 in [0, 1], RGB -> maps (C, h, w) float32.

        Raises:
            InvalidInput: no image, no such model, or no such stage or token of it.
            DataMissing: timm is not installed, or the weights cannot be had.
            DataDamaged: the weights are not those of this model.
        """
        if image.ndim != 3 or image.shape[0] != 3 or 0 in image.shape:
            raise InvalidInput(f"an image of shape {tuple(image.shape)} has no maps", fix="(3, H, W) with H, W >= 1")
        import torch

        with torch.inference_mode():
            maps: Tensor = _network(self, str(image.device))(image[None])[0]
        return maps.contiguous()

    def maps_batch(self, images: Tensor) -> Tensor:
        """Images (n, 3, H, W) of one size -> maps (n, C, h, w), as ``maps`` of each. Raises as ``maps``."""
        import torch

        with torch.inference_mode():
            maps: Tensor = _network(self, str(images.device))(images)
        return maps.contiguous()

    def module(self) -> TimmNetwork:
        """A copy of the network that may be trained. Raises as ``maps``."""
        from copy import deepcopy

        return deepcopy(_network(self, "cpu")).requires_grad_(True)

    def checkpoint(self, module: TimmNetwork) -> dict[str, Any]:
        """What a file of trained weights holds: the state dict of the model."""
        return dict(module.model.state_dict())


@lru_cache(maxsize=2)
def _network(backbone: Timm, device: str) -> TimmNetwork:
    try:
        import timm
    except ImportError as error:
        raise DataMissing("timm is not installed", fix="pip install 'vision-evaluation-harness[timm]'") from error
    from harness.core.generators import torch_seeded
    from harness_backbone.network import placed
    from harness_backbone.timm_networks import build

    if not timm.is_model(backbone.model):
        near = timm.list_models(f"{backbone.model.partition('.')[0][:8]}*")[:3]
        raise InvalidInput(f"timm has no model {backbone.model}", fix=f"timm.list_models(); near: {', '.join(near)}")
    with torch_seeded(backbone.seed):
        try:
            network = build(backbone.model, backbone.weights == PRETRAINED, backbone.stage, backbone.tokens)
        except (OSError, RuntimeError) as error:
            if backbone.weights != PRETRAINED:
                raise
            reason = str(error).strip().partition("\n")[0][:200]
            raise DataMissing(
                f"weights of {backbone.model} are not here and cannot be downloaded ({reason})",
                fix="give the path of a state dict as weights",
            ) from error
    network.signed = backbone.signed
    if backbone.weights not in (PRETRAINED, NONE):
        _load(backbone, network)
    return placed(network, device)


def _load(backbone: Timm, network: TimmNetwork) -> None:
    state = read_checkpoint(backbone.weights, backbone.checksum).state
    try:
        missing, _ = network.model.load_state_dict(state, strict=False)  # a classifier is not needed
    except RuntimeError as error:
        reason = str(error).strip().splitlines()[-1].strip()
        raise DataDamaged(f"weights {backbone.weights} do not fit {backbone.model}: {reason}") from error
    if missing:
        raise DataDamaged(
            f"weights {backbone.weights} do not fit {backbone.model}: {len(missing)} tensors missing "
            f"({', '.join(sorted(missing)[:3])})"
        )
