"""Wrong plugins: each is an honest method with one thing wrong, registered under the rule that it breaks.

``rule`` or ``rule: what is wrong`` is the name; where several are wrong in different ways the text tells them apart.
"""

from __future__ import annotations

import functools
import importlib.util
import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch

from harness import hookimpl
from harness.plugin_api import ClassificationSet, Ranking, RetrievalSet


def _honest():
    """The module beside this one, loaded once however often this file is."""
    name = "harness_honest_methods"
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name("honest.py"))
        sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[name])
    return sys.modules[name]


honest = _honest()
SABOTEURS = []


def breaks(kind, name, check=None):
    """Registers a class under this kind and name."""

    def remember(cls):
        SABOTEURS.append((kind, name, cls, check))
        return cls

    return remember


def pooling(name):
    """A pooling made of one function of maps."""

    def remember(function):
        body = {"pool": lambda self, maps: function(maps), "__doc__": f"Breaks {name}.", "__module__": __name__}
        cls = dataclass(frozen=True)(type(function.__name__, (), body))
        globals()[function.__name__] = cls  # where pickle looks for it
        return breaks("pooling", name)(cls)

    return remember


# --- how it is written down -----------------------------------------------------------------------------------------


@breaks("pooling", "frozen-dataclass")
@dataclass
class Melting:
    """Its parameters can change."""

    p: float = 1.0

    def pool(self, maps):
        return maps.mean((-2, -1))


@breaks("pooling", "parameters")
@dataclass(frozen=True)
class Demanding:
    """Its parameter has no default, and nobody says what to try."""

    p: float

    def pool(self, maps):
        return maps.mean((-2, -1))


@breaks("pooling", "protocol")
@dataclass(frozen=True)
class Nameless:
    """Calls it otherwise."""

    def aggregate(self, maps):
        return maps.mean((-2, -1))


@breaks("pooling", "documented")
@dataclass(frozen=True)
class Silent:
    def pool(self, maps):
        return maps.mean((-2, -1))


@breaks("pooling", "declared-deviations")
@dataclass(frozen=True)
class Excused(honest.Pooling):
    """Excuses itself from a rule that does not exist."""

    deviations: ClassVar = {"determinism": "a slip of the pen"}


@breaks("pooling", "yaml")
@dataclass(frozen=True)
class Growing(honest.Pooling):
    """Doubles its parameter whenever it is made."""

    p: float = 1.0

    def __post_init__(self):
        object.__setattr__(self, "p", 2 * self.p)


@breaks("pooling", "pickle")
@dataclass(frozen=True)
class Stuck(honest.Pooling):
    """Holds on to this process."""

    def __reduce__(self):
        raise TypeError("cannot pickle a lock")


@pooling("worker")
def homesick(maps):
    return maps.mean((-2, -1)) * (1 + os.getpid() % 1000)


# --- what it answers ------------------------------------------------------------------------------------------------


@pooling("survives")
def ending(maps):
    os._exit(9)


@pooling("plain-inputs")
def crashing(maps):
    raise RuntimeError("not implemented for this device")


@pooling("small-inputs")
def crashing_on_one_cell(maps):
    if maps.shape[-1] * maps.shape[-2] == 1:
        raise IndexError("no neighbour")
    return maps.mean((-2, -1))


@pooling("empty-inputs: crashes on empty maps")
def crashing_on_empty_maps(maps):
    if not maps.any():
        raise ZeroDivisionError("division by zero")
    return maps.mean((-2, -1))


@pooling("constant-inputs")
def crashing_on_constant_maps(maps):
    if maps.numel() > 1 and maps.min() == maps.max() > 0:
        raise ValueError("the variance is zero")
    return maps.mean((-2, -1))


@pooling("scales")
def overflowing(maps):
    if maps.ndim == 3 and maps.max() > 1e3:
        raise OverflowError("too strong")
    return maps.mean((-2, -1))


@pooling("returns")
def numpy_array(maps):
    return np.asarray(maps.mean((-2, -1)))


@pooling("dtype: wrong dtype")
def double(maps):
    return maps.double().mean((-2, -1))


@pooling("shape: wrong shape")
def keeps_dimensions(maps):
    return maps.mean((-2, -1), keepdim=True)


@pooling("device")
def elsewhere(maps):
    return maps.mean((-2, -1)).to("meta")


@breaks("reranking", "finite: NaN scores")
@dataclass(frozen=True)
class Undefined(honest.Reranking):
    """Divides by zero."""

    def score(self, query, candidates):
        with np.errstate(invalid="ignore"):
            return super().score(query, candidates) * np.float32(np.nan)


