"""Acquisition functions that go by predictions and features, or by a model of their own, written out in float64."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from harness.active import Pool
from harness.plugin_api import Comparison, Create
from harness.search import k_means
from harness_evidence import RNG, Array
from harness_evidence.coverage import slow_nearest_unused
from harness_evidence.pools import clustered_pool, small_pool
from harness_evidence.uncertainty import entropies

Generator = np.random.Generator


def badge_gradients(pool: Pool) -> Array:
    """The matrix (n, c d) of gradients that the method never builds."""
    p, z = pool.probabilities.astype(np.float64), pool.features.astype(np.float64)
    hot = np.eye(p.shape[1])[p.argmax(axis=1)]
    gradients = np.einsum("ic,id->icd", p - hot, z).reshape(len(p), -1)
    return np.asarray(gradients[pool.unlabelled])


def slow_badge(pool: Pool, budget: int, rng: Generator, pending: int = 64) -> Array:
    """All distances to all picks, every time; the same draws against distances of at most ``pending`` draws ago."""
    g = badge_gradients(pool)
    picks = [int(np.argmax((g**2).sum(axis=1)))]

    def distances() -> Array:
        return np.asarray(((g[:, None] - g[picks][None]) ** 2).sum(axis=2).min(axis=1))

    old, since = distances(), 0
    while len(picks) < budget:
        place, chance = rng.random(2)
        row = int(np.searchsorted(np.cumsum(old) / old.sum(), place, side="right"))
        if chance * old[row] < distances()[row]:
            picks.append(row)
        since += 1
        if since == pending:
            old, since = distances(), 0
    return np.asarray(pool.unlabelled[picks])


def float64_predictions(pool: Pool) -> Array:
    """Predictions whose rows sum to 1 in float64."""
    p = pool.probabilities.astype(np.float64)
    return np.asarray(p / p.sum(axis=1, keepdims=True))


def fisher_roots(z: Array, p: Array) -> Array:
    """V (n, c, cd): the information of example i is V_i^T V_i."""
    c = p.shape[1]
    rows = [[np.kron(np.sqrt(q[k]) * (np.eye(c)[k] - q), x) for k in range(c)] for x, q in zip(z, p, strict=True)]
    return np.array(rows)


def slow_bait(pool: Pool, budget: int, regularisation: float) -> list[int]:
    """BAIT with all matrices written down."""
    v = fisher_roots(pool.features.astype(np.float64), float64_predictions(pool))
    (_, c, size), known = v.shape, pool.labelled
    fisher = np.asarray(sum(one.T @ one for one in v)) / len(v)
    total = len(known) + budget
    of_labels = sum((v[i].T @ v[i] for i in known), np.zeros((size, size))) / total
    inverse, w = np.linalg.inv(regularisation * np.eye(size) + of_labels), v * np.sqrt(budget / total)

    def score(i: int, sign: int) -> tuple[float, Array]:
        middle = np.linalg.inv(sign * np.eye(c) + w[i] @ inverse @ w[i].T)
        return float(np.trace(w[i] @ inverse @ fisher @ inverse @ w[i].T @ middle)), middle

    picked: list[int] = []
    free = pool.unlabelled.tolist()
    for _ in range(min(2 * budget, len(free))):
        scores = [score(i, 1)[0] for i in free]
        place = next(p for p, s in enumerate(scores) if s >= max(scores) - 1e-9 * abs(max(scores)))
        picked.append(free.pop(place))
        inverse = inverse - inverse @ w[picked[-1]].T @ score(picked[-1], 1)[1] @ w[picked[-1]] @ inverse
    while len(picked) > budget:
        losses = {i: -score(i, -1)[0] for i in picked}
        least = min(losses.values())
        gone = min(i for i, loss in losses.items() if loss <= least + 1e-9 * abs(least))
        inverse = inverse - inverse @ w[gone].T @ score(gone, -1)[1] @ w[gone] @ inverse
        picked.remove(gone)
    return picked


def slow_linkage(features: Array, k: int) -> set[frozenset[int]]:
    """Average linkage by the update of distances, pair by pair; clusters as sets."""
    x = features.astype(np.float64)
    members = {i: [i] for i in range(len(x))}
    d = {(i, j): float(np.sqrt(((x[i] - x[j]) ** 2).sum())) for i in range(len(x)) for j in range(i + 1, len(x))}
    while len(members) > k:
        i, j = min(d, key=lambda pair: (d[pair], pair))
        for other in members:
            if other not in (i, j):
                first, second = d.pop((min(i, other), max(i, other))), d.pop((min(j, other), max(j, other)))
                sizes = len(members[i]), len(members[j])
                d[min(i, other), max(i, other)] = (sizes[0] * first + sizes[1] * second) / sum(sizes)
        del d[i, j]
        members[i] += members.pop(j)
    return {frozenset(group) for group in members.values()}


def slow_cluster_margin(pool: Pool, budget: int, wide: float = 1.25) -> list[int]:
    """Clusters of the smallest margins visited one by one, the smallest cluster first."""
    of = {i: g for g in slow_linkage(pool.features, max(1, len(pool.labels) // 2)) for i in g}
    top = np.sort(pool.probabilities.astype(np.float64), axis=1)
    free = sorted(pool.unlabelled.tolist(), key=lambda i: (top[i, -1] - top[i, -2], i))
    free = free[: max(budget, int(wide * budget))]
    groups: dict[frozenset[int], list[int]] = {}
    for i in free:
        groups.setdefault(of[i], []).append(i)
    order, picks = sorted(groups.values(), key=len), list[int]()
    while len(picks) < budget:
        for group in order:
            if group and len(picks) < budget:
                picks.append(group.pop(0))
    return picks


def slow_clue(pool: Pool, budget: int, rng: Generator) -> list[int]:
    """The examples nearest to weighted centres, found one by one; k-means itself is taken as it is."""
    points = pool.features[pool.unlabelled]
    points = np.asarray(points - np.median(points[:: max(1, len(points) // 101)], axis=0), np.float32)
    weights = entropies(pool.probabilities[pool.unlabelled].astype(np.float64))
    centres, _ = k_means(points, budget, int(rng.integers(2**31)), 20, weights)
    free, expected = list(range(len(points))), []
    for centre in centres.astype(np.float64):
        squares = [float(((points[i].astype(np.float64) - centre) ** 2).sum()) for i in free]
        expected.append(free.pop(int(np.argmin(squares))))
    return [int(i) for i in pool.unlabelled[expected]]


def slow_falcun(pool: Pool, budget: int, gamma: float, rng: Generator) -> list[int]:
    """Draw by draw, example by example."""
    p = pool.probabilities[pool.unlabelled].astype(np.float64)
    u = [float(1 - row[-1] + row[-2]) for row in np.sort(p, axis=1)]
    d, taken = list(u), list[int]()
    for number in range(budget):
        if number:
            d = [min(d[i], float(np.abs(p[i] - p[taken[-1]]).sum())) for i in range(len(p))]
            least, most = min(d), max(d)
            d = [(one - least) / (most - least) if most > least else 0.0 for one in d]
        chances = [0.0 if i in taken else (u[i] + d[i]) ** gamma for i in range(len(p))]
        if sum(chances) == 0:
            chances = [0.0 if i in taken else 1.0 for i in range(len(p))]
        place = rng.random() * sum(chances)
        taken.append(next(i for i in range(len(p)) if place < sum(chances[: i + 1])))
    return [int(i) for i in pool.unlabelled[taken]]


def slow_dropquery(pool: Pool, budget: int, rng: Generator, released: bool) -> list[int]:
    """Example by example in float64, but for k-means itself."""
    head, z = pool.head, pool.features[pool.unlabelled]
    assert head is not None  # noqa: S101

    def answer(row: Array) -> int:
        return int((head.weight.astype(np.float64) @ row + head.bias).argmax())

    masks = [rng.random(z.shape, dtype=np.float32) >= 0.75 for _ in range(3)]
    mismatch = np.array(
        [sum(answer(z[i] * mask[i] * 4.0) != answer(z[i].astype(float)) for mask in masks) for i in range(len(z))]
    )
    threshold = 1
    while released and threshold > 0 and (mismatch > threshold).sum() < 25 * budget:
        threshold -= 1
    candidates = [i for i in range(len(z)) if mismatch[i] > threshold]
    return _one_a_cluster(pool, candidates, budget, rng, 100)


def _one_a_cluster(pool: Pool, candidates: list[int], budget: int, rng: Generator, iterations: int) -> list[int]:
    """The candidates nearest to the middles of clusters; too few: all and others. k-means itself is taken as it is."""
    if len(candidates) <= budget:
        others = rng.permutation([i for i in range(len(pool.unlabelled)) if i not in candidates]).astype(int).tolist()
        return [int(i) for i in pool.unlabelled[(candidates + others)[:budget]]]
    x = pool.features[pool.unlabelled[candidates]].astype(np.float64)
    lengths = np.linalg.norm(x, axis=1, keepdims=True)
    rows = np.asarray(x / np.where(lengths > 0, lengths, 1), np.float32)
    centres, _ = k_means(rows, budget, int(rng.integers(2**31)), iterations)
    picks = [candidates[i] for i in slow_nearest_unused(rows, centres)]
    return [int(i) for i in pool.unlabelled[picks]]


def mixture_changes(pool: Pool, i: int) -> Callable[[float], bool]:
    """Of a cap: whether example ``i``, mixed that far with the anchor of some class, is predicted otherwise."""
    assert pool.head is not None  # noqa: S101
    w, bias = pool.head.weight.astype(np.float64), pool.head.bias.astype(np.float64)
    z, known = pool.features[i].astype(np.float64), pool.labels >= 0
    scores = w @ z + bias
    predicted = int(scores.argmax())
    p = np.exp(scores - scores.max()) / np.exp(scores - scores.max()).sum()
    p[predicted] = -sum(p[k] for k in range(len(p)) if k != predicted)  # less 1, without loss of digits
    gradient = p @ w
    length = np.linalg.norm(gradient) or np.inf
    shares = []
    for k in range(pool.probabilities.shape[1]):
        own = pool.labels == k
        anchor = pool.features[own if own.any() else known].astype(np.float64).mean(axis=0)
        apart = anchor - z
        shares.append((anchor, np.linalg.norm(apart) / length * gradient / (apart + 1e-8) / len(z) ** 0.5))

    def changes(cap: float) -> bool:
        mixtures = [(1 - cap * share) * z + cap * share * anchor for anchor, share in shares]
        return any(int((w @ mixture + bias).argmax()) != predicted for mixture in mixtures)

    return changes


def slow_alfa_mix(pool: Pool, budget: int, rng: Generator, cap: float = 1 / 32, grows: bool = True) -> list[int]:
    """Example by example, anchor by anchor, cap by cap."""
    changes = [mixture_changes(pool, int(i)) for i in pool.unlabelled]
    candidates, bound = set[int](), 0.0
    while bound < 1:
        bound += cap
        candidates |= {j for j, change in enumerate(changes) if j not in candidates and change(bound)}
        if len(candidates) > budget or not grows:
            break
    return _one_a_cluster(pool, sorted(candidates), budget, rng, 20)


def slow_galaxy_pick(order: Any, labels: Array, k: int) -> int:
    """Node by node along one order; -1 where nothing is found."""
    n, last, best, pick = len(order), None, len(order) + 1, -1
    for place, position in enumerate(order):
        if labels[position] >= 0:
            gap = 0 if last is None else place - last - 1
            if last is not None and gap and (labels[order[last]] == k) != (labels[position] == k) and gap < best:
                best, pick = gap, order[(last + 1 + place - 1) // 2]
            last = place
    if pick >= 0:
        return int(pick)
    cuts = [
        q
        for q in range(n - 1)
        if labels[order[q]] >= 0 and labels[order[q + 1]] >= 0 and labels[order[q]] != k and labels[order[q + 1]] == k
    ]
    for q in cuts:
        above = [r for r in range(q) if labels[order[r]] < 0]
        if above and q - above[-1] <= best:
            best, pick = q - above[-1], order[above[-1]]
    for q in cuts:
        below = [r for r in range(q + 2, n) if labels[order[r]] < 0]
        if below and below[0] - (q + 1) < best:
            best, pick = below[0] - (q + 1), order[below[0]]
    return int(pick)


def slow_galaxy(pool: Pool, budget: int, rng: Generator, truth: Array) -> list[int]:
    """Each pick found node by node, its label known before the next."""
    p, labels, picks = pool.probabilities.astype(np.float64), pool.labels.copy(), list[int]()
    n, c = p.shape
    free = rng.permutation(pool.unlabelled).tolist()

    def score(i: int, k: int) -> float:
        return float(p[i, 0] if c == 2 else p[i, k] - p[i].max() + 1e-8 * p[i].max())

    for _ in range(budget):
        k = int(rng.integers(1 if c == 2 else c))
        pick = slow_galaxy_pick(sorted(range(n), key=lambda i: (-score(i, k), i)), labels, k)  # noqa: B023
        pick = pick if pick >= 0 else next(i for i in free if labels[i] < 0)
        labels[pick] = truth[pick]
        picks.append(pick)
    return picks


def weights_by_descent(x: Array, y: Array, c: float) -> Array:
    """Logistic regression, both sides weighing the same, by a solver that is told the loss and nothing else."""
    from scipy.optimize import minimize

    share = np.where(y, len(y) / (2 * y.sum()), len(y) / (2 * (~y).sum()))

    def loss(w: Array) -> float:
        margins = (x @ w[1:] + w[0]) * np.where(y, 1, -1)
        return float(0.5 * (w[1:] ** 2).sum() + c * (share * np.logaddexp(0, -margins)).sum())

    options = {"gtol": 1e-7, "maxiter": 5000}
    return np.asarray(minimize(loss, np.zeros(x.shape[1] + 1), method="BFGS", options=options).x)


def slow_dal(pool: Pool, budget: int, rounds: int, ratio: int, c: float, rng: Generator) -> list[int]:
    """Rounds of a classifier that tells labelled from unlabelled examples, by a plain solver."""
    x = pool.features.astype(float)
    x = (x - x.mean(axis=0)) / x.std(axis=0)
    labelled, free = pool.labelled.tolist(), pool.unlabelled.tolist()
    sizes = [len(part) for part in np.array_split(range(budget), min(rounds, budget))]
    for size in sizes:
        sample = rng.choice(free, min(len(free), ratio * len(labelled)), replace=False).tolist()
        rows = labelled + sample
        w = weights_by_descent(x[rows], np.arange(len(rows)) >= len(labelled), c)
        picks = sorted(free, key=lambda i: (-(x[i] @ w[1:]), i))[:size]  # noqa: B023
        labelled += picks
        free = [i for i in free if i not in picks]
    return [int(i) for i in labelled[len(pool.labelled) :]]


def slow_jlp(graph: Array, labelled: Any, budget: int, alpha: float = 0.99) -> list[int]:
    """One dense inverse; after each pick the least reached example, of equals the first."""
    inverse = np.linalg.inv(np.eye(len(graph)) - alpha * graph)
    known, picks = [int(i) for i in labelled], list[int]()
    for _ in range(budget):
        u = inverse[:, known].sum(axis=1)
        u[known] = np.inf
        picks.append(int(np.flatnonzero(u <= max(u.min(), 0) * (1 + 1e-9) + 1e-13)[0]))
        known.append(picks[-1])
    return picks


def _compared(
    create: Create, slow: Callable[[Pool, int, int], Any], seeds: range, **parameters: Any
) -> Iterator[Comparison]:
    for seed in seeds:
        pool, budget = small_pool(seed)
        picks = create(**parameters).select(pool, budget, RNG(seed))
        yield Comparison(f"pool {seed}", picks, slow(pool, budget, seed))


def random(create: Create) -> Iterator[Comparison]:
    """Draws without replacement by the same generator."""
    draw = lambda pool, budget, seed: RNG(seed).choice(pool.unlabelled, budget, replace=False)  # noqa: E731
    yield from _compared(create, draw, range(8))


def balanced_random(create: Create) -> Iterator[Comparison]:
    """The class with the fewest labels and picks, again and again: classes of the picks, not which examples."""
    for seed in range(8):
        pool, budget = small_pool(seed)
        predicted = pool.probabilities.argmax(axis=1)
        left = [int((predicted[pool.unlabelled] == k).sum()) for k in range(pool.probabilities.shape[1])]
        counts, expected = [int((pool.labels == k).sum()) for k in range(len(left))], []
        for _ in range(budget):
            k = min((k for k in range(len(left)) if left[k]), key=lambda k: (counts[k], k))  # noqa: B023
            expected.append(k)
            counts[k], left[k] = counts[k] + 1, left[k] - 1
        picks = create().select(pool, budget, RNG(seed))
        yield Comparison(f"pool {seed}", predicted[picks], np.array(expected))


def badge(create: Create) -> Iterator[Comparison]:
    """The matrix of all gradients and all distances, the same draws."""
    for seed in range(3):
        pool = clustered_pool(seed)
        yield Comparison(f"pool {seed}", create().select(pool, 40, RNG(seed)), slow_badge(pool, 40, RNG(seed)))


def bait(create: Create) -> Iterator[Comparison]:
    """Whole Fisher matrices and their inverses."""
    for seed in range(8):
        pool, budget = small_pool(seed)
        budget, weight = min(budget, 3), (1.0, 0.01)[seed % 2]
        picks = create(regularisation=weight).select(pool, budget, RNG(0))
        yield Comparison(f"pool {seed}", picks, slow_bait(pool, budget, weight))


def cluster_margin(create: Create) -> Iterator[Comparison]:
    """Average linkage pair by pair, clusters visited one by one."""
    for wide in (1.25, 1.0, 10.0):
        slow = lambda pool, budget, _, wide=wide: slow_cluster_margin(pool, budget, wide)  # noqa: E731
        yield from _compared(create, slow, range(4), wide=wide)


def clue(create: Create) -> Iterator[Comparison]:
    """The examples nearest to weighted centres, one by one; k-means itself is taken as it is."""
    for seed in range(8):
        pool, budget = small_pool(seed)
        if budget < len(pool.unlabelled):
            picks = create().select(pool, budget, RNG(seed))
            yield Comparison(f"pool {seed}", picks, slow_clue(pool, budget, RNG(seed)))


def falcun(create: Create) -> Iterator[Comparison]:
    """Draw by draw, example by example."""
    for gamma in (10.0, 1.0, 0.0):
        slow = lambda pool, budget, seed, gamma=gamma: slow_falcun(pool, budget, gamma, RNG(seed))  # noqa: E731
        yield from _compared(create, slow, range(4), gamma=gamma)


def dropquery(create: Create) -> Iterator[Comparison]:
    """Example by example; k-means itself is taken as it is."""
    for seed in range(12):
        pool, budget = small_pool(seed)
        preset, budget = ("recommended", "released-code")[seed % 2], min(budget, 1 + seed % 5)
        picks = create(preset=preset).select(pool, budget, RNG(seed))
        expected = slow_dropquery(pool, budget, RNG(seed), preset == "released-code")
        yield Comparison(f"pool {seed}, {preset}", picks, expected)


def alfa_mix(create: Create) -> Iterator[Comparison]:
    """Mixtures example by example, anchor by anchor; k-means itself is taken as it is."""
    for seed in range(12):
        pool, budget = small_pool(seed)
        chosen: dict[str, Any] = ({}, {"cap": 0.2}, {"cap": 0.2, "grows": False}, {"cap": 1.0})[seed % 4]
        budget = min(budget, 1 + seed % 5)
        picks = create(**chosen).select(pool, budget, RNG(seed))
        yield Comparison(
            f"pool {seed}, {chosen or 'defaults'}", picks, slow_alfa_mix(pool, budget, RNG(seed), **chosen)
        )


def galaxy(create: Create) -> Iterator[Comparison]:
    """Orders of the examples searched node by node."""
    for seed in range(10):
        pool, budget = small_pool(seed)
        predicted = pool.probabilities.argmax(axis=1)
        picks = create().select(pool, budget, RNG(seed))
        yield Comparison(f"pool {seed}", picks, slow_galaxy(pool, budget, RNG(seed), predicted))


def dal(create: Create) -> Iterator[Comparison]:
    """A solver that is told the loss and nothing else."""
    for seed, (rounds, ratio, c) in enumerate(((1, 10, 1.0), (4, 3, 1.0), (10, 10, 0.1))):
        pool = unevenly_labelled(seed)
        picks = create(rounds=rounds, ratio=ratio, c=c).select(pool, 15, RNG(seed))
        yield Comparison(f"{rounds} rounds", picks, slow_dal(pool, 15, rounds, ratio, c, RNG(seed)))


def unevenly_labelled(seed: int, n: int = 150, d: int = 4, labelled: int = 12) -> Pool:
    """A pool whose labels lie on one side."""
    rng = RNG(seed)
    features = rng.normal(size=(n, d)) * [1, 5, 0.2, 1] + 3
    labels = np.full(n, -1)
    labels[np.argsort(features[:, 0] + rng.normal(size=n))[:labelled]] = 1
    return Pool(features, np.full((n, 2), 0.5), labels)


def jlp(create: Create) -> Iterator[Comparison]:
    """A dense inverse, looked at again after every pick."""
    from harness.graph import affinity, normalise

    rng = RNG(0)
    features = (
        rng.standard_normal((12, 16))[rng.integers(12, size=200)] + 0.6 * rng.standard_normal((200, 16))
    ).astype(np.float32)
    labels = np.full(200, -1)
    labels[rng.choice(200, 12, replace=False)] = np.arange(12) % 3
    pool = Pool(features, np.full((200, 3), 1 / 3, np.float32), labels)
    for k, gamma in ((50, 3.0), (8, 3.0), (50, 1.0)):
        graph = normalise(affinity(features, k, gamma)).toarray().astype(np.float64)
        picks = create(k=k, gamma=gamma).select(pool, 15, RNG(0))
        yield Comparison(f"k = {k}, gamma = {gamma:g}", picks, slow_jlp(graph, pool.labelled, 15))
