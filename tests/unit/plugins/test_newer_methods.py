"""Every method of after the thesis beside its slow reference: 200 random inputs and the edges of its specification.

A few of them always, all where time does not count. Picks of acquisitions and orders are the same as those of the
reference; scores are within the tolerance that stands beside them. What k-means and homographies are is taken as it is.
"""

from __future__ import annotations

import numpy as np
import pytest
import torch

from harness.active import Pool, training
from harness.plugin_api import Comparison
from harness.registry import load_registry
from harness.retrieval.pooled import describe
from harness.search import k_means, unit_rows
from harness_evidence import (
    RNG,
    coverage,
    diffusion,
    expansion,
    gradients,
    graphs,
    learning,
    mixtures,
    pooling,
    reranking,
    uncertainty,
    unit,
)
from harness_evidence.pools import clustered_pool, labelled_too, small_pool, sorted_pool

REGISTRY = load_registry()
EDGES = ("duplicates", "certain", "equal", "zeros", "no label")
ALL = [(seed, "") for seed in range(200)] + [(seed, kind) for kind in EDGES for seed in range(8)]
SOME = [(seed, "") for seed in range(15)] + [(seed, kind) for seed, kind in enumerate(EDGES)]
CASES = pytest.mark.parametrize("cases", [SOME, pytest.param(ALL, marks=pytest.mark.slow)], ids=["some", "all"])
MEASURES = ("variation-ratio", "vote-entropy", "consensus-entropy", "kl")


def create(kind, name, **parameters):
    return REGISTRY.create(kind, name, **parameters)


def picked(name, slow, unless=(), most=None, **choices):
    """Comparisons of an acquisition; ``choices`` has values of parameters that take turns, and goes to the reference.

    ``unless``: edges at which rounding or a convention decides; ``most``: the largest budget.
    """

    def compare(seed, kind):
        if kind in unless:
            return
        pool, budget = small_pool(seed, kind)
        budget = min(budget, most or budget)
        chosen = {key: values[seed % len(values)] for key, values in choices.items()}
        picks = create("acquisition", name, **chosen).select(pool, budget, RNG(seed))
        yield Comparison("picks", picks, slow(pool, budget, RNG(seed), **chosen))

    return compare


def herded(pool, budget, rng, kernel, bandwidth):
    return coverage.slow_herding(pool, budget, kernel, bandwidth)


def uncertainty_herded(pool, budget, rng):
    return coverage.slow_herding(pool, budget, u=coverage.margin_weights(pool))


def margins_in_clusters(pool, budget, rng, wide):
    return mixtures.slow_cluster_margin(pool, budget, wide)


def near_weighted_centres(pool, budget, rng):
    return mixtures.slow_clue(pool, budget, rng) if budget < len(pool.unlabelled) else pool.unlabelled


def draws_by_prediction(pool, budget, rng, gamma):
    return mixtures.slow_falcun(pool, budget, gamma, rng)


def drop_queried(pool, budget, rng, preset):
    return mixtures.slow_dropquery(pool, budget, rng, preset == "released-code")


def noisy_scores(pool, budget, rng, score, noise, beta):
    return uncertainty.slow_power(pool, budget, score, noise, beta, rng)


def bisected(pool, budget, rng):
    return graphs.slow_galaxy(pool, budget, rng, pool.probabilities.argmax(axis=1))


def most_votes_against(pool, budget, rng, t):
    said = pool.dropout_probabilities(t)
    scores = {int(i): uncertainty.disagreement(said[:, i].tolist(), MEASURES[0]) for i in pool.unlabelled}
    return uncertainty.best_first(scores, budget)


def bait(seed, kind):
    pool, budget = small_pool(seed, kind)
    budget, weight = min(budget, 3), (1.0, 0.01)[seed % 2]
    if kind != "certain" and budget < len(pool.unlabelled):  # otherwise all scores are 0
        picks = create("acquisition", "bait", regularisation=weight).select(pool, budget, RNG(0))
        yield Comparison("picks", picks, gradients.slow_bait(pool, budget, weight))


