"""What printed numbers say of their protocol by themselves, without any descriptors.

Each test looks at the numbers of one row and at how many positives the queries have, and finds that a protocol is
excluded, possible or implied. They are arithmetic: a precision at 1 of 97.06% is 66 of 68 queries, not of 70.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal

import numpy as np

from harness.metrics.protocols import MetricName
from harness.metrics.protocols.measures import finite_sum_at, precision
from harness.studies.explain.claims import Claim

if TYPE_CHECKING:
    from numpy.typing import NDArray

Verdict = Literal["excluded", "possible", "implied"]

SET_SIZES: Final[Mapping[int, str]] = {
    55: "old Oxford or Paris",
    1250: "INSTRE",
    500: "Holidays",
    1129: "GLDv2",
    379: "GLDv2, public",
    750: "GLDv2, private",
}
"""Numbers of queries of published sets."""
_AT_ONE: Final = frozenset({"p", "mp", "r", "recall", "success", "acc", "precision", "top"})


@dataclass(frozen=True)
class Facts:
    """What the relevance judgements say, whatever the rankings.

    Attributes:
        totals: set-up -> (q,) positives of every query.
        official: set-up -> mAP by the trapezoid rule of the rankings, and by the finite sum; where there are rankings.
        ties: set-up -> the least and the largest mAP over all orders of images with one score.
        version: of the software that wrote the result file, ``1.14.15``; empty where it is not known.
    """

    totals: Mapping[str, NDArray[np.int64]] = field(default_factory=dict)
    official: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    ties: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    version: str = ""


@dataclass(frozen=True)
class Finding:
    """What a test found.

    Attributes:
        test: its name.
        verdict: of what it is about.
        about: protocols, or a choice that they make.
        why: in numbers.
        excludes: whether it excludes a metric.
    """

    test: str
    verdict: Verdict
    about: str
    why: str
    excludes: Callable[[MetricName], bool] = field(default=lambda metric: False, compare=False)


def findings(claims: Sequence[Claim], facts: Facts) -> list[Finding]:
    """What all tests find in a row."""
    return [finding for test in TESTS for finding in test(claims, facts)]


def denominator(claims: Sequence[Claim], facts: Facts) -> Iterator[Finding]:
    """A precision or recall at 1, times the number of queries, is whole."""
    for claim in claims:
        if claim.symbol not in _AT_ONE or claim.k != 1:
            continue
        for setup, totals in facts.totals.items():
            if claim.setup and claim.setup != setup:
                continue
            every, with_positive = len(totals), int((totals > 0).sum())
            if every == with_positive:
                continue
            fits = {n: _whole(claim, n) for n in (every, with_positive)}
            if fits[with_positive] and not fits[every]:
                why = f"{claim.text} is {_of(claim, with_positive)}; of {every} it would be no whole number"
                yield Finding("denominator", "implied", "queries without a positive are left out", why)
            elif fits[every] and not fits[with_positive]:
                why = f"{claim.text} is {_of(claim, every)}; of {with_positive} it would be no whole number"
                yield Finding("denominator", "implied", "queries without a positive count 0", why)
        for n, what in SET_SIZES.items():
            if not facts.totals and _whole(claim, n) and claim.unit < 100 / n:
                yield Finding("denominator", "possible", what, f"{claim.text} is {_of(claim, n)} queries")


def multiples(claims: Sequence[Claim], facts: Facts) -> Iterator[Finding]:
    """A precision at k that divides by k is a multiple of 1 / (k q); a cut that is lowered gives other numbers."""
    for claim in claims:
        if claim.symbol not in ("p", "mp", "precision") or claim.k < 2:
            continue
        totals = facts.totals.get(claim.setup)
        if totals is None or claim.unit >= 100 / (claim.k * len(totals)):
            continue
        if not any(_whole(claim, claim.k * n) for n in {len(totals), int((totals > 0).sum())}):
            why = f"{claim.text} is no multiple of 1/{claim.k * len(totals)}"
            yield Finding("multiples", "excluded", f"precision that divides by {claim.k}", why, _divides_by_k(claim.k))


def ceiling(claims: Sequence[Claim], facts: Facts) -> Iterator[Finding]:
    """What map_cut_k can be at most, for few k and many positives."""
    average = [claim for claim in claims if claim.symbol in ("map", "") and claim.setup in facts.totals]
    for k in (5, 10, 100):
        tops = {c.setup: 100 * _ceiling(facts.totals[c.setup], k) for c in average}
        above = [c for c in average if c.percent and c.value > tops[c.setup] + c.unit]
        for claim in above:
            why = f"{claim.text} is above its ceiling of {tops[claim.setup]:.1f}"
            yield Finding("ceiling", "excluded", f"map_cut_{k}", why, _divides_by_all(k))
        precise = any(c.symbol in _AT_ONE and c.k == 1 and c.value >= 50 for c in claims)
        if k == 5 and len(average) > 1 and not above and precise:
            why = f"all are below its ceilings ({', '.join(f'{top:.1f}' for top in tops.values())}) beside a high P@1"
            yield Finding("ceiling", "implied", f"map_cut_{k}", why)
    for claim in claims:
        if claim.symbol == "n-s" and 1 < claim.value <= 4:
            yield Finding("ceiling", "implied", "ukbench", f"{claim.text} is a number of images, from 1 to 4")
        if claim.symbol == "oracle" and claim.value > 100:
            yield Finding("ceiling", "implied", "ilias-oracle on lists shorter than k", f"{claim.text} is above 100")


def order_of_setups(claims: Sequence[Claim], facts: Facts) -> Iterator[Finding]:
    """Hard is below Medium, and Medium nearly always below Easy."""
    maps = {c.setup: c for c in claims if c.symbol in ("map", "") and c.setup}
    first = {c.setup: c for c in claims if c.symbol in _AT_ONE and c.k == 1 and c.setup}
    if {"hard", "medium"} <= maps.keys() and maps["hard"].value > maps["medium"].value:
        why = f"{maps['hard'].text} is above {maps['medium'].text}: fewer positives, and so a higher ceiling"
        yield Finding("order of set-ups", "implied", "map_cut_k, or divided by at most k", why)
    if {"hard", "medium"} <= first.keys() and first["hard"].value < 10 and first["medium"].value > 60:
        why = f"{first['hard'].text} beside {first['medium'].text}: easy images stand before the hard ones"
        yield Finding("order of set-ups", "implied", "junk and the images of other set-ups are negatives", why)
    if {"easy", "medium"} <= maps.keys() and maps["medium"].value > maps["easy"].value + maps["easy"].unit:
        why = f"{maps['medium'].text} is above {maps['easy'].text}"
        yield Finding("order of set-ups", "possible", "lists that are cut, or a number of another row", why)


def order_of_cuts(claims: Sequence[Claim], facts: Facts) -> Iterator[Finding]:
    """Divided by all positives, average precision rises with depth; divided by those found, it falls."""
    for setup in {claim.setup for claim in claims}:
        cut = sorted((c for c in claims if c.symbol == "map" and c.setup == setup), key=lambda c: c.k or 10**9)
        pairs = list(zip(cut, cut[1:], strict=False))
        if any(a.value > b.value + a.unit for a, b in pairs):
            why = f"{' > '.join(claim.text for claim in cut)}: it falls with depth"
            yield Finding("order of cuts", "excluded", "map_cut_k: divided by all positives", why, _divides_by_all(0))
            yield Finding("order of cuts", "implied", "divided by the positives found, or by at most k", why)


def trapezoid_below_sum(claims: Sequence[Claim], facts: Facts) -> Iterator[Finding]:
    """The trapezoid rule never gives more than the finite sum of the same ranking."""
    for claim in claims:
        official = facts.official.get(claim.setup)
        if claim.symbol in ("map", "") and not claim.k and claim.percent and official:
            trapezoid, finite = (100 * value for value in official)
            if claim.value > finite + claim.unit:
                why = f"{claim.text} is above the finite sum of this ranking, {finite:.2f} (trapezoid {trapezoid:.2f})"
                yield Finding("trapezoid and sum", "excluded", "the trapezoid rule on this ranking", why)


def one_number_five_names(claims: Sequence[Claim], facts: Facts) -> Iterator[Finding]:
    """MP@1, P@1 and recall@1 are one number; above it, recall@10 as any hit is no share of the positives."""
    at_one = [c for c in claims if c.symbol in ("mp", "p", "recall", "r", "success") and c.k == 1]
    for a in at_one:
        for b in at_one:
            if a.setup == b.setup and a.symbol < b.symbol and abs(a.value - b.value) > a.unit + b.unit:
                why = f"{a.text} and {b.text} are one number under every protocol"
                yield Finding("names of one number", "excluded", "one protocol for the whole row", why)
    for a in claims:
        for b in claims:
            same = a.setup == b.setup and a.k == b.k > 1
            if same and a.symbol in ("recall", "r") and b.symbol == "mp" and a.value > b.value + a.unit:
                totals = facts.totals.get(a.setup)
                if totals is not None and (totals[totals > 0] >= a.k).all():
                    why = f"{a.text} is above {b.text}, and every query has {a.k} positives or more"
                    yield Finding("names of one number", "implied", "recall@k is 1 where any is found", why)


def printed_format(claims: Sequence[Claim], facts: Facts) -> Iterator[Finding]:
    """How many decimals, percent or a fraction."""
    usual = {(5, False): "mteb", (6, False): "dirtorch", (3, False): "uned, copydays", (1, True): "VPR"}
    usual |= {(3, True): "ames", (2, True): "revisitop"}
    kinds = {(claim.decimals, claim.percent) for claim in claims}
    for decimals, percent in sorted(kinds):
        if found := usual.get((decimals, percent)):
            what = "percent" if percent else "a fraction"
            yield Finding("format", "possible", found, f"{what} with {decimals} decimals is how it is printed there")


def old_oxford(claims: Sequence[Claim], facts: Facts) -> Iterator[Finding]:
    """A query that is in the database is found first by every method."""
    first = [c for c in claims if c.symbol in _AT_ONE and c.k == 1]
    maps = [c for c in claims if c.symbol in ("map", "") and not c.k]
    easy = facts.official.get("easy", facts.official.get(""))
    if any(c.value == 100 for c in first) and easy and any(c.value >= 100 * easy[0] + 5 for c in maps):
        why = f"precision at 1 is 100%, and mAP 5 points or more above the {100 * easy[0]:.2f} of Easy"
        yield Finding("old protocol", "implied", "oxford: the query is in the database", why)


def order_of_ties(claims: Sequence[Claim], facts: Facts) -> Iterator[Finding]:
    """Images with one score stand in any order."""
    for claim in claims:
        low, high = (100 * value for value in facts.ties.get(claim.setup, (1.0, 0.0)))
        shown = claim.value if claim.percent else 100 * claim.value
        if claim.symbol in ("map", "") and not claim.k and low - claim.unit <= shown <= high + claim.unit < high + 1:
            if high - low > claim.unit:
                why = f"{claim.text} is between {low:.2f} and {high:.2f}, what the order of equal scores can give"
                yield Finding("order of ties", "possible", "revisited with another order of equal scores", why)


def order_of_gaps(claims: Sequence[Claim], facts: Facts) -> Iterator[Finding]:
    """GAP is at most GAP without distractors, which is at most accuracy."""
    named = {c.symbol: c for c in claims if c.symbol in ("gap", "gap-", "gap-nodis", "acc")}
    order = [named[name] for name in ("gap", "gap-nodis", "gap-", "acc") if name in named]
    for a, b in zip(order, order[1:], strict=False):
        if a.value > b.value + a.unit:
            yield Finding("order of GAP", "excluded", "these names of the numbers", f"{a.text} is above {b.text}")


def version_of_file(claims: Sequence[Claim], facts: Facts) -> Iterator[Finding]:
    """Which evaluation of mteb a version has."""
    major = facts.version.partition(".")[0]
    if major.isdecimal():
        is_first = int(major) < 2
        kinds = ("mteb multichoice", "mteb retrieval")
        this, other = kinds if is_first else kinds[::-1]
        why = f"version {facts.version} {'takes junk out' if is_first else 'searches everything: junk is negative'}"
        yield Finding("version", "implied", this, why)
        yield Finding("version", "excluded", other, why, _of_family(other))


TESTS: Final[Sequence[Callable[[Sequence[Claim], Facts], Iterator[Finding]]]] = (
    denominator,
    multiples,
    ceiling,
    order_of_setups,
    order_of_cuts,
    trapezoid_below_sum,
    one_number_five_names,
    printed_format,
    old_oxford,
    order_of_ties,
    order_of_gaps,
    version_of_file,
)


def _divides_by_all(k: int) -> Callable[[MetricName], bool]:
    """``map_cut_k`` at this k; 0: at any."""
    return lambda metric: metric.definition.measure is finite_sum_at and k in (0, metric.k)


def _divides_by_k(k: int) -> Callable[[MetricName], bool]:
    return lambda metric: metric.definition.measure is precision and metric.k == k


def _of_family(family: str) -> Callable[[MetricName], bool]:
    return lambda metric: metric.definition.family == family


def _whole(claim: Claim, n: int) -> bool:
    """Whether the number is a whole share of n, within its rounding."""
    scale = 100 if claim.percent else 1
    return abs(round(claim.value * n / scale) * scale / n - claim.value) <= claim.unit / 2 * (1 + 1e-9)


def _of(claim: Claim, n: int) -> str:
    return f"{round(claim.value * n / (100 if claim.percent else 1))} of {n}"


def _ceiling(totals: NDArray[np.int64], k: int) -> float:
    shares = np.divide(np.minimum(totals, k), totals, out=np.zeros(len(totals)), where=totals > 0)
    return float(shares.mean())
