"""The first labels: balanced over the classes, chosen by a seed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from harness.errors import InvalidInput

if TYPE_CHECKING:
    from harness.protocols import Ids


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
        InvalidInput: fewer than one example per class is asked for, or more than a class has.
    """
    if total < n_classes:
        raise InvalidInput(f"{total} initial labels for {n_classes} classes; should be at least one a class")
    orders = [rng.permutation(np.flatnonzero(labels == k)) for k in range(n_classes)]
    wanted = np.full(n_classes, total // n_classes)
    wanted[rng.permutation(n_classes)[: total % n_classes]] += 1
    for k, order in enumerate(orders):
        if len(order) < wanted[k]:
            raise InvalidInput(f"{wanted[k]} initial labels are wanted of class {k}, which has {len(order)} examples")
    return np.sort(np.concatenate([order[:n] for order, n in zip(orders, wanted, strict=True)])).astype(np.int64)
