"""One method of each kind that keeps all rules, as short as it can be: saboteurs are made from them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch
from torch import nn

from harness import hookimpl
from harness.data.instances import Instances as GroundTruth
from harness.plugin_api import ClassificationSet, FileListing, Ranking, RetrievalSet


@dataclass(frozen=True)
class Acquisition:
    """Least probable prediction first."""

    def select(self, pool, budget, rng):
        return pool.unlabelled[np.argsort(pool.probabilities[pool.unlabelled].max(axis=1), kind="stable")[:budget]]


@dataclass(frozen=True)
class Pooling:
    """Mean of each map."""

    def pool(self, maps):
        return maps.mean((-2, -1))


@dataclass(frozen=True)
class Whitening:
    """Centred and normalised."""

    def fit(self, descriptors, pairs=None):
        return Centred(descriptors.mean(axis=0))


@dataclass(frozen=True)
class Centred:
    mean: np.ndarray

    def apply(self, rows):
        return unit(rows - self.mean)


@dataclass(frozen=True)
class Expansion:
    """The query's mean with its nearest image."""

    def fit(self, database):
        return Expanded(database)


@dataclass(frozen=True)
class Expanded:
    database: np.ndarray

    def expand(self, queries, ranking):
        depth = ranking.indices.shape[1]
        if depth == 0:
            return ranking
        return self.search(queries + self.database[ranking.indices[:, 0]], depth)

    def search(self, queries, depth):
        scores = np.stack([(self.database * query).sum(axis=1) for query in queries])
        order = np.argsort(-scores, axis=1, kind="stable")[:, :depth]
        return Ranking(order, np.take_along_axis(scores, order, axis=1).astype(np.float32))


@dataclass(frozen=True)
class Reranking:
    """Cosine of the mean maps."""

    top: int = 10

    def describe(self, maps, role):
        return np.concatenate([np.asarray(part.mean((-2, -1))) for part in maps])

    def score(self, query, candidates):
        return np.array([query @ other / max(np.linalg.norm(other), 1e-9) for other in candidates], np.float32)

    def pack(self, features):
        return {"mean": features}

    def unpack(self, arrays):
        return arrays["mean"]


@dataclass(frozen=True)
class Backbone:
    """Average colour of 8 x 8 pixels."""

    stride: ClassVar[int] = 8

    def maps(self, image):
        return torch.nn.functional.avg_pool2d(image[None], 8, ceil_mode=True)[0]


class Linear(nn.Module):
    def __init__(self, shape, n_classes):
        super().__init__()
        self.body, self.head = nn.Linear(int(np.prod(shape)), 4), nn.Linear(4, n_classes)

    def forward(self, images):
        features = self.body(images.flatten(1))
        return self.head(features), features


@dataclass(frozen=True)
class Network:
    """Two linear layers."""

    def build(self, shape, n_classes):
        return Linear(shape, n_classes)


@dataclass(frozen=True)
class Learning:
    """Three steps on the labelled images."""

    def prepare(self, model, data, rng):
        return None

    def train(self, model, data, rng):
        return self.descend(model, data, data.labels)

    def descend(self, model, data, labels):
        chosen = np.flatnonzero(labels >= 0)
        images, targets = torch.from_numpy(data.images[chosen]).float(), torch.from_numpy(labels[chosen])
        optimiser = torch.optim.SGD(model.parameters(), lr=0.1)
        for _ in range(3):
            optimiser.zero_grad()
            torch.nn.functional.cross_entropy(model(images)[0], targets).backward()
            optimiser.step()
        return model


@dataclass(frozen=True)
class Classes:
    """Noise of two classes."""

    task: ClassVar[str] = "active-learning"

    def fingerprint(self, folders):
        return "c" * 64

    def load(self, folders):
        images = np.random.default_rng(0).integers(0, 255, (12, 1, 4, 4), dtype=np.uint8)
        labels = np.arange(12) % 2
        return ClassificationSet("noise", images[:8], labels[:8], images[8:], labels[8:], ("a", "b"))


@dataclass(frozen=True)
class Labelled(Classes):
    """Knows its labels without the images."""

    def labels(self, folders):
        return np.arange(12)[:8] % 2


@dataclass(frozen=True)
class Instances:
    """Three empty files and a query."""

    task: ClassVar[str] = "retrieval"

    def fingerprint(self, folders):
        return "d" * 64

    def load(self, folders):
        names = [Path(folders.cache) / name for name in ("a", "b", "c", "q")]
        Path(folders.cache).mkdir(parents=True, exist_ok=True)
        for name in names:
            name.touch()
        return RetrievalSet("files", names[:3], names[3:], [None], [{"easy": [0], "hard": [1], "junk": [2]}])


# --- with optional hooks ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class ByCycle(Acquisition):
    """The same in each cycle, whatever the labels."""

    def at(self, cycle):
        return Acquisition()

    def select_knowing(self, pool, budget, rng, labels):
        return self.select(pool, budget, rng)

    def select_asking(self, pool, budget, rng, ask):
        picks = self.select(pool, budget, rng)
        for position in picks[:1]:
            ask(int(position))
        return picks

    def select_remembering(self, pool, budget, rng, memory):
        return self.select(pool, budget, rng), {"cycles": np.array(1 + int((memory or {}).get("cycles", 0)))}


@dataclass(frozen=True)
class Reporting(Learning):
    """Says how many steps it took, and reads its weights again."""

    def train(self, model, data, rng):
        model = super().train(model, data, rng)
        model.report = {"steps": 3}
        return model

    def restore(self, model, images, weights):
        model.load_state_dict(weights)
        return model


