"""Rankings under a named protocol."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from harness.core.errors import InvalidInput
from harness.metrics.protocols.catalogue import Protocol
from harness.metrics.protocols.judged import Choices, Floats, Judged, judged
from harness.metrics.protocols.names import MetricName, expand_names

_NO_CUT = int(np.iinfo(np.int64).max)


@dataclass(frozen=True)
class Evaluation:
    """A number and what it is.

    Attributes:
        name: protocol, k and set-up.
        mean: in [0, 1] (UKBench: [0, 4]); NaN where no query counts.
        values: (q,) float64 of the queries, NaN where one is left out; None for one list over all queries.
        counted: queries in the mean.
    """

    name: MetricName
    mean: float
    values: Floats | None
    counted: int

    def __str__(self) -> str:
        return "–" if np.isnan(self.mean) else self.name.definition.shown(self.mean)


def evaluate_protocol(
    name: str,
    rankings: ArrayLike | Sequence[ArrayLike],
    ground_truth: Sequence[Mapping[str, Any]],
    *,
    scores: ArrayLike | Sequence[ArrayLike] | None = None,
    n_database: int | None = None,
    own: Sequence[int | None] | None = None,
    names: Sequence[str] | None = None,
) -> list[Evaluation]:
    """Rankings under a protocol, one number a rank and set-up.

    Args:
        name: a protocol (``gldv2-map@100``), a family of them (``trec``), a metric as printed (``mAP(revisited,
            hard)``), or ``all``: then protocols that need scores are left out where there are none.
        rankings: per query database ids, best first; whole or truncated, of any length.
        ground_truth: per query ``easy``, ``hard`` and ``junk``: ids (missing: none).
        scores: of the images of ``rankings``, falling.
        n_database: size of the database; ids are then checked against it.
        own: per query its id in the database, None or -1 where the database does not hold it.
        names: names of the database images, for protocols that break ties by name.

    Raises:
        UnknownName: no such protocol.
        InvalidInput: what ``judged`` refuses; no scores for a protocol that needs them; a set-up that the ground truth
            does not have.
    """
    given = judged(rankings, ground_truth, scores=scores, n_database=n_database, own=own, names=names)
    return evaluate_names(given, name)


def evaluate_names(given: Judged, name: str) -> list[Evaluation]:
    """The same of rankings that are prepared."""
    found = []
    for metric in expand_names(name):
        if metric.definition.needs_scores and given.scores is None and name == "all":
            continue
        if metric.setup and metric.setup not in given.setups:
            raise InvalidInput(f'{metric}: the ground truth has no "{metric.setup}"', fix="no image is labelled hard")
        setups = [metric.setup] if metric.setup else given.setups
        found += [evaluate_name(given, replace(metric, setup=setup)) for setup in setups]
    return found


def evaluate_name(given: Judged, metric: MetricName, choices: Choices | None = None) -> Evaluation:
    """One metric in one set-up.

    Args:
        given: rankings and judgements.
        metric: protocol, k, and a set-up that ``given`` has.
        choices: other choices than those of the protocol.

    Raises:
        InvalidInput: there are no scores and the protocol needs them.
    """
    protocol = metric.definition
    if protocol.whole is not None:
        if given.scores is None:
            raise InvalidInput(f'protocol "{protocol.id}" needs scores', fix="give scores beside the rankings")
        return Evaluation(metric, protocol.whole(given, metric.setup, metric.k), None, len(given.rows))
    values = query_values(given, metric, choices or protocol.choices)
    counts = ~np.isnan(values)
    means = values[counts]
    if protocol.over == "classes":
        means = _means_by(given.classes[counts], means)
    return Evaluation(metric, float(means.mean()) if len(means) else float("nan"), values, int(counts.sum()))


def category_means(found: Evaluation, objects: ArrayLike, categories: Sequence[Any]) -> dict[Any, float]:
    """Means of categories, as ILIAS prints them: over the objects of a category, of the means over their queries.

    Args:
        found: with values of queries.
        objects: (q,) what each query shows; of rankings ``given.classes``, where queries with the same positives show
            one object.
        categories: (q,) category of each query; a query of None is in none.

    Returns:
        Category -> mean in the order in which they are met; NaN where no query of it counts.

    Raises:
        InvalidInput: other lengths than there are queries; one list over all queries.
    """
    values, numbers = found.values, np.asarray(objects)
    if values is None:
        raise InvalidInput(f"{found.name} is one list over all queries, and has no categories")
    if not len(values) == len(numbers) == len(categories):
        raise InvalidInput(f"{len(values)} queries have {len(numbers)} objects and {len(categories)} categories")
    means = {}
    for category in dict.fromkeys(category for category in categories if category is not None):
        mine = np.array([each == category for each in categories]) & ~np.isnan(values)
        by_object = _means_by(numbers[mine], values[mine])
        means[category] = float(by_object.mean()) if len(by_object) else float("nan")
    return means


def _means_by(groups: NDArray[Any], values: Floats) -> Floats:
    _, numbers, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    return np.asarray(np.bincount(numbers, weights=values, minlength=len(sizes)) / sizes, np.float64)


def query_values(given: Judged, metric: MetricName, choices: Choices) -> Floats:
    """(q,) the values of the queries, NaN where one is left out of the mean."""
    protocol = metric.definition
    if protocol.measure is None:
        raise InvalidInput(f'protocol "{protocol.id}" has one list over all queries, and no values of queries')
    hits = _ordered(given, protocol).hits(metric.setup, choices)
    values = np.asarray(protocol.measure(hits, metric.k or _NO_CUT), np.float64)
    if protocol.empty == "left out":
        values = np.where(hits.total > 0, values, np.nan)
    if protocol.unanswered == "left out":
        values = np.where(given.lengths > 0, values, np.nan)
    return values


def _ordered(given: Judged, protocol: Protocol) -> Judged:
    if not protocol.trec_order:
        return given
    return given.in_trec_order_but_the_first if protocol.choices.drop_first else given.in_trec_order
