"""Curves of active learning of CDALBench: ``DATASET/QUERY_SIZE/METHOD/accuracies.csv``, a column a seed."""

from __future__ import annotations

import csv
import itertools
import math
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

from harness.core.errors import DataDamaged, SpecError
from harness.runs.record import Record
from harness.studies.imports.records import LARGEST, Imported, curve, imported_record, published_dataset, read_each

MEASURED_BY: Final = "CDALBench"
_FILE: Final = "accuracies.csv"


def import_cdalbench(folder: Path, measured_by: str = MEASURED_BY) -> Imported:
    """The runs of a folder of results: of each method the file with all seeds, or those of its runs.

    Labels are counted from the initial set, as the files count them.

    Args:
        folder: what holds folders of datasets.
        measured_by: who measured it.

    Raises:
        SpecError: there are no results in it.
    """
    files = sorted(folder.rglob(_FILE))
    whole = {path.parent for path in files}
    files = [path for path in files if not (path.parent.name.startswith("run_") and path.parent.parent in whole)]
    if not files:
        raise SpecError(
            f"there is no {_FILE} in {folder}", fix="a folder with DATASET/QUERY_SIZE/METHOD/accuracies.csv"
        )
    return read_each(files, lambda path: _records(path, measured_by))


def _records(path: Path, measured_by: str) -> Iterable[Record]:
    folders = path.absolute().parent.parts
    if folders[-1].startswith("run_"):
        folders = folders[:-1]
    if len(folders) < 3 or not re.fullmatch(r"[1-9][0-9]{0,8}", folders[-2]):
        raise DataDamaged(f"{path} is not where CDALBench has results", fix="DATASET/QUERY_SIZE/METHOD/accuracies.csv")
    dataset, size, method = folders[-3:]
    for seed, (labels, accuracy) in _curves(path, int(size)).items():
        yield imported_record(
            "active-learning",
            published_dataset("cdalbench", dataset),
            {"acquisition": (method, {})},
            {"query_size": int(size), "labels": "after the initial set"},
            measured_by,
            curve(labels, accuracy),
            seed=seed,
        )


def _curves(path: Path, query_size: int) -> dict[int, tuple[list[int], list[float]]]:
    """Seed -> numbers of labels, and accuracies; a number of labels that was not measured is left out.

    Seeds are columns, and labels the first column; or the other way round.
    """
    cells = _cells(path)
    if _is_turned(cells, query_size):
        cells = [list(row) for row in zip(*cells, strict=True)]
    labels = [int(row[0]) for row in cells[1:]]
    if any(later <= earlier for earlier, later in zip(labels, labels[1:], strict=False)) or labels[0] < 0:
        raise DataDamaged(f"{path}: its numbers of labels do not rise")
    curves: dict[int, tuple[list[int], list[float]]] = {}
    for column, seed in enumerate(map(int, cells[0][1:]), start=1):
        known = [(count, float(row[column])) for count, row in zip(labels, cells[1:], strict=True) if row[column]]
        if not known:
            raise DataDamaged(f"{path}: seed {seed} has no accuracy")
        if seed in curves or seed < 0:
            raise DataDamaged(f"{path}: seed {seed} is there twice, or below 0")
        if any(not (math.isfinite(value) and 0 <= value <= 1) for _, value in known):
            raise DataDamaged(f"{path}: an accuracy of seed {seed} is not in 0 to 1")
        curves[seed] = [count for count, _ in known], [value for _, value in known]
    return curves


def _is_turned(cells: Sequence[Sequence[str]], query_size: int) -> bool:
    """Whether labels stand in the first row: they rise by the query size; else the longer side has them."""
    down = [int(row[0]) for row in cells[1:] if any(row[1:])]
    along = [int(name) for name, *column in list(zip(*cells, strict=True))[1:] if any(column)]
    fits = [
        len(numbers) > 1 and all(b > a and (b - a) % query_size == 0 for a, b in itertools.pairwise(numbers))
        for numbers in (down, along)
    ]
    if fits[0] != fits[1]:
        return fits[1]
    return len(cells[0]) > len(cells) and all(b > a for a, b in itertools.pairwise(along))


def _cells(path: Path) -> list[list[str]]:
    """A grid with labels and seeds as integers in its first row and column."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            cells = [row for row in csv.reader(file) if row]
        if len(cells) < 2 or len(cells[0]) < 2 or len({len(row) for row in cells}) != 1:
            raise DataDamaged(f"{path} is not a table with a row for each number of labels and a column for each seed")
        for name in (*cells[0][1:], *(row[0] for row in cells[1:])):
            if abs(int(name)) > LARGEST:
                raise DataDamaged(f"{path}: {name} is neither a seed nor a number of labels")
        for row in cells[1:]:
            for cell in row[1:]:
                float(cell or 0)
    except (OSError, ValueError, csv.Error) as error:
        raise DataDamaged(f"{path} cannot be read: {error}") from error
    return cells
