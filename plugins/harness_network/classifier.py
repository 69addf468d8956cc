"""What all networks of this package are: maps, features, logits. Loads torch: import it where a network is built."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn.functional import normalize


class Classifier(nn.Module):
    """A network that returns logits (B, c) and features (B, d).

    Args:
        maps: images (B, C, H, W) -> features (B, d).
        head: features -> logits.
        unit: whether features have unit length.
        dropout: share of the features dropped before the head in training.
        length: factor on the features before the head.
    """

    def __init__(
        self, maps: nn.Module, head: nn.Module, *, unit: bool, dropout: float = 0.0, length: float = 1.0
    ) -> None:
        super().__init__()
        self.maps, self.head, self.dropout = maps, head, nn.Dropout(dropout)
        self.unit, self.length = unit, length

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Images (B, C, H, W) -> logits (B, c) and features (B, d)."""
        features = self.maps(images)
        if self.unit:
            features = normalize(features)
        scaled = features if self.length == 1 else features * self.length
        return self.head(self.dropout(scaled)), features

    def linear_head(self) -> tuple[Tensor, Tensor] | None:
        """Weight (c, d) and bias (c,) of the head on the features; None where it is not linear."""
        if not isinstance(self.head, nn.Linear):
            return None
        return self.head.weight * self.length, self.head.bias
