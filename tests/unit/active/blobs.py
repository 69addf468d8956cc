"""Images of four classes, a training that counts, and a whole run on them."""

from __future__ import annotations

import dataclasses

import numpy as np

from harness.active.loop import ActiveProtocol, run_cycles
from harness.cache import Cache
from harness.core.progress import SilentProgress
from harness.plugin_api import ClassificationSet
from harness_learning.supervised import Supervised
from harness_network.small import SmallCNN


def blobs(n=80, seed=0):
    """Four classes: one bright quarter each."""
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % 4
    images = rng.integers(0, 120, size=(n, 1, 8, 8))
    for label, (row, column) in enumerate([(0, 0), (0, 4), (4, 0), (4, 4)]):
        images[labels == label, :, row : row + 4, column : column + 4] += 100
    return images.astype(np.uint8), labels.astype(np.int64)


DATA = ClassificationSet("blobs", *blobs(), *blobs(40, seed=1), classes=("a", "b", "c", "d"), flip=False)
PROTOCOL = ActiveProtocol(initial=4, budget=4, cycles=3)


@dataclasses.dataclass
class Counting:
    """Supervised training that counts and keeps what it was given; may stop in the middle of a run."""

    labels: list = dataclasses.field(default_factory=list)
    stop_after: int = 99

    def prepare(self, model, data, rng):
        assert (data.labels == -1).all()
        return None

    def train(self, model, data, rng):
        if len(self.labels) == self.stop_after:
            raise KeyboardInterrupt
        self.labels.append(data.labels.copy())
        return Supervised(epochs=12).train(model, data, rng)


def run(acquisition, cache=None, learning=None, protocol=PROTOCOL, seed=0, data=DATA):
    keys = {"dataset": "blobs", "learning": "counting", "network": "small", "acquisition": type(acquisition).__name__}
    methods = (acquisition, learning or Counting(), SmallCNN(width=4))
    cache = cache or Cache(None)
    return run_cycles(data, *methods, protocol, seed, keys=keys, cache=cache, progress=SilentProgress(), device="cpu")
