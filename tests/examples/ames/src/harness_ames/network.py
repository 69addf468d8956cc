"""The network of AMES: attention within two images and between them, read off one token (Suma et al. 2024)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize, relu, softplus


class Sign(nn.Module):
    """A projection (d, bits) and the signs of what it gives."""

    def __init__(self, dimension: int, bits: int) -> None:
        super().__init__()
        self.W = nn.Parameter(torch.zeros(dimension, bits))

    def forward(self, features: Tensor) -> Tensor:
        return torch.sign(normalize(features, dim=-1) @ self.W)


class Layer(nn.Module):
    """Attention within the images, then between them, then two linear layers; each added and normalised after."""

    def __init__(self, dimension: int, heads: int, hidden: int) -> None:
        super().__init__()
        self.self_attn = nn.MultiheadAttention(dimension, heads, batch_first=True)
        self.cross_attn = nn.MultiheadAttention(dimension, heads, batch_first=True)
        self.linear1, self.linear2 = nn.Linear(dimension, hidden), nn.Linear(hidden, dimension)
        self.norm1, self.norm2, self.norm3 = (nn.LayerNorm(dimension) for _ in range(3))

    def forward(self, x: Tensor, within: Tensor, between: Tensor, padding: Tensor) -> Tensor:
        """(n, tokens, d); of the masks (tokens, tokens) and (n, tokens) what is true is not attended to."""
        x = self.norm1(x + self.self_attn(x, x, x, padding, need_weights=False, attn_mask=within)[0])
        x = self.norm2(x + self.cross_attn(x, x, x, padding, need_weights=False, attn_mask=between)[0])
        x = self.norm3(x + self.linear2(relu(self.linear1(x))))
        return x


class Network(nn.Module):
    """How alike two images are, from their local features.

    Args:
        features: dimension of local features.
        dimension: of tokens.
        heads: of each attention.
        layers: how many.
        hidden: units between the two linear layers of each.
        bits: of a binary network; 0: features stay real.
    """

    def __init__(self, features: int, dimension: int, heads: int, layers: int, hidden: int, bits: int = 0) -> None:
        super().__init__()
        self.width, self.binary = features, bits > 0
        first = [Sign(features, bits)] if bits else []
        self.remap_local = nn.Sequential(*first, nn.Linear(bits or features, dimension), nn.LayerNorm(dimension))
        self.mtc_token = nn.Parameter(torch.zeros(dimension))
        self.decoder = nn.Module()
        self.decoder.layers = nn.ModuleList(Layer(dimension, heads, hidden) for _ in range(layers))
        self.classifier = nn.Linear(dimension, 1)

    @classmethod
    def shaped(cls, state: Mapping[str, Tensor], heads: int) -> Network:
        """The network that a state dict fits, without its weights."""
        bits = state["remap_local.0.W"].shape[1] if "remap_local.0.W" in state else 0
        features = state["remap_local.0.W"].shape[0] if bits else state["remap_local.0.weight"].shape[1]
        hidden, dimension = state["decoder.layers.0.linear1.weight"].shape
        layers = sum(name.endswith(".linear1.weight") for name in state)
        return cls(features, dimension, heads, layers, hidden, bits)

    def forward(self, query: Tensor, query_padding: Tensor, image: Tensor, image_padding: Tensor) -> Tensor:
        """Features (n, q, d) and (n, t, d), and which rows are padding, (n, q) and (n, t) bool -> logits (n,)."""
        left, right = (self.remap_local(normalize(x, dim=-1)) for x in (query, image))
        if not self.binary:
            right = right.half().float()  # as the database is stored
        n, q, _ = left.shape
        token = self.mtc_token.expand(n, 1, -1)
        x = torch.cat([token, left, right], 1)
        padding = torch.cat([query_padding.new_zeros(n, 1), query_padding, image_padding], 1)
        side = torch.zeros(x.shape[1], dtype=torch.int64, device=x.device)
        side[1 : 1 + q], side[1 + q :] = 1, 2  # the token is of no side
        seen = side[:, None] * side  # 0: the token; 1 and 4: the same image; 2: the other
        for layer in cast(nn.ModuleList, self.decoder.layers):
            x = layer(x, seen == 2, (seen == 1) | (seen == 4), padding)
        logits: Tensor = self.classifier(x[:, 0])[:, 0]
        return logits


class Detector(nn.Module):
    """Weights of cells, and the features that are compared (the attention of DELG)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1, self.bn = nn.Conv2d(channels, channels, 1), nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, 1, 1)

    @classmethod
    def shaped(cls, state: Mapping[str, Tensor]) -> Detector:
        """The detector that a state dict fits, without its weights."""
        return cls(state["conv1.weight"].shape[0])

    def forward(self, maps: Tensor) -> tuple[Tensor, Tensor]:
        """Maps (C, h, w) -> features (C, h, w) of length 1 and weights (h, w), positive."""
        x = self.bn(self.conv1(maps[None]))
        return normalize(x, dim=1, eps=1e-15)[0], softplus(self.conv2(relu(x)))[0, 0]


def random_state(features: int, dimension: int = 8, hidden: int = 16, layers: int = 2, bits: int = 0) -> dict[str, Any]:
    """A state dict of random weights, the same every time."""
    generator = torch.Generator().manual_seed(0)
    network = Network(features, dimension, 2, layers, hidden, bits)
    return {name: torch.randn(value.shape, generator=generator) / 2 for name, value in network.state_dict().items()}


def random_checkpoint(folder: Path) -> Mapping[str, Any]:
    """Parameters with random weights for maps of 6 channels, as ``harness check`` has them."""
    torch.save(random_state(6), folder / "ames.pt")
    return {"weights": str(folder / "ames.pt")}
