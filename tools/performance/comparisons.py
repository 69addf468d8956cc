"""What is compared: the harness against installed peers and against what one would write first, on the same input.

A comparison is added by a function that makes the input and returns what both sides do. Both must give the same result:
``same`` raises where they do not.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from harness.search import unit_rows

Work = Callable[[], Any]


@dataclass(frozen=True)
class Comparison:
    """Two ways to one result.

    Attributes:
        ours: of the harness.
        peer: the other one.
        same: raises ``AssertionError`` unless the results of both, in this order, are the same.
        repeat: how often each is called for one time.
        threads: of torch; 0: all.
        rounds: at most so many pairs are timed; 0: as many as the others.
    """

    ours: Work
    peer: Work
    same: Callable[[Any, Any], None]
    repeat: int = 1
    threads: int = 0
    rounds: int = 0


@dataclass(frozen=True)
class Described:
    """What the table says of a comparison.

    Attributes:
        name: what is computed.
        size: of the input.
        peer: what it is compared with.
        package: whose version is shown; empty: code of ``comparisons.py``.
        same: in what the results agree.
        make: makes it.
        least: ratio that a quiet machine holds, whichever it is; the gate fails where the whole interval lies below.
    """

    name: str
    size: str
    peer: str
    package: str
    same: str
    make: Callable[[], Comparison]
    least: float = 1


COMPARISONS: list[Described] = []


def agree(same: object, what: str) -> None:
    """Raise ``AssertionError`` unless the results are the same."""
    if not same:
        raise AssertionError(f"results differ: {what}")


def compared(
    name: str, size: str, peer: str, same: str, package: str = "", least: float = 1
) -> Callable[[Callable[[], Comparison]], Callable[[], Comparison]]:
    """Add a comparison to the list."""

    def add(make: Callable[[], Comparison]) -> Callable[[], Comparison]:
        COMPARISONS.append(Described(name, size, peer, package, same, make, least))
        return make

    return add


def clustered(n: int, d: int, groups: int = 500, noise: float = 0.8) -> Any:
    """Rows of length 1 around some directions."""
    rng = np.random.default_rng(0)
    centres = unit_rows(rng.standard_normal((groups, d)))
    spread = noise / np.sqrt(d) * rng.standard_normal((n, d), dtype=np.float32)
    return unit_rows(centres[rng.integers(groups, size=n)] + spread)


# ---------------------------------------------------------------- search and graph

_MANY = 50_000
"""Rows of what takes seconds."""
_FEW_ROUNDS = 6
"""Pairs of what takes seconds: as few as an interval of 95% needs."""


def _search(n: int, d: int, k: int) -> Comparison:
    import faiss

    from harness.search import top_k

    x = clustered(n, d)

    def same(ours: Any, theirs: Any) -> None:
        np.testing.assert_allclose(ours.scores, theirs[0], rtol=0, atol=1e-5)

    rounds = _FEW_ROUNDS if n >= _MANY else 0
    return Comparison(
        lambda: top_k(x, x, k), lambda: faiss.knn(x, x, k, metric=faiss.METRIC_INNER_PRODUCT), same, rounds=rounds
    )


for _n, _d in ((20_000, 128), (10_000, 512), (50_000, 128)):
    compared("exact nearest neighbours", f"{_n:,} x {_d}, 50 each", "faiss.knn", "similarities to 1e-5", "faiss-cpu")(
        partial(_search, _n, _d, 50)
    )


def graph_of(n: int) -> Any:
    """A normalised affinity."""
    from harness.graph import affinity_from_neighbours, neighbours, normalise

    found = neighbours(clustered(n, 128), 50)
    return normalise(affinity_from_neighbours(found.indices, found.similarities))


@compared(
    "label propagation", "10,000 examples, 50 classes", "scipy cg, a class at a time", "labels of 99.9%", "scipy", 1.5
)
def propagation() -> Comparison:
    """All classes together against one solve a class; float64, same graph and tolerance."""
    import scipy.sparse as sp
    from scipy.sparse.linalg import cg

    from harness.graph import propagate

    n, classes = 10_000, 50
    s, rng = graph_of(n), np.random.default_rng(0)
    labels = np.full(n, -1)
    labels[rng.choice(n, 1000, replace=False)] = np.arange(1000) % classes

    def by_class() -> Any:
        system = sp.csr_array(sp.eye_array(n, format="csr") - 0.99 * s.astype(np.float64))
        return np.stack([cg(system, (labels == c) / (labels == c).sum(), rtol=1e-6, atol=0)[0] for c in range(classes)])

    def same(ours: Any, theirs: Any) -> None:
        reached = (labels < 0) & (ours.labels >= 0)
        agree((ours.labels == theirs.argmax(axis=0))[reached].mean() > 0.999, "labels")

    return Comparison(lambda: propagate(s, labels, classes), by_class, same)


def _from_features(n: int, classes: int) -> Comparison:
    """Neighbours, graph and solve, beside released code: its search is faiss, its solves are those of scipy."""
    import faiss
    import scipy.sparse as sp
    from scipy.sparse.linalg import cg

    from harness.graph import affinity_from_neighbours, neighbours, normalise, propagate

    x, rng, k = clustered(n, 128), np.random.default_rng(0), 50
    labels = np.full(n, -1)
    labels[rng.choice(n, 1000, replace=False)] = np.arange(1000) % classes

    def ours() -> Any:
        found = neighbours(x, k)
        s = normalise(affinity_from_neighbours(found.indices, found.similarities, mode="union"))
        return propagate(s, labels, classes, preset="released-code").labels

    def released() -> Any:
        index = faiss.IndexFlatIP(x.shape[1])
        index.add(x)
        found, indices = index.search(x, k + 1)
        rows = np.repeat(np.arange(n), k)
        weights = sp.csr_array((found[:, 1:].ravel() ** 3, (rows, indices[:, 1:].ravel())), shape=(n, n))
        weights = weights + weights.T
        scale = sp.diags_array(1 / np.sqrt(weights.sum(axis=1)))
        system = sp.csr_array(sp.eye_array(n) - 0.99 * (scale @ weights @ scale))
        sides = ((labels == c) / (labels == c).sum() for c in range(classes))
        return np.stack([cg(system, side, rtol=1e-6, maxiter=20)[0] for side in sides]).argmax(axis=0)

    def same(ours: Any, theirs: Any) -> None:
        agree((ours == theirs)[(labels < 0) & (ours >= 0)].mean() > 0.99, "labels")

    return Comparison(ours, released, same, rounds=_FEW_ROUNDS if n >= _MANY else 0)


for _n, _classes in ((50_000, 10), (20_000, 100)):
    compared(
        "label propagation from features",
        f"{_n:,} x 128, {_classes} classes",
        "code of Iscen et al. 2019, with faiss",
        "labels of 99%",
        "faiss-cpu",
    )(partial(_from_features, _n, _classes))


@compared(
    "offline diffusion", "2,000 images, truncation 500", "scipy cg, an image at a time", "first 10 images", "scipy", 3
)
def diffusion() -> Comparison:
    """Of each image a row of the inverse, on the part of the graph that it is nearest to."""
    import scipy.sparse as sp
    from scipy.sparse.linalg import cg

    from harness.graph import affinity, neighbours, normalise
    from harness.plugin_api import Ranking
    from harness.search import top_k
    from harness_expansion.diffusion import Diffusion

    n, top, queries = 2000, 500, 20
    x, first = clustered(n, 512, groups=40), np.eye(1, top)[0]
    found = top_k(x[:queries], x)
    method = Diffusion(k=50, kq=1, alpha=0.99, truncation=top, offline=True)

    def by_image() -> Any:
        s = normalise(affinity(x, 50).astype(np.float64))
        kept = np.concatenate([np.arange(n)[:, None], neighbours(x, top - 1).indices], axis=1)
        parts = (sp.csr_array(sp.eye_array(top, format="csr") - 0.99 * s[ids][:, ids]) for ids in kept)
        return kept, np.stack([cg(part, first, rtol=1e-6, maxiter=20)[0] for part in parts])

    def same(ours: Any, theirs: Any) -> None:
        ranking = ours.expand(x[:queries], Ranking(found.indices, found.scores)).indices[:, :10]
        for row, ids, values in zip(ranking, theirs[0], theirs[1], strict=False):
            agree(len(set(row) & set(ids[np.argsort(-values)[:10]])) >= 9, "first images")

    return Comparison(lambda: method.fit(x), by_image, same)


# ---------------------------------------------------------------- active learning


def pool_of(n: int, d: int, labelled: int, classes: int = 10) -> Any:
    """A pool of overlapping groups with confident and doubtful predictions."""
    from harness.active import Pool

    x, rng = clustered(n, d, groups=50, noise=1.5), np.random.default_rng(1)
    logits = 2 * rng.normal(size=(n, classes))
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    labels = np.full(n, -1)
    labels[rng.choice(n, labelled, replace=False)] = np.arange(labelled) % classes
    return Pool(x, probabilities, labels)


@compared("coreset", "50,000 x 128, 1,000 labels, budget 300", "numpy, a product a pick", "picks", least=3)
def coreset() -> Comparison:
    """Greedy k-center against the usual loop."""
    from harness_acquisition.coreset import CoreSet

    pool, budget = pool_of(50_000, 128, 1000), 300
    x, labelled = pool.features, np.flatnonzero(pool.labels >= 0)

    def plain() -> Any:
        norms = np.einsum("ij,ij->i", x, x)
        nearest = np.full(len(x), np.inf, np.float32)
        for start in range(0, len(labelled), 100):
            centres = labelled[start : start + 100]
            nearest = np.minimum(nearest, (norms[:, None] + norms[centres] - 2 * x @ x[centres].T).min(axis=1))
        nearest[labelled] = -1
        picks: list[int] = []
        for _ in range(budget):
            pick = int(np.argmax(nearest))
            picks.append(pick)
            nearest = np.minimum(nearest, np.maximum(norms + norms[pick] - 2 * (x @ x[pick]), 0))
            nearest[labelled] = nearest[picks] = -1
        return picks

    def same(ours: Any, theirs: Any) -> None:
        # float32 decides between near equals
        agree(len(set(ours.tolist()) & set(theirs)) > 0.95 * budget, "picks")

    return Comparison(lambda: CoreSet().select(pool, budget, np.random.default_rng(0)), plain, same)


@compared(
    "badge", "10,000 x 64, 10 classes, budget 100", "k-means++ of scikit-learn", "number of picks", "scikit-learn", 20
)
def badge() -> Comparison:
    """Draws from gradients that are never written down against the library's on written ones."""
    from sklearn.cluster import kmeans_plusplus

    from harness_acquisition.badge import Badge

    pool, budget = pool_of(10_000, 64, 100), 100

    def written() -> Any:
        rows = pool.unlabelled
        q, z = pool.probabilities[rows].astype(np.float32), pool.features[rows]
        q[np.arange(len(q)), q.argmax(axis=1)] -= 1
        gradients = (q[:, :, None] * z[:, None]).reshape(len(q), -1)
        return kmeans_plusplus(gradients, budget, random_state=0, n_local_trials=1)[1]

    def same(ours: Any, theirs: Any) -> None:
        agree(len(set(ours.tolist())) == len(set(theirs.tolist())) == budget, "number of picks")

    return Comparison(lambda: Badge().select(pool, budget, np.random.default_rng(0)), written, same)


