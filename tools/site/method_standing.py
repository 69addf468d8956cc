"""Whether a method is good: its rows on the committed boards against the same rows with the usual choice in its place."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from harness.boards.board import Board, Row
from harness.boards.columns import PICKS_EVENNESS
from harness.boards.comparison.changes import Change
from harness.boards.comparison.judging import draft_of, judged
from harness.boards.evidence import Units
from harness.boards.stored import read_boards
from harness.registry import Entry
from harness.runs.labels import Method
from harness.runs.results import Results

REFERENCES: Mapping[str, str] = {
    "acquisition": "random",
    "learning": "supervised",
    "pooling": "gem",
    "whitening": "",
    "reranking": "",
    "expansion": "",
}
"""What methods of a kind are compared with; empty: the row without one."""
_UNCERTAIN = (
    "A model of few labels is uncertain of whole regions: what it chooses lies closer together than a random choice, and "
    "in fewer classes (`tests/benchmarks/bench_reasons.py`)."
)
_REASONS: Mapping[tuple[str, str], str] = {
    ("acquisition", "jlp"): (
        "It takes the examples that the labels reach least, which are those with hardly any neighbours in the graph: a "
        "tenth of the average at its first choice on 8,000 images of MNIST (`tests/benchmarks/bench_reasons.py`). Such "
        "outliers say little about the others."
    ),
    ("acquisition", "entropy"): _UNCERTAIN,
    ("acquisition", "least-confidence"): _UNCERTAIN,
    ("acquisition", "coreset"): (
        "It takes the examples farthest from all labelled ones. These are outliers, of the classes that spread most "
        "(`tests/benchmarks/bench_reasons.py`)."
    ),
    ("acquisition", "probcover"): (
        "It covers as many examples as possible with balls of one radius. Where classes differ in density a batch holds "
        "the densest ones (`tests/benchmarks/bench_reasons.py`)."
    ),
    ("learning", "pretrain"): (
        "The boards pre-train for {pre_epochs} epochs, where the thesis has 250. What 250 would change was not measured."
    ),
    ("learning", "ceal"): (
        "It takes confident predictions for labels. A model of one label a class is confident of a good part of the pool "
        "and often wrong there, and these pseudo-labels outnumber the labels by far (`tests/benchmarks/bench_reasons.py`)."
    ),
}
"""Why methods are worse where they are, beyond what a table says; shown only where a board finds them worse. Names in
braces are parameters of the rows."""
_MOST = 12
_UNEVEN = 0.02
"""Less evenness of choices is worth a sentence."""


@dataclass(frozen=True)
class Standing:
    """A row of a board against its reference.

    Attributes:
        folder: of the board.
        board: in which the row stands.
        row: of the method.
        change: from the reference to the row; None where the board has no such row.
        reference: with which it is compared.
    """

    folder: str
    board: Board
    row: Row
    change: Change | None
    reference: Row | None


def lines(entry: Entry, root: Path) -> Iterator[str]:
    """The section of a method: a sentence, a table, and why it is worse where it is."""
    if entry.kind not in REFERENCES:
        return
    reference = REFERENCES[entry.kind]
    found = [s for s in _standings(root, entry.kind) if _methods(s.board, s.row)[entry.kind].name == entry.name]
    yield "## Where it stands\n"
    if not found:
        yield "No committed board has it, so that nothing is said here about how good it is.\n"
        return
    if entry.name == reference:
        yield "Other methods of this kind are compared with it. Its rank intervals on the committed boards:\n"
    else:
        yield f"{_summary(found, reference)}\n"
    yield from _table(found, entry.name == reference)
    if entry.name != reference:
        yield (
            f"\nDifference: from the same row {_beside(reference)}, in points of the column that the board tests, with its "
            f"95% interval; all such comparisons of a board are corrected together (5% level).\n"
        )
    worse = [s for s in found if s.change is not None and s.change.verdict == "worse"]
    if worse and (reason := _reason(entry.kind, entry.name, worse)):
        yield f"Why it is worse there: {reason}\n"
    yield from _uneven(worse, reference)


def _reason(kind: str, name: str, rows: Sequence[Standing]) -> str:
    """Why a method is worse in these rows; empty where nothing is known, or where it needs a parameter that no row has."""
    values: dict[str, dict[str, None]] = defaultdict(dict)
    for standing in rows:
        for parameter, value in _methods(standing.board, standing.row)[kind].parameters.items():
            values[parameter][str(value)] = None
    try:
        return _REASONS.get((kind, name), "").format_map({key: " or ".join(found) for key, found in values.items()})
    except KeyError:
        return ""


def _uneven(worse: Sequence[Standing], reference: str) -> Iterator[str]:
    """Where the choices of an acquisition that is worse are spread over the classes less evenly than the reference's."""
    for s in worse:
        cells = [row.cells.get(PICKS_EVENNESS) for row in (s.row, s.reference) if row is not None]
        own, other = cells if len(cells) == 2 else (None, None)
        if own is not None and other is not None and own.mean < other.mean - _UNEVEN:
            yield (
                f"On {s.folder} its choices are spread over the classes less evenly than those of `{reference}`: "
                f"{100 * own.mean:.1f}% of the largest entropy against {100 * other.mean:.1f}%.\n"
            )


def _beside(reference: str) -> str:
    return f"with `{reference}` in its place" if reference else "without it"


