"""Rules of query expansions: valid rankings, and no leak from one query to another."""

from __future__ import annotations

import inspect
from typing import Any, Final

import numpy as np

from harness.conformance.guards import isolated
from harness.conformance.kinds.expansion import inputs_of, ranked
from harness.conformance.rule import SOUND, RuleSet, Violation
from harness.conformance.trial import Answered, Trial, offered
from harness.conformance.values import close
from harness.plugin_api import ExpandsRegions, LeavesOut, Ranking

RULES: Final = RuleSet("expansion")
_AFTER: Final = (*SOUND, "ranking-length", "ranking")


@RULES.each("ranking-length", "Precision and AP are counted over lists of one depth.", ("shape",))
def _length(trial: Trial, answered: Answered) -> None:
    wanted, found = answered.inputs["ranking"].indices.shape, answered.raw.indices.shape
    if found != wanted:
        raise Violation(
            f"{answered.case.name}: a ranking of {found[1]} images, given one of {wanted[1]}",
            right=f"{wanted[1]} images: as deep as the ranking given",
        )


@RULES.each("ranking", "An image counted twice is a hit counted twice.", ("shape", "dtype", "finite"))
def _ranking(trial: Trial, answered: Answered) -> None:
    indices, scores, n = answered.raw.indices, answered.raw.scores, len(answered.inputs["database"])
    problem = ""
    if indices.size and (indices.min() < 0 or indices.max() >= n):
        problem = f"ids from {indices.min()} to {indices.max()} in a database of {n}"
    elif any(len(np.unique(row)) < len(row) for row in indices):
        problem = "an image is ranked twice"
    elif (scores[:, 1:] > scores[:, :-1]).any():
        problem = "scores rise along a row"
    if problem:
        raise Violation(f"{answered.case.name}: {problem}", right="ids of the database, each once, best first")


@RULES.each(
    "other-queries", "In use a query comes alone: what it gains from the other queries of a test set is a leak.", _AFTER
)
def _other_queries(trial: Trial, answered: Answered) -> None:
    queries, ranking = answered.inputs["queries"], answered.inputs["ranking"]
    for row in range(len(queries)) if len(queries) > 1 else ():
        part = slice(row, row + 1)
        weights = None if ranking.verified is None else ranking.verified[part].copy()
        alone = Ranking(ranking.indices[part].copy(), ranking.scores[part].copy(), weights)
        found = trial.of({**answered.inputs, "queries": queries[part].copy(), "ranking": alone})
        if not _alike(found, Ranking(answered.raw.indices[part], answered.raw.scores[part])):
            raise Violation(
                f"query {row} alone is answered {found.indices[0][:5].tolist()}..., among {len(queries)} "
                f"{answered.raw.indices[row][:5].tolist()}...",
                right="the same answer: a query may not learn from the others, which are not there in use",
            )


def _alike(left: Any, right: Any) -> bool:
    """Equal scores, and equal ids but where scores are within rounding of each other."""
    if not close(left.scores, right.scores, 1e-3):
        return False
    size = float(np.abs(left.scores).max(initial=0))
    for ids, others, scores in zip(left.indices, right.indices, np.asarray(left.scores, np.float64), strict=True):
        gaps = np.abs(np.diff(scores)) > 1e-3 * size
        clear = np.concatenate([[True], gaps]) & np.concatenate([gaps, [True]]) if len(scores) else gaps
        if (ids[clear[: len(ids)]] != others[clear[: len(ids)]]).any():
            return False
    return True


@RULES.rule("head", "The answer to a query must not depend on how much of it is read.", _AFTER)
def _head(trial: Trial) -> None:
    inputs = inputs_of(240, 3, d=16)
    half = ranked(inputs["queries"], inputs["database"], 120)
    whole, head = trial.of(inputs), trial.of({**inputs, "ranking": half})
    if not (whole.indices[:, :100] == head.indices[:, :100]).all():
        row, place = (int(i) for i in np.argwhere(whole.indices[:, :100] != head.indices[:, :100])[0])
        raise Violation(
            f"of 120 asked for, rank {place + 1} of query {row} is {int(head.indices[row, place])}; of all 240 it is "
            f"{int(whole.indices[row, place])}",
            inputs=inputs,
            right="the first 100 of a short answer are those of a long one",
        )


@RULES.rule(
    "fit-without-queries",
    "Queries known when the database is prepared are test data: the released code of diffusion made that mistake.",
    ("protocol",),
)
def _blind(trial: Trial) -> None:
    parameters = list(inspect.signature(trial.method().fit).parameters.values())
    needed = [
        p.name for p in parameters if p.default is p.empty and p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)
    ]
    if len(parameters) != 1 or len(needed) != 1:
        raise Violation(
            f"fit takes {', '.join(p.name for p in parameters) or 'nothing'}",
            right="fit(database): there is no query yet when a database is prepared",
        )


@RULES.rule("database-order", "Ids follow the names of files, which say nothing.", _AFTER)
def _order(trial: Trial) -> None:
    inputs = inputs_of(60, 3, d=16)
    order = np.random.default_rng(3).permutation(60)
    moved = inputs["database"][order].copy()
    first = trial.of(inputs)
    second = trial.of({**inputs, "database": moved, "ranking": ranked(inputs["queries"], moved)})
    if not _alike(first, Ranking(order[second.indices], second.scores)):
        raise Violation(
            f"with the database in another order the first answer begins {order[second.indices[0][:5]].tolist()} "
            f"instead of {first.indices[0][:5].tolist()}",
            inputs=inputs,
            right="the same images: an id says nothing about one, but where scores are equal",
        )


@RULES.rule(
    "one-region", "With one region an image, regions say what global descriptors do.", _AFTER, hook=ExpandsRegions
)
def _one_region(trial: Trial) -> None:
    for answered in trial.some:
        method, inputs = offered(ExpandsRegions, trial.method()), answered.inputs
        with isolated(0):
            fitted = method.fit_regions(list(inputs["database"][:, None].copy()))
            found = fitted.expand_regions(list(inputs["queries"][:, None].copy()), inputs["ranking"])
        if not _alike(found, answered.raw):
            raise Violation(
                f"{answered.case.name}: {found.indices[0][:5].tolist()}... from regions, "
                f"{answered.raw.indices[0][:5].tolist()}... from descriptors",
                inputs=inputs,
                right="the same ranking where every image is one region",
            )


@RULES.rule("without", "A query that stands in the database is answered as if it did not.", _AFTER, hook=LeavesOut)
def _without(trial: Trial) -> None:
    inputs, gone = inputs_of(60, 3, d=16), np.array([3, 17])
    kept, database, queries = np.delete(np.arange(60), gone), inputs["database"], inputs["queries"]
    before = ranked(queries, database[kept])
    with isolated(0):
        fitted = offered(LeavesOut, trial.method().fit(database.copy())).without(gone)
        found = fitted.expand(queries.copy(), Ranking(kept[before.indices], before.scores))
    fewer = trial.of({"database": database[kept].copy(), "queries": queries, "ranking": before})
    if np.isin(found.indices, gone).any() or not _alike(found, Ranking(kept[fewer.indices], fewer.scores)):
        raise Violation(
            f"without images {gone.tolist()} the first answer begins {found.indices[0][:5].tolist()}, fitted to a "
            f"database that lacks them {kept[fewer.indices[0][:5]].tolist()}",
            inputs=inputs,
            right="the answer of a database without these images, in the ids of the whole",
        )
