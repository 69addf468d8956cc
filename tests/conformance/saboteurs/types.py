"""The same of every kind: another type, another dtype, another shape."""

from __future__ import annotations

import honest
import numpy as np
import torch

from harness.plugin_api import ClassificationSet, Ranking
from saboteurs.making import changed, fitted


def scores_of(convert):
    return lambda ranking: Ranking(ranking.indices, convert(ranking.scores))


class Pairs(honest.Linear):
    """Logits and features, changed by a class variable."""

    change = None

    def forward(self, images):
        return type(self).change(*super().forward(images))


def network(name, change):
    cls = type(f"{name}_network", (Pairs,), {"change": staticmethod(change)})
    changed("network", honest.Network, "build", name, lambda module: _renewed(module, cls))


def _renewed(module, cls):
    module.__class__ = cls
    return module


class Other(torch.nn.Module):
    """A trained model whose logits are changed."""

    def __init__(self, model, change):
        super().__init__()
        self.model, self.change = model, change

    def forward(self, images):
        logits, features = self.model(images)
        return self.change(logits), features


def dataset(name, **parts):
    def change(found):
        fields = {**vars(found), **{part: convert(getattr(found, part)) for part, convert in parts.items()}}
        return ClassificationSet(**fields)

    changed("dataset", honest.Classes, "load", name, change)


for name, change in {
    "returns": list,
    "dtype": lambda picks: picks.astype(np.int32),
    "shape": lambda picks: picks[:, None],
}.items():
    changed("acquisition", honest.Acquisition, "select", name, change)
for name, change in {
    "returns": list,
    "dtype": lambda rows: rows.astype(np.float64),
    "shape": lambda rows: rows[:, :, None],
}.items():
    fitted("whitening", honest.Whitening, honest.Centred, "apply", name, change)
for name, change in {
    "returns": lambda ranking: (ranking.indices, ranking.scores),
    "dtype": scores_of(lambda scores: scores.astype(np.float64)),
    "shape": scores_of(lambda scores: scores[:, :1].repeat(scores.shape[1] + 1, axis=1)),
}.items():
    fitted("expansion", honest.Expansion, honest.Expanded, "expand", name, change)
for name, change in {
    "returns": list,
    "dtype": lambda scores: scores.astype(np.float64),
    "shape": lambda scores: scores[:, None],
}.items():
    changed("reranking", honest.Reranking, "score", name, change)
for name, change in {"returns": np.asarray, "dtype": torch.Tensor.double, "shape": lambda maps: maps[None]}.items():
    changed("backbone", honest.Backbone, "maps", name, change)
network("returns", lambda logits, features: logits)
network("dtype", lambda logits, features: (logits.double(), features))
network("shape", lambda logits, features: (logits[:, 1:], features))
for name, change in {
    "returns": lambda model: None,
    "dtype": lambda model: Other(model, torch.Tensor.double),
    "shape": lambda model: Other(model, lambda logits: logits[:, :1]),
}.items():
    changed("learning", honest.Learning, "train", name, change)
changed("dataset", honest.Classes, "load", "returns", vars)
dataset("dtype", train_labels=lambda labels: labels.astype(np.int32))
dataset("shape", test_labels=lambda labels: labels[1:])