@dataclass(frozen=True)
class Keeping(Network):
    """Leaves features as they are."""

    def scale(self, features):
        return np.zeros(features.shape[1], np.float32), np.ones(features.shape[1], np.float32)


class Cells(nn.Module):
    def __init__(self):
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            self.layer = nn.Conv2d(3, 4, 8, stride=8)

    def forward(self, images):
        height, width = images.shape[-2:]
        return self.layer(nn.functional.pad(images, (0, -width % 8, 0, -height % 8))).relu()


@dataclass(frozen=True)
class Trainable(Backbone):
    """One convolution, whose weights may come from a file."""

    weights: str = ""

    def module(self):
        module = Cells()
        if self.weights:
            module.load_state_dict(torch.load(self.weights)["state"])
        return module.eval()

    def maps(self, image):
        return self.module()(image[None])[0]

    def checkpoint(self, module):
        return {"state": module.state_dict()}


@dataclass(frozen=True)
class Looking(Pooling):
    """Means as shares of those of the database; one region, which is the whole map."""

    learns: bool = True

    def fit(self, maps):
        means = torch.stack([image.mean((-2, -1)) for image in maps]).mean(0)
        return Looked(means if self.learns else torch.ones_like(means))

    @property
    def first_pass(self):
        return self

    def saliency(self, maps):
        return maps.mean(-3)

    def detect(self, saliency):
        *_, last = self.evolution(self.samples(saliency))
        return self.rectangles(last, saliency.shape)

    def samples(self, saliency):
        return saliency.astype(np.float64)

    def evolution(self, samples):
        yield Mixture(np.ones(1))

    def rectangles(self, mixture, shape):
        return [(0, 0, *shape)]


@dataclass(frozen=True)
class Mixture:
    weights: np.ndarray


@dataclass(frozen=True)
class Looked:
    means: torch.Tensor

    def pool(self, maps):
        return maps.mean((-2, -1)) / (1 + self.means)

    def pool_query(self, maps):
        return maps.amax((-2, -1))

    def pool_uncropped_query(self, maps):
        return self.pool(maps)


@dataclass(frozen=True)
class Ranked(Whitening):
    """Says how many dimensions there are."""

    def fit(self, descriptors, pairs=None):
        return RankedCentred(descriptors.mean(axis=0), min(descriptors.shape))


@dataclass(frozen=True)
class RankedCentred(Centred):
    rank: int = 0


@dataclass(frozen=True)
class Matching(Reranking):
    """The first cells match; the similarity counts as much as the score."""

    rotations: int = 0

    def describe_rotations(self, views):
        return self.describe(views[0], "query")

    def verified(self, scores):
        return scores

    def order(self, similarities, scores):
        return similarities + scores

    def correspondences(self, query, candidate, query_size, candidate_size):
        return {"query": np.zeros((1, 2)), "image": np.zeros((1, 2)), "words": np.zeros(1, np.int64)}

    def attention(self, query_maps, image_maps):
        return torch.ones_like(query_maps, dtype=bool), torch.ones_like(image_maps, dtype=bool)


@dataclass(frozen=True)
class OnPixels(Reranking):
    """Mean colour, and how bright it is below."""

    def describe_image(self, image, role):
        rows = np.linspace(0, 1, len(image))[:, None, None]
        return np.array([image.mean(), (image * rows).mean()])


@dataclass(frozen=True)
class Known(Instances):
    """Knows its ground truth without the images."""

    def instances(self, folders):
        truth = {"easy": (0,), "hard": (1,), "junk": (2,)}
        return GroundTruth(("a", "b", "c"), ("q",), (None,), (truth,))


@dataclass(frozen=True)
class Listed(Classes):
    """Says which files it reads."""

    def files(self, folders):
        loaded = self.load(folders)
        labels = {"train": loaded.train_labels.tolist(), "test": loaded.test_labels.tolist()}
        files = {part: [Path(f"{part}{row}.png") for row in range(len(labels[part]))] for part in labels}
        return FileListing(loaded.classes, files, labels)


@dataclass(frozen=True)
class Named(Pooling):
    """Has parameters with the names of what the registry takes."""

    kind: str = "mean"
    name: str = ""
    registry: int = 0


def unit(rows):
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    return (rows / np.where(norms > 0, norms, 1)).astype(np.float32)


@hookimpl
def harness_register(registry):
    registry.acquisition("honest", Acquisition)
    registry.pooling("honest", Pooling)
    registry.whitening("honest", Whitening)
    registry.expansion("honest", Expansion)
    registry.reranking("honest", Reranking)
    registry.backbone("honest", Backbone)
    registry.network("honest", Network)
    registry.learning("honest", Learning)
    with_hooks = {
        "acquisition": ByCycle,
        "learning": Reporting,
        "network": Keeping,
        "backbone": Trainable,
        "whitening": Ranked,
        "reranking": Matching,
        "dataset": Known,
    }
    for kind, cls in with_hooks.items():
        getattr(registry, kind)("honest-hooks", cls)
    for learns in (True, False):
        registry.pooling(f"honest-{learns}".lower(), Looking, check={"learns": learns})
    registry.pooling("honest-names", Named, check={"kind": "max", "name": "n", "registry": 1})
    registry.reranking("honest-pixels", OnPixels)
    registry.dataset("honest-classes", Classes, check={})
    registry.dataset("honest-listed", Listed)
    registry.dataset("honest-labels", Labelled, check={})
    registry.dataset("honest-instances", Instances)
