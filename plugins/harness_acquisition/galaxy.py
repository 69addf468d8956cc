"""Examples between two classes on the order of their scores, with the answers of the batch so far."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from harness.core.errors import InvalidInput
from harness_acquisition.budget import spendable

if TYPE_CHECKING:
    from harness.plugin_api import Ids, PoolView


@dataclass(frozen=True)
class Galaxy:
    """Bisects the orders of the classes between labels that differ, answer by answer (Zhang et al. 2022).

    Made for pools in which some classes are rare. For each class all examples are put in order by how far its
    probability lies above the largest; labelled ones are of the class or not. In an order drawn at random the middle
    of the shortest gap between two neighbouring labels that differ is asked for; without a gap, the unlabelled example
    nearest to where such labels meet; else a random one. Every pick needs the answers before it: in a run they are
    given (``AsksLabels``), so that its rows are not comparable with those of methods that choose a batch at once, and
    boards say so; elsewhere the predicted class stands for the answer. Needs a label. O(n c log n) time and O(c |L|) a
    pick, 16 n c bytes.

    Formula:
        order of class k: p_ik - max_j p_ij + 1e-8 max_j p_ij, falling; with two classes p_i0 alone
        pick (first + last unlabelled) // 2 of the shortest gap between labels k and not k
    """

    def select(self, pool: PoolView, budget: int, rng: np.random.Generator) -> Ids:
        """``budget`` unlabelled positions in the order asked for; the predicted class stands for each answer."""
        predicted = pool.probabilities.argmax(axis=1)
        return self.select_asking(pool, budget, rng, lambda position: int(predicted[position]))

    def select_asking(self, pool: PoolView, budget: int, rng: np.random.Generator, ask: Callable[[int], int]) -> Ids:
        """``budget`` unlabelled positions in the order asked for.

        Raises:
            InvalidInput: no label at all.
        """
        budget = spendable(pool, budget)
        if budget == 0:
            return np.empty(0, dtype=np.int64)
        if not len(pool.labelled):
            raise InvalidInput("galaxy needs at least one labelled example", fix="first_set: balanced or random")
        labels, free = pool.labels.copy(), rng.permutation(pool.unlabelled).tolist()
        orders = [_Order(order, pool.labelled) for order in _orders(pool)]
        picks: list[int] = []
        while len(picks) < budget:
            k = int(rng.integers(len(orders)))
            pick = orders[k].between(labels, k)
            if pick < 0:
                pick = next(position for position in free if labels[position] < 0)
            labels[pick] = ask(pick)
            for order in orders:
                order.reveal(pick)
            picks.append(pick)
        return np.array(picks, dtype=np.int64)


def _orders(pool: PoolView) -> list[Ids]:
    p = pool.probabilities.astype(np.float64)
    if p.shape[1] == 2:
        return [np.argsort(-p[:, 0], kind="stable")]
    largest = p.max(axis=1)
    return [np.argsort(-(p[:, k] - largest + 1e-8 * largest), kind="stable") for k in range(p.shape[1])]


class _Order:
    """Positions of the pool in an order, and the places in it that have a label, ascending."""

    def __init__(self, order: Ids, labelled: Ids) -> None:
        self.order = order
        self.place = np.empty(len(order), dtype=np.int64)
        self.place[order] = np.arange(len(order))
        self.known: list[int] = np.sort(self.place[labelled]).tolist()

    def reveal(self, position: int) -> None:
        """A position has a label now."""
        insort(self.known, int(self.place[position]))

    def between(self, labels: Ids, k: int) -> int:
        """The position to ask for, or -1 where labels of class ``k`` and others meet nowhere near an unlabelled one."""
        known = np.array(self.known, dtype=np.int64)
        of_class = labels[self.order[known]] == k
        gaps = np.diff(known) - 1
        differ = of_class[1:] != of_class[:-1]
        wide = np.flatnonzero(differ & (gaps > 0))
        if len(wide):
            j = int(wide[np.argmin(gaps[wide])])
            return int(self.order[(known[j] + known[j + 1]) // 2])
        return self._beside(np.flatnonzero(differ & ~of_class[:-1]))

    def _beside(self, cuts: Ids) -> int:
        """The unlabelled position nearest to a labelled one of no class that one of the class follows directly."""
        best, found = len(self.order) + 1, -1
        for cut in cuts.tolist():  # upwards; the later of equally near ones
            place = self.known[cut]
            above = self._free(place, -1)
            if above >= 0 and place - above <= best:
                best, found = place - above, above
        for cut in cuts.tolist():  # downwards, only if nearer
            place = self.known[cut + 1]
            below = self._free(place, 1)
            if 0 <= below < len(self.order) and below - place < best:
                best, found = below - place, below
        return int(self.order[found]) if found >= 0 else -1

    def _free(self, place: int, step: int) -> int:
        """The nearest place without a label in this direction; outside the order if there is none."""
        at = bisect_left(self.known, place)
        while 0 <= at < len(self.known) and self.known[at] == place:
            at, place = at + step, place + step
        return place
