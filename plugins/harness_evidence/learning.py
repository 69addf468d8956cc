"""Learning schemes and networks: what can be computed in closed form, by a plain solver or by one step, in float64.

The weights that many random steps lead to have no reference; they are held to the rules of ``harness check``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from harness.active import training
from harness.plugin_api import Comparison, Create, TrainingSet
from harness_evidence import RNG, Array, unit
from harness_evidence.diffusion import dense_affinity, normalised


def clouds(n: int = 120, classes: int = 4, d: int = 8, seed: int = 0) -> tuple[Array, Array]:
    """Overlapping clouds whose first dimensions are the widest: features (n, d) float32 and labels (n,)."""
    rng = RNG(seed)
    labels = np.arange(n) % classes
    centres = RNG(99).normal(size=(classes, d))
    return ((centres[labels] + rng.normal(size=(n, d))) / np.arange(1, d + 1)).astype(np.float32), labels


def softmax(logits: Array) -> Array:
    """Probabilities (n, c) of logits (n, c)."""
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def slow_logistic(x: Array, y: Array, classes: int, c: float) -> Array:
    """Multinomial logistic regression by a plain solver: weights and biases (classes, d + 1)."""
    from scipy.optimize import minimize

    wide, hot = np.c_[x, np.ones(len(x))], np.eye(classes)[y]

    def loss(flat: Array) -> tuple[float, Array]:
        w = flat.reshape(classes, -1)
        p = softmax(wide @ w.T)
        penalty = w * np.r_[np.ones(x.shape[1]), 0]  # the bias is free
        value = 0.5 * (penalty**2).sum() - c * np.log(p[np.arange(len(y)), y]).sum()
        return float(value), np.asarray(penalty + c * (p - hot).T @ wide).ravel()

    options = {"gtol": 1e-9, "maxiter": 10_000}
    found = minimize(loss, np.zeros(classes * wide.shape[1]), jac=True, method="BFGS", options=options)
    return np.asarray(found.x.reshape(classes, -1))


def slow_neighbours(queries: Array, features: Array, labels: Array, classes: int, k: int, temperature: float) -> Array:
    """Votes of the k nearest by cosine, each weighed by its similarity."""
    votes = np.zeros((len(queries), classes))
    for row, similarities in enumerate(unit(queries) @ unit(features).T):
        for near in np.argsort(-similarities)[:k]:
            votes[row, labels[near]] += np.exp(similarities[near] / temperature)
    return np.asarray(votes / votes.sum(axis=1, keepdims=True))


def dense_propagation(
    s: Array, labels: Array, classes: int, preset: str, alpha: float = 0.99
) -> tuple[Array, Array, Array]:
    """Label propagation by a dense solve (thesis 3.8-3.10): labels, probabilities (n, classes) and weights (n,)."""
    n = len(labels)
    y = np.zeros((n, classes))
    for i, label in enumerate(labels):
        if label >= 0:
            y[i, label] = 1 if preset == "thesis" else 1 / (labels == label).sum()
    f = np.maximum(np.linalg.solve(np.eye(n) - alpha * s, (1 - alpha) * y), 0)
    found, weights, probabilities = np.full(n, -1), np.zeros(n), np.zeros((n, classes))
    for i in range(n):
        if f[i].sum() > 0:
            p = f[i] / f[i].sum()
            entropy = -sum(v * np.log(v) for v in p if v > 0)
            found[i], probabilities[i] = int(p.argmax()), p
            weights[i] = 1 - entropy / np.log(classes) if classes > 1 else 1
    if preset == "released-code" and weights.any():
        weights /= weights.max()
    for i in np.flatnonzero(labels >= 0).tolist():
        found[i], weights[i], probabilities[i] = labels[i], 1, np.eye(classes)[labels[i]]
    return found, probabilities, weights


def registered(kind: str, name: str, **parameters: Any) -> Any:
    """A method that comes with the harness."""
    from harness.registry import load_registry

    return load_registry(built_in_only=True).create(kind, name, **parameters)


def training_set(features: Array, labels: Array, labelled: int, classes: int) -> TrainingSet:
    """Features as images of one pixel; the first have their labels."""
    known = np.where(np.arange(len(labels)) < labelled, labels, -1).astype(np.int64)
    return TrainingSet(features[:, :, None, None], known, classes, flip=False)


def _trained(scheme: Any, data: TrainingSet) -> Any:
    model = training.initialise(registered("network", "linear-head"), data.images, data.n_classes, RNG(0))
    return scheme.train(model, data, RNG(1))


def _probabilities(model: Any, features: Array) -> Array:
    return np.asarray(training.extract(model, features[:, :, None, None])[1])


def logistic(create: Create) -> Iterator[Comparison]:
    """A solver that is told loss and gradient and nothing else."""
    features, labels = clouds()
    others = clouds(seed=1)[0]
    for c in (0.01, 1.0, 100.0):
        model = _trained(create(c=c), training_set(features, labels, 60, 4))
        w = slow_logistic(features[:60].astype(np.float64), labels[:60], 4, c)
        expected = softmax(np.c_[others, np.ones(len(others))] @ w.T)
        yield Comparison(f"c = {c:g}, probabilities", _probabilities(model, others), expected, 1e-3)


def knn(create: Create) -> Iterator[Comparison]:
    """Votes of the neighbours, one by one."""
    features, labels = clouds()
    others = clouds(seed=1)[0]
    for k, temperature in ((1, 0.1), (5, 0.1), (20, 1.0)):
        model = _trained(create(k=k, temperature=temperature), training_set(features, labels, 60, 4))
        expected = slow_neighbours(others, features[:60], labels[:60], 4, k, temperature)
        yield Comparison(f"k = {k}, probabilities", _probabilities(model, others), expected, 1e-4)


def propagation(create: Create) -> Iterator[Comparison]:
    """The graph pair by pair and a dense solve."""
    features, labels = clouds()
    data = training_set(features, labels, 20, 4)
    for k in (10, 30):
        model = _trained(create(k=k), data)
        s = normalised(dense_affinity(unit(features), k))
        _, expected, _ = dense_propagation(s, data.labels, 4, "recommended")
        reached = expected.any(axis=1)
        yield Comparison(f"k = {k}, the pool", _probabilities(model, features)[reached], expected[reached], 1e-4)


def semi(create: Create) -> Iterator[Comparison]:
    """Propagated labels by the graph pair by pair and a dense solve; the training after it has no reference."""
    features, labels = clouds()
    data = training_set(features, labels, 20, 4)
    model = training.initialise(registered("network", "linear-head"), data.images, 4, RNG(0))
    for preset in ("recommended", "thesis"):
        found, weights = create(preset=preset, k=10).propagated(model, data, RNG(0))
        s = normalised(dense_affinity(unit(features), 10))
        expected, _, certainty = dense_propagation(s, data.labels, 4, preset)
        yield Comparison(f"{preset}, labels", found, expected)
        yield Comparison(f"{preset}, weights", weights, certainty, 1e-3)


def _step(scheme: Any, rate: float, momentum: float, nesterov: bool, decay: float) -> Comparison:
    """One step on all labelled examples at once, against the gradient by hand."""
    features, labels = clouds()
    data = training_set(features, labels, 40, 4)
    model = training.initialise(registered("network", "linear-head"), data.images, 4, RNG(0))
    start = linear(model)
    after = linear(scheme.train(model, data, RNG(0)))
    wide = np.c_[features[:40].astype(np.float64), np.ones(40)]
    gradient = (softmax(wide @ start.T) - np.eye(4)[labels[:40]]).T @ wide / 40 + decay * start
    moved = start - rate * (1 + momentum if nesterov else 1) * gradient
    return Comparison(f"momentum {momentum:g}, decay {decay:g}", after, moved, 1e-5)


def linear(model: Any) -> Array:
    """Weights and biases (classes, d + 1) of a linear head, float64."""
    weights = {name: value.detach().numpy().astype(np.float64) for name, value in model.state_dict().items()}
    weight = next(value for name, value in weights.items() if name.endswith("head.weight"))
    bias = next(value for name, value in weights.items() if name.endswith("head.bias"))
    return np.asarray(np.c_[weight, bias])


def supervised(create: Create) -> Iterator[Comparison]:
    """One step by hand: gradient of the cross-entropy, momentum, weight decay; later steps have no reference."""
    for momentum, nesterov, decay in ((0.9, True, 2e-4), (0.0, False, 0.1)):
        chosen = {"momentum": momentum, "nesterov": nesterov, "weight_decay": decay}
        scheme = create(epochs=1, batch_size=40, translate=0.0, learning_rate=0.1, **chosen)
        yield _step(scheme, 0.1, momentum, nesterov, decay)


def ceal(create: Create) -> Iterator[Comparison]:
    """Which examples get a pseudo-label, by entropies one by one; the training after it has no reference."""
    rng = RNG(0)
    images, labels = np.zeros((40, 1, 8, 8), np.uint8), np.where(np.arange(40) < 4, np.arange(40) % 3, -1)
    previous = rng.dirichlet(np.full(3, 0.1), 40).astype(np.float32)
    for cycle, threshold in ((1, 0.05), (2, 0.3), (5, 0.9)):
        data = TrainingSet(images, labels, 3, False, cycle=cycle, previous=previous)
        expected = []
        for i in range(40):
            entropy = -sum(float(p) * np.log(float(p)) for p in previous[i] if p > 0) / np.log(3)
            if labels[i] < 0 and entropy < threshold - 0.01 * (cycle - 1):
                expected.append(i)
        found = create(threshold=threshold, decay=0.01).confident(data)
        yield Comparison(f"cycle {cycle}", found, np.array(expected, np.int64))


def linear_head(create: Create) -> Iterator[Comparison]:
    """Features scaled and a linear layer, by numpy in float64."""
    features, _ = clouds()
    images, x = features[:, :, None, None], features.astype(np.float64)
    for parameters, expected in (
        ({}, x),
        ({"scaling": "global"}, x / np.sqrt((x**2).mean())),
        ({"scaling": "standardised"}, (x - x.mean(axis=0)) / x.std(axis=0)),
        ({"normalise": True}, unit(x)),
    ):
        model = training.initialise(create(**parameters), images, 4, RNG(0))
        found, probabilities = training.extract(model, images)
        w = linear(model)
        length = features.shape[1] ** 0.5 if parameters.get("normalise") else 1.0
        logits = length * expected @ w[:, :-1].T + w[:, -1]
        case = ", ".join(f"{name} = {value}" for name, value in parameters.items()) or "defaults"
        yield Comparison(f"{case}, features", found, expected, 1e-5)
        yield Comparison(f"{case}, probabilities", probabilities, softmax(logits), 1e-4)


def slow_flexmatch(
    batches: list[tuple[Array, Array, Array]], sure: list[int], classes: int, threshold: float
) -> Iterator[tuple[list[float], list[int], list[float], float]]:
    """After one batch after the other: thresholds before it, classes, mask, and the mean loss; ``sure`` is changed.

    Args:
        batches: places, probabilities (B, c) of weakly augmented images, logits (B, c) of strongly augmented ones.
        sure: the last sure class of each unlabelled image, or -1.
        classes: number of classes.
        threshold: of a sure one.
    """
    for places, p, logits in batches:
        counts = [sum(one == c for one in sure) for c in (-1, *range(classes))]
        shares = [count / max(counts) for count in counts[1:]]
        limits = [threshold * b / (2 - b) for b in shares]
        guesses = [row.index(max(row)) for row in p.tolist()]
        mask = [float(row[g] >= limits[g]) for row, g in zip(p.tolist(), guesses, strict=True)]
        losses = [m * -np.log(softmax(z[None])[0, g]) for m, z, g in zip(mask, logits, guesses, strict=True)]
        for place, row, g in zip(places.tolist(), p.tolist(), guesses, strict=True):
            if row[g] >= threshold:
                sure[place] = g
        yield limits, guesses, mask, float(np.mean(losses))


def some_batches(seed: int, n: int = 60, classes: int = 4) -> list[tuple[Array, Array, Array]]:
    """Twelve batches of predictions that grow surer, of some classes sooner than of others."""
    rng, batches = RNG(seed), []
    for step in range(12):
        logits = rng.normal(size=(20, classes)) * (0.5 + step) + np.arange(classes)
        batches.append((rng.choice(n, 20, replace=False), softmax(logits), rng.normal(size=(20, classes)) * 3))
    return batches


def flexmatch_batches(scheme: Any, seed: int) -> Iterator[Comparison]:
    """Thresholds, classes, masks and losses of a scheme on batches of given predictions."""
    import torch

    from harness_learning.flexmatch import PseudoLabels, loss

    batches, sure = some_batches(seed), [-1] * 60
    pseudo = PseudoLabels(torch.full((60,), -1), 4, scheme.threshold)
    own, labels = torch.zeros(3, 4, dtype=torch.float64), torch.arange(3)  # their loss is ln 4
    for step, ((places, p, logits), slow) in enumerate(
        zip(batches, slow_flexmatch(batches, sure, 4, scheme.threshold), strict=True)
    ):
        limits = pseudo.limits.clone()
        guesses, mask = pseudo.taken(torch.from_numpy(places), torch.from_numpy(p))
        total = loss(torch.cat([own, torch.from_numpy(logits)]), labels, guesses, mask)
        yield Comparison(f"step {step}, thresholds", limits.numpy(), np.array(slow[0]), 1e-12)
        yield Comparison(f"step {step}, classes", guesses.numpy(), np.array(slow[1]))
        yield Comparison(f"step {step}, mask", mask.numpy(), np.array(slow[2]))
        yield Comparison(f"step {step}, loss", total.numpy(), np.array(np.log(4) + slow[3]), 1e-9)
    yield Comparison("pseudo-labels", pseudo.sure.numpy(), np.array(sure))


def flexmatch(create: Create) -> Iterator[Comparison]:
    """Thresholds, masks and losses of given predictions one by one; the training around them has no reference."""
    for threshold in (0.95, 0.6):
        for comparison in flexmatch_batches(create(threshold=threshold), seed=int(100 * threshold)):
            yield replace(comparison, case=f"threshold {threshold:g}, {comparison.case}")
