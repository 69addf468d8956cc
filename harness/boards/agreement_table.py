"""The agreement study as tables (thesis Table 3.4) and as a scatter of ranks (Fig. 3.6).

matplotlib is imported when a picture is drawn. The same comparisons give the same bytes.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from tabulate import tabulate

from harness.boards.drawing import COLOURS, picture
from harness.metrics.selections import Comparison

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

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


def agreement_markdown(title: str, reference: str, compared: Compared, *, unlabelled: bool = False) -> str:
    """Two tables, pseudo-labels and picks; mean ± standard deviation (ddof 1) over the seeds, – where undefined.

    Args:
        title: heading.
        reference: label of the reference.
        compared: what was measured.
        unlabelled: whether it was measured on all unlabelled examples.
    """
    seeds = sorted({c.seed for found in compared.values() for c in found})
    subset = "all unlabelled examples" if unlabelled else "unlabelled examples that neither acquired"
    spread = "; mean ± standard deviation" if len(seeds) > 1 else ""
    parts = [
        f"## {_escape(title)}",
        f"Reference: {_escape(reference)}, which also chose in all cycles before. "
        f"{len(seeds)} seed{'s' if len(seeds) != 1 else ''}{spread}.",
        "### Pseudo-labels",
        _table(compared, _LABELS),
        *(f"<sub>{note.format(subset=subset)}</sub>" for note in _LABEL_NOTES),
        "### Picks and ranks",
        _table(compared, _PICKS),
        *(f"<sub>{note}</sub>" for note in (*_PICKS_NOTES, _ranked_by(reference, compared))),
    ]
    return "\n\n".join(parts) + "\n"


def agreement_data(title: str, reference: str, compared: Compared) -> dict[str, Any]:
    """The same as JSON-able data: mean, std and the value of each seed; None where undefined."""
    rows = []
    for cycle, label, found in _rows(compared):
        measured = {name: [_finite(c.values[name]) for c in found] for name in found[0].values}
        rows.append(
            {
                "acquisition": label,
                "cycle": cycle,
                "labels": found[0].n_labelled,
                "unlabelled": found[0].n_unlabelled,
                "seeds": [c.seed for c in found],
                "ranked_by": dict(zip(("reference", "acquisition"), found[0].ranked_by, strict=True)),
                "measured": {
                    name: dict(zip(("mean", "std"), mean_and_std(values), strict=True), values=values)
                    for name, values in measured.items()
                },
            }
        )
    return {"title": title, "reference": reference, "rows": rows}


def rank_plot(title: str, reference: str, compared: Compared) -> bytes | None:
    """SVG of ranks by the reference against ranks by each acquisition (row), after each cycle (column); first seed.

    None where nothing was ranked. The points are the random subset that the comparisons hold.
    """
    seed = min((c.seed for found in compared.values() for c in found), default=0)
    drawn = {
        label: ranked
        for label, found in compared.items()
        if (ranked := [c for c in found if c.seed == seed and c.ranks.size])
    }
    if not drawn:
        return None
    columns = max(len(found) for found in drawn.values())

    def draw(figure: Figure) -> None:
        grid = figure.subplots(len(drawn), columns, squeeze=False)
        for row, (label, found) in enumerate(drawn.items()):
            for axes in grid[row]:
                axes.set_visible(False)
            for axes, comparison in zip(grid[row], found, strict=False):
                _scatter(axes, comparison, COLOURS[row % len(COLOURS)])
            grid[row, 0].set_ylabel(f"rank by {label}")
        for axes in grid[-1]:
            axes.set_xlabel(f"rank by {reference}")
        figure.suptitle(f"{title}, seed {seed}")

    return picture(draw, (2.5 * columns + 0.5, 2.4 * len(drawn) + 0.7))


def _scatter(axes: Axes, comparison: Comparison, colour: str) -> None:
    first, second = comparison.ranks
    axes.set_visible(True)
    axes.scatter(first, second, s=5, color=colour, alpha=0.6, linewidths=0)
    n, rho = comparison.n_unlabelled, comparison.values["spearman"]
    axes.set(xlim=(-0.03 * n, 1.03 * n), ylim=(-0.03 * n, 1.03 * n), box_aspect=1)
    correlation = "" if math.isnan(rho) else f", Spearman {rho:.2f}"
    axes.set_title(f"{comparison.n_labelled} labels: {len(first)} of {n}{correlation}", fontsize=7.5)


def mean_and_std(values: Sequence[float | None]) -> tuple[float | None, float | None]:
    """Mean and standard deviation (ddof 1) of the values that are there; None where there are too few."""
    known = [value for value in values if value is not None]
    if not known:
        return None, None
    mean = math.fsum(known) / len(known)
    if len(known) < 2:
        return mean, None
    return mean, math.sqrt(math.fsum((value - mean) ** 2 for value in known) / (len(known) - 1))


def _rows(compared: Compared) -> list[tuple[int, str, list[Comparison]]]:
    """Cycle, label and the comparisons of all seeds, cycle by cycle."""
    cycles = sorted({c.cycle for found in compared.values() for c in found})
    every = [(n, label, [c for c in found if c.cycle == n]) for n in cycles for label, found in compared.items()]
    return [row for row in every if row[2]]


def _table(compared: Compared, columns: Sequence[tuple[str, str, int]]) -> str:
    lines = []
    for cycle, label, found in _rows(compared):
        cells = [_cell([_finite(c.values[name]) for c in found], scale) for name, _, scale in columns]
        lines.append([str(cycle), str(found[0].n_labelled), _escape(label), *cells])
    headers = ["cycle", "labels", "acquisition", *(heading for _, heading, _ in columns)]
    align = ["right", "right", "left", *("right" for _ in columns)]
    # Else 64.30 would print as 64.3.
    table: str = tabulate(lines, headers, tablefmt="pipe", disable_numparse=True, colalign=align)
    return table


def _cell(values: Sequence[float | None], scale: int) -> str:
    mean, std = mean_and_std(values)
    if mean is None:
        return "–"
    text = f"{round(scale * mean, 2) + 0.0:.2f}"  # no -0.00
    return text if std is None else f"{text} ± {scale * std:.2f}"


def _ranked_by(reference: str, compared: Compared) -> str:
    """How each was ranked, the usual way first."""
    hows: dict[str, list[str]] = {}
    for label, found in compared.items():
        for comparison in found:
            for name, how in zip((reference, label), comparison.ranked_by, strict=True):
                if name not in hows.setdefault(how, []):
                    hows[how].append(name)
    return "Ranked by: " + "; ".join(f"{how} ({_escape(', '.join(names))})" for how, names in hows.items()) + "."


def _finite(value: float) -> float | None:
    return None if math.isnan(value) else value


def _escape(text: str) -> str:
    """Text of a plugin or a spec must not become markup."""
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("\n", " ")
    return re.sub(r"([\\`*_{}\[\]|#!~])", r"\\\1", text)
