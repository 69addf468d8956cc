"""Re-rankers: kernels and matches of features, one feature after the other, in float64."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from harness.plugin_api import Comparison, Create
from harness_evidence import RNG, Array, unit
from harness_evidence.pooling import plain_maps, slow_gem, slow_regions


def by_words(vectors: Array, centres: Array, count: int) -> dict[int, Array]:
    """Word -> sum of the residuals of the vectors that have it among their nearest."""
    found: dict[int, Array] = {}
    for x in vectors.astype(np.float64):
        near = sorted(range(len(centres)), key=lambda w: (float(((x - centres[w]) ** 2).sum()), w))  # noqa: B023
        for word in near[:count]:
            found[word] = found.get(word, np.zeros(len(x))) + x - centres[word]
    return found


def slow_asmk(query: Any, image: Any, fitted: Any) -> float:
    """The aggregated selective match kernel of two images, word by word."""
    method, d = fitted.method, len(fitted.projection)
    left = by_words(query.vectors, fitted.centres, method.assignments)
    right = by_words(image.vectors, fitted.centres, 1)
    padded, score = 32 * math.ceil(d / 32), 0.0
    for word in sorted(set(left) & set(right)):
        a, b = left[word], right[word]
        if method.binary:
            u = 1 - 2 * int(((a > 0) != (b > 0)).sum()) / padded
        else:
            u = float(a @ b) / float((np.linalg.norm(a) + 1e-6) * (np.linalg.norm(b) + 1e-6))
        score += float(fitted.weights[word]) * u**method.alpha if u >= method.threshold else 0.0
    total = sum(fitted.weights[w] for w in left) * sum(fitted.weights[w] for w in right)
    return score / math.sqrt(total) if total else 0.0


def mutual_matches(query: Any, candidate: Any, least: float, ratio: float) -> list[list[int]]:
    """Keypoints that are each other's nearest, one after the other."""
    s = query.descriptors.astype(np.float64) @ candidate.descriptors.astype(np.float64).T
    pairs = []
    for i in range(len(query)):
        j = max(range(len(candidate)), key=lambda j: (s[i, j], -j))  # noqa: B023
        if max(range(len(query)), key=lambda k: (s[k, j], -k)) != i or not s[i, j] > least:  # noqa: B023
            continue
        others = [s[i, k] for k in range(len(candidate)) if k != j]
        if ratio < 1 and others and not 2 - 2 * s[i, j] < ratio**2 * (2 - 2 * max(others)):
            continue
        pairs.append([i, j])
    return pairs


def some_keypoints(rng: np.random.Generator, m: int, d: int = 8) -> Any:
    """Keypoints at random places with random descriptors of length 1."""
    from harness_reranking.local_features import LocalKeypoints

    positions = (100 * rng.random((m, 2))).astype(np.float32)
    return LocalKeypoints(positions, unit(rng.normal(size=(m, d))).astype(np.float16))


def asmk(create: Create) -> Iterator[Comparison]:
    """Residuals and kernels word by word; the codebook is given."""
    from harness_reranking.asmk import Cells, FittedASMK

    for seed in range(8):
        rng = RNG(seed)
        d, words = int(rng.integers(1, 45)), int(rng.integers(1, 12))
        chosen = {"assignments": int(rng.integers(1, 7)), "binary": bool(seed % 2), "threshold": (0.0, 0.25)[seed % 2]}
        method = create(**chosen, alpha=(1.0, 3.0)[seed // 2 % 2])
        fitted = FittedASMK(method, np.zeros(d), np.eye(d), rng.normal(size=(words, d)), np.ones(words), 0)
        query, *images = (
            Cells(rng.normal(size=(int(rng.integers(0, 12)), d)).astype(np.float16), np.array([number == 0]))
            for number in range(5)
        )
        if seed % 3 == 0:
            fitted = fitted.with_frequencies(images)
        found = fitted.score(fitted.prepared(query), [fitted.prepared(image) for image in images])
        expected = [slow_asmk(query, image, fitted) for image in images]
        yield Comparison(f"seed {seed}, {'binary' if method.binary else 'real'}", found, expected, 1e-4)


def r_match(create: Create) -> Iterator[Comparison]:
    """Means of the regions of a grid written anew from its description; best cosines, region by region."""
    maps = [plain_maps(0), plain_maps(1, (8, 5, 6))]
    expected = [
        unit(slow_gem(a[:, y : y + h, x : x + w], 3.0))
        for a in (part.numpy() for part in maps)
        for y, x, h, w in slow_regions(a.shape[1], a.shape[2], 2)
    ]
    yield Comparison("regions", create(levels=2).describe(maps, "database"), expected, 1e-4)
    rng = RNG(0)
    query, *images = (unit(rng.normal(size=(n, 6))).astype(np.float32) for n in (4, 3, 1, 7))
    slow = [sum(max(float(q @ x) for x in image) for q in query) for image in images]
    yield Comparison("scores", create().score(query, images), slow, 1e-5)


def local_features(create: Create) -> Iterator[Comparison]:
    """Mutual neighbours, one keypoint after the other; the homography is OpenCV's."""
    for seed in range(8):
        rng = RNG(seed)
        least, ratio = (-1, 0.3, 0.82)[seed % 3], (0.8, 1.0)[seed % 2]
        one, other = some_keypoints(rng, int(rng.integers(1, 30))), some_keypoints(rng, int(rng.integers(1, 30)))
        method = create(extractor="harness_reranking.examples:patches", least_cosine=least, ratio=ratio)
        expected = np.array(mutual_matches(one, other, least, ratio), np.int64).reshape(-1, 2)
        yield Comparison(f"seed {seed}, matches", method.tentatives(one, other), expected)


def sift_ransac(create: Create) -> Iterator[Comparison]:
    """Nearest keypoints with the ratio test, one after the other in whole numbers; the homography is OpenCV's."""
    from harness_reranking.sift_ransac import Keypoints

    rng = RNG(1)
    one, other = (
        Keypoints(rng.random((n, 2)).astype(np.float32), rng.integers(0, 60, (n, 128)).astype(np.uint8))
        for n in (80, 90)
    )
    other.descriptors[:40] = np.clip(one.descriptors[:40] + rng.integers(0, 30, (40, 128)), 0, 255)
    other.descriptors[40:50] = one.descriptors[:10]
    left, right = one.descriptors.astype(np.int64), other.descriptors.astype(np.int64)
    expected = []
    for i, x in enumerate(left):
        squares = ((right - x) ** 2).sum(axis=1)
        first, second = np.argsort(squares, kind="stable")[:2]
        if squares[first] < 0.8**2 * squares[second]:
            expected.append([i, int(first)])
    found = sorted(create().tentatives(one, other).tolist())
    yield Comparison("matches", np.array(found), np.array(expected))
