"""What a number may be: every protocol, and each with one common mistake or difference of the input."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final

import numpy as np

from harness.metrics.protocols import PROTOCOLS, Judged, MetricName, Protocol, evaluate_name
from harness.metrics.protocols.judged import Choices, Own
from harness.metrics.ranking import SETUPS

CUTS: Final = (100, 1000)
"""Lengths at which others cut their lists."""
_UNCROPPED: Final = "uncropped"
_WITH_QUERY: Final = "with query"
_EMPTY_AS_ZERO: Final = "queries without a positive count 0"


@dataclass(frozen=True)
class Condition:
    """A difference to the protocol as it is published, or to the rankings as they were given.

    Attributes:
        text: in words; empty where there is none.
        change: the choices of the protocol with the difference; None where the protocol has no such choice.
        empty_as_zero: whether queries without a positive count 0.
        rankings: which rankings it is about, where not those that were given: ``_UNCROPPED`` or ``_WITH_QUERY``.
    """

    text: str = ""
    change: Callable[[Choices], Choices | None] = lambda choices: choices
    empty_as_zero: bool = False
    rankings: str = ""


@dataclass(frozen=True)
class Hypothesis:
    """A protocol under a condition.

    Attributes:
        metric: protocol and k, without a set-up.
        condition: what differs.
        values: set-up -> number in [0, 1] (UKBench: [0, 4]).
    """

    metric: MetricName
    condition: Condition
    values: Mapping[str, float]

    @property
    def definition(self) -> Protocol:
        """Of the protocol."""
        return self.metric.definition

    def __str__(self) -> str:
        return f"{self.metric}{f', {self.condition.text}' if self.condition.text else ''}"


@dataclass(frozen=True)
class Given:
    """Rankings of one database, and the same with queries that are not cropped.

    Attributes:
        rankings: as they are.
        uncropped: of the whole query images, where they are known.
    """

    rankings: Judged
    uncropped: Judged | None = None

    def of(self, condition: Condition) -> Judged:
        """The rankings that a condition is about."""
        if condition.rankings == _UNCROPPED and self.uncropped is not None:
            return self.uncropped
        return self._with_query if condition.rankings == _WITH_QUERY else self.rankings

    @cached_property
    def _with_query(self) -> Judged:
        """The same lists with the query, a new image of the database, at their heads."""
        given, first = self.rankings, self.rankings.size
        own = first + np.arange(len(given.rows))
        rows = [np.concatenate([[image], row]) for image, row in zip(own, given.rows, strict=True)]
        scores = given.scores
        if scores is not None:
            scores = [np.concatenate([[max(row[0], 1.0) if len(row) else 1.0], row]) for row in scores]
        return replace(given, rows=rows, scores=scores, own=own, names=None, size=first + len(rows))

    @cached_property
    def conditions(self) -> tuple[Condition, ...]:
        """Those that are possible with these rankings; the first is none."""
        given = self.rankings
        longest = int(given.lengths.max(initial=0))
        found = [
            Condition(),
            Condition("junk and the images of other set-ups are negatives", _junk_stays),
            Condition("junk is taken out", _junk_goes),
            Condition(_EMPTY_AS_ZERO, empty_as_zero=True),
            *(Condition(f"lists cut at {cut}", _cut_at(cut)) for cut in CUTS if cut < longest),
        ]
        if (given.own >= 0).any():
            found += [
                Condition("the query itself counts as a positive", _query_as("counts")),
                Condition("the query itself is left in the lists as a negative", _query_as("negative")),
            ]
        else:
            found += [
                Condition("the query is in the database, a positive", _query_as("counts"), rankings=_WITH_QUERY),
                Condition("the query is in the database, a negative", _query_as("negative"), rankings=_WITH_QUERY),
            ]
        if self.uncropped is not None:
            found.append(Condition("queries are not cropped", rankings=_UNCROPPED))
        return tuple(found)


def hypotheses(given: Given, metrics: Sequence[MetricName]) -> Iterator[Hypothesis]:
    """Metrics under every condition that changes something.

    Args:
        given: rankings.
        metrics: without a set-up.
    """
    for metric in metrics:
        plain = None
        for condition in given.conditions:
            found = _under(given, metric, condition)
            if found is None:
                continue
            if plain is None:
                plain = found
            elif _same(found.values, plain.values):
                continue  # it makes no difference here
            yield found


def _under(given: Given, metric: MetricName, condition: Condition) -> Hypothesis | None:
    rankings, definition = given.of(condition), metric.definition
    choices = condition.change(definition.choices)
    is_plain = not condition.text
    if choices is None or (definition.whole is not None and not (is_plain or condition.rankings == _UNCROPPED)):
        return None
    if condition.empty_as_zero and (definition.empty == "0" or definition.over == "classes"):
        return None
    values = {}
    for setup in rankings.setups:
        found = evaluate_name(rankings, replace(metric, setup=setup), choices)
        mean = found.mean
        if condition.empty_as_zero and found.values is not None:
            mean = float(np.nan_to_num(found.values).mean())
        if not np.isnan(mean):
            values[setup] = mean
    return Hypothesis(metric, condition, values) if values else None


def _same(a: Mapping[str, float], b: Mapping[str, float]) -> bool:
    return a.keys() == b.keys() and all(abs(a[key] - b[key]) < 1e-12 for key in a)


def _junk_stays(choices: Choices) -> Choices | None:
    return replace(choices, removes=False) if choices.removes else None


def _junk_goes(choices: Choices) -> Choices | None:
    return None if choices.removes or choices.drop_first else replace(choices, removes=True)


def _cut_at(cut: int) -> Callable[[Choices], Choices | None]:
    def change(choices: Choices) -> Choices | None:
        return replace(choices, cut=cut) if not choices.depth else None

    return change


def _query_as(own: Own) -> Callable[[Choices], Choices | None]:
    def change(choices: Choices) -> Choices | None:
        return None if choices.drop_first else replace(choices, own=own)

    return change


def tie_bracket(given: Judged, metric: MetricName) -> tuple[float, float]:
    """The number with all positives last, and with all positives first, among images of one score."""
    if given.scores is None:
        value = evaluate_name(given, metric).mean
        return value, value
    wanted = SETUPS[metric.setup][0] if metric.setup else ("easy", "hard")
    bounds = []
    for sign in (1, -1):
        rows = []
        for row, scores, labels in zip(given.rows, given.scores, given.labels, strict=True):
            positive = np.isin(row, np.concatenate([labels[label] for label in wanted]))
            rows.append(row[np.lexsort((sign * positive, -np.asarray(scores, np.float64)))])
        bounds.append(evaluate_name(replace(given, rows=rows), metric).mean)
    return bounds[0], bounds[1]


def related(symbol: str) -> frozenset[str]:
    """Symbols in lower case that mean the same, or are taken for it."""
    groups = (
        {"map", "ap", "map@r"},
        {"mp", "p", "precision", "mmp", "top", "acc"},
        {"r", "recall", "success", "mr", "hit_rate", "cv_recall"},
    )
    return next((frozenset(group) for group in groups if symbol in group), frozenset({symbol}))


def metrics_of(symbol: str, k: int) -> list[MetricName]:
    """Every protocol with this symbol at this rank."""
    return [MetricName(p.id, k) for p in PROTOCOLS.values() if p.ks and p.symbol.lower() in related(symbol)]
