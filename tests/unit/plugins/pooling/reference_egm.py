"""The expanding Gaussian mixture written out: one cell and one component at a time, by logarithms, in float64."""

from __future__ import annotations

import math

import numpy as np


def log_product(p, a, q, b):
    """Log of the inner product of N(p, diag a) and N(q, diag b), without the factor 1 / (2 pi)."""
    wide = np.asarray(a) + np.asarray(b)
    return -0.5 * float(np.log(wide).sum() + ((np.asarray(p) - np.asarray(q)) ** 2 / wide).sum())


def slow_step(components, cells, weights, sigma, about_new=True):
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
        result.append((effective / shares.sum(), centre, variance + 1 / 12))
    return result


def slow_purge(components, overlap):
    kept = []
    for w, m, v in sorted(components, key=lambda component: -component[0]):
        own = w * w * math.exp(log_product(m, v, m, v))
        shared = sum(w * b * math.exp(log_product(m, v, n, u)) for b, n, u in kept)
        if own / (own + shared) >= overlap:
            kept.append((w, m, v))
    total = sum(w for w, _, _ in kept)
    return [(w / total, m, v) for w, m, v in kept]


def slow_mixture(samples, sigma, overlap, iterations, weighted=True, about_new=True):
    cells = np.argwhere(samples > 0).astype(float)
    initial = samples[samples > 0] / samples.sum()
    weights = initial if weighted else np.full(len(cells), 1 / len(cells))
    components = [(w, cell, np.full(2, sigma)) for w, cell in zip(initial, cells, strict=True)]
    for _ in range(iterations):
        components = slow_purge(slow_step(components, cells, weights, sigma, about_new), overlap)
    return components
