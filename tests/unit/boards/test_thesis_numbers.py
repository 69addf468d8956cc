"""The published numbers of the thesis: every file is whole, and every number stands in the thesis where it says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from harness.boards import read_reference

ROOT = Path(__file__).parents[3]
FOLDERS = sorted((ROOT / "leaderboards").glob("thesis-*"))
FIVE = ["map_medium"] * 3 + ["map_hard"] * 2
EIGHT = ["map_medium", "mp@10_medium"] * 2 + ["map_hard", "mp@10_hard"] * 2
FOUR = ["map_medium"] * 2 + ["map_hard"] * 2
# Folder -> number of rows, metrics of the columns.
SHAPES = {
    "thesis-table-3-2": (
        4,
        ["accuracy@100", "accuracy@1000"] + ["accuracy@200", "accuracy@2000"] + ["accuracy@300", "accuracy@3000"],
    ),
    "thesis-table-3-4": (3, ["agree", "accuracy_equal", "accuracy_unequal", "weight_equal", "weight_unequal"] * 2),
    "thesis-table-4-1": (8, FOUR),
    "thesis-table-4-2": (8, EIGHT),
    "thesis-table-4-3": (8, EIGHT),
    "thesis-table-4-5": (9, FOUR),
    "thesis-table-4-6": (12, FOUR),
    "thesis-table-4-7": (12, FOUR),
    "thesis-table-4-8": (12, FOUR),
    "thesis-table-5-1": (12, FIVE),
    "thesis-figure-5-10": (3, ["map_medium"]),
}


def values(row):
    """The numbers of a row, means and deviations alike."""
    return [n for value in row.values if value is not None for n in (value if isinstance(value, tuple) else (value,))]


def test_every_thesis_board_is_there():
    assert {folder.name for folder in FOLDERS} == set(SHAPES)


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_shape_source_and_ranges(folder):
    reference = read_reference(folder / "reference.yaml")
    rows, metrics = SHAPES[folder.name]
    assert len(reference.rows) == rows
    assert [column.metric for column in reference.columns] == metrics
    number = folder.name.removeprefix("thesis-").replace("-", " ", 1).replace("-", ".").capitalize()
    assert reference.source.table == number
    assert reference.source.lines[0] < reference.source.lines[1]
    stated = [n for row in reference.rows for n in values(row)]
    if folder.name == "thesis-figure-5-10":
        assert not stated
        assert any("missing" in note for note in reference.notes)
        return
    per_value = 2 if folder.name == "thesis-table-3-2" else 1
    assert len(stated) == rows * len(metrics) * per_value
    for row in reference.rows:
        for column, value in zip(reference.columns, row.values, strict=True):
            mean = value[0] if isinstance(value, tuple) else value
            low = 0.1 if column.metric.startswith("weight") else 15
            assert low <= mean <= reference.scale(column)


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_hard_is_below_medium_and_spatial_matching_keeps_its_baselines(folder):
    """What must hold of any transcription of these tables: a swapped column would break it."""
    reference = read_reference(folder / "reference.yaml")
    keys = [(column.dataset, column.metric) for column in reference.columns]
    for row in reference.rows:
        found = dict(zip(keys, row.values, strict=True))
        for dataset, metric in keys:
            harder = found.get((dataset, metric.replace("medium", "hard")))
            if metric.endswith("_medium") and harder is not None:
                assert harder < found[dataset, metric]


@pytest.mark.realdata
@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_every_number_stands_in_the_thesis(folder, realdata):
    text = realdata.parent / "thesis.txt"
    if not text.is_file():
        pytest.skip(f"no text of the thesis at {text}")
    reference = read_reference(folder / "reference.yaml")
    first, last = reference.source.lines
    lines = text.read_text(encoding="utf-8", errors="replace").split("\n")[first - 1 : last]
    assert reference.source.table.upper() in "\n".join(lines)
    printed = [found for line in lines if (found := table_numbers(line)) is not None]
    if reference.source.table == "Table 3.2":  # printed cycle by cycle: two columns, four rows each time
        transcribed = [
            [n for value in row.values[start : start + 2] for n in value]
            for start in range(0, 6, 2)
            for row in reference.rows
        ]
    else:
        transcribed = [found for row in reference.rows if (found := values(row))]
    width = max(map(len, transcribed), default=0)
    assert [found for found in printed if len(found) == width] == transcribed


def table_numbers(line):
    """The decimal numbers of a line of a table; None for a line of text or a caption."""
    if line.startswith(("TABLE", "M EASURE")) or "FIGURE" in line:
        return None
    return [float(n) for n in re.findall(r"(?<![\w.])\d+\.\d+(?!\w)", re.sub(r"\[.*?\]", "", line))] or None