# ---------------------------------------------------------------- poolings


def maps_of(images: int) -> Any:
    """Activations (images, 512, 48, 64)."""
    import torch

    return torch.rand(images, 512, 48, 64, generator=torch.Generator().manual_seed(0))


def _gem(shape: tuple[int, ...], threads: int) -> Comparison:
    import torch

    from harness_pooling.gem import GeM

    maps = torch.rand(shape, generator=torch.Generator().manual_seed(0))
    gem = GeM(preset="released-code")

    def plain() -> Any:
        return maps.clamp(min=1e-6).pow(3.0).mean((-2, -1)).pow(1 / 3.0)

    same = partial(torch.testing.assert_close, rtol=1e-4, atol=0)
    repeat = max(1, _CELLS // maps.numel())
    return Comparison(lambda: gem.pool(maps), plain, same, repeat=repeat, threads=threads)


_CELLS = 12_000_000
"""Of maps that are pooled for one time: some milliseconds."""
_SHAPES = ((1, 1280, 7, 7), (1, 512, 12, 16), (1, 1280, 16, 16), (1, 2048, 24, 32), (1, 512, 48, 64), (8, 512, 48, 64))
"""Maps of single images of 224 to 1024 pixels in networks of several sizes, and of a batch."""

for _shape in _SHAPES:
    for _threads in (1, 2):
        _size = f"{' x '.join(map(str, _shape))}, {'two threads' if _threads > 1 else 'one thread'}"
        # A look whether powers left the range of float32 is a twentieth of the time of the smallest maps.
        compared("gem", _size, "two lines of torch", "descriptors to 1e-4", "torch", 0.9)(
            partial(_gem, _shape, _threads)
        )


@compared("rmac", "8 x 512 x 48 x 64, one thread", "torch, a slice a region", "descriptors to 1e-4", "torch", 3)
def rmac() -> Comparison:
    """All regions from one table of maxima against each region cut out."""
    import torch

    from harness_pooling.regions import region_grid
    from harness_pooling.rmac import RMAC, sum_of_normalised

    maps = maps_of(8)

    def sliced() -> Any:
        regions = region_grid(48, 64, 3)
        maxima = [maps[..., y : y + h, x : x + w].amax((-2, -1)) for y, x, h, w in regions]
        return sum_of_normalised(torch.stack(maxima, -2), 1e-6)

    same = partial(torch.testing.assert_close, rtol=1e-4, atol=0)
    return Comparison(lambda: RMAC().pool(maps), sliced, same, threads=1)


# ---------------------------------------------------------------- evaluation


@compared("evaluation", "70 queries, 100,000 ranks, three setups", "numpy, a query at a time", "AP to 1e-10", least=2)
def evaluation() -> Comparison:
    """The revisited protocol against membership tests of whole rankings, as released code has them."""
    from harness.metrics.ranking import evaluate

    n, queries = 100_000, 70
    rng = np.random.default_rng(0)
    ranks = np.stack([rng.permutation(n) for _ in range(queries)])
    chosen = [rng.choice(n, 120, replace=False) for _ in range(queries)]
    truth = [{"easy": ids[:40], "hard": ids[40:80], "junk": ids[80:]} for ids in chosen]

    def precision(row: Any, wanted: Any, removed: Any) -> float:
        found, junk = np.flatnonzero(np.isin(row, wanted)), np.flatnonzero(np.isin(row, removed))
        found = found - np.searchsorted(junk, found)
        hits = np.arange(len(found))
        before = np.where(found == 0, 1.0, hits / np.maximum(found, 1))
        return float(((before + (hits + 1) / (found + 1)) / 2).sum() / len(wanted))

    def plain() -> Any:
        result: dict[str, list[float]] = {"easy": [], "medium": [], "hard": []}
        for row, ids in zip(ranks, truth, strict=True):
            result["easy"].append(precision(row, ids["easy"], np.r_[ids["hard"], ids["junk"]]))
            result["medium"].append(precision(row, np.r_[ids["easy"], ids["hard"]], ids["junk"]))
            result["hard"].append(precision(row, ids["hard"], np.r_[ids["easy"], ids["junk"]]))
        return result

    def same(ours: Any, theirs: Any) -> None:
        for name, values in theirs.items():
            np.testing.assert_allclose(ours[name].ap, values, rtol=1e-10)

    return Comparison(lambda: evaluate(ranks, truth), plain, same)


def described(names: Sequence[str] = ()) -> list[Described]:
    """All comparisons, or those whose name begins with one of these."""
    return [one for one in COMPARISONS if not names or one.name.startswith(tuple(names))]
