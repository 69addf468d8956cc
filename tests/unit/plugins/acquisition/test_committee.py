from __future__ import annotations

import math

import numpy as np
from small_pools import CASES, small_pool

from harness.active import Pool
from harness_acquisition.committee import Committee

MEASURES = ("variation-ratio", "vote-entropy", "consensus-entropy", "kl")


def slow_score(members, measure):
    """Of one example, from the predictions (t, c) of the members."""
    votes = [max(range(len(p)), key=lambda k: (p[k], -k)) for p in members]
    shares = [votes.count(k) / len(votes) for k in range(len(members[0]))]
    if measure == "variation-ratio":
        return 1 - max(shares)
    entropy = lambda q: -sum(x * math.log(x) for x in q if x > 0)  # noqa: E731
    if measure == "vote-entropy":
        return entropy(shares)
    mean = [float(np.mean([p[k] for p in members])) for k in range(len(members[0]))]
    if measure == "consensus-entropy":
        return entropy(mean)
    divergences = [sum(x * math.log(x / m) for x, m in zip(p, mean, strict=True) if x > 0) for p in members]
    return float(np.mean(divergences))


def test_picks_disagree_most():
    for seed, kind in CASES:
        pool, budget = small_pool(seed, kind)
        measure = MEASURES[seed % 4]
        said = pool.dropout_probabilities(5).astype(np.float64)
        scores = {int(i): slow_score(said[:, i].tolist(), measure) for i in pool.unlabelled}
        picks = Committee(measure=measure).select(pool, budget, np.random.default_rng(0)).tolist()
        assert len(set(picks)) == budget
        # The order of a sum moves equal scores apart in the last digits.
        found = [scores[i] for i in picks]
        assert np.allclose(found, sorted(scores.values(), reverse=True)[:budget], rtol=0, atol=1e-6), (seed, kind)
        if measure in MEASURES[:1]:
            assert picks == sorted(scores, key=lambda i: (-scores[i], i))[:budget], (seed, kind)


def test_a_pool_that_trains_models_shows_those():
    asked = []

    def members(t, bootstrap):
        asked.append((t, bootstrap))
        said = np.full((t, 4, 2), [0.8, 0.2], np.float32)
        said[0, 2] = [0.2, 0.8]
        return said

    pool = Pool(np.zeros((4, 2)), np.full((4, 2), 0.5), np.full(4, -1), members=members)
    picks = Committee(members=3, bootstrap=True).select(pool, 2, np.random.default_rng(0))
    assert (picks.tolist(), asked) == ([2, 0], [(3, True)])