def batch_bald(seed, kind):
    pool, _ = small_pool(seed, kind)
    p = pool.dropout_probabilities(3)[:, pool.unlabelled[:8]].astype(np.float64)
    n, c = p.shape[1:]
    few = Pool(np.zeros((n, 2)), np.ones((n, c)), np.full(n, -1), dropout=lambda t: p.astype(np.float32))
    picks = create("acquisition", "batch-bald", t=3, samples_after=0).select(few, min(3, max(1, n - 1)), RNG(0))
    yield Comparison("picks", picks, uncertainty.most_informative(p, len(picks)))


def committee(seed, kind):
    pool, budget = small_pool(seed, kind)
    measure, said = MEASURES[seed % 4], pool.dropout_probabilities(5).astype(np.float64)
    scores = {int(i): uncertainty.disagreement(said[:, i].tolist(), measure) for i in pool.unlabelled}
    picks = create("acquisition", "committee", measure=measure).select(pool, budget, RNG(0)).tolist()
    # The order of a sum moves equal scores apart in the last digits, so that 0 may become 1e-16.
    expected = 1 + np.array(sorted(scores.values(), reverse=True)[:budget])
    yield Comparison(f"1 + {measure} of the picks", 1 + np.array([scores[i] for i in picks]), expected, 1e-6)


def activeft(seed, kind):
    pool, budget = small_pool(seed, kind)
    if kind != "zeros" and budget < len(pool.unlabelled):  # a centre of zeros has no direction
        x = unit_rows(pool.features).astype(np.float64)
        start = x[RNG(seed).choice(pool.unlabelled, budget, replace=False)]
        method = create("acquisition", "activeft", steps=8, learning_rate=0.05)
        found = method.descended(x.astype(np.float32), start, x[pool.labelled])
        yield Comparison("centres", found, coverage.slow_centres(x, start, x[pool.labelled], 8, 0.05), 2e-4)


def dcom(seed, kind):
    pool, budget = small_pool(seed, kind) if kind else (sorted_pool(seed, n=30), 1 + seed % 7)
    method, memory, radii = create("acquisition", "dcom"), None, {}
    for cycle in range(2):
        budget = min(budget, len(pool.unlabelled))
        if budget:
            picks, memory = method.select_remembering(pool, budget, RNG(0), memory)
            expected, radii = coverage.slow_dcom(pool, budget, radii)
            yield Comparison(f"cycle {cycle}, picks", picks, expected)
            yield Comparison(f"cycle {cycle}, radii", memory["radii"], list(radii.values()), 1e-12)
            pool = labelled_too(pool, picks)


def balanced_random(seed, kind):
    """By the predicted classes, and by hidden labels: some classes have none left, some no example at all."""
    pool, budget = small_pool(seed, kind)
    budget = len(pool.unlabelled) if seed % 4 == 3 else budget
    predicted, hidden = (
        pool.probabilities.argmax(axis=1),
        RNG(seed).integers(0, pool.probabilities.shape[1], len(pool.labels)),
    )
    method = create("acquisition", "balanced-random")
    picks = method.select(pool, budget, RNG(seed))
    yield Comparison("picks", picks, mixtures.slow_balanced(pool, budget, RNG(seed), predicted))
    hidden[hidden == seed % 3] = 0
    picks = method.select_knowing(pool, budget, RNG(seed), hidden)
    yield Comparison("picks, shown labels", picks, mixtures.slow_balanced(pool, budget, RNG(seed), hidden))


def typiclust(seed, kind):
    if not kind:
        pool, clusters = clustered_pool(seed, n=80), (500, 7, 40)[seed % 3]
        k = min(len(pool.labelled) + 20, clusters)
        _, cluster = k_means(pool.features, k, int(RNG(seed).integers(2**31)), 20)
        for power, preset in ((1, "recommended"), (2, "released-code")):
            picks = create("acquisition", "typiclust", clusters=clusters, preset=preset).select(pool, 20, RNG(seed))
            expected = coverage.slow_typiclust(pool.features, cluster, pool.labels, 20, power=power)
            yield Comparison(f"{preset}, picks", picks, expected)


