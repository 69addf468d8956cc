"""What a seed decides of labels: the first ones, the size of classes, the annotator's mistakes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from harness.core.errors import InvalidInput

if TYPE_CHECKING:
    from harness.plugin_api import Ids


def balanced_labels(labels: Ids, n_classes: int, total: int, rng: np.random.Generator) -> Ids:
    """Positions of ``total`` examples, ``total // n_classes`` a class, the remainder from classes drawn by ``rng``.

    For one seed a smaller ``total`` gives a subset of a larger one if both are multiples of ``n_classes``.

    Args:
        labels: (n,) int64 in [0, n_classes).
        n_classes: number of classes.
        total: how many positions.
        rng: decides which.

    Returns:
        (total,) int64, sorted.

    Raises:
        InvalidInput: more are asked for than a class has.
    """
    orders = [rng.permutation(np.flatnonzero(labels == k)) for k in range(n_classes)]
    wanted = np.full(n_classes, total // n_classes)
    wanted[rng.permutation(n_classes)[: total % n_classes]] += 1
    for k, order in enumerate(orders):
        if len(order) < wanted[k]:
            raise InvalidInput(
                f"{wanted[k]} initial labels are wanted of class {k}, which has {len(order)} examples",
                fix="lower initial, or first_set: random",
            )
    return np.sort(np.concatenate([order[:n] for order, n in zip(orders, wanted, strict=True)])).astype(np.int64)


def long_tail(labels: Ids, n_classes: int, ratio: float, rng: np.random.Generator) -> Ids:
    """Positions of a pool in which the largest class has ``ratio`` times the examples of the smallest.

    The k-th largest class keeps the share ``ratio ** (-k / (n_classes - 1))`` of the smallest class of the whole pool
    (so that every class has enough), at least one example; ``rng`` draws the order of the classes and the examples.

    Args:
        labels: (n,) int64 in [0, n_classes).
        n_classes: number of classes.
        ratio: at least 1.
        rng: decides which.

    Returns:
        (m,) int64, sorted.

    Raises:
        InvalidInput: a class without examples.
    """
    sizes = np.bincount(labels, minlength=n_classes)
    if not sizes.all():
        raise InvalidInput(f"class {int(sizes.argmin())} has no example in the pool", fix="leave imbalance at 1")
    falls = ratio ** (-np.arange(n_classes) / max(n_classes - 1, 1))
    wanted = np.maximum(1, np.round(sizes.min() * falls)).astype(int)[rng.permutation(n_classes)]
    kept = [rng.permutation(np.flatnonzero(labels == k))[: wanted[k]] for k in range(n_classes)]
    return np.sort(np.concatenate(kept)).astype(np.int64)


def random_labels(n: int, total: int, rng: np.random.Generator) -> Ids:
    """``total`` of ``n`` positions, sorted, int64. Raises ``InvalidInput`` where there are fewer."""
    if total > n:
        raise InvalidInput(f"{total} initial labels of a pool of {n} examples", fix="lower initial")
    return np.sort(rng.choice(n, total, replace=False)).astype(np.int64)


def annotated(labels: Ids, n_classes: int, noise: float, rng: np.random.Generator) -> Ids:
    """What an annotator says of each example: the class, or with the chance ``noise`` one of the others.

    Args:
        labels: (n,) int64 in [0, n_classes).
        n_classes: number of classes.
        noise: in [0, 1).
        rng: decides which are wrong, and how.

    Returns:
        (n,) int64.
    """
    wrong = rng.random(len(labels)) < noise
    shift = rng.integers(1, max(n_classes, 2), len(labels))
    return np.where(wrong, (labels + shift) % n_classes, labels).astype(np.int64)
