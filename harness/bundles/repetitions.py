"""One run that several people did, or one person several times: what a board takes of it, and where they disagree."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

from harness.bundles.bundle import Bundle, content_id
from harness.core.signed import signed
from harness.runs.record import Number, Record
from harness.runs.tolerances import Tolerances, scale, tolerated

_HEADLINES: Final = ("map_medium", "map", "area_under_curve", "accuracy")


@dataclass(frozen=True)
class Repetition:
    """One record of a run, as one or more bundles hold it.

    Attributes:
        record: with everything in it.
        bundles: that hold it, ordered by id.
    """

    record: Record
    bundles: tuple[Bundle, ...]

    @cached_property
    def content(self) -> bytes:
        """The file of the record, the same from each bundle."""
        return signed(self.record.model_dump(by_alias=True))

    @cached_property
    def id(self) -> str:
        """Digest of the content."""
        return content_id(self.content)

    @property
    def measured_by(self) -> tuple[str, ...]:
        """Who says to have measured it."""
        return tuple(sorted({bundle.manifest.measured_by for bundle in self.bundles}))


@dataclass(frozen=True)
class RepeatedRun:
    """All that was published of one run.

    Attributes:
        repetitions: ordered by digest.
        taken: the one that stands in the board.
        disagreements: sentences; none where all repetitions agree within the tolerance.
    """

    repetitions: tuple[Repetition, ...]
    taken: Repetition
    disagreements: tuple[str, ...]

    @property
    def measured_by(self) -> tuple[str, ...]:
        """Everybody who measured it."""
        return tuple(sorted({name for repetition in self.repetitions for name in repetition.measured_by}))


def repetitions_of(bundles: Iterable[Bundle]) -> list[Repetition]:
    """All records of bundles; one that stands in several is one repetition."""
    found: dict[str, Repetition] = {}
    for bundle in sorted({bundle.id: bundle for bundle in bundles}.values(), key=lambda bundle: bundle.id):
        for run_id in bundle.run_ids:
            single = Repetition(bundle.record(run_id), (bundle,))
            before = found.get(single.id)
            found[single.id] = Repetition(single.record, (*before.bundles, bundle)) if before else single
    return [found[key] for key in sorted(found)]


def repeated_run(repetitions: Sequence[Repetition], tolerances: Tolerances) -> RepeatedRun:
    """What a board takes of the repetitions of one run: whatever their order, the same.

    Of those that are done it is the one in the middle by the headline number, of an even number of them the lower of
    the two in the middle: one false number among three does not get into the board, and of two the smaller claim
    stands. Only where none is done it is a failed one.

    Args:
        repetitions: of one run, at least one.
        tolerances: metric -> points within which they agree.
    """
    ordered = sorted(repetitions, key=lambda repetition: repetition.id)
    done = [repetition for repetition in ordered if repetition.record.status == "done"] or ordered
    name = _headline(done)
    by_value = sorted(done, key=lambda repetition: _order(repetition.record.metrics.get(name)))
    taken = by_value[(len(by_value) - 1) // 2]
    return RepeatedRun(tuple(ordered), taken, tuple(_disagreements(ordered, tolerances)))


def _headline(repetitions: Sequence[Repetition]) -> str:
    names = sorted({name for repetition in repetitions for name in repetition.record.metrics})
    return next((name for name in _HEADLINES if name in names), names[0] if names else "")


def _order(value: Number) -> tuple[bool, float]:
    return (value is not None, value or 0.0)


def _disagreements(repetitions: Sequence[Repetition], tolerances: Tolerances) -> Iterator[str]:
    records = [repetition.record for repetition in repetitions]
    done = [record for record in records if record.status == "done"]
    if failed := len(records) - len(done) if done else 0:
        yield f"{failed} of {len(records)} repetitions failed"
    for name in sorted({name for record in done for name in record.metrics}):
        values: list[Any] = [record.metrics.get(name) for record in done]
        numbers = [value * scale(name) for value in values if value is not None]
        if 0 < len(numbers) < len(values):
            yield f"{name} is defined in {len(numbers)} of {len(values)} repetitions"
        # A tolerance of 0.1 points accepts 0.1, which is no binary fraction.
        elif numbers and max(numbers) - min(numbers) > (tolerated(tolerances, name) or 0.0) * (1 + 1e-9):
            yield f"{name} from {min(numbers):.2f} to {max(numbers):.2f}"
