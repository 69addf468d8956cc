"""What timm's networks become as modules of torch; importing it loads torch and timm."""

from __future__ import annotations

from typing import Any

import timm
import torch
from torch import Tensor, nn
from torch.nn import functional

from harness.core.errors import InvalidInput


class TimmNetwork(nn.Module):
    """Images (n, 3, H, W) float32 in [0, 1], RGB -> maps (n, C, h, w) float32.

    Args:
        model: the network of timm.
        stride: pixels of the image per cell.
    """

    mean: Tensor
    std: Tensor
    signed = False

    def __init__(self, model: Any, stride: int) -> None:
        super().__init__()
        self.model, self.stride = model, stride
        configuration = timm.data.resolve_model_data_config(model)
        for name in ("mean", "std"):
            colours = torch.tensor(configuration[name], dtype=torch.float32).reshape(3, 1, 1)
            self.register_buffer(name, colours, persistent=False)

    def forward(self, images: Tensor) -> Tensor:
        """Images to maps."""
        maps = self.features((self.sized(images) - self.mean) / self.std)
        return maps if self.signed else maps.clamp(min=0)

    def sized(self, images: Tensor) -> Tensor:
        """Images as the network can take them."""
        return images

    def features(self, images: Tensor) -> Tensor:
        """Normalised images to maps, signed."""
        raise NotImplementedError


class Stages(TimmNetwork):
    """A convolutional network up to a stage. Images of less than one cell are padded by the mean colour."""

    def sized(self, images: Tensor) -> Tensor:
        """Padded below and on the right."""
        height, width = images.shape[-2:]
        missing = max(0, self.stride - width), max(0, self.stride - height)
        if not any(missing):
            return images
        return functional.pad(images - self.mean, (0, missing[0], 0, missing[1])) + self.mean

    def features(self, images: Tensor) -> Tensor:
        """The maps of the last stage that is built."""
        maps: Tensor = self.model(images)[-1]
        return maps


class Tokens(TimmNetwork):
    """A Vision Transformer: patch tokens as a grid, or the class token as one cell."""

    def __init__(self, model: Any, patch: int, kind: str) -> None:
        super().__init__(model, patch)
        self.kind = kind

    def sized(self, images: Tensor) -> Tensor:
        """Resized so that whole patches divide both sides."""
        size = [max(1, round(side / self.stride)) * self.stride for side in images.shape[-2:]]
        if size == list(images.shape[-2:]):
            return images
        return functional.interpolate(images, size, mode="bicubic", antialias=True, align_corners=False).clamp(0, 1)

    def features(self, images: Tensor) -> Tensor:
        """Tokens after the last normalisation: prefix (class token, registers), then patches row by row."""
        tokens: Tensor = self.model.forward_features(images)
        if self.kind == "class":
            return tokens[:, 0, :, None, None]
        rows, columns = (side // self.stride for side in images.shape[-2:])
        patches = tokens[:, self.model.num_prefix_tokens :]
        return patches.transpose(1, 2).reshape(len(images), -1, rows, columns)


def build(name: str, pretrained: bool, stage: int, tokens: str) -> TimmNetwork:
    """The network of timm with its weights, or with the initial ones of torch's global generator.

    Raises:
        InvalidInput: the model has no such stage, or no class token.
    """
    model = timm.create_model(name, pretrained=False)
    if hasattr(model, "num_prefix_tokens"):
        return _transformer(name, pretrained, stage, tokens)
    if tokens == "class":
        raise InvalidInput(f"{name} is no Vision Transformer: it has no class token", fix="tokens: patches")
    try:
        strides = list(timm.create_model(name, pretrained=False, features_only=True).feature_info.reduction())
    except (RuntimeError, AttributeError) as error:
        raise InvalidInput(f"{name} does not give maps of its stages", fix="a convolutional network") from error
    wanted = stage or strides[-1]
    if wanted not in strides:
        choices = ", ".join(map(str, sorted(set(strides))))
        raise InvalidInput(f"{name} has no stage of {wanted} pixels per cell", fix=f"stage: one of {choices}, or 0")
    last = max(i for i, stride in enumerate(strides) if stride == wanted)
    built = timm.create_model(name, pretrained=pretrained, features_only=True, out_indices=(last,))
    return Stages(built, wanted)


def _transformer(name: str, pretrained: bool, stage: int, tokens: str) -> TimmNetwork:
    if stage:
        raise InvalidInput(f"{name} is a Vision Transformer: it has no stages", fix="stage: 0")
    model = timm.create_model(name, pretrained=pretrained, num_classes=0, dynamic_img_size=True)
    patch, *others = set(model.patch_embed.patch_size)
    if others:
        raise InvalidInput(f"{name} has patches that are not square")
    if tokens == "class" and getattr(model, "cls_token", None) is None:
        raise InvalidInput(f"{name} has no class token", fix="tokens: patches")
    return Tokens(model, patch, tokens)
