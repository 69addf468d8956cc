"""Learning schemes whose every step is written out: gradients by hand or by torch in float64, the same draws."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import numpy as np

from harness.active import training
from harness.plugin_api import Comparison, Create, TrainingSet
from harness_evidence import RNG, Array
from harness_evidence.learning import clouds, linear, registered, softmax, training_set

Generator = np.random.Generator


def descend(w: Array, gradients: Any, rates: Any, momentum: float, decay: float) -> Iterator[Array]:
    """Weights after each step of descent with a momentum that looks ahead."""
    velocity = np.zeros_like(w)
    for rate in rates:
        gradient = gradients(w) + decay * w
        velocity = momentum * velocity + gradient
        w = w - rate * (gradient + momentum * velocity)
        yield w


def slow_held_out(labels: Array, share: float, rng: Generator) -> list[int]:
    """One of a class after the other, the larger classes first; each class keeps one."""
    order = rng.permutation(len(labels)).tolist()
    waiting = {int(k): [i for i in order if labels[i] == k] for k in set(labels.tolist())}
    size, taken, held = {k: len(own) for k, own in waiting.items()}, dict.fromkeys(waiting, 0), list[int]()
    for _ in range(max(1, round(share * len(labels)))):
        left = [k for k, own in waiting.items() if len(own) > 1]
        if left:
            k = min(left, key=lambda k: (taken[k], -size[k], order.index(waiting[k][0])))
            held.append(waiting[k].pop(0))
            taken[k] += 1
    return held


def slow_validated(
    x: Array, y: Array, start: Array, held: list[int], rates: tuple[float, ...], epochs: int, patience: int
) -> tuple[tuple[float, int], Array]:
    """Every rate and epoch, by the loss on what is held out: the best rate and epoch, and the weights there."""
    wide, hot = np.c_[x, np.ones(len(x))], np.eye(len(start))[y]
    rest = [i for i in range(len(x)) if i not in held]
    least, chosen, best = np.inf, (0.0, 0), start

    def gradients(w: Array) -> Array:
        return np.asarray((softmax(wide[rest] @ w.T) - hot[rest]).T @ wide[rest] / len(rest))

    for rate in rates:
        own_least, own_epoch = np.inf, 0
        cosine = (rate * (1 + np.cos(np.pi * epoch / (1.05 * epochs))) / 2 for epoch in range(epochs))
        for epoch, w in enumerate(descend(start, gradients, cosine, 0.9, 2e-4)):
            loss = -np.log(softmax(wide[held] @ w.T)[range(len(held)), y[held]]).mean()
            if loss < own_least:
                own_least, own_epoch = loss, epoch
            if loss < least:
                least, chosen, best = loss, (rate, epoch), w
            if epoch - own_epoch >= patience:
                break
    return chosen, best


def validated(create: Create) -> Iterator[Comparison]:
    """Every step of every learning rate by hand, on all labels that are not held out; the same draw of those."""
    rates, epochs, patience = (0.01, 0.1, 2.0), 40, 6
    for seed in range(3):
        features, labels = clouds(seed=seed)
        data = training_set(features, labels, 40, 4)
        model = training.initialise(registered("network", "linear-head"), data.images, 4, RNG(0))
        start = linear(model)
        scheme = create(epochs=epochs, patience=patience, rates=rates, batch_size=100, translate=0.0)
        found = linear(scheme.train(model, data, RNG(seed)))
        report: Any = model.report
        held = slow_held_out(labels[:40], 0.2, RNG(seed))
        x = features[:40].astype(np.float64)
        (rate, epoch), w = slow_validated(x, labels[:40], start, held, rates, epochs, patience)
        yield Comparison(f"clouds {seed}, epoch and number held out", [report["epoch"], report["held_out"]], [epoch, 8])
        yield Comparison(f"clouds {seed}, learning rate", report["learning_rate"], rate, 1e-12)
        yield Comparison(f"clouds {seed}, weights", found, w, 1e-3)


def slow_pretraining(
    model: Any, data: TrainingSet, k: int, passes: int, batch: int, released: bool, rng: Generator
) -> Array:
    """Clusters as classes, by automatic gradients in float64 and steps by hand: all weights and statistics."""
    import torch

    from harness.search import k_means, unit_rows

    model, images = copy.deepcopy(model).double(), torch.from_numpy(data.images).double()
    first = int(rng.integers(2**31))
    with training.seeded(rng):
        for number in range(passes):
            model.eval()
            features = model(images)[1].detach().numpy().astype(np.float32)
            clusters = k_means(unit_rows(features), k, first if released else int(rng.integers(2**31)), 10)[1]
            if number == 0 or not released:
                head = torch.nn.Linear(features.shape[1], k)
                torch.nn.init.normal_(head.weight, 0, 0.01)
                torch.nn.init.zeros_(head.bias)
                weights = [*model.parameters(), *head.double().parameters()]
                velocity = [torch.zeros_like(weight) for weight in weights]
            model.train()
            for rows in np.array_split(_drawn(clusters, released, rng), max(1, len(images) // batch)):
                logits = head(model(training.augment(images[rows], 0.0, flip=False))[1])
                loss = -torch.log_softmax(logits, 1)[range(len(rows)), clusters[rows]].mean()
                gradients = torch.autograd.grad(loss, weights, allow_unused=True)
                with torch.no_grad():
                    for weight, gradient, speed in zip(weights, gradients, velocity, strict=True):
                        if gradient is not None:  # the layer of the classes has none
                            speed.mul_(0.9).add_(gradient + 1e-5 * weight)
                            weight.sub_(0.05 * speed)
    return _flat(model.state_dict())


def _drawn(clusters: Array, released: bool, rng: Generator) -> Array:
    """All images once; or as many, of each cluster the same share."""
    if released:
        return rng.permutation(len(clusters))
    sizes = {int(c): int((clusters == c).sum()) for c in clusters}
    return rng.choice(len(clusters), len(clusters), p=np.array([1 / (sizes[int(c)] * len(sizes)) for c in clusters]))


def _flat(state: Any) -> Array:
    """All weights and statistics but those of the pixels, whose size would hide the others."""
    weights = [value.detach().numpy() for name, value in state.items() if name not in ("mean", "std")]
    return np.concatenate([value.astype(np.float64).ravel() for value in weights])


def pretrain(create: Create) -> Iterator[Comparison]:
    """Automatic gradients in float64 and steps by hand, the same draws; k-means itself is taken as it is."""
    rng, kinds = RNG(0), np.arange(60) % 3 > 0  # two kinds of images, so that no rounding decides a cluster
    patterns = rng.integers(0, 256, (2, 1, 12, 12))[kinds.astype(int)]
    images = np.clip(patterns + rng.integers(-9, 10, (60, 1, 12, 12)), 0, 255).astype(np.uint8)
    data = TrainingSet(images, np.full(60, -1), 2, flip=False)
    for preset in ("recommended", "released-code"):
        network = registered("network", "small-cnn", width=4, dropout=0.0)
        model = training.initialise(network, images, 2, RNG(1))
        expected = slow_pretraining(model, data, 2, 2, 20, preset == "released-code", RNG(2))
        chosen = {"pre_epochs": 2, "pre_batch": 20, "clusters_per_class": 1, "pre_translate": 0.0}
        found = create(**chosen, pre_preset=preset).prepare(model, data, RNG(2))
        yield Comparison(f"{preset}, weights after 6 steps", _flat(found), expected, 1e-3)
