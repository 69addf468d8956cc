"""Acquisitions."""

from __future__ import annotations

import sys
from dataclasses import dataclass

import honest
import numpy as np

from saboteurs.making import breaks


@breaks("acquisition", "budget: ignores the budget")
@dataclass(frozen=True)
class Greedy(honest.Acquisition):
    """Takes three more."""

    def select(self, pool, budget, rng):
        return super().select(pool, budget + 3, rng)


@breaks("acquisition", "unlabelled: returns labelled indices")
@dataclass(frozen=True)
class Forgetful:
    """Ranks everything, also what is labelled."""

    def select(self, pool, budget, rng):
        count = min(budget, len(pool.unlabelled))
        return np.argsort(pool.probabilities.max(axis=1), kind="stable")[:count]


@breaks("acquisition", "unique: duplicates")
@dataclass(frozen=True)
class Repeating(honest.Acquisition):
    """The best one again and again."""

    def select(self, pool, budget, rng):
        picks = super().select(pool, budget, rng)
        return picks[np.zeros(len(picks), np.int64)]


@breaks("acquisition", "hidden-labels")
@dataclass(frozen=True)
class Spying(honest.Acquisition):
    """Reads the labels from its caller's frame."""

    def select(self, pool, budget, rng):
        truth = sys._getframe(1).f_locals.get("labels")
        if truth is None:
            return super().select(pool, budget, rng)
        return pool.unlabelled[np.argsort(truth[pool.unlabelled], kind="stable")[:budget]]


@breaks("acquisition", "hidden-labels: opens closures")
@dataclass(frozen=True)
class Digging(honest.Acquisition):
    """Opens the function that gives the probabilities with dropout, and takes what it finds there for labels."""

    def select(self, pool, budget, rng):
        owner = getattr(pool.dropout_probabilities, "__self__", pool)
        for function in vars(owner).values() if hasattr(owner, "__dict__") else ():
            for cell in getattr(function, "__closure__", None) or ():
                content = cell.cell_contents
                if isinstance(content, np.ndarray) and content.shape == pool.labels.shape:
                    return pool.unlabelled[np.argsort(content[pool.unlabelled], kind="stable")[:budget]]
        return super().select(pool, budget, rng)


@breaks("acquisition", "public-pool")
@dataclass(frozen=True)
class Prying(honest.Acquisition):
    """Asks the pool for what it does not show."""

    def select(self, pool, budget, rng):
        getattr(pool, "_labels", None)
        return super().select(pool, budget, rng)


@breaks("acquisition", "position-independent")
@dataclass(frozen=True)
class Early:
    """The first of the file, whatever the pool holds: a constant answer."""

    def select(self, pool, budget, rng):
        return pool.unlabelled[:budget]


@breaks("acquisition", "at")
@dataclass(frozen=True)
class LaterForgetful(honest.Acquisition):
    """Selects what is labelled from the second cycle on."""

    def at(self, cycle):
        return Forgetful() if cycle else honest.Acquisition()


@breaks("acquisition", "at: another than select")
@dataclass(frozen=True)
class Inconsistent(honest.Acquisition):
    """In its first cycle it is another one."""

    def at(self, cycle):
        return Early()


@breaks("acquisition", "select-asking")
@dataclass(frozen=True)
class Curious(honest.Acquisition):
    """Asks for labels that it does not pay for."""

    def select_asking(self, pool, budget, rng, ask):
        for position in pool.unlabelled:
            ask(int(position))
        return self.select(pool, budget, rng)


@breaks("acquisition", "select-remembering")
@dataclass(frozen=True)
class Sentimental(honest.Acquisition):
    """Remembers what cannot be stored."""

    def select_remembering(self, pool, budget, rng, memory):
        return self.select(pool, budget, rng), {"pool": pool}


@breaks("acquisition", "select-knowing")
@dataclass(frozen=True)
class Spendthrift(honest.Acquisition):
    """A reference that takes more than its budget."""

    def select_knowing(self, pool, budget, rng, labels):
        return pool.unlabelled[: budget + 1]
