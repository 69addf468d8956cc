"""Rankings of records in the formats of others: TREC runs with their relevance judgements, and arrays."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np

from harness.core.errors import SpecError
from harness.core.files import write_atomically
from harness.data.folders import data_folders
from harness.registry import load_registry
from harness.runs.kept_ranks import read_ranks
from harness.runs.labels import method_labels, methods_of
from harness.runs.recreate import restored
from harness.runs.store import Store
from harness.runs.targets import find_results
from harness.studies.imports.rankings import dataset_names

if TYPE_CHECKING:
    from harness.plugin_api import DataFolders
    from harness.runs.record import Record

Format = Literal["trec", "npy"]
FORMATS: Final[tuple[Format, ...]] = ("trec", "npy")


def export_rankings(
    target: str | Path,
    folder: Path,
    formats: Sequence[Format] = FORMATS,
    *,
    plugins: Sequence[str] = (),
    catalogues: Sequence[Path] = (),
    data: str | Path | None = None,
    runs: str | Path | None = None,
) -> list[Path]:
    """Write the rankings of all retrieval records of a target.

    ``npy``: ``METHOD.npy`` with ids (q, k), -1 behind the end of a shorter ranking. ``trec``: for each set-up that has
    relevant images ``SETUP.qrels``, and ``METHOD.SETUP.run`` without the images that the set-up takes out: a TREC tool
    would count them as not relevant. Records hold 100 images of a ranking; ``keep_ranks`` of a spec stores more.

    Args:
        target: a spec, a record, or a folder of records.
        folder: to write to; files of several datasets go into a folder each.
        formats: ``trec``, ``npy``.
        plugins: files or modules with the datasets of the records.
        catalogues: files with datasets.
        data: folder of the user's data.
        runs: folder of the records of a spec.

    Returns:
        The files.

    Raises:
        SpecError: there are no rankings.
        DataMissing: the ground truth of a dataset is not there.
    """
    results = find_results(target, plugins=plugins, catalogues=catalogues, data=data, runs=runs)
    records = [r for r in results.require_records(written=True) if r.status == "done" and r.details.get("ranks")]
    if not records:
        raise SpecError(f"there are no rankings in {target}", fix="records of retrieval runs")
    settings: dict[tuple[str, str], list[Record]] = {}
    for record in records:
        settings.setdefault((record.dataset.fingerprint, record.protocol_id), []).append(record)
    written: list[Path] = []
    for number, group in enumerate(settings.values(), start=1):
        own = folder if len(settings) == 1 else folder / f"{number}-{_file_name(group[0].dataset.name)}"
        places = [path.absolute() for file in results.files.values() for path in list(file.absolute().parents)[:3]]
        written += _export(group, own, formats, results.files, data_folders(data, None), plugins, places)
    return written


def _export(
    records: Sequence[Record],
    folder: Path,
    formats: Sequence[Format],
    files: Mapping[str, Path],
    folders: DataFolders,
    plugins: Sequence[str],
    places: Sequence[Path],
) -> list[Path]:
    labels = method_labels({record.id: methods_of(record) for record in records})
    names = {run: _file_name("-".join(kinds.values())) for run, kinds in labels.items()}
    rankings = {record.id: read_ranks(record, Store(files[record.id].parent)) for record in records}
    contents: dict[str, bytes] = {}
    for record in records:
        if "npy" in formats:
            array = io.BytesIO()
            np.save(array, rankings[record.id], allow_pickle=False)
            contents[f"{_unique(names, record)}.npy"] = array.getvalue()
    if "trec" in formats:
        unique = list(dict.fromkeys(places))
        loader = restored(records[0], load_registry(plugins), (*unique, folders.root, Path.cwd()), folders)
        dataset = loader.dataset.loader.method.load(folders)
        names_of = dataset_names(loader.dataset.loader.method, dataset, folders)
        images, queries = map(_words, names_of)
        for setup, truth in _setups(dataset.ground_truth):
            contents[f"{setup}.qrels"] = _qrels(truth, images, queries)
            for record in records:
                name = _unique(names, record)
                contents[f"{name}.{setup}.run"] = _run(rankings[record.id], truth, images, queries, name)
    for name, content in contents.items():
        write_atomically(folder / name, content)
    return [folder / name for name in contents]


def _setups(ground_truth: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, list[tuple[set[int], set[int]]]]]:
    """Each set-up that has relevant images, with the relevant and the removed ids of each query."""
    from harness.metrics.ranking import SETUPS

    for setup, (positive, removed) in SETUPS.items():
        truth = [
            tuple({int(i) for label in labels for i in query.get(label, ())} for labels in (positive, removed))
            for query in ground_truth
        ]
        if any(relevant for relevant, _ in truth):
            yield setup, truth  # type: ignore[misc]  # a tuple of two by the two sets of labels


def _qrels(truth: Sequence[tuple[set[int], set[int]]], images: Sequence[str], queries: Sequence[str]) -> bytes:
    lines = (
        f"{queries[query]} 0 {images[image]} 1\n"
        for query, (relevant, _) in enumerate(truth)
        for image in sorted(relevant)
    )
    return "".join(lines).encode()


def _run(
    rankings: Any, truth: Sequence[tuple[set[int], set[int]]], images: Sequence[str], queries: Sequence[str], name: str
) -> bytes:
    """Scores fall by one from rank to rank."""
    lines = []
    for query, (row, (_, removed)) in enumerate(zip(rankings.tolist(), truth, strict=True)):
        listed = [image for image in row if image >= 0 and image not in removed]
        lines += [
            f"{queries[query]} Q0 {images[image]} {rank} {len(listed) - rank + 1} {name}\n"
            for rank, image in enumerate(listed, start=1)
        ]
    return "".join(lines).encode()


def _words(names: Sequence[str]) -> Sequence[str]:
    """The names for lines of words: numbers where any name has a space, or two are one."""
    words = len(set(names)) == len(names) and all(name and not re.search(r"\s", name) for name in names)
    return names if words else list(map(str, range(len(names))))


def _unique(names: Mapping[str, str], record: Record) -> str:
    """A file name for the methods of a record, with its seed where others have the same methods."""
    alone = list(names.values()).count(names[record.id]) == 1
    return names[record.id] if alone else f"{names[record.id]}-{record.id[:8]}"


def _file_name(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9._=-]+", "-", text).strip("-.") or "run"
