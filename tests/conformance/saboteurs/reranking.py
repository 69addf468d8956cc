"""Re-rankers."""

from __future__ import annotations

from dataclasses import dataclass

import honest
import numpy as np
import torch

from saboteurs.making import breaks


@breaks("reranking", "top")
@dataclass(frozen=True)
class Halfway(honest.Reranking):
    """Half an image too many."""

    top: float = 2.5


@breaks("reranking", "one-by-one")
@dataclass(frozen=True)
class Relative(honest.Reranking):
    """Scores against the mean of the list."""

    def score(self, query, candidates):
        found = super().score(query, candidates)
        return found - found.mean()


@breaks("reranking", "pack")
@dataclass(frozen=True)
class Rounding(honest.Reranking):
    """Keeps half of the digits."""

    def pack(self, features):
        return {"mean": features.astype(np.float16)}


@breaks("reranking", "describe-image")
@dataclass(frozen=True)
class AsItLies(honest.OnPixels):
    """Reads pixels in the order of the memory."""

    def describe_image(self, image, role):
        pixels = image.ravel(order="K")
        return np.array([pixels.mean(), (pixels * np.linspace(0, 1, len(pixels))).mean()])


@breaks("reranking", "rotations")
@dataclass(frozen=True)
class Dizzy(honest.Matching):
    """Sees half of a turned query."""

    def describe_rotations(self, views):
        half = super().describe_rotations(views)
        return np.where(np.arange(len(half)) % 2, half, 0)


@breaks("reranking", "order")
@dataclass(frozen=True)
class Reversed(honest.Matching):
    """Ranks by the similarity less the score."""

    def order(self, similarities, scores):
        return similarities - scores


@breaks("reranking", "correspondences")
@dataclass(frozen=True)
class Spatial(honest.Matching):
    """Positions in three dimensions."""

    def correspondences(self, query, candidate, query_size, candidate_size):
        return {"query": np.zeros((2, 3)), "image": np.zeros((2, 3))}


@breaks("reranking", "attention")
@dataclass(frozen=True)
class Weighing(honest.Matching):
    """Weights in place of masks."""

    def attention(self, query_maps, image_maps):
        return torch.ones_like(query_maps), torch.ones_like(image_maps)


@dataclass(frozen=True)
class Shortened:
    method: honest.Reranking

    def prepared(self, features):
        return features

    def score(self, query, candidates):
        return self.method.score(query, candidates[1:])


@breaks("reranking", "learn")
@dataclass(frozen=True)
class Forgetful(honest.Reranking):
    """Forgets the first candidate once it has learnt."""

    def fit(self, features):
        return Shortened(self)
