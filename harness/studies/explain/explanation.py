"""Which protocol a published number is from: every protocol and its common mistakes on one ranking."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Final, cast

from harness.metrics.protocols import Judged, MetricName, evaluate_name, expand_names
from harness.metrics.protocols.judged import Choices
from harness.studies.explain.claims import Claim, parse_claims
from harness.studies.explain.hypotheses import Given, Hypothesis, hypotheses, metrics_of, tie_bracket
from harness.studies.explain.matching import Candidate, candidates, nearest
from harness.studies.explain.tells import Facts, Finding, findings

TOLERANCE: Final = 0.5
"""Points within which a number can be of the same descriptors computed by other software."""
_SHOWN: Final = 8


@dataclass(frozen=True)
class Explanation:
    """What is found.

    Attributes:
        claims: the numbers.
        candidates: classes of protocols that give all of them, nearest first; within rounding where there are any,
            else within the tolerance.
        excluded: such classes that a test of the printed numbers excludes, with its reason.
        nearest: where there is no candidate, what is nearest.
        findings: what the printed numbers say by themselves.
        questions: numbers that would tell the candidates apart.
    """

    claims: Sequence[Claim]
    candidates: Sequence[Candidate]
    excluded: Sequence[tuple[Candidate, Finding]]
    nearest: Candidate | None
    findings: Sequence[Finding]
    questions: Sequence[str]

    @property
    def explained(self) -> bool:
        """Whether some protocol gives the numbers."""
        return bool(self.candidates)


@dataclass(frozen=True)
class Explainer:
    """Explains rows of numbers by the same rankings; what the rankings give is computed once.

    Attributes:
        rankings: what the numbers should be of; None: only the printed numbers are looked at.
        uncropped: the same with queries that are not cropped.
    """

    rankings: Judged | None = None
    uncropped: Judged | None = None

    def explain(self, numbers: Sequence[str], *, tolerance: float = TOLERANCE, version: str = "") -> Explanation:
        """Find the protocols that give the numbers of one published row.

        Args:
            numbers: as printed: ``64.67``, ``hard=38.47``, ``mP@10 hard=53.00``.
            tolerance: points within which numbers of other software are accepted, where none is within rounding.
            version: of the software that wrote the result file.

        Raises:
            BadParameter: something is not a number.
        """
        claims = parse_claims(numbers)
        told = findings(claims, replace(self._facts, version=version))
        if self.rankings is None:
            return Explanation(claims, (), (), None, told, ())
        asked = {metric for claim in claims if claim.k for metric in metrics_of(claim.symbol, claim.k)}
        asked -= {hypothesis.metric for hypothesis in self._usual}
        found = [*self._usual, *hypotheses(self._given, sorted(asked))] if asked else self._usual
        kept: list[Candidate] = []
        out: list[tuple[Candidate, Finding]] = []
        for candidate in candidates(claims, found, tolerance):
            reason = next((f for f in told if any(f.excludes(r.hypothesis.metric) for r in candidate.readings)), None)
            if reason is None:
                kept.append(candidate)
            else:
                out.append((candidate, reason))
        near = None if kept else nearest(claims, found)
        return Explanation(claims, kept, out, near, told, list(_questions(kept)))

    @cached_property
    def _given(self) -> Given:
        return Given(cast(Judged, self.rankings), self.uncropped)

    @cached_property
    def _usual(self) -> list[Hypothesis]:
        scored = self._given.rankings.scores is not None
        names = [name for name in expand_names("all") if scored or not name.definition.needs_scores]
        return list(hypotheses(self._given, names))

    @cached_property
    def _facts(self) -> Facts:
        return facts_of(self.rankings)


def explain(
    numbers: Sequence[str],
    rankings: Judged | None = None,
    *,
    uncropped: Judged | None = None,
    tolerance: float = TOLERANCE,
    version: str = "",
) -> Explanation:
    """Find the protocols that give published numbers; ``Explainer`` explains many rows."""
    return Explainer(rankings, uncropped).explain(numbers, tolerance=tolerance, version=version)


def facts_of(rankings: Judged | None) -> Facts:
    """What tests of printed numbers have to know of rankings and judgements."""
    if rankings is None:
        return Facts()
    totals, official, ties = {}, {}, {}
    for setup in rankings.setups:
        totals[setup] = rankings.hits(setup, Choices()).total
        revisited, finite = (MetricName(protocol, 0, setup) for protocol in ("revisited", "pml-map"))
        official[setup] = (evaluate_name(rankings, revisited).mean, evaluate_name(rankings, finite).mean)
        ties[setup] = tie_bracket(rankings, revisited)
    return Facts(totals, official, ties)


def _questions(kept: Sequence[Candidate]) -> Iterator[str]:
    """Where two remain, a number that differs between them, or the input that does."""
    for first, second in zip(kept[:1], kept[1:2], strict=False):
        a, b = first.readings[0].hypothesis, second.readings[0].hypothesis
        said = {reading.setup for reading in first.readings}
        differences = {
            setup: abs(a.values[setup] - b.values[setup])
            for setup in a.values
            if setup not in said and setup in b.values
        }
        largest = max(differences, key=lambda setup: differences[setup], default="")
        if largest and differences[largest] > first.readings[0].claim.unit / 100:
            yield (
                f"the number of {largest} would tell them apart: {100 * a.values[largest]:.2f} by {a}, "
                f"{100 * b.values[largest]:.2f} by {b}"
            )
        elif a.condition != b.condition:
            yield f"what would tell them apart: {' or '.join(x.condition.text or 'none of that' for x in (b, a))}"


def explanation_text(found: Explanation, tolerance: float = TOLERANCE) -> str:
    """For people, ending in a newline."""
    lines: list[str] = []
    if found.candidates:
        exact = found.candidates[0].exact
        how = "within rounding" if exact else f"within {tolerance:g} points"
        count = len(found.candidates)
        lines += [f"{count} {'class' if count == 1 else 'classes'} of protocols give these numbers {how}:", ""]
        for candidate in found.candidates[:_SHOWN]:
            lines += [*_candidate_lines(candidate), ""]
        if count > _SHOWN:
            lines += [f"and {count - _SHOWN} more", ""]
        lines += [*found.questions, *([""] if found.questions else [])]
    elif found.nearest is not None:
        lines += ["Not from these rankings under any known protocol. The nearest is:", ""]
        lines += [*_candidate_lines(found.nearest), ""]
    if found.excluded:
        lines += ["Excluded:"]
        lines += [f"  {candidate.members[0]}: {reason.why}" for candidate, reason in found.excluded] + [""]
    if found.findings:
        lines += ["What the printed numbers say:"]
        lines += [f"  {f.verdict}: {f.about} ({f.why})" for f in found.findings]
    return "\n".join(lines or ["The printed numbers alone say nothing."]).rstrip() + "\n"


def _candidate_lines(candidate: Candidate) -> Iterator[str]:
    yield candidate.members[0]
    for reading in candidate.readings:
        where = f" {reading.setup}" if reading.setup else ""
        unit = "%" if reading.percent else ""
        digits = max(2, reading.claim.decimals) + (0 if reading.percent else 2)
        name = f"{reading.hypothesis.metric}{where}"
        yield f"  {reading.claim.text}: {name} {reading.value:.{digits}f}{unit}, distance {reading.distance:.3f} points"
    if len(candidate.members) > 1:
        rest = len(candidate.members) - 1 - _SHOWN
        more = f" and {rest} more" if rest > 0 else ""
        yield f"  the same here: {'; '.join(candidate.members[1 : 1 + _SHOWN])}{more}"
    first = candidate.readings[0].hypothesis
    if first.definition.note:
        yield f"  input: {first.definition.note}"
    yield f"  definition: {first.definition.source}"


def explanation_data(found: Explanation) -> dict[str, Any]:
    """For programs."""

    def data(candidate: Candidate) -> Mapping[str, Any]:
        first = candidate.readings[0].hypothesis
        return {
            "members": list(candidate.members),
            "source": first.definition.source,
            "note": first.definition.note,
            "condition": first.condition.text,
            "distance": candidate.distance,
            "exact": candidate.exact,
            "numbers": [
                {"text": r.claim.text, "metric": r.hypothesis.metric.key, "setup": r.setup, "value": r.value}
                for r in candidate.readings
            ],
        }

    return {
        "explained": found.explained,
        "candidates": [data(candidate) for candidate in found.candidates],
        "excluded": [{**data(candidate), "why": reason.why} for candidate, reason in found.excluded],
        "nearest": None if found.nearest is None else data(found.nearest),
        "findings": [{"test": f.test, "verdict": f.verdict, "about": f.about, "why": f.why} for f in found.findings],
        "questions": list(found.questions),
    }
