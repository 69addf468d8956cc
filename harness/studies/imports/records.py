"""Records of what others measured, and where they are written."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from harness.core.digest import digest
from harness.core.errors import DataDamaged, HarnessError
from harness.core.text import sentence
from harness.runs.identity import protocol_identity, recorded_id
from harness.runs.plausibility import implausible
from harness.runs.record import DatasetRecord, MethodRecord, Record
from harness.runs.single import now
from harness.runs.store import Store

IMPORTED: Final = "imported"
"""Where methods of imported records come from, in place of a plugin."""
LARGEST: Final = 10**15
"""More labels, and a larger number of a seed or an example, than anything has."""
_CURVE: Final = 20
"""Cycles of which a record names each accuracy among its metrics; of longer curves as many, evenly spread."""


@dataclass(frozen=True)
class Imported:
    """What an import gave.

    Attributes:
        records: in the order of their sources.
        refused: a sentence for each source that is not what it should be, which names it.
    """

    records: tuple[Record, ...]
    refused: tuple[str, ...] = ()


def published_dataset(benchmark: str, name: str, parameters: Mapping[str, Any] | None = None) -> DatasetRecord:
    """A dataset that others measured on: its name is known, its content is not."""
    return DatasetRecord(
        name=name,
        loader=benchmark,
        parameters=dict(parameters or {}),
        fingerprint=digest(["published", benchmark, name]),
    )


def imported_record(
    task: Literal["retrieval", "active-learning"],
    dataset: DatasetRecord,
    methods: Mapping[str, tuple[str, Mapping[str, Any]]],
    protocol: Mapping[str, Any],
    measured_by: str,
    outcome: Mapping[str, Any],
    *,
    seed: int = 0,
    content: str = "",
    versions: Mapping[str, int] | None = None,
) -> Record:
    """One run of somebody else.

    Args:
        task: what was measured.
        dataset: on what.
        methods: kind -> name and parameters.
        protocol: options that tell this setting from others.
        measured_by: who measured it.
        outcome: ``metrics``, ``details``, ``figures``.
        seed: of the run.
        content: digest of what was imported, where two imports of one name are two things.
        versions: result versions of the packages that computed the numbers, where the harness did.

    Raises:
        DataDamaged: such a run cannot have been.
    """
    described = {
        kind: MethodRecord(
            kind=kind,
            name=name,
            parameters=dict(parameters),
            plugin=IMPORTED,
            version="",
            digest=content[:16],
            origin=IMPORTED,
        )
        for kind, (name, parameters) in methods.items()
    }
    record = Record(
        id="",
        status="done",
        task=task,
        protocol=dict(protocol),
        versions=dict(versions or {}),
        protocol_id=protocol_identity(task, protocol, versions or {}),
        dataset=dataset,
        methods=described,
        non_default={
            "protocol": sorted(protocol),
            "dataset": sorted(dataset.parameters),
            **{kind: [] for kind in methods},
        },
        measured_by=measured_by,
        seed=seed,
        started=now(),
        finished=now(),
        **outcome,
    )
    record = record.model_copy(update={"id": recorded_id(record)})
    if reason := implausible(record):
        raise DataDamaged(f"what it says cannot be: {reason}")
    return record


def curve(
    labels: Sequence[int], accuracy: Sequence[float], picks: Sequence[Sequence[int]] | None = None
) -> dict[str, dict[str, Any]]:
    """``metrics`` and ``details`` of a run of active learning: accuracy after so many labels, and what was picked.

    Args:
        labels: number of labels of each cycle, rising.
        accuracy: share of right answers of each cycle.
        picks: examples labelled for each cycle; None where they are not known.
    """
    from harness.metrics.classification import area_under_curve

    shown = range(len(labels)) if len(labels) <= _CURVE else _spread(len(labels))
    metrics = {"accuracy": accuracy[-1], "area_under_curve": float(area_under_curve(labels, accuracy))}
    metrics |= {f"accuracy@{labels[i]}": accuracy[i] for i in shown}
    cycles = [
        {"n_labelled": count, "accuracy": value, **({"labelled": list(picks[i])} if picks is not None else {})}
        for i, (count, value) in enumerate(zip(labels, accuracy, strict=True))
    ]
    return {"metrics": metrics, "details": {"cycles": cycles}}


def read_each(paths: Iterable[Path], read: Callable[[Path], Iterable[Record]]) -> Imported:
    """The records of many files; one that is not what it should be is refused by its name, and the others are read."""
    records: list[Record] = []
    refused: list[str] = []
    for path in paths:
        try:
            records += read(path)
        except HarnessError as error:
            refused.append(refusal(path, error))
    return Imported(tuple(records), tuple(refused))


def refusal(path: Path, error: HarnessError) -> str:
    """Why a file is left out, in a sentence that names it."""
    reason = sentence(error.headline)
    return reason if str(path) in reason else f"{path}: {reason}"


def write_imported(records: Iterable[Record], folder: Path) -> Store:
    """Write records into a folder. Raises ``FileUnusable``."""
    store = Store(folder)
    for record in records:
        store.write(record)
    return store


def _spread(count: int) -> list[int]:
    """Positions of ``_CURVE`` of so many, the first and the last among them."""
    return sorted({round(i * (count - 1) / (_CURVE - 1)) for i in range(_CURVE)})
