"""The network of RRT: one sequence of the features of two images, read off its first token (Tan et al. 2021)."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn


class Network(nn.Module):
    """How alike two images are, from a global and local features of each.

    The sequence is [cls, global, local ..., sep, global, local ...] of the two images in turn.

    Args:
        width: dimension of global features.
        dimension: of local features and tokens.
        heads: of each attention.
        layers: how many.
        hidden: units between the two linear layers of each.
        scales: of images, at which local features are taken.
    """

    def __init__(self, width: int, dimension: int, heads: int, layers: int, hidden: int, scales: int) -> None:
        super().__init__()
        self.cls, self.sep = (nn.Parameter(torch.zeros(dimension)) for _ in range(2))
        self.segments = nn.Parameter(torch.zeros(4, dimension))  # global and local of the first image, of the second
        self.scales = nn.Parameter(torch.zeros(scales, dimension))
        self.remap = nn.Linear(width, dimension)
        self.layers = nn.ModuleList(
            nn.TransformerEncoderLayer(dimension, heads, hidden, dropout=0.0, batch_first=True) for _ in range(layers)
        )
        self.classifier = nn.Linear(dimension, 1)

    @classmethod
    def shaped(cls, state: Mapping[str, Tensor], heads: int) -> Network:
        """The network that a state dict fits, without its weights."""
        dimension, width = state["remap.weight"].shape
        layers = sum(name.endswith(".linear1.weight") for name in state)
        hidden = len(state["layers.0.linear1.weight"])
        return cls(width, dimension, heads, layers, hidden, len(state["scales"]))

    def tokens(self, whole: Tensor, local: Tensor, scales: Tensor, image: int) -> Tensor:
        """The part of the sequence of the image 0 or 1: (2 + m, d).

        Args:
            whole: (D,) its global feature.
            local: (m, d) its local features.
            scales: (m,) int64 the numbers of their scales.
            image: first or second.
        """
        of_global, of_local = self.segments[2 * image : 2 * image + 2]
        start = (self.cls, self.sep)[image]
        return torch.cat([start[None], (self.remap(whole) + of_global)[None], local + self.scales[scales] + of_local])

    def forward(self, sequences: Tensor, padding: Tensor) -> Tensor:
        """Sequences (n, t, d) and which tokens are padding, (n, t) bool -> logits (n,)."""
        for layer in self.layers:
            sequences = layer(sequences, src_key_padding_mask=padding)
        logits: Tensor = self.classifier(sequences[:, 0])[:, 0]
        return logits