@pooling("nan")
def hiding(maps):
    return torch.nan_to_num(maps).mean((-2, -1))


# --- the same of every kind: another type, another dtype, another shape -----------------------------------------------


def changed(kind, base, method, name, change):
    """An honest method whose ``method`` returns something else."""

    @functools.wraps(getattr(base, method))
    def wrapped(self, *arguments):
        return change(getattr(super(cls, self), method)(*arguments))

    label = f"{kind}_{name}".replace("-", "_")
    body = {method: wrapped, "__doc__": f"Breaks {name}.", "__module__": __name__}
    cls = dataclass(frozen=True)(type(label, (base,), body))
    globals()[label] = cls
    breaks(kind, f"{name}: of {kind}")(cls)


def fitted(kind, base, inner, method, name, change):
    """The same of what ``fit`` returns."""
    answer = lambda self, *arguments: change(getattr(inner, method)(self, *arguments))  # noqa: E731
    other = type(f"{kind}_{name}_fitted", (inner,), {method: answer})
    changed(kind, base, "fit", name, lambda found: other(*vars(found).values()))


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


# --- chance, state, inputs ------------------------------------------------------------------------------------------


@breaks("acquisition", "deterministic: not deterministic")
@dataclass(frozen=True)
class Moody:
    """Draws from a generator of its own without a seed."""

    def select(self, pool, budget, rng):
        return pool.unlabelled[np.random.default_rng().permutation(len(pool.unlabelled))[:budget]]


@breaks("acquisition", "ignores-global-random: global random state")
@dataclass(frozen=True)
class Global:
    """Draws from numpy's global generator."""

    def select(self, pool, budget, rng):
        return pool.unlabelled[np.random.permutation(len(pool.unlabelled))[:budget]]


@pooling("ignores-global-random: of torch")
def noisy(maps):
    return maps.mean((-2, -1)) + torch.rand(maps.shape[-3])


@pooling("leaves-global-random")
def reseeding(maps):
    np.random.seed(0)
    return maps.mean((-2, -1))


@pooling("inputs-unchanged: changes its input")
def clamping(maps):
    return maps.clamp_(max=0.1).mean((-2, -1))


@breaks("acquisition", "inputs-unchanged: of a pool")
@dataclass(frozen=True)
class Normalising(honest.Acquisition):
    """Normalises the pool's own features."""

    def select(self, pool, budget, rng):
        pool.features[:] = pool.features / (1 + np.linalg.norm(pool.features, axis=1, keepdims=True))
        return super().select(pool, budget, rng)


CALLS = []


@pooling("no-state: keeps state between calls")
def counting(maps):
    CALLS.append(1)
    return maps.mean((-2, -1)) + len(CALLS)


@breaks("expansion", "no-state: of what fit returned")
@dataclass(frozen=True)
class Remembering:
    """Adds the last query to the next."""

    def fit(self, database):
        return Memory(database)


class Memory(honest.Expanded):
    def expand(self, queries, ranking):
        last = self.__dict__.get("last", np.zeros_like(queries))
        object.__setattr__(self, "last", queries[:1] * 5)
        return super().expand(queries + last[:1] if len(last) else queries, ranking)


# --- acquisitions ---------------------------------------------------------------------------------------------------


@breaks("acquisition", "budget: ignores the budget")
@dataclass(frozen=True)
class Greedy(honest.Acquisition):
    """Takes three more."""

    def select(self, pool, budget, rng):
        return super().select(pool, budget + 3, rng)


@breaks("acquisition", "unlabelled: returns labelled indices")
@dataclass(frozen=True)
class Forgetful:
    """Ranks everything, also what is labelled."""

    def select(self, pool, budget, rng):
        count = min(budget, len(pool.unlabelled))
        return np.argsort(pool.probabilities.max(axis=1), kind="stable")[:count]


@breaks("acquisition", "unique: duplicates")
@dataclass(frozen=True)
class Repeating(honest.Acquisition):
    """The best one again and again."""

    def select(self, pool, budget, rng):
        picks = super().select(pool, budget, rng)
        return picks[np.zeros(len(picks), np.int64)]


@breaks("acquisition", "hidden-labels")
@dataclass(frozen=True)
class Spying(honest.Acquisition):
    """Reads the labels from its caller's frame."""

    def select(self, pool, budget, rng):
        truth = sys._getframe(1).f_locals.get("labels")
        if truth is None:
            return super().select(pool, budget, rng)
        return pool.unlabelled[np.argsort(truth[pool.unlabelled], kind="stable")[:budget]]


