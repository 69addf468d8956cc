"""Result folders of LabelBench: ``DATASET/bs_N/embed_E/model_M/trainer_T/METHOD_SEED.pkl``, one run a file.

A file holds a list: curves by name (``Num Labeled``, ``Test Accuracy``, a number a cycle), and the picks in order.
It is read by an unpickler that looks up no name at all.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from harness.core.errors import DataDamaged, HarnessError, SpecError
from harness.data.pickled import read_pickle
from harness.runs.record import Record
from harness.studies.imports.labelbench_checks import contradiction, not_as_written, odd_ones
from harness.studies.imports.records import (
    LARGEST,
    Imported,
    curve,
    imported_record,
    published_dataset,
    read_each,
    refusal,
)

MEASURED_BY: Final = "LabelBench"
_PLACE: Final = re.compile(
    r"([^/]+)/bs_(\d{1,6})/embed_([^/]+)/model_([^/]+)/trainer_([^/]+)/([^/]+?)(?:_sampling)?_(\d{1,18})\.pkl"
)
_CLOSE: Final = 0.01
"""Relative difference up to which a number of labels is taken for a multiple of the batch, as it was meant to be."""


class _Content(NamedTuple):
    """A file.

    Attributes:
        curves: by name, a number a cycle.
        labelled: numbers of labels of the cycles.
        accuracy: test accuracies of the cycles.
        picks: all examples in the order in which they were labelled; None where one was not written down.
    """

    curves: Mapping[str, Any]
    labelled: list[int]
    accuracy: list[float]
    picks: list[int | None]


def import_labelbench(folder: Path, measured_by: str = MEASURED_BY) -> Imported:
    """The runs of a folder of results, at whatever depth.

    Dataset, batch, embedding, model and trainer make a setting, and so a board; the acquisition is the method.

    Args:
        folder: what holds folders of datasets.
        measured_by: who measured it.

    Raises:
        SpecError: there are no results in it.
    """
    files = sorted(folder.rglob("*.pkl"))
    if not files:
        raise SpecError(
            f"there are no results of LabelBench in {folder}",
            fix="a folder with DATASET/bs_N/embed_E/model_M/trainer_T/METHOD_SEED.pkl",
        )
    contents: dict[Path, _Content] = {}
    refused: list[str] = []
    for path in files:
        try:
            contents[path] = _content(path)
        except HarnessError as error:
            refused.append(refusal(path, error))
    odd = odd_ones({path: (read.curves, read.picks[: read.labelled[0]]) for path, read in contents.items()})
    refused += [refusal(path, DataDamaged(f"{path}: {reason}")) for path, reason in odd.items()]
    found = read_each(
        [path for path in contents if path not in odd], lambda path: [_record(path, contents[path], measured_by)]
    )
    return Imported(found.records, (*refused, *found.refused))


def _record(path: Path, content: _Content, measured_by: str) -> Record:
    place = _place(path)
    dataset, batch, embedding, model, trainer, method, seed = place.groups()
    labelled, picks = content.labelled, content.picks
    labels, doubts = _nominal(labelled, int(batch))
    by_cycle: list[list[int]] | None = None
    known = [pick for pick in picks if pick is not None]
    if len(set(known)) == labelled[-1] == len(picks):
        by_cycle = [known[start:stop] for start, stop in itertools.pairwise((0, *labelled))]
    else:
        doubts.append(f"its picks are left out: {len(set(known)):,} examples are listed for {labelled[-1]:,} labels")
    outcome = curve(labels, content.accuracy, by_cycle)
    outcome["details"] |= {"labelled": labelled, **({"doubts": doubts} if doubts else {})}
    return imported_record(
        "active-learning",
        published_dataset("labelbench", dataset),
        {"acquisition": (method, {})},
        {"batch": int(batch), "embedding": embedding, "model": model, "trainer": trainer},
        measured_by,
        outcome,
        seed=int(seed),
    )


def _place(path: Path) -> re.Match[str]:
    place = _PLACE.fullmatch("/".join(path.absolute().parts[-6:]))
    if not place:
        raise DataDamaged(
            f"{path} is not where LabelBench has results", fix="bs_N/embed_E/model_M/trainer_T/METHOD_SEED.pkl"
        )
    return place


def _content(path: Path) -> _Content:
    _place(path)
    content = read_pickle(path, arrays=False)
    if not isinstance(content, list) or len(content) != 2 or not isinstance(content[0], dict):
        raise DataDamaged(f"{path} is not a list of curves and picks")
    curves, picks = content
    labelled, accuracy = curves.get("Num Labeled"), curves.get("Test Accuracy")
    if not _numbers(labelled, (int,)) or not _numbers(accuracy, (int, float)) or len(labelled) != len(accuracy):
        raise DataDamaged(f'{path} has no "Num Labeled" and "Test Accuracy" with a number a cycle')
    if any(later <= earlier for earlier, later in itertools.pairwise((0, *labelled))) or labelled[-1] > LARGEST:
        raise DataDamaged(f"{path}: its numbers of labels do not rise from cycle to cycle")
    if any(not 0 <= value <= 1 for value in accuracy):
        raise DataDamaged(f"{path}: a test accuracy is not in 0 to 1")
    if not _numbers(picks, (int, type(None))) or any(pick is not None and not 0 <= pick < LARGEST for pick in picks):
        raise DataDamaged(f"{path}: its picks are not a list of examples")
    if not_as_written(content, path.read_bytes()):
        raise DataDamaged(f"{path} is damaged: Python writes other bytes for what it says")
    if reason := contradiction(curves, labelled, picks):
        raise DataDamaged(f"{path}: {reason}")
    return _Content(curves, labelled, [float(value) for value in accuracy], picks)


def _numbers(values: Any, kinds: tuple[type, ...]) -> bool:
    return isinstance(values, list) and bool(values) and all(type(value) in kinds for value in values)


def _nominal(labelled: Sequence[int], batch: int) -> tuple[list[int], list[str]]:
    """Numbers of labels as they were meant, multiples of the batch; and a sentence where they were others."""
    meant = [batch * (cycle + 1) for cycle in range(len(labelled))]
    if meant == list(labelled) or any(abs(n - m) > _CLOSE * m for n, m in zip(labelled, meant, strict=True)):
        return list(labelled), []
    return meant, [f"labels are counted as meant, {meant[-1]:,} at the end; they were {labelled[-1]:,}"]
