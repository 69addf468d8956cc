"""Published numbers beside an agreement study (thesis Table 3.4): measured, published, measured minus published."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tabulate import tabulate

from harness.boards.agreement_table import mean_and_std
from harness.boards.reference import Reference
from harness.metrics.selections import Comparison


def published_agreement(
    reference: Reference, dataset: str, compared: Mapping[str, Sequence[Comparison]]
) -> list[dict[str, Any]]:
    """One entry a published number of this dataset: where it belongs, and what was measured there (None: nothing).

    Args:
        reference: with ``study: agreement``.
        dataset: name.
        compared: label of an acquisition -> its comparisons; a label begins with the name of the acquisition.
    """
    if reference.study != "agreement":
        return []
    found = []
    for position, column in reference.of_dataset(dataset):
        for row in reference.rows:
            value = row.values[position]
            published = value[0] if isinstance(value, tuple) else value
            name = next(iter(reference.methods(row).get("acquisition", {})), "")
            measured = _measured(compared, name, column.metric, column.cycle, reference.scale(column))
            found.append(
                {
                    "cycle": column.cycle,
                    "published as": row.name,
                    "acquisition": name,
                    "measurement": column.metric,
                    "measured": measured,
                    "published": published,
                    "difference": None if measured is None or published is None else measured - published,
                }
            )
    return found


def published_agreement_markdown(
    reference: Reference, dataset: str, compared: Mapping[str, Sequence[Comparison]]
) -> str:
    """The same as a table; empty where nothing is published."""
    found = published_agreement(reference, dataset, compared)
    if not found:
        return ""
    headers = ["cycle", "published as", "measurement", "measured", "published", "difference"]
    texts = {"measured": "{:.2f}", "published": "{:.2f}", "difference": "{:+.2f}"}
    lines = [
        ["" if entry[header] is None else texts.get(header, "{}").format(entry[header]) for header in headers]
        for entry in found
    ]
    align = ["right", "left", "left", "right", "right", "right"]
    table = tabulate(lines, headers, tablefmt="pipe", disable_numparse=True, colalign=align)
    source = reference.source
    notes = [f"Published: {source.table} of {source.work}. Differences: measured minus published.", *reference.notes]
    return "\n\n".join(["### Published", table, f"<sub>{' '.join(notes)}</sub>"]) + "\n"


def _measured(
    compared: Mapping[str, Sequence[Comparison]], name: str, metric: str, cycle: int | None, scale: float
) -> float | None:
    """Mean over the seeds, where exactly one label has this name."""
    labels = [label for label in compared if label.split(" ")[0] == name]
    if len(labels) != 1:
        return None
    values = [c.values[metric] for c in compared[labels[0]] if c.cycle == cycle and metric in c.values]
    mean, _ = mean_and_std([value for value in values if value == value])
    return None if mean is None else scale * mean