def _summary(found: Sequence[Standing], reference: str) -> str:
    """One sentence, ``Of 3 comparisons with random on committed boards: better in 2, worse in 1``."""
    counts = Counter(s.change.verdict for s in found if s.change is not None)
    if not counts:
        return f"It was measured, but no committed board has the same row {_beside(reference)}."
    order = ("better", "worse", "not significantly different", "identical", "inconclusive", "not measured")
    parts = [f"{verdict} in {counts[verdict]}" for verdict in order if counts[verdict]]
    total = sum(counts.values())
    against = f"with `{reference}`" if reference else "with no such step"
    return f"Of {total} comparison{'s' if total > 1 else ''} {against} on committed boards: {', '.join(parts)}."


def _table(found: Sequence[Standing], is_reference: bool) -> Iterator[str]:
    heads = ["board", "row", "measure", "value", "rank"] + ([] if is_reference else ["difference", "verdict"])
    yield "| " + " | ".join(heads) + " |\n| " + " | ".join("---" for _ in heads) + " |"
    # What was decided first.
    order = {"worse": 0, "better": 0, "not significantly different": 1}
    ordered = sorted(found, key=lambda s: (order.get(s.change.verdict, 2) if s.change else 3, s.folder))
    for s in ordered[:_MOST]:
        column, cell = s.board.columns[0], s.row.cells[s.board.columns[0].key]
        label = " · ".join(value for value in s.row.labels.values() if value != "none") or "all"
        rank = "–" if s.row.rank is None else str(s.row.rank)
        rank += f"–{s.row.rank_last}" if s.row.rank_last not in (None, s.row.rank) else ""
        cells = [
            f"[{s.folder}](../../leaderboards/{s.folder}/README.md), {s.board.dataset}",
            label,
            column.title,
            column.shown(cell.mean) if cell else "–",
            f"{rank} of {len(s.board.rows)}",
            *([] if is_reference else [_difference(s), s.change.verdict if s.change else "–"]),
        ]
        yield "| " + " | ".join(text.replace("|", "/") for text in cells) + " |"
    if len(ordered) > _MOST:
        yield f"\nThe boards have {len(ordered) - _MOST} more rows with it."


def _difference(standing: Standing) -> str:
    change, scale = standing.change, standing.board.columns[0].scale
    if change is None or change.difference is None or scale == 1:  # numbers of labels are tested by their logarithm
        return "–"
    interval = ""
    if change.interval is not None:
        low, high = change.interval
        interval = f" ({scale * low:+.1f} to {scale * high:+.1f})"
    return f"{scale * change.difference + 0.0:+.2f}{interval}"


@cache
def _standings(root: Path, kind: str) -> tuple[Standing, ...]:
    """Every row with a method of this kind on the committed boards that have a page."""
    found: list[Standing] = []
    for file in sorted((root / "leaderboards").glob("*/results.json")):
        if file.with_name("README.md").is_file():
            content = json.loads(file.read_text(encoding="utf-8"))
            for board in read_boards(Results(file.parent.name, boards=tuple(content["boards"]))):
                found += _of_board(file.parent.name, board, kind)
    return tuple(found)


def _of_board(folder: str, board: Board, kind: str) -> list[Standing]:
    others: dict[str, list[Row]] = defaultdict(list)
    for row in board.rows:
        others[_rest(board, row, kind)].append(row)
    with_method = [row for row in board.rows if board.columns and kind in _methods(board, row)]
    pairs = [(row, _reference(board, others[_rest(board, row, kind)], kind)) for row in with_method]
    compared = [(row, other) for row, other in pairs if other is not None and {*row.units} & {*other.units}]
    changes = judged([draft_of(board.metric, _units(board, other, row), board.fingerprint) for row, other in compared])
    by_row = {id(row): change for (row, _), change in zip(compared, changes, strict=True)}
    return [Standing(folder, board, row, by_row.get(id(row)), other) for row, other in pairs]


def _units(board: Board, reference: Row, row: Row) -> Units:
    """The values of the reference and the row on the units that both have."""
    values = {name: dict(zip(r.units, r.values, strict=True)) for name, r in (("reference", reference), ("row", row))}
    shared = frozenset({*row.units} & {*reference.units})
    return Units(values, shared, board.unit == "query", dict(enumerate(board.groups)))


def _methods(board: Board, row: Row) -> Mapping[str, Method]:
    """By kind; where an older version wrote the board, by the names in its labels."""
    if row.methods is not None:
        return row.methods
    labels = {**board.common, **row.labels}
    return {kind: Method(text.split(" ")[0], {"label": text}) for kind, text in labels.items() if text != "none"}


def _rest(board: Board, row: Row, kind: str) -> str:
    """All that a row is but for its method of one kind."""
    methods = {k: [m.name, m.parameters] for k, m in _methods(board, row).items() if k != kind}
    return json.dumps(methods, sort_keys=True)


def _reference(board: Board, rows: Sequence[Row], kind: str) -> Row | None:
    """Of rows that differ in one kind only, the one with the reference; None where there is none or several."""
    name = REFERENCES[kind]
    of_kind = [(row, _methods(board, row).get(kind)) for row in rows]
    fitting = [(row, method) for row, method in of_kind if (method.name if method else "") == name]
    if len(fitting) > 1:
        fitting = [(row, method) for row, method in fitting if method and not method.non_default]
    return fitting[0][0] if len(fitting) == 1 else None
