"""Fast spatial matching the slow way: rule by rule, with a heap, in numpy's float32."""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from typing import Any

import numpy as np

from harness_evidence import Array

F = np.float32
Pairs = Sequence[tuple[int, int]]


class Hypothesis:
    """A transform: linear part and shift, float32."""

    def __init__(self, xx: Any, xy: Any, yx: Any, yy: Any, x: Any, y: Any) -> None:
        self.set(xx, xy, yx, yy, x, y)

    def set(self, xx: Any, xy: Any, yx: Any, yy: Any, x: Any, y: Any) -> None:
        """Become another one."""
        self.xx, self.xy, self.yx, self.yy, self.x, self.y = (F(value) for value in (xx, xy, yx, yy, x, y))

    def copy(self) -> Hypothesis:
        """One of its own."""
        return Hypothesis(self.xx, self.xy, self.yx, self.yy, self.x, self.y)

    def apply(self, x: Any, y: Any) -> tuple[Any, Any]:
        """Where points go."""
        return self.xx * x + self.xy * y + self.x, self.yx * x + self.yy * y + self.y

    @property
    def determinant(self) -> Any:
        """Of its linear part."""
        return self.xx * self.yy - self.xy * self.yx

    def inverse(self) -> Hypothesis:
        """The way back."""
        d = self.determinant
        xx, xy, yx, yy = self.yy / d, -self.xy / d, -self.yx / d, self.xx / d
        return Hypothesis(xx, xy, yx, yy, -(xx * self.x + xy * self.y), -(yx * self.x + yy * self.y))

    def values(self) -> Array:
        """As six numbers."""
        return np.array([self.xx, self.xy, self.yx, self.yy, self.x, self.y], F)


def implied(p: Array, q: Array) -> Hypothesis:
    """The transform that takes feature p onto feature q."""
    a, c = F(1) / p[2], F(1) / p[4]
    b = -p[3] * a * c
    t = Hypothesis(q[2] * a, 0, q[3] * a + q[4] * b, q[4] * c, 0, 0)
    t.x, t.y = q[0] - t.xx * p[0], q[1] - (t.yx * p[0] + t.yy * p[1])
    return t


def upright(t: Hypothesis, own: Hypothesis) -> bool:
    """Whether what is above goes within 45 degrees of where the feature's own hypothesis has it."""
    cosine, sine = F(0.70709), F(0.70712)
    left = (cosine * t.xy - sine * t.yy) * own.xy + (sine * t.xy + cosine * t.yy) * own.yy
    right = (cosine * t.xy + sine * t.yy) * own.xy + (-sine * t.xy + cosine * t.yy) * own.yy
    return bool(left >= 0 and right >= 0)


def verify(
    t: Hypothesis,
    threshold: Any,
    ratio: Any,
    query: Array,
    database: Array,
    pairs: Pairs,
    hypotheses: Sequence[Hypothesis],
) -> tuple[list[int], Any]:
    """Inliers (positions among the pairs) and score."""
    back = t.inverse()
    p, q = query[[i for i, _ in pairs]].T, database[[j for _, j in pairs]].T
    area = (q[2] * q[4]) / ((p[2] * p[4]) * t.determinant)
    (fx, fy), (bx, by) = t.apply(p[0], p[1]), back.apply(q[0], q[1])
    dx, dy, ex, ey = q[0] - fx, q[1] - fy, p[0] - bx, p[1] - by
    error = (dx * dx + dy * dy) + (ex * ex + ey * ey)
    candidates = dict[int, list[int]]()
    for k in np.flatnonzero((F(1) / ratio <= area) & (area <= ratio) & (error < threshold)).tolist():
        candidates.setdefault(pairs[k][0], []).append(k)
    inliers, total, used = list[int](), F(0), set[int]()
    for i in sorted(candidates):
        free = [k for k in candidates[i] if pairs[k][1] not in used and upright(t, hypotheses[k])]
        if free:
            best = min(free, key=lambda k: (error[k], k))
            inliers.append(best)
            used.add(pairs[best][1])
            total = total + error[best]
    return inliers, F(len(inliers)) + F(1) / (F(2) + total)


