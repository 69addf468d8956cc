"""Whitenings: each definition pair by pair or by one eigendecomposition, in float64.

Signs of eigenvectors are arbitrary: similarities of the whitened rows are compared.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from harness.plugin_api import Comparison, Create
from harness_evidence import RNG, Array, unit

Apply = Callable[[Array], Array]


def some_descriptors(n: int, d: int, seed: int = 0) -> Array:
    """Rows (n, d) float32 of length 1 with correlated dimensions and a mean."""
    rng = RNG(seed)
    x = rng.normal(size=(n, d)) @ rng.normal(size=(d, d)) + rng.normal(size=d)
    return unit(x).astype(np.float32)


def some_pairs(n: int, p: int, seed: int = 0) -> Array:
    """Matching pairs (p, 2) of n rows, none twice."""
    rng = RNG(seed)
    pairs = {tuple(sorted(rng.choice(n, 2, replace=False).tolist())) for _ in range(4 * p)}
    return np.array(sorted(pairs)[:p], np.int64)


def gram(x: Array) -> Array:
    """Similarities of all pairs of rows."""
    return np.asarray(x @ x.T)


def slow_pca(x: Array, dim: int) -> Apply:
    """Mean and covariance, and the directions of largest variance divided by their deviations."""
    rows = unit(x)
    values, vectors = np.linalg.eigh(np.cov(rows.T, bias=True))
    return lambda y: unit((unit(y) - rows.mean(0)) @ vectors[:, -dim:] / np.sqrt(values[-dim:]))


def slow_thesis(x: Array, pairs: Array, dim: int) -> Apply:
    """Supervised whitening pair by pair (thesis eq. 5.11-5.12)."""
    x = unit(x)
    n, d = x.shape
    matching = {frozenset(pair) for pair in pairs.tolist()}
    c0, c1 = np.zeros((d, d)), np.zeros((d, d))
    n0 = n1 = 0
    for i in range(n):
        for j in range(n):
            outer = np.outer(x[i] - x[j], x[i] - x[j])
            if frozenset((i, j)) in matching:
                c1, n1 = c1 + outer, n1 + 1
            elif i != j:
                c0, n0 = c0 + outer, n0 + 1
    values, vectors = np.linalg.eigh(c1 / n1)
    t = vectors @ np.diag(values**-0.5) @ vectors.T
    _, u = np.linalg.eigh(t @ (c0 / n0) @ t.T)
    return lambda y: unit((unit(y) - x.mean(0)) @ t.T @ u[:, ::-1][:, :dim])


def slow_released(x: Array, pairs: Array, dim: int) -> Apply:
    """Supervised whitening by the steps of the released code, on columns."""
    columns = x.astype(np.float64).T
    first, second = pairs.T
    m = columns[:, first].mean(1, keepdims=True)
    df = columns[:, first] - columns[:, second]
    p = np.linalg.inv(np.linalg.cholesky(df @ df.T / len(first)))
    values, vectors = np.linalg.eig(p @ (columns - m) @ (p @ (columns - m)).T)
    p = vectors[:, np.argsort(values)[::-1]].T @ p
    return lambda y: unit((p[:dim] @ (y.astype(np.float64).T - m)).T)


def pca(create: Create) -> Iterator[Comparison]:
    """An eigendecomposition of the covariance, in float64."""
    x, others = some_descriptors(200, 8), some_descriptors(20, 8, seed=9)
    for dim in (3, 8):
        found = create(dim=dim, preset="thesis").fit(x).apply(others)
        yield Comparison(f"{dim} dimensions", gram(found), gram(slow_pca(x, dim)(others)), 1e-4)


def supervised(create: Create) -> Iterator[Comparison]:
    """Covariances of matching and other pairs, one pair at a time; the released steps on columns."""
    x, pairs, others = some_descriptors(60, 7), some_pairs(60, 45), some_descriptors(20, 7, seed=9)
    repeated = np.concatenate([pairs, pairs[:9]])
    for preset, slow, shown in (("thesis", slow_thesis, pairs), ("released-code", slow_released, repeated)):
        for dim in (0, 4):
            found = create(dim=dim, preset=preset).fit(x, shown).apply(others)
            yield Comparison(f"{preset}, dim = {dim}", gram(found), gram(slow(x, shown, dim or 7)(others)), 1e-4)


def learned(create: Create) -> Iterator[Comparison]:
    """The stored projection as it is, in float64."""
    import torch

    rng = RNG(0)
    weight, bias = rng.normal(size=(5, 5)), rng.normal(size=5)
    scales: dict[str, Any] = {k: {"m": rng.normal(size=(5, 1)), "P": rng.normal(size=(5, 5))} for k in ("ss", "ms")}
    state = {"whiten.weight": torch.from_numpy(weight), "whiten.bias": torch.from_numpy(bias)}
    x = unit(RNG(1).normal(size=(7, 5)))
    rows = x.astype(np.float32)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "network.pth")
        torch.save({"state_dict": state, "meta": {"Lw": {"retrieval-SfM-120k": scales}}}, path)
        for kind in ("layer", "ss", "ms"):
            stored = scales.get(kind, {"m": np.zeros((5, 1)), "P": weight})
            slow = (x - stored["m"].ravel()) @ stored["P"].T + (bias if kind == "layer" else 0)
            for dim in (0, 3):
                found = create(weights=str(path), kind=kind, dim=dim).fit(rows).apply(rows)
                yield Comparison(f"{kind}, dim = {dim}", found, unit(slow[:, : dim or None]), 1e-4)
