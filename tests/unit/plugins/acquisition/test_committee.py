from __future__ import annotations

import numpy as np
from small_pools import CASES, small_pool

from harness.active import Pool
from harness_acquisition.committee import Committee
from harness_evidence.uncertainty import disagreement

MEASURES = ("variation-ratio", "vote-entropy", "consensus-entropy", "kl")


def test_picks_disagree_most():
    for seed, kind in CASES:
        pool, budget = small_pool(seed, kind)
        measure = MEASURES[seed % 4]
        said = pool.dropout_probabilities(5).astype(np.float64)
        scores = {int(i): disagreement(said[:, i].tolist(), measure) for i in pool.unlabelled}
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
