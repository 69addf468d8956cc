"""Which hypotheses give the numbers of a row."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from harness.metrics.ranking import SETUPS
from harness.studies.explain.claims import Claim
from harness.studies.explain.hypotheses import Hypothesis, related

_EQUAL: Final = 1e-7
"""Protocols whose numbers differ by less are one class: the sources themselves differ by as much."""


@dataclass(frozen=True)
class Reading:
    """How one hypothesis reads a number.

    Attributes:
        claim: the number.
        hypothesis: protocol and condition.
        setup: set-up of the number.
        value: what the hypothesis gives, as the claim is printed: in percent, or as a fraction.
        percent: whether the claim is read as percent.
    """

    claim: Claim
    hypothesis: Hypothesis
    setup: str
    value: float
    percent: bool

    @property
    def distance(self) -> float:
        """In points of percent, or of the scale of the metric."""
        return abs(self.claim.value - self.value) * (1 if self.percent or self.value > 1 else 100)

    @property
    def exact(self) -> bool:
        """Whether rounding, and half a unit of noise, explain the difference."""
        return abs(self.claim.value - self.value) <= self.claim.unit * (1 + 1e-9)


@dataclass(frozen=True)
class Candidate:
    """A class of hypotheses that give every number of the row, and the same ones.

    Attributes:
        readings: one a number, by the first member.
        members: the hypotheses; those with a condition last.
    """

    readings: tuple[Reading, ...]
    members: tuple[str, ...]

    @property
    def distance(self) -> float:
        """The largest of its numbers."""
        return max(reading.distance for reading in self.readings)

    @property
    def exact(self) -> bool:
        """Whether rounding explains all differences."""
        return all(reading.exact for reading in self.readings)


def candidates(claims: Sequence[Claim], found: Sequence[Hypothesis], tolerance: float) -> list[Candidate]:
    """Classes that give the whole row: those within rounding, else those within a tolerance; nearest first.

    Args:
        claims: numbers of one row.
        found: what they may be.
        tolerance: in points of percent.
    """
    rows = list(_rows(claims, found))
    exact = [row for row in rows if all(reading.exact for reading in row)]
    near = [row for row in rows if max(reading.distance for reading in row) <= tolerance]
    return sorted(_classes(exact or near), key=lambda candidate: (candidate.distance, candidate.members))


def nearest(claims: Sequence[Claim], found: Sequence[Hypothesis]) -> Candidate | None:
    """The class that is nearest, however far it is; None where no protocol has such a row."""
    rows = sorted(_rows(claims, found), key=lambda row: max(reading.distance for reading in row))
    return _classes(rows[:1])[0] if rows else None


def _rows(claims: Sequence[Claim], found: Sequence[Hypothesis]) -> Iterator[tuple[Reading, ...]]:
    """All ways to read the row: numbers without a metric are one formula, the others are of the same family."""
    families: dict[tuple[str, str], list[Hypothesis]] = defaultdict(list)
    for hypothesis in found:
        families[hypothesis.definition.family, hypothesis.condition.text].append(hypothesis)
    unnamed = [claim for claim in claims if not claim.symbol]
    for (family, condition), members in families.items():
        if condition:
            # Of metrics of the family that the condition leaves as they are there is only the plain hypothesis.
            changed = {hypothesis.metric for hypothesis in members}
            members = [*members, *(h for h in families.get((family, ""), ()) if h.metric not in changed)]
        leaders = [h for h in members if h.condition.text == condition] if unnamed else members[:1]
        for leader in leaders:
            choices = [[leader] if not claim.symbol else _measuring(claim, members) for claim in claims]
            for chosen in itertools.product(*choices):
                yield from _readings(claims, chosen)


def _measuring(claim: Claim, members: Sequence[Hypothesis]) -> list[Hypothesis]:
    """Those that measure what the number is called; a symbol of the same name counts before a related one."""
    at = [h for h in members if not claim.k or h.metric.k in (claim.k, 0)]
    at = [h for h in at if bool(h.metric.k) >= bool(claim.k)]
    same = [h for h in at if h.definition.symbol.lower() == claim.symbol]
    return same or [h for h in at if h.definition.symbol.lower() in related(claim.symbol)]


def _readings(claims: Sequence[Claim], chosen: Sequence[Hypothesis]) -> Iterator[tuple[Reading, ...]]:
    for setups in _setups(claims, chosen):
        for percent in (True, False):
            readings = []
            for claim, hypothesis, setup in zip(claims, chosen, setups, strict=True):
                value, counts = hypothesis.values[setup], hypothesis.definition.symbol == "N-S"
                if (claim.percent and not percent and not counts) or (counts and percent):
                    break
                readings.append(Reading(claim, hypothesis, setup, 100 * value if percent else value, percent))
            else:
                yield tuple(readings)


def _setups(claims: Sequence[Claim], chosen: Sequence[Hypothesis]) -> Iterator[tuple[str, ...]]:
    """The set-up of every number: as it says; numbers of one metric that do not say it are in the order E, M, H."""
    order = {setup: place for place, setup in enumerate(("", *SETUPS))}
    silent: dict[int, list[int]] = defaultdict(list)
    for place, (claim, hypothesis) in enumerate(zip(claims, chosen, strict=True)):
        if claim.setup and claim.setup not in hypothesis.values:
            return
        if not claim.setup:
            silent[id(hypothesis)].append(place)
    options = [
        itertools.combinations(sorted(chosen[places[0]].values, key=order.__getitem__), len(places))
        for places in silent.values()
    ]
    for parts in itertools.product(*options):
        setups = [claim.setup for claim in claims]
        for places, part in zip(silent.values(), parts, strict=True):
            for place, setup in zip(places, part, strict=True):
                setups[place] = setup
        yield tuple(setups)


def _classes(rows: Sequence[tuple[Reading, ...]]) -> list[Candidate]:
    """Rows with the same values in the same set-ups are one class, named by its plainest member."""
    ordered = sorted(rows, key=_plainness)
    groups: list[list[tuple[Reading, ...]]] = []
    for row in ordered:
        for group in groups:
            if _same_class(row, group[0]):
                group.append(row)
                break
        else:
            groups.append([row])
    return [Candidate(group[0], tuple(dict.fromkeys(_name(row) for row in group))) for group in groups]


def _plainness(row: Sequence[Reading]) -> tuple[bool, bool, bool]:
    """Published protocols first, without a condition and without a k."""
    first = row[0].hypothesis
    return bool(first.condition.text), not first.definition.family, bool(first.metric.k)


def _same_class(a: Sequence[Reading], b: Sequence[Reading]) -> bool:
    return all(
        x.setup == y.setup and x.percent == y.percent and abs(x.value - y.value) <= _EQUAL * (100 if x.percent else 1)
        for x, y in zip(a, b, strict=True)
    )


def _name(row: Sequence[Reading]) -> str:
    return " + ".join(dict.fromkeys(str(reading.hypothesis) for reading in row))
