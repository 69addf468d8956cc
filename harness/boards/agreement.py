"""The agreement study as tables (thesis Table 3.4), beside published numbers where there are any."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

from harness.boards.columns import mean_and_std
from harness.boards.published import difference_note
from harness.boards.reference import Reference
from harness.boards.render import NOTHING, Table, make_table
from harness.metrics.selections import Comparison

Compared = Mapping[str, Sequence[Comparison]]
"""Label of an acquisition -> its comparisons, of any seeds and cycles."""

# Measurement, heading, scale.
_LABELS: Final = (
    ("agree", "agree %", 100),
    ("agree_weighted", "weighted %", 100),
    ("accuracy", "accuracy U", 100),
    ("accuracy_reference", "accuracy U, ref.", 100),
    ("accuracy_equal", "accuracy =", 100),
    ("accuracy_unequal", "accuracy ≠", 100),
    ("accuracy_unequal_reference", "accuracy ≠, ref.", 100),
    ("weight_equal", "weight =", 1),
    ("weight_unequal", "weight ≠", 1),
)
_PICKS: Final = (
    ("overlap", "overlap %", 100),
    ("jaccard", "Jaccard", 1),
    ("spearman", "Spearman", 1),
    ("kendall", "Kendall", 1),
)
_LABEL_NOTES: Final = (
    "agree: share of the examples U for which label propagation gives one pseudo-label whichever of the two acquired "
    "last; weighted: the same by (3.13); U: {subset}, less those that no label reaches.",
    "accuracy: pseudo-labels against true labels in %, weighted by the mean of both weights (3.13), on all of U, where "
    "both agree (=) and where they do not (≠); “ref.” are those of the reference, which are the same on =.",
    "weight: mean of both weights (3.10) where they agree (=) and where they do not (≠).",
)
_PICKS_NOTES: Final = (
    "overlap: share of the budget that both picked; Jaccard: share of all picks that both picked.",
    "Spearman, Kendall: correlation of the ranks of all unlabelled examples (1 the same order, 0 unrelated).",
)


def agreement_tables(
    title: str, reference: str, compared: Compared, *, unlabelled: bool = False, warnings: Sequence[str] = ()
) -> list[Table]:
    """Two tables, pseudo-labels and picks; mean ± standard deviation (ddof 1) over the seeds, – where undefined.

    Args:
        title: heading.
        reference: label of the reference.
        compared: what was measured.
        unlabelled: whether it was measured on all unlabelled examples.
        warnings: why the numbers are not comparable with others of the dataset's name.
    """
    seeds = sorted({c.seed for comparisons in compared.values() for c in comparisons})
    subset = "all unlabelled examples" if unlabelled else "unlabelled examples that neither acquired"
    spread = "; mean ± standard deviation" if len(seeds) > 1 else ""
    intro = (
        f"Reference: {reference}, which also chose in all cycles before. "
        f"{len(seeds)} seed{'s' if len(seeds) != 1 else ''}{spread}."
    )
    labels_footer = [note.format(subset=subset) for note in _LABEL_NOTES]
    picks_footer = [*_PICKS_NOTES, _ranked_by(reference, compared)]
    return [
        _table(f"{title}: pseudo-labels", " ".join([*warnings, intro]), compared, _LABELS, labels_footer),
        _table(f"{title}: picks and ranks", "", compared, _PICKS, picks_footer),
    ]


def agreement_data(title: str, reference: str, compared: Compared) -> dict[str, Any]:
    """The same as JSON-able data: mean, std and the value of each seed; None where undefined."""
    rows = []
    for cycle, label, comparisons in _rows(compared):
        measured = {name: [_finite(c.values[name]) for c in comparisons] for name in comparisons[0].values}
        rows.append(
            {
                "acquisition": label,
                "cycle": cycle,
                "labels": comparisons[0].n_labelled,
                "unlabelled": comparisons[0].n_unlabelled,
                "seeds": [c.seed for c in comparisons],
                "ranked_by": dict(zip(("reference", "acquisition"), comparisons[0].ranked_by, strict=True)),
                "measured": {
                    name: dict(zip(("mean", "std"), summary(values), strict=True), values=values)
                    for name, values in measured.items()
                },
            }
        )
    return {"title": title, "reference": reference, "rows": rows}


def published_agreement(
    reference: Reference, dataset: str, compared: Compared, warnings: Sequence[str] = ()
) -> list[dict[str, Any]]:
    """One entry a published number of this dataset: where it belongs, and what was measured there (None: nothing).

    Args:
        reference: with ``study: agreement``.
        dataset: name.
        compared: label of an acquisition -> its comparisons; a label begins with the name of the acquisition.
        warnings: why what was measured is not comparable with what is published: then there are no differences.
    """
    if reference.study != "agreement":
        return []
    entries = []
    for position, column in reference.of_dataset(dataset):
        for row in reference.rows:
            value = row.values[position]
            published = value[0] if isinstance(value, tuple) else value
            name = next(iter(reference.methods(row).get("acquisition", {})), "")
            measured = _measured(compared, name, column.metric, column.cycle, reference.scale(column))
            entries.append(
                {
                    "cycle": column.cycle,
                    "published as": row.name,
                    "acquisition": name,
                    "measurement": column.metric,
                    "measured": measured,
                    "published": published,
                    "difference": None if warnings or measured is None or published is None else measured - published,
                }
            )
    return entries


def published_tables(
    reference: Reference, dataset: str, compared: Compared, warnings: Sequence[str] = ()
) -> list[Table]:
    """The same as a table; none where nothing is published."""
    entries = published_agreement(reference, dataset, compared, warnings)
    if not entries:
        return []
    formats = {"measured": "{:.2f}", "published": "{:.2f}", "difference": "{:+.2f}"}
    difference = () if warnings else ("difference",)
    headers = ("cycle", "published as", "measurement", "measured", "published", *difference)
    source = reference.source
    table = make_table(
        headers,
        [
            ["" if entry[name] is None else formats.get(name, "{}").format(entry[name]) for name in headers]
            for entry in entries
        ],
        right=("cycle", "measured", "published", "difference"),
        title=f"{dataset}: published",
        footer=(
            f"Published: {source.table} of {source.work}. {difference_note(warnings)}",
            *reference.notes,
        ),
    )
    return [table]


def summary(values: Sequence[float | None]) -> tuple[float | None, float | None]:
    """Mean and standard deviation of the values that are defined; None where there are too few."""
    defined = [value for value in values if value is not None]
    return mean_and_std(defined) if defined else (None, None)


def _rows(compared: Compared) -> list[tuple[int, str, list[Comparison]]]:
    """Cycle, label and the comparisons of all seeds, cycle by cycle."""
    cycles = sorted({c.cycle for comparisons in compared.values() for c in comparisons})
    return [
        (cycle, label, of_cycle)
        for cycle in cycles
        for label, comparisons in compared.items()
        if (of_cycle := [c for c in comparisons if c.cycle == cycle])
    ]


def _table(
    title: str, intro: str, compared: Compared, columns: Sequence[tuple[str, str, int]], footer: Sequence[str]
) -> Table:
    headings = [heading for _, heading, _ in columns]
    rows = [
        [
            *(str(cycle), str(comparisons[0].n_labelled), label),
            *(_cell([_finite(c.values[name]) for c in comparisons], scale) for name, _, scale in columns),
        ]
        for cycle, label, comparisons in _rows(compared)
    ]
    return make_table(
        ["cycle", "labels", "acquisition", *headings],
        rows,
        right=("cycle", "labels", *headings),
        title=title,
        intro=intro,
        footer=footer,
    )


def _cell(values: Sequence[float | None], scale: int) -> str:
    mean, std = summary(values)
    if mean is None:
        return NOTHING
    text = f"{round(scale * mean, 2) + 0.0:.2f}"  # no -0.00
    return text if std is None else f"{text} ± {scale * std:.2f}"


def _ranked_by(reference: str, compared: Compared) -> str:
    """How each was ranked, the usual way first."""
    hows: dict[str, list[str]] = {}
    for label, comparisons in compared.items():
        for comparison in comparisons:
            for name, how in zip((reference, label), comparison.ranked_by, strict=True):
                if name not in hows.setdefault(how, []):
                    hows[how].append(name)
    return "Ranked by: " + "; ".join(f"{how} ({', '.join(names)})" for how, names in hows.items()) + "."


def _finite(value: float) -> float | None:
    return None if math.isnan(value) else value


def _measured(compared: Compared, name: str, metric: str, cycle: int | None, scale: float) -> float | None:
    """Mean over the seeds, where exactly one label has this name."""
    labels = [label for label in compared if label.split(" ")[0] == name]
    if len(labels) != 1:
        return None
    values = [c.values[metric] for c in compared[labels[0]] if c.cycle == cycle and metric in c.values]
    mean, _ = summary([value for value in values if value == value])
    return None if mean is None else scale * mean
