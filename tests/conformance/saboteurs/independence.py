"""Chance, state, inputs that change."""

from __future__ import annotations

from dataclasses import dataclass

import honest
import numpy as np
import torch

from saboteurs.making import breaks, pooling


@breaks("acquisition", "deterministic: not deterministic")
@dataclass(frozen=True)
class Moody:
    """Draws from a generator of its own without a seed."""

    def select(self, pool, budget, rng):
        return pool.unlabelled[np.random.default_rng().permutation(len(pool.unlabelled))[:budget]]


@breaks("acquisition", "ignores-global-random: global random state")
@dataclass(frozen=True)
class Global:
    """Draws from numpy's global generator."""

    def select(self, pool, budget, rng):
        return pool.unlabelled[np.random.permutation(len(pool.unlabelled))[:budget]]


@pooling("ignores-global-random: of torch")
def noisy(maps):
    return maps.mean((-2, -1)) + torch.rand(maps.shape[-3])


@pooling("leaves-global-random")
def reseeding(maps):
    np.random.seed(0)
    return maps.mean((-2, -1))


@pooling("inputs-unchanged: changes its input")
def clamping(maps):
    return maps.clamp_(max=0.1).mean((-2, -1))


@breaks("acquisition", "inputs-unchanged: of a pool")
@dataclass(frozen=True)
class Normalising(honest.Acquisition):
    """Normalises the pool's own features."""

    def select(self, pool, budget, rng):
        pool.features[:] = pool.features / (1 + np.linalg.norm(pool.features, axis=1, keepdims=True))
        return super().select(pool, budget, rng)


CALLS = []


@pooling("no-state: keeps state between calls")
def counting(maps):
    CALLS.append(1)
    return maps.mean((-2, -1)) + len(CALLS)


@breaks("expansion", "no-state: of what fit returned")
@dataclass(frozen=True)
class Remembering:
    """Adds the last query to the next."""

    def fit(self, database):
        return Memory(database)


class Memory(honest.Expanded):
    def expand(self, queries, ranking):
        last = self.__dict__.get("last", np.zeros_like(queries))
        object.__setattr__(self, "last", queries[:1] * 5)
        return super().expand(queries + last[:1] if len(last) else queries, ranking)