def alfa_mix(seed, kind):
    if kind != "no label":
        pool, budget = small_pool(seed, kind)
        chosen = ({}, {"cap": 0.2}, {"cap": 0.2, "grows": False}, {"cap": 1.0})[seed % 4]
        budget = min(budget, 1 + seed % 5)
        picks = create("acquisition", "alfa-mix", **chosen).select(pool, budget, RNG(seed))
        yield Comparison("picks", picks, mixtures.slow_alfa_mix(pool, budget, RNG(seed), **chosen))


def expanded(name, slow, **choices):
    """Comparisons of an expansion by the score of each image; with the edges one image, twins and no descriptor."""

    def compare(seed, kind):
        database, queries = expansion.some_data({"certain": 1, "equal": 2}.get(kind, 5 + seed % 25), seed=seed)
        if kind == "duplicates":
            database = np.repeat(database, 2, axis=0)
        elif kind == "zeros":
            database[::3] = 0
        chosen = {key: values[seed % len(values)] for key, values in choices.items()}
        ranking = expansion.searched(queries, database)
        found = create("expansion", name, **chosen).fit(database).expand(queries, ranking)
        yield from slow(found, queries, database, ranking, **chosen)

    return compare


def by_vector(vector):
    """The scores are similarities to what each query becomes."""

    def slow(found, queries, database, ranking, **chosen):
        rows = [vector(query, database, ids, **chosen) for query, ids in zip(queries, ranking.indices, strict=True)]
        expected = [database.astype(np.float64) @ (row / (np.linalg.norm(row) or 1)) for row in rows]
        yield Comparison("scores", expansion.by_image(found, len(database)), np.array(expected), 1e-5)

    return slow


def rocchio(query, database, ids, k, m):
    return expansion.loop_rocchio(query, database, ids, ids, k, m)


def decayed_database(found, queries, database, ranking, k):
    database = np.array([row for row in database if row.any()])
    if len(database) == found.indices.shape[1]:
        expected = queries @ expansion.loop_decayed_database(database, k).T
        yield Comparison("scores", expansion.by_image(found, len(database)), expected, 1e-5)


def separated(seed, kind):
    if not kind:
        k, m = (0, 1, 2)[seed % 3], (1, 2)[seed % 2]
        database, queries = expansion.some_data(10 + seed % 15, d=12, q=1, seed=seed)
        ranking = expansion.searched(queries, database)
        found = create("expansion", "dqe", k=k, m=m, preset="released-code").fit(database).expand(queries, ranking)
        ids = ranking.indices[0]
        rows = np.vstack([queries[0], database[ids[:k]], database[ids[-m:]]]).astype(np.float64)
        normal = expansion.smo(rows, np.r_[np.ones(k + 1), -np.ones(m)], 1e3)
        expected = database.astype(np.float64) @ (normal / np.linalg.norm(normal))
        yield Comparison("scores", expansion.by_image(found, len(database))[0], expected, 1e-4)


def superglobal(found, queries, database, ranking, top, k, beta):
    for row, query in enumerate(queries):
        ids, scores = expansion.loop_superglobal(query, database, ranking.indices[row], top, k, beta)
        mine = expansion.by_image(found, len(database))[row, ids]
        yield Comparison("scores", mine - mine[-1] + 1, scores - scores[-1] + 1, 1e-5)


def k_reciprocal(found, queries, database, ranking, k1, k2, weight):
    expected = [diffusion.dense_k_reciprocal(query, database, k1, k2, weight) for query in queries]
    yield Comparison("scores", expansion.by_image(found, len(database)) + 1, 2 - np.array(expected), 1e-5)


def egt(found, queries, database, ranking, k, threshold, top):
    for row, query in enumerate(queries):
        expected = diffusion.loop_egt(query, database, ranking.indices[row], k, threshold, top)
        yield Comparison("order", found.indices[row], np.array(expected))


