"""Query expansions."""

from __future__ import annotations

from dataclasses import dataclass

import honest
import numpy as np

from harness.plugin_api import Ranking
from saboteurs.making import breaks


def expansion(name, fitted, summary):
    """An expansion whose fitted object is of this class."""
    body = {"fit": lambda self, database: fitted(database), "__doc__": summary, "__module__": __name__}
    cls = dataclass(frozen=True)(type(f"{fitted.__name__}Expansion", (), body))
    globals()[cls.__name__] = cls
    breaks("expansion", name)(cls)


class Short(honest.Expanded):
    def expand(self, queries, ranking):
        found = super().expand(queries, ranking)
        return Ranking(found.indices[:, :3], found.scores[:, :3])


class Twice(honest.Expanded):
    def expand(self, queries, ranking):
        found = super().expand(queries, ranking)
        found.indices[:, 1:2] = found.indices[:, :1]
        return found


class Social(honest.Expanded):
    def expand(self, queries, ranking):
        return super().expand(queries + queries.mean(axis=0), ranking)


class DepthAware(honest.Expanded):
    def expand(self, queries, ranking):
        count = ranking.indices.shape[1] // 10
        if count == 0:
            return super().expand(queries, ranking)
        return self.search(queries + self.database[ranking.indices[:, :count]].sum(axis=1), ranking.indices.shape[1])


class ByName(honest.Expanded):
    def search(self, queries, depth):
        scores = np.stack([(self.database * query).sum(axis=1) for query in queries]) - np.arange(len(self.database))
        order = np.argsort(-scores, axis=1, kind="stable")[:, :depth]
        return Ranking(order, np.take_along_axis(scores, order, axis=1).astype(np.float32))


expansion("ranking-length: wrong ranking length", Short, "The first three.")
expansion("ranking", Twice, "One image twice.")
expansion("other-queries", Social, "Learns from the other queries.")
expansion("head", DepthAware, "Averages a share of what is asked for.")
expansion("database-order", ByName, "Prefers low ids.")


@breaks("expansion", "fit-without-queries")
@dataclass(frozen=True)
class Prepared(honest.Expansion):
    """Wants the queries beforehand."""

    def fit(self, database, queries=None):
        return honest.Expanded(database)


class Listing(honest.Expanded):
    report = ("a", "list")


expansion("report: of an expansion", Listing, "Reports no mapping.")


class FirstRegions(honest.Expanded):
    def expand_regions(self, queries, ranking):
        return ranking


@breaks("expansion", "one-region")
@dataclass(frozen=True)
class Idle(honest.Expansion):
    """Expands descriptors, but not regions."""

    def fit_regions(self, database):
        return FirstRegions(np.concatenate(database))


class Unmoved(honest.Expanded):
    def without(self, images):
        return self


expansion("without", Unmoved, "Leaves nothing out.")
