"""The expanding Gaussian mixture written out: one cell and one component at a time, by logarithms, in float64."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from harness_evidence import Array

Component = tuple[float, Array, Array]
"""Weight, centre and variance."""


def log_product(p: Any, a: Any, q: Any, b: Any) -> float:
    """Log of the inner product of N(p, diag a) and N(q, diag b), without the factor 1 / (2 pi)."""
    wide = np.asarray(a) + np.asarray(b)
    return -0.5 * float(np.log(wide).sum() + ((np.asarray(p) - np.asarray(q)) ** 2 / wide).sum())


def slow_step(
    components: Sequence[Any], cells: Array, weights: Array, sigma: float, about_new: bool = True
) -> list[Component]:
    """E- and M-step: (weight, centre, variance) per component -> the same, those without any cell left out."""
    shares = np.zeros((len(cells), len(components)))
    for i, cell in enumerate(cells):
        logs = [math.log(w) + log_product(cell, (sigma, sigma), m, v) for w, m, v in components]
        total = max(logs) + math.log(sum(math.exp(log - max(logs)) for log in logs))
        shares[i] = [weights[i] * math.exp(log - total) for log in logs]
    result = []
    for k, (_, old, _) in enumerate(components):
        effective = shares[:, k].sum()
        if effective == 0:
            continue
        centre = (shares[:, k, None] * cells).sum(0) / effective
        about = centre if about_new else old
        variance = (shares[:, k, None] * (cells - about) ** 2).sum(0) / effective
        result.append((float(effective / shares.sum()), centre, variance + 1 / 12))
    return result


def slow_purge(components: Sequence[Component], overlap: float) -> list[Component]:
    """The components that keep enough of their mass beside heavier ones, with weights that sum to 1."""
    kept: list[Component] = []
    for w, m, v in sorted(components, key=lambda component: -component[0]):
        own = w * w * math.exp(log_product(m, v, m, v))
        shared = sum(w * b * math.exp(log_product(m, v, n, u)) for b, n, u in kept)
        if own / (own + shared) >= overlap:
            kept.append((w, m, v))
    total = sum(w for w, _, _ in kept)
    return [(w / total, m, v) for w, m, v in kept]


def slow_mixture(
    samples: Array, sigma: float, overlap: float, iterations: int, weighted: bool = True, about_new: bool = True
) -> list[Component]:
    """The mixture of a saliency map (H, W): a component on every cell, then steps and purges."""
    cells = np.argwhere(samples > 0).astype(float)
    initial = samples[samples > 0] / samples.sum()
    weights = initial if weighted else np.full(len(cells), 1 / len(cells))
    components: list[Component] = [(float(w), cell, np.full(2, sigma)) for w, cell in zip(initial, cells, strict=True)]
    for _ in range(iterations):
        components = slow_purge(slow_step(components, cells, weights, sigma, about_new), overlap)
    return components