def pooled(seed, kind):
    rng, chosen = (
        RNG(seed),
        {"p": (1.0, 4.6)[seed % 2], "regional_p": (1.0, 2.5, 3.0)[seed % 3], "window": (1, 3, 5)[seed % 3]},
    )
    maps = torch.from_numpy(np.maximum(rng.normal(size=(3, *rng.integers(1, 9, 2))), 0).astype(np.float32))
    maps = maps * {"zeros": 0.0, "certain": 1e-2}.get(kind, 1.0)
    found = create("pooling", "superglobal", **chosen).pool(maps)
    yield Comparison("descriptor", found, pooling.slow_superglobal(maps, **chosen), 2e-5)


def scale_gem(seed, kind):
    """Largest entries over scales of any sign; with the edges a scale, or all of them, without activations."""
    rng, pooling = RNG(seed), create("pooling", "spoc")
    scales = [rng.normal(size=(4, *rng.integers(1, 6, 2))).astype(np.float32) for _ in range(1 + seed % 4)]
    for number in {"zeros": [0], "equal": range(len(scales))}.get(kind, ()):
        scales[number][:] = 0
    found = describe([[torch.from_numpy(maps) for maps in scales]], pooling, "spoc", float("inf"))[0]
    means = [maps.astype(np.float64).mean((1, 2)) for maps in scales]
    largest = np.max([mean / (np.linalg.norm(mean) or 1) for mean in means], axis=0)
    yield Comparison("descriptor", found, largest / (np.linalg.norm(largest) or 1), 1e-5)


