"""Whitenings."""

from __future__ import annotations

from dataclasses import dataclass

import honest
import numpy as np

from saboteurs.making import breaks


class Unnormalised(honest.Centred):
    def apply(self, rows):
        return (rows - self.mean).astype(np.float32)


@breaks("whitening", "unit-rows")
@dataclass(frozen=True)
class OnlyCentred:
    """Rows keep their length."""

    def fit(self, descriptors, pairs=None):
        return Unnormalised(descriptors.mean(axis=0))


class OwnMean(honest.Centred):
    def apply(self, rows):
        return honest.unit(rows - rows.mean(axis=0))


@breaks("whitening", "row-by-row")
@dataclass(frozen=True)
class Transductive:
    """Centres on the rows that it is given."""

    def fit(self, descriptors, pairs=None):
        return OwnMean(descriptors.mean(axis=0))


@breaks("whitening", "rank")
@dataclass(frozen=True)
class Fractional(honest.Whitening):
    """Half a direction."""

    def fit(self, descriptors, pairs=None):
        return honest.RankedCentred(descriptors.mean(axis=0), 2.5)


@breaks("whitening", "learn-on")
@dataclass(frozen=True)
class Numbered(honest.Whitening):
    """Learns on set number three."""

    learn_on: int = 3