def optimise(
    t: Hypothesis,
    inliers: Sequence[int],
    prior_weight: float,
    query: Array,
    database: Array,
    pairs: Pairs,
    hypotheses: Sequence[Hypothesis],
) -> None:
    """Least squares in float64, in place."""
    n = len(inliers)
    if n < 3:
        return
    p = [[float(value) for value in query[pairs[k][0]][:2]] for k in inliers]
    q = [[float(value) for value in database[pairs[k][1]][:2]] for k in inliers]
    mean = [sum(row[c] for row in points) / n for points in (p, q) for c in (0, 1)]
    px, py, qx, qy = mean
    weight = prior_weight if n > 11 else 0.0
    s, r, prior = np.zeros((2, 2)), np.zeros((2, 2)), np.zeros((2, 2))
    for k, (a, b), (c, d) in zip(inliers, p, q, strict=True):
        from_, to = np.array([a - px, b - py]), np.array([c - qx, d - qy])
        s, r = s + np.outer(from_, from_), r + np.outer(to, from_)
        own = hypotheses[k]
        prior = prior + np.array([[own.xx, own.xy], [own.yx, own.yy]], np.float64)
    strength = 50.0 * weight
    s = (weight + 1) * s + strength * n * np.eye(2)
    r = (weight + 1) * r + strength * prior
    determinant = s[0, 0] * s[1, 1] - s[0, 1] * s[0, 1]
    if determinant == 0:
        return
    xx, xy = (
        (r[0, 0] * s[1, 1] - r[0, 1] * s[0, 1]) / determinant,
        (r[0, 1] * s[0, 0] - r[0, 0] * s[0, 1]) / determinant,
    )
    yx, yy = (
        (r[1, 0] * s[1, 1] - r[1, 1] * s[0, 1]) / determinant,
        (r[1, 1] * s[0, 0] - r[1, 0] * s[0, 1]) / determinant,
    )
    t.set(xx, xy, yx, yy, qx - (xx * px + xy * py), qy - (yx * px + yy * py))


def match(
    query: Array,
    database: Array,
    query_channels: Any,
    database_channels: Any,
    threshold: float,
    ratio: float,
    prior: float,
) -> tuple[list[tuple[int, int]], Array]:
    """Inlier pairs [(i, j), ...] and the transform as six numbers."""
    with np.errstate(all="ignore"):
        return _match(query, database, query_channels, database_channels, F(threshold), F(ratio), prior)


def _match(
    query: Array,
    database: Array,
    query_channels: Any,
    database_channels: Any,
    threshold: Any,
    ratio: Any,
    prior: float,
) -> tuple[list[tuple[int, int]], Array]:
    pairs = [
        (i, j)
        for i, channel in enumerate(query_channels)
        for j, other in enumerate(database_channels)
        if channel == other
    ]
    hypotheses = [implied(query[i], database[j]) for i, j in pairs]
    common = (query, database, pairs, hypotheses)
    heap = list[tuple[Any, int]]()
    for k, t in enumerate(hypotheses):
        _, score = verify(t, threshold, ratio, *common)
        if score > 3.0:
            heapq.heappush(heap, (-score, k))
    best, best_score = Hypothesis(1, 0, 0, 1, 0, 0), F(3)
    if not heap:
        return [], best.values()
    tried = 0
    while tried < min(5, len(heap)):
        score, k = heapq.heappop(heap)
        score, t, tried = -score, hypotheses[k], tried + 1
        if score > best_score:
            best, best_score = t.copy(), score
        inliers, _ = verify(t, threshold * F(4), ratio, *common)
        for _ in range(2):
            optimise(t, inliers, prior, *common)
            inliers, now = verify(t, threshold, ratio, *common)
            if now < score:
                break
            score = now
            if score > best_score:
                best, best_score = t.copy(), score
    inliers, _ = verify(best, threshold, ratio, *common)
    return [pairs[k] for k in inliers], best.values()