def asmk(seed, kind):
    from harness_reranking.asmk import Cells, FittedASMK

    rng = RNG(seed)
    d, words = int(rng.integers(1, 45)), int(rng.integers(1, 12))
    chosen = {"assignments": 1 + seed % 6, "binary": bool(seed % 2), "threshold": (0.0, 0.25)[seed // 2 % 2]}
    method = create("reranking", "asmk", **chosen, alpha=(1.0, 3.0)[seed // 4 % 2])
    fitted = FittedASMK(method, np.zeros(d), np.eye(d), rng.normal(size=(words, d)), np.ones(words), 0)
    sizes = rng.integers(0 if kind == "zeros" else 1, 12, 5)
    query, *images = (
        Cells(rng.normal(size=(n, d)).astype(np.float16), np.array([i == 0])) for i, n in enumerate(sizes)
    )
    if seed % 3 == 0:
        fitted = fitted.with_frequencies(images)
    found = fitted.score(fitted.prepared(query), [fitted.prepared(image) for image in images])
    expected = [reranking.slow_asmk(query, image, fitted) for image in images]
    yield Comparison("1 + scores", 1 + found, 1 + np.array(expected), 1e-5)


def local_features(seed, kind):
    rng, least, ratio = RNG(seed), (-1, 0.3, 0.82)[seed % 3], (0.8, 1.0)[seed % 2]
    one, other = (reranking.some_keypoints(rng, int(rng.integers(1, 30))) for _ in range(2))
    other = one if kind == "duplicates" else other
    method = create(
        "reranking", "local-features", extractor="harness_reranking.examples:patches", least_cosine=least, ratio=ratio
    )
    expected = np.array(reranking.mutual_matches(one, other, least, ratio), np.int64).reshape(-1, 2)
    yield Comparison("matches", method.tentatives(one, other), expected)


def trained(name, seed, **chosen):
    """A head trained on the first 30 of 60 examples: the probabilities of features, the features and labels of all."""
    features, labels = learning.clouds(60, seed=seed)
    data = learning.training_set(features, labels, 30, 4)
    model = training.initialise(create("network", "linear-head"), data.images, 4, RNG(0))
    model = create("learning", name, **chosen).train(model, data, RNG(1))
    return lambda x: training.extract(model, x[:, :, None, None])[1], features, labels


def logistic(seed, kind):
    if not kind:
        c = (0.01, 1.0)[seed % 2]
        said, features, labels = trained("logistic", seed, c=c)
        w = learning.slow_logistic(features[:30].astype(np.float64), labels[:30], 4, c)
        expected = learning.softmax(np.c_[features, np.ones(60)] @ w.T)
        yield Comparison("probabilities", said(features), expected, 1e-3)


def knn(seed, kind):
    if not kind:
        k, temperature = (1, 5, 40)[seed % 3], (0.1, 1.0)[seed % 2]
        said, features, labels = trained("knn", seed, k=k, temperature=temperature)
        others = learning.clouds(30, seed=seed + 1000)[0]
        expected = learning.slow_neighbours(others, features[:30], labels[:30], 4, k, temperature)
        yield Comparison("probabilities", said(others), expected, 1e-4)


def flexmatch(seed, kind):
    yield from learning.flexmatch_batches(create("learning", "flexmatch", threshold=(0.95, 0.6, 1.0)[seed % 3]), seed)


def propagation(seed, kind):
    if not kind:
        k = (5, 10, 30)[seed % 3]
        said, features, labels = trained("propagation", seed, k=k)
        s = diffusion.normalised(diffusion.dense_affinity(unit(features), k))
        known = np.where(np.arange(60) < 30, labels, -1)
        _, expected, _ = learning.dense_propagation(s, known, 4, "recommended")
        reached = expected.any(axis=1)
        yield Comparison("probabilities", said(features)[reached], expected[reached], 1e-4)


METHODS = {
    "max-herding": picked("max-herding", herded, kernel=("rbf", "student", "laplace"), bandwidth=(1.0, 0.4)),
    "uncertainty-herding": picked("uncertainty-herding", uncertainty_herded),
    # Of equal distances either pair may be linked first.
    "cluster-margin": picked("cluster-margin", margins_in_clusters, ("duplicates", "zeros"), wide=(1.25, 1.0, 10.0)),
    "clue": picked("clue", near_weighted_centres),
    "falcun": picked("falcun", draws_by_prediction, gamma=(10.0, 1.0, 0.0)),
    "dropquery": picked("dropquery", drop_queried, most=5, preset=("recommended", "released-code")),
    # The last digit of a sum decides which of two equal scores has which rank.
    "power-bald": picked(
        "power-bald",
        noisy_scores,
        ("equal",),
        score=("bald", "entropy", "margin"),
        noise=("power", "softmax", "softrank", "power"),
        beta=(1.0, 4.0),
    ),
    "galaxy": picked("galaxy", bisected, ("no label",)),
    "variation-ratio": picked("variation-ratio", most_votes_against, t=(4, 7)),
    "balanced-random": balanced_random,
    "batch-bald": batch_bald,
    "committee": committee,
    "bait": bait,
    "activeft": activeft,
    "typiclust": typiclust,
    "alfa-mix": alfa_mix,
    "dcom": dcom,
    "aqe-decay": expanded("aqe-decay", by_vector(expansion.loop_decayed), k=(1, 4, 0, 60)),
    "dba-decay": expanded("dba-decay", decayed_database, k=(1, 2, 5, 60)),
    "rocchio": expanded("rocchio", by_vector(rocchio), k=(4, 1, 0), m=(4, 1, 60, 0)),
    "dqe": separated,
    "superglobal": expanded("superglobal", superglobal, top=(1, 5, 400), k=(0, 1, 3, 60), beta=(0.15, 0.0)),
    "k-reciprocal": expanded("k-reciprocal", k_reciprocal, k1=(5, 20, 7), k2=(1, 6, 3, 2), weight=(0.3, 0.0)),
    "egt": expanded("egt", egt, k=(1, 2, 5, 60), threshold=(0.42, 0.9, -1.0), top=(1000, 5)),
    "logistic": logistic,
    "knn": knn,
    "flexmatch": flexmatch,
    "propagation": propagation,
    "superglobal pooling": pooled,
    "scale_power: inf": scale_gem,
    "asmk": asmk,
    "local-features": local_features,
}


@CASES
@pytest.mark.parametrize("name", METHODS)
def test_it_equals_its_reference(name, cases):
    compared = 0
    for seed, kind in cases:
        for comparison in METHODS[name](seed, kind):
            assert comparison.holds, (seed, kind, comparison.case, comparison.difference)
            compared += 1
    assert compared >= len(cases) // 3
