"""Images of four colours that the tests draw, a backbone without weights, and a whole run on them."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import torch
from PIL import Image

from harness.cache import Cache
from harness.core.progress import SilentProgress
from harness.plugin_api import RetrievalSet
from harness.retrieval.pipeline import RetrievalMethods, run_retrieval
from harness.retrieval.protocol import RetrievalProtocol
from harness_pooling.spoc import SPoC

COLOURS = [(230, 40, 30), (40, 200, 60), (50, 60, 220), (220, 210, 40)]


@dataclass
class Average:
    """Colours averaged over squares; counts how often it ran."""

    stride: int = 4
    calls: list[int] = field(default_factory=list)

    def maps(self, image):
        self.calls.append(1)
        return torch.nn.functional.avg_pool2d(image, self.stride, ceil_mode=True)


def draw_dataset(folder):
    """12 images of 4 colours on noise: three of each; the queries show a colour in a box."""
    rng = np.random.default_rng(0)

    def draw(name, colour, left):
        pixels = rng.integers(90, 140, (32, 48, 3), dtype=np.uint8)
        pixels[8:24, left : left + 16] = colour
        Image.fromarray(pixels).save(folder / name)
        return folder / name

    images = [draw(f"db{i}.png", COLOURS[i % 4], 4 + 2 * i) for i in range(12)]
    queries = [draw(f"q{i}.png", COLOURS[i], 10 + i) for i in range(4)]
    truth = [{"easy": [i], "hard": [i + 4], "junk": [i + 8]} for i in range(4)]
    boxes = [(10.0 + i, 8.0, 26.0 + i, 24.0) for i in range(4)]
    pairs = np.array([[i, i + 4] for i in range(4)] + [[i, i + 8] for i in range(4)])
    return RetrievalSet("drawn", images, queries, boxes, truth, pairs)


def keys(**more):
    return {"dataset": {"fingerprint": "f"}, "backbone": {"name": "average"}, "pooling": {"name": "some"}, **more}


def run(dataset, cache=None, backbone=None, pooling=None, protocol=None, its_keys=None, **methods):
    return run_retrieval(
        dataset,
        RetrievalMethods(backbone or Average(), pooling or SPoC(), **methods),
        protocol or RetrievalProtocol(image_size=48),
        keys=its_keys or keys(),
        cache=Cache(cache),
        progress=SilentProgress(),
    )