@breaks("acquisition", "public-pool")
@dataclass(frozen=True)
class Prying(honest.Acquisition):
    """Asks the pool for what it does not show."""

    def select(self, pool, budget, rng):
        getattr(pool, "_labels", None)
        return super().select(pool, budget, rng)


@breaks("acquisition", "position-independent")
@dataclass(frozen=True)
class Early:
    """The first of the file."""

    def select(self, pool, budget, rng):
        return pool.unlabelled[:budget]


# --- learning schemes -----------------------------------------------------------------------------------------------


@breaks("learning", "prepare-blind")
@dataclass(frozen=True)
class Peeking(honest.Learning):
    """Uses labels in preparation."""

    def prepare(self, model, data, rng):
        if (data.labels >= 0).any():
            self.descend(model, data, data.labels)
        return model.state_dict()


@breaks("learning", "only-given-labels")
@dataclass(frozen=True)
class Cheating(honest.Learning):
    """Finds more labels in its caller's frame."""

    def train(self, model, data, rng):
        return self.descend(model, data, sys._getframe(1).f_locals.get("train_labels", data.labels))


@breaks("learning", "uses-labels")
@dataclass(frozen=True)
class Lazy(honest.Learning):
    """Does not train."""

    def train(self, model, data, rng):
        return model


# --- networks and backbones -----------------------------------------------------------------------------------------


class Centring(honest.Linear):
    def forward(self, images):
        features = self.body(images.flatten(1))
        features = features - features.mean(dim=0) if len(features) > 1 else features
        return self.head(features), features


@breaks("network", "image-by-image")
@dataclass(frozen=True)
class BatchStatistics:
    """Takes statistics of the batch in evaluation too."""

    def build(self, shape, n_classes):
        return Centring(shape, n_classes)


@breaks("network", "seeded-weights")
@dataclass(frozen=True)
class OneSeed:
    """Always the same initial weights."""

    def build(self, shape, n_classes):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            return honest.Linear(shape, n_classes)


class Detached(honest.Linear):
    def forward(self, images):
        with torch.no_grad():
            return super().forward(images)


@breaks("network", "trainable")
@dataclass(frozen=True)
class Frozen:
    """No gradient."""

    def build(self, shape, n_classes):
        return Detached(shape, n_classes)


@breaks("backbone", "non-negative")
@dataclass(frozen=True)
class Shifted(honest.Backbone):
    """Without the ReLU."""

    def maps(self, image):
        return super().maps(image) - 0.5


@breaks("backbone", "stride")
@dataclass(frozen=True)
class Miscounted(honest.Backbone):
    """Says half of its stride."""

    stride: ClassVar[int] = 4


@breaks("backbone", "same-channels")
@dataclass(frozen=True)
class Adaptive(honest.Backbone):
    """More maps of tall images."""

    def maps(self, image):
        maps = super().maps(image)
        return torch.cat([maps, maps]) if image.shape[1] > 100 else maps


@breaks("backbone", "memory-order")
@dataclass(frozen=True)
class Flat(honest.Backbone):
    """Reads the memory as it lies there."""

    def maps(self, image):
        return super().maps(image.view(-1).view(image.shape))


# --- poolings -------------------------------------------------------------------------------------------------------


@pooling("batch")
def centring(maps):
    found = maps.mean((-2, -1))
    return found - found.mean(dim=0) if maps.ndim > 3 and len(maps) > 1 else found


@pooling("same-dimension")
def flattening(maps):
    return maps.flatten(-3)


@pooling("non-contiguous")
def viewing(maps):
    return maps.view(*maps.shape[:-2], -1).mean(-1)


# --- whitenings -----------------------------------------------------------------------------------------------------


class Unnormalised(honest.Centred):
    def apply(self, rows):
        return (rows - self.mean).astype(np.float32)


@breaks("whitening", "unit-rows")
@dataclass(frozen=True)
class OnlyCentred:
    """Rows keep their length."""

    def fit(self, descriptors, pairs=None):
        return Unnormalised(descriptors.mean(axis=0))


class OwnMean(honest.Centred):
    def apply(self, rows):
        return honest.unit(rows - rows.mean(axis=0))


@breaks("whitening", "row-by-row")
@dataclass(frozen=True)
class Transductive:
    """Centres on the rows that it is given."""

    def fit(self, descriptors, pairs=None):
        return OwnMean(descriptors.mean(axis=0))


