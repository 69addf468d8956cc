"""How much the acquisitions of finished runs agree in what they picked: from records alone, imported ones too.

Runs of one setting and one seed that began with the same examples are compared: their first choice was made from the
same model, what followed depends on what they chose before.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from harness.boards.board import NotComparable
from harness.boards.building import grouped
from harness.boards.columns import mean_and_std
from harness.boards.failures import done
from harness.boards.render.table import NOTHING, Table, make_table
from harness.metrics.selections import jaccard, overlap
from harness.runs.labels import method_labels, methods_of
from harness.runs.record import Record


@dataclass(frozen=True)
class PickAgreement:
    """A method beside the reference in one setting: a value for each seed that could be compared.

    Attributes:
        setting: dataset and protocol.
        reference: label of the method that the others are compared with.
        method: label of the other.
        first: share of the first choice that both picked.
        all_picks: Jaccard index of all that was picked after the initial set.
        left_out: seeds that both have, but whose initial sets differ or whose picks are not known.
    """

    setting: str
    reference: str
    method: str
    first: tuple[float, ...]
    all_picks: tuple[float, ...]
    left_out: int


def pick_agreement(records: Sequence[Record], reference: str) -> list[PickAgreement]:
    """The agreement of every method with a reference, by setting and in the order of the records.

    Args:
        records: of active learning; those without result count for nothing.
        reference: name of the acquisition that the others are compared with.

    Raises:
        NotComparable: no two runs can be compared.
    """
    found = [each for label, group in grouped(done(records)) for each in _of_setting(label, group, reference)]
    if not any(each.first for each in found):
        raise NotComparable(
            f'there are no picks to compare with those of "{reference}"',
            fix="records of active learning with its runs among them; --reference names another acquisition",
        )
    return found


def picks_table(agreement: Sequence[PickAgreement]) -> list[Table]:
    """A table for each setting; mean ± sample standard deviation over the seeds, in percent."""
    by_setting: dict[str, list[PickAgreement]] = {}
    for each in agreement:
        by_setting.setdefault(each.setting, []).append(each)
    return [_table(setting, rows) for setting, rows in by_setting.items()]


def _table(setting: str, rows: Sequence[PickAgreement]) -> Table:
    left_out = sum(row.left_out for row in rows)
    footer = [
        "first choice: share of the first acquired examples that both picked; all picks: Jaccard index of all examples "
        "acquired after the initial set.",
        f"{left_out} pairs of runs are left out: their initial sets differ, or their picks are not known."
        if left_out
        else "",
    ]
    return make_table(
        ("acquisition", "first choice %", "all picks %", "seeds"),
        [(row.method, _shown(row.first), _shown(row.all_picks), str(len(row.first))) for row in rows],
        right=("first choice %", "all picks %", "seeds"),
        title=f"{setting}: picks compared with those of {rows[0].reference}",
        footer=tuple(filter(None, footer)),
    )


def _of_setting(setting: str, records: Sequence[Record], reference: str) -> Iterator[PickAgreement]:
    groups: dict[str, list[Record]] = {}
    for record in records:
        groups.setdefault(json.dumps([vars(m) for m in methods_of(record).values()], sort_keys=True), []).append(record)
    labels = method_labels({key: methods_of(group[0]) for key, group in groups.items()})
    by_method: dict[str, dict[int, Record]] = {}
    names: dict[str, str] = {}
    for key, group in groups.items():
        label = " · ".join(labels[key].values())
        by_method[label] = {record.seed: record for record in group}
        names[label] = group[0].methods["acquisition"].name if "acquisition" in group[0].methods else ""
    first = next((label for label, name in names.items() if reference in (name, label)), None)
    if first is None:
        return
    for label, runs in by_method.items():
        if label != first:
            yield _compared(setting, first, label, by_method[first], runs)


def _compared(
    setting: str, reference: str, method: str, first: Mapping[int, Record], second: Mapping[int, Record]
) -> PickAgreement:
    choices, everything, left_out = [], [], 0
    for seed in sorted(first.keys() & second.keys()):
        a, b = _picks(first[seed]), _picks(second[seed])
        if a is None or b is None or set(a[0]) != set(b[0]) or len(a) < 2 or len(b) < 2:
            left_out += 1
            continue
        choices.append(overlap(a[1], b[1]) if len(a[1]) == len(b[1]) else jaccard(a[1], b[1]))
        everything.append(jaccard([i for part in a[1:] for i in part], [i for part in b[1:] for i in part]))
    return PickAgreement(setting, reference, method, tuple(choices), tuple(everything), left_out)


def _picks(record: Record) -> list[list[int]] | None:
    """Examples labelled for each cycle, the initial set first; None where they are not recorded."""
    cycles = [cycle.get("labelled") for cycle in record.details.get("cycles", [])]
    return cycles if cycles and all(isinstance(labelled, list) for labelled in cycles) else None


def _shown(values: Sequence[float]) -> str:
    if not values:
        return NOTHING
    mean, std = mean_and_std(values)
    return f"{100 * mean:.1f}" + ("" if std is None else f" ± {100 * std:.1f}")
