"""Label propagation and diffusion beside solves of scipy, one by one."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
from comparisons import FEW_ROUNDS, MANY, Comparison, agree, clustered, compared


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

    return Comparison(ours, released, same, rounds=FEW_ROUNDS if n >= MANY else 0)


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