# --- re-rankers -----------------------------------------------------------------------------------------------------


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


# --- query expansions -----------------------------------------------------------------------------------------------


def expansion(name, fitted, summary):
    """An expansion whose fitted object is of this class."""
    body = {"fit": lambda self, database: fitted(database), "__doc__": summary, "__module__": __name__}
    cls = dataclass(frozen=True)(type(f"{fitted.__name__}Expansion", (), body))
    globals()[cls.__name__] = cls
    breaks("expansion", name)(cls)


class Short(honest.Expanded):
    def expand(self, queries, ranking):
        found = super().expand(queries, ranking)
        return Ranking(found.indices[:, :3], found.scores[:, :3])


class Twice(honest.Expanded):
    def expand(self, queries, ranking):
        found = super().expand(queries, ranking)
        found.indices[:, 1:2] = found.indices[:, :1]
        return found


class Social(honest.Expanded):
    def expand(self, queries, ranking):
        return super().expand(queries + queries.mean(axis=0), ranking)


class DepthAware(honest.Expanded):
    def expand(self, queries, ranking):
        count = ranking.indices.shape[1] // 10
        if count == 0:
            return super().expand(queries, ranking)
        return self.search(queries + self.database[ranking.indices[:, :count]].sum(axis=1), ranking.indices.shape[1])


class ByName(honest.Expanded):
    def search(self, queries, depth):
        scores = np.stack([(self.database * query).sum(axis=1) for query in queries]) - np.arange(len(self.database))
        order = np.argsort(-scores, axis=1, kind="stable")[:, :depth]
        return Ranking(order, np.take_along_axis(scores, order, axis=1).astype(np.float32))


expansion("ranking-length: wrong ranking length", Short, "The first three.")
expansion("ranking", Twice, "One image twice.")
expansion("other-queries", Social, "Learns from the other queries.")
expansion("head", DepthAware, "Averages a share of what is asked for.")
expansion("database-order", ByName, "Prefers low ids.")


@breaks("expansion", "fit-without-queries")
@dataclass(frozen=True)
class Prepared(honest.Expansion):
    """Wants the queries beforehand."""

    def fit(self, database, queries=None):
        return honest.Expanded(database)


# --- datasets -------------------------------------------------------------------------------------------------------


@breaks("dataset", "task")
@dataclass(frozen=True)
class WrongTask(honest.Classes):
    """Says that it is for retrieval."""

    task: ClassVar[str] = "retrieval"


@breaks("dataset", "fingerprint")
@dataclass(frozen=True)
class Clocked(honest.Classes):
    """Its digest is the time."""

    def fingerprint(self, folders):
        return f"{time.time_ns():064x}"


@breaks("dataset", "labels")
@dataclass(frozen=True)
class FromOne(honest.Classes):
    """Counts classes from 1."""

    def load(self, folders):
        found = super().load(folders)
        return ClassificationSet("noise", found.train_images, found.train_labels + 1, *_test(found), found.classes)


@breaks("dataset", "held-out")
@dataclass(frozen=True)
class Leaking(honest.Classes):
    """One test image is in the pool."""

    def load(self, folders):
        found = super().load(folders)
        images, labels = found.train_images, found.train_labels
        return ClassificationSet("noise", images, labels, images[:2], labels[:2], found.classes)


@breaks("dataset", "ground-truth")
@dataclass(frozen=True)
class Contradictory(honest.Instances):
    """One image is an answer and junk."""

    def load(self, folders):
        found = super().load(folders)
        truth = [{"easy": [0], "hard": [1], "junk": [0]}]
        return RetrievalSet("files", found.images, found.queries, [None], truth)


@breaks("dataset", "files")
@dataclass(frozen=True)
class Gone(honest.Instances):
    """One image does not exist."""

    def load(self, folders):
        found = super().load(folders)
        return RetrievalSet("files", [*found.images[:2], Path("gone")], found.queries, [None], found.ground_truth)


@breaks("dataset", "missing-data", check={"size": 4})
@dataclass(frozen=True)
class Blunt(honest.Classes):
    """Does not say what is missing."""

    size: int = 4

    def load(self, folders):
        list(folders.root.iterdir())
        return super().load(folders)


def _test(found):
    return found.test_images, found.test_labels


@hookimpl
def harness_register(registry):
    for kind, name, cls, check in SABOTEURS:
        getattr(registry, kind)(name, cls, check=check)
