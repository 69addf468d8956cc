"""Which hypotheses give the numbers of a row."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

from harness.metrics.ranking import SETUPS
from harness.studies.explain.claims import Claim
from harness.studies.explain.hypotheses import Hypothesis, related

_EQUAL: Final = 1e-7
"""Protocols whose numbers differ by less are one class: the sources themselves differ by as much."""
_MOST: Final = 2_000
"""Ways to read a row that are looked at in one family under one condition: more are one number under many names."""
_ORDER: Final = {setup: place for place, setup in enumerate(("", *SETUPS))}


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
    rows = list(_rows(claims, found, lambda reading: reading.exact))
    rows = rows or list(_rows(claims, found, lambda reading: reading.distance <= tolerance))
    return sorted(_classes(rows), key=lambda candidate: (candidate.distance, candidate.members))


def nearest(claims: Sequence[Claim], found: Sequence[Hypothesis]) -> Candidate | None:
    """The class that is nearest, however far it is; None where no protocol has such a row."""
    best: tuple[Reading, ...] = ()
    nearer = next(_rows(claims, found, lambda reading: True), ())
    while nearer:
        best, limit = nearer, max(reading.distance for reading in nearer)
        nearer = next(_rows(claims, found, partial(_is_nearer, limit)), ())
    return _classes([best])[0] if best else None


def _is_nearer(limit: float, reading: Reading) -> bool:
    return reading.distance < limit


def _rows(
    claims: Sequence[Claim], found: Sequence[Hypothesis], accepts: Callable[[Reading], bool]
) -> Iterator[tuple[Reading, ...]]:
    """The ways to read the row of which every number is accepted; ``_MOST`` of a family and condition.

    Numbers without a metric are one formula, the others are of the same family; all are percent, or all are fractions.
    Of the hundreds of formulas few come near a number: each number is compared with them by itself, and only what is
    accepted is combined.
    """
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
        for percent in (True, False):
            named = {c: _readings(c, _measuring(c, members), percent, accepts) for c in claims if c.symbol}
            if not all(named.values()):
                continue
            for leader in leaders:
                options = [named.get(c) or _readings(c, [leader], percent, accepts) for c in claims]
                if all(options):
                    yield from itertools.islice(_combined(options), _MOST)


def _readings(
    claim: Claim, hypotheses: Sequence[Hypothesis], percent: bool, accepts: Callable[[Reading], bool]
) -> list[Reading]:
    """How hypotheses read a number, where that is accepted; nearest first."""
    readings = []
    for hypothesis in hypotheses:
        counts = hypothesis.definition.symbol == "N-S"
        if (claim.percent and not percent and not counts) or (counts and percent):
            continue
        for setup, value in hypothesis.values.items():
            if claim.setup in ("", setup):
                readings.append(Reading(claim, hypothesis, setup, 100 * value if percent else value, percent))
    return sorted(filter(accepts, readings), key=lambda reading: reading.distance)


def _combined(options: Sequence[Sequence[Reading]]) -> Iterator[tuple[Reading, ...]]:
    """One reading a number; numbers of one metric that do not say their set-up are in the order E, M, H."""
    groups = _sharing(options)
    ways = [list(itertools.islice(_in_order([options[place] for place in group]), _MOST)) for group in groups]
    places = [place for group in groups for place in group]
    for parts in itertools.product(*ways):
        by_place = dict(zip(places, itertools.chain.from_iterable(parts), strict=True))
        yield tuple(by_place[place] for place in range(len(options)))


def _sharing(options: Sequence[Sequence[Reading]]) -> list[list[int]]:
    """Places of numbers whose set-ups depend on each other: they do not say them, and can be of one metric."""
    groups: list[tuple[list[int], set[int]]] = []
    for place, readings in enumerate(options):
        members, used = [place], {id(reading.hypothesis) for reading in readings if not reading.claim.setup}
        apart = []
        for others, theirs in groups:
            if used & theirs:
                members, used = others + members, used | theirs
            else:
                apart.append((others, theirs))
        groups = [*apart, (members, used)]
    return [sorted(members) for members, _ in groups]


def _in_order(options: Sequence[Sequence[Reading]]) -> Iterator[tuple[Reading, ...]]:
    dead: set[tuple[int, frozenset[tuple[int, int]]]] = set()

    def go_on(row: tuple[Reading, ...], last: Mapping[int, int]) -> Iterator[tuple[Reading, ...]]:
        """The ways from here, where ``last`` says of each hypothesis which set-up was its last."""
        place = len(row), frozenset(last.items())
        if len(row) == len(options):
            yield row
        elif place not in dead:
            is_dead = True
            for reading in options[len(row)]:
                now, key = _ORDER[reading.setup], id(reading.hypothesis)
                if reading.claim.setup or now > last.get(key, -1):
                    for way in go_on((*row, reading), last if reading.claim.setup else {**last, key: now}):
                        is_dead = False
                        yield way
            if is_dead:
                dead.add(place)

    yield from go_on((), {})


def _measuring(claim: Claim, members: Sequence[Hypothesis]) -> list[Hypothesis]:
    """Those that measure what the number is called; a symbol of the same name counts before a related one."""
    at = [h for h in members if not claim.k or h.metric.k in (claim.k, 0)]
    at = [h for h in at if bool(h.metric.k) >= bool(claim.k)]
    same = [h for h in at if h.definition.symbol.lower() == claim.symbol]
    return same or [h for h in at if h.definition.symbol.lower() in related(claim.symbol)]


def _classes(rows: Sequence[tuple[Reading, ...]]) -> list[Candidate]:
    """Rows with the same values in the same set-ups are one class, named by its plainest member."""
    alike: dict[tuple[object, ...], list[list[tuple[Reading, ...]]]] = defaultdict(list)
    for row in sorted(rows, key=_plainness):
        groups = alike[row[0].percent, *(reading.setup for reading in row)]
        for group in groups:
            if _same_values(row, group[0]):
                group.append(row)
                break
        else:
            groups.append([row])
    return [
        Candidate(group[0], tuple(dict.fromkeys(_name(row) for row in group)))
        for groups in alike.values()
        for group in groups
    ]


def _plainness(row: Sequence[Reading]) -> tuple[bool, bool, bool]:
    """Published protocols first, without a condition and without a k."""
    first = row[0].hypothesis
    return bool(first.condition.text), not first.definition.family, bool(first.metric.k)


def _same_values(a: Sequence[Reading], b: Sequence[Reading]) -> bool:
    return all(abs(x.value - y.value) <= _EQUAL * (100 if x.percent else 1) for x, y in zip(a, b, strict=True))


def _name(row: Sequence[Reading]) -> str:
    return " + ".join(dict.fromkeys(str(reading.hypothesis) for reading in row))
