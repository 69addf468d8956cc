"""``harness.to_pandas``: records as a table of numbers, one row a run."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from harness.core.errors import SpecError
from harness.runs.labels import SHOWN_KINDS, method_labels, methods_of
from harness.runs.record import Record
from harness.runs.results import Results, results_of

if TYPE_CHECKING:
    import pandas


def to_pandas(records: Results | Iterable[Record]) -> pandas.DataFrame:
    """Records as a ``pandas.DataFrame``, one row a run, in their order; the id of the run is the index.

    Columns: ``dataset``, the methods by kind as leaderboards call them, ``seed``, ``status``; then all metrics (shares
    in [0, 1]), ``STAGE_s`` for the seconds of each stage, and the figures, each under the name that records have.

    Args:
        records: of runs, or what ``harness.find_results`` found.

    Raises:
        SpecError: pandas is not installed, or these are boards without records.
    """
    try:
        import pandas
    except ImportError as error:
        raise SpecError("pandas is not installed", fix="pip install pandas") from error
    listed = list(records.require_records() if isinstance(records, Results) else results_of(records).records)
    labels = method_labels({str(position): methods_of(record) for position, record in enumerate(listed)})
    rows = [_row(record, labels[str(position)]) for position, record in enumerate(listed)]
    columns = list(dict.fromkeys(name for row in rows for name in row))
    kinds = [kind for kind in SHOWN_KINDS if any(kind in names for names in labels.values())]
    first = ["dataset", *kinds, "seed", "status"]
    ordered = [*first, *(name for name in columns if name not in first)]
    return pandas.DataFrame(rows, columns=ordered, index=pandas.Index([r.id for r in listed], name="run", dtype=object))


def _row(record: Record, labels: dict[str, str]) -> dict[str, Any]:
    return {
        "dataset": record.dataset.name,
        **labels,
        "seed": record.seed,
        "status": record.status,
        **record.metrics,
        **{f"{stage}_s": cost.wall_s for stage, cost in record.cost.items()},
        **record.figures,
    }
