"""Deep spatial matching: regions by labelling every threshold anew, matches rule by rule."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from harness.plugin_api import Comparison, Create
from harness_evidence import RNG, Array
from harness_evidence.spatial_matching import match
from harness_evidence.stable_regions import moments, stable_regions, suppress

_COLUMNS = ("channel", "x", "y", "xx", "xy", "yy", "strength")


def blobs(seed: int, channels: int = 16, height: int = 12, width: int = 14) -> Array:
    """Maps (C, H, W) float32: uneven hills on an uneven plain."""
    rng = RNG(seed)
    y, x = np.mgrid[:height, :width]
    maps = np.zeros((channels, height, width))
    for plane in maps:
        for _ in range(int(rng.integers(1, 6))):
            cy, cx, size = rng.uniform(0, height), rng.uniform(0, width), rng.uniform(0.8, 2)
            plane += rng.uniform(20, 400) * (np.exp(-((y - cy) ** 2 + (x - cx) ** 2) / (2 * size**2)) > 0.3)
    return np.asarray(maps + rng.uniform(0, 9, maps.shape), np.float32)


def slow_features(maps: Array, role: str, limit: int) -> Array:
    """Features (n, 7) of one scale as the thesis has them (4.3.3-4.3.4), at a gain of 1; columns as ``_COLUMNS``."""
    step = max(round(float(np.quantile(maps[maps > 0], 0.6))), 1)
    rows, boxes = [], []
    for channel, plane in enumerate(maps):
        steps = np.clip(np.floor(plane.astype(np.float64) + 0.5), 0, 255).astype(np.uint8)
        found = stable_regions(steps, step, 0.5, 0.7, 0.001, 0.75, dark=False)
        for _, _, pixels in found if len(found) <= limit else []:
            ys, xs = np.divmod(np.array(sorted(pixels)), plane.shape[1])
            described = moments(pixels, plane.shape[1])
            assert described is not None  # noqa: S101  # those without are not listed
            rows.append([channel, *described, plane[ys, xs].max()])
            boxes.append([xs.min(), ys.min(), xs.max() + 1, ys.max() + 1])
    kept = suppress(boxes, [row[-1] for row in rows], 0.2) if role == "database" else range(len(rows))
    return np.array(sorted((rows[i] for i in kept), key=lambda row: row[0]), np.float64).reshape(-1, len(_COLUMNS))


def slow_inliers(query: Any, image: Any, squared_error: float, area_ratio: float, prior: float) -> int:
    """The most inliers of all pairs of scales."""
    tables = []
    for features in (query, image):
        xx, xy, yy = features.covariances.astype(np.float64).T
        a = np.sqrt(xx)
        shapes = np.stack([a, xy / a, np.sqrt(yy - (xy / a) ** 2)], axis=1)  # the Cholesky factor
        geometry = np.concatenate([features.positions, shapes], axis=1).astype(np.float32)
        scales = [features.scales == k for k in range(len(features.sizes))]
        tables.append([(geometry[one], features.channels[one]) for one in scales])
    counts = [
        len(match(left, right, of_left, of_right, squared_error, area_ratio, prior)[0])
        for left, of_left in tables[0]
        for right, of_right in tables[1]
    ]
    return max(counts)


def some_features(seed: int, counts: tuple[int, ...], like: Any = None) -> Any:
    """Random features at several scales; ``like`` others: the same, moved a little."""
    from harness_reranking.dsm.features import Features

    rng, n = RNG(seed), sum(counts)
    spread = rng.uniform(0.5, 4, (n, 2))
    positions, channels = rng.uniform(0, 30, (n, 2)), rng.integers(0, 6, n)
    if like is not None:
        positions[: len(like)] = 1.1 * like.positions[:n] + rng.normal(0, 0.2, (n, 2))[: len(like)] + [2, -1]
        channels[: len(like)] = like.channels[:n]
    return Features(
        channels=channels.astype(np.int32),
        scales=np.repeat(np.arange(len(counts)), counts).astype(np.uint8),
        positions=positions.astype(np.float32),
        covariances=np.column_stack([spread[:, 0], rng.uniform(-0.1, 0.1, n), spread[:, 1]]).astype(np.float32),
        strengths=rng.random(n).astype(np.float32),
        seeds=np.zeros(n, np.int32),
        sizes=np.full((len(counts), 2), 32, np.int32),
        gain=1.0,
    )


def dsm(create: Create) -> Iterator[Comparison]:
    """Regions as sets of pixels, every threshold labelled anew; matches rule by rule."""
    import torch

    for seed in range(4):
        maps, role = blobs(seed), ("query", "database")[seed % 2]
        found = create(preset="thesis", gain=1.0).describe([torch.from_numpy(maps)], role)
        parts = (found.channels[:, None], found.positions, found.covariances, found.strengths[:, None])
        expected = slow_features(maps, role, limit=20 if role == "query" else 10)
        yield Comparison(f"features of maps {seed}, {role}", np.concatenate(parts, axis=1), expected, 1e-6)
    for seed in range(4):
        query = some_features(seed, (20, 12))
        images = [some_features(seed + 10, (32, 9), like=query), some_features(seed + 20, (9, 25, 14))]
        for preset, squared, ratio in (("thesis", 8.0, 9.0), ("recommended", 2.0, 3.0)):
            counts = [slow_inliers(query, image, squared, ratio, 0.0) for image in images]
            found = create(preset=preset).score(query, images)
            yield Comparison(f"inliers {seed}, {preset}", found.astype(np.int64), np.array(counts))
