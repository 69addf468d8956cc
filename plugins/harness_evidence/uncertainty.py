"""Acquisition functions that go by predictions: scores one example at a time, in float64."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np

from harness.active import Pool
from harness.plugin_api import Comparison, Create
from harness_evidence import RNG, Array
from harness_evidence.pools import small_pool


def entropy_of(p: Any) -> float:
    """Of one distribution, term by term."""
    return -sum(float(x) * math.log(x) for x in p if x > 0)


def entropies(p: Array) -> Array:
    """Of distributions (..., c) in float64: (...)."""
    return np.asarray(-np.where(p > 0, p * np.log(np.where(p > 0, p, 1)), 0).sum(axis=-1))


def best_first(scores: dict[int, float], budget: int) -> list[int]:
    """The highest scores, equals by position."""
    return sorted(scores, key=lambda i: (-scores[i], i))[:budget]


def mutual_information(passes: Array, row: int) -> float:
    """H(mean p) - mean H(p) of one example, term by term."""
    p = passes[:, row].astype(np.float32).astype(float)
    return entropy_of(p.mean(axis=0)) - sum(map(entropy_of, p)) / len(p)


def slow_scores(pool: Pool, score: str) -> Array:
    """Scores of the unlabelled examples by ``bald``, ``entropy`` or ``margin``."""
    if score == "bald":
        p = pool.dropout_probabilities(20)[:, pool.unlabelled].astype(np.float64)
        scores = entropies(p.mean(axis=0)) - entropies(p).mean(axis=0)
        return np.where(scores < 1e-12, 0, scores)
    p = pool.probabilities[pool.unlabelled].astype(np.float64)
    if score == "entropy":
        return entropies(p)
    top = np.sort(p, axis=1)
    return np.asarray(1 - top[:, -1] + top[:, -2])


def slow_power(pool: Pool, budget: int, score: str, noise: str, beta: float, rng: np.random.Generator) -> list[int]:
    """Scores with Gumbel noise, put in order."""
    scores, g = slow_scores(pool, score), rng.gumbel(size=len(pool.unlabelled))
    ranks = {place: rank for rank, place in enumerate(sorted(range(len(scores)), key=lambda i: (-scores[i], i)), 1)}
    noisy = []
    for i, s in enumerate(scores):
        if noise == "power":
            noisy.append(beta * np.log(s) + g[i] if s > 0 else -np.inf)
        else:
            noisy.append((beta * s if noise == "softmax" else -beta * np.log(ranks[i])) + g[i])
    order = sorted(range(len(noisy)), key=lambda i: (-noisy[i], i))
    return [int(i) for i in pool.unlabelled[order[:budget]]]


def disagreement(members: Sequence[Any], measure: str) -> float:
    """Of one example, from the predictions (t, c) of the members of a committee."""
    votes = [max(range(len(p)), key=lambda k: (p[k], -k)) for p in members]  # noqa: B023
    shares = [votes.count(k) / len(votes) for k in range(len(members[0]))]
    if measure == "variation-ratio":
        return 1 - max(shares)
    if measure == "vote-entropy":
        return entropy_of(shares)
    mean = [float(np.mean([p[k] for p in members])) for k in range(len(members[0]))]
    if measure == "consensus-entropy":
        return entropy_of(mean)
    divergences = [sum(x * math.log(x / m) for x, m in zip(p, mean, strict=True) if x > 0) for p in members]
    return float(np.mean(divergences))


def batch_information(p: Array, batch: Sequence[int]) -> float:
    """Mutual information of the labels of a batch and the pass, over all configurations; p (t, n, c)."""
    joint = np.ones((len(p), 1))
    for i in batch:
        joint = (joint[:, :, None] * p[:, i, None, :]).reshape(len(p), -1)
    return float(entropies(joint.mean(axis=0))) - sum(float(entropies(p[:, i]).mean()) for i in batch)


def _by_score(create: Create, score: Any, **parameters: Any) -> Iterator[Comparison]:
    for seed in range(12):
        pool, budget = small_pool(seed)
        scores = {int(i): score(pool, int(i)) for i in pool.unlabelled}
        picks = create(**parameters).select(pool, budget, RNG(0))
        yield Comparison(f"pool {seed}", picks, best_first(scores, budget))


def entropy(create: Create) -> Iterator[Comparison]:
    """Entropies term by term; equal scores by position."""
    yield from _by_score(create, lambda pool, i: entropy_of(pool.probabilities[i].astype(float)))


def margin(create: Create) -> Iterator[Comparison]:
    """Differences of the two highest probabilities; equal scores by position."""

    def score(pool: Pool, i: int) -> float:
        top = sorted(pool.probabilities[i].astype(float))
        return -float(top[-1] - top[-2])

    yield from _by_score(create, score)


def least_confidence(create: Create) -> Iterator[Comparison]:
    """Highest probabilities, the lowest first; equal scores by position."""
    yield from _by_score(create, lambda pool, i: -float(pool.probabilities[i].max()))


def _information_of(pool: Pool, i: int, t: int) -> float:
    return mutual_information(pool.dropout_probabilities(t), i)


def bald(create: Create) -> Iterator[Comparison]:
    """Mutual information of label and pass, term by term."""
    for t in (3, 10):
        yield from _by_score(create, partial(_information_of, t=t), t=t)


def variation_ratio(create: Create) -> Iterator[Comparison]:
    """Votes of the passes, counted one by one."""
    said = lambda pool, i: disagreement(pool.dropout_probabilities(4)[:, i].tolist(), "variation-ratio")  # noqa: E731
    yield from _by_score(create, said, t=4)


def committee(create: Create) -> Iterator[Comparison]:
    """Disagreement of the members, one example at a time."""
    for seed in range(12):
        pool, budget = small_pool(seed)
        measure = ("variation-ratio", "vote-entropy", "consensus-entropy", "kl")[seed % 4]
        said = pool.dropout_probabilities(5).astype(np.float64)
        scores = {int(i): disagreement(said[:, i].tolist(), measure) for i in pool.unlabelled}
        picks = create(measure=measure).select(pool, budget, RNG(0)).tolist()
        expected = sorted(scores.values(), reverse=True)[:budget]
        # The order of a sum moves equal scores apart in the last digits: scores are compared, not picks.
        yield Comparison(f"pool {seed}, scores by {measure}", [scores[i] for i in picks], expected, 1e-6)


def power_bald(create: Create) -> Iterator[Comparison]:
    """Scores with the same noise, put in order one by one."""
    for seed in range(18):
        pool, budget = small_pool(seed)
        chosen: dict[str, Any] = {
            "score": ("bald", "entropy", "margin")[seed % 3],
            "noise": ("power", "softmax", "softrank")[seed // 3 % 3],
            "beta": (1.0, 4.0)[seed % 2],
        }
        picks = create(**chosen).select(pool, budget, RNG(seed))
        yield Comparison(f"pool {seed}", picks, slow_power(pool, budget, rng=RNG(seed), **chosen))


def _same_passes(passes: Array, t: int) -> Array:
    return passes[:t].astype(np.float32)


def batch_bald(create: Create) -> Iterator[Comparison]:
    """Joint mutual information over all configurations of labels."""
    for seed in range(6):
        pool, _ = small_pool(seed)
        p = pool.dropout_probabilities(3)[:, pool.unlabelled[:8]].astype(np.float64)
        n, c = p.shape[1:]
        few = Pool(np.zeros((n, 2)), np.ones((n, c)), np.full(n, -1), dropout=partial(_same_passes, p))
        picks = create(t=3, samples_after=0).select(few, min(3, max(1, n - 1)), RNG(0)).tolist()
        yield Comparison(f"pool {seed}", picks, most_informative(p, len(picks)))


def most_informative(p: Array, budget: int) -> list[int]:
    """Greedy picks that add most information, of equals the first."""
    picks: list[int] = []
    for _ in range(budget):
        scores = {i: batch_information(p, [*picks, i]) for i in range(p.shape[1]) if i not in picks}
        picks.append(next(i for i, score in scores.items() if score >= max(scores.values()) - 1e-8))
    return picks
