"""Whether numbers of a dataset may stand beside others of its name: cut sets and stand-ins may not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from harness.data.stand_in.marker import NOTE
from harness.runs.record import Record

STAND_IN = f"{NOTE[0].upper()}{NOTE[1:]}."


def doubts(records: Sequence[Record]) -> list[str]:
    """A sentence for each reason why the numbers are not those of the dataset's name; none where all is right.

    Args:
        records: of one dataset.
    """
    notes = [STAND_IN] if any(record.stand_in for record in records) else []
    counts = [count_doubt(record.dataset.name, _counted(record), _expected(record)) for record in records]
    return [*notes, *dict.fromkeys(filter(None, counts))]


def count_doubt(dataset: str, counts: Mapping[str, int], expected: Mapping[str, int]) -> str:
    """``Not comparable with other results of roxford5k: 84 images (catalogue: 4,993).``; empty where counts agree.

    Args:
        dataset: its name.
        counts: what was there.
        expected: what the catalogue states.
    """
    wrong = [
        f"{counts[name]:,} {name} (catalogue: {number:,})"
        for name, number in expected.items()
        if counts.get(name, number) != number
    ]
    return f"Not comparable with other results of {dataset}: {', '.join(wrong)}." if wrong else ""


def _counted(record: Record) -> Mapping[str, int]:
    """Counts of what the dataset holds; a pool that the protocol makes imbalanced says nothing of it."""
    balanced = record.protocol.get("imbalance", 1) == 1
    return {name: n for name, n in record.dataset.counts.items() if balanced or name != "train"}


def _expected(record: Record) -> Mapping[str, int]:
    """What the catalogue stated; of an older record, which does not say it, what that of the harness states."""
    if record.dataset.expected or record.non_default is not None:
        return record.dataset.expected
    from harness.data.catalogue import catalogue

    entry = catalogue().get(record.dataset.name)
    return entry.counts if entry is not None and entry.loader == record.dataset.loader else {}
