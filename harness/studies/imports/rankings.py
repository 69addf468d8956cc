"""The rankings of another system on the board of a spec: scored as the spec's own runs are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from harness.core.digest import file_checksum
from harness.core.errors import DataDamaged, Errors, InvalidInput, SpecError, UnknownName, nearest
from harness.data.folders import data_folders
from harness.data.rankings import Rankings, read_rankings
from harness.plugin_api import DataFolders, HasInstances
from harness.runs.kept_ranks import keep_ranks
from harness.runs.plan import make_plan
from harness.runs.planned import runs_store
from harness.runs.record import STORED_RANKS, Record
from harness.runs.recreate import describe
from harness.runs.store import Store
from harness.runs.targets import IMPORTED
from harness.studies.imports.records import imported_record

if TYPE_CHECKING:
    from harness.plugin_api import RetrievalSet
    from harness.runs.identity import Run

KIND: Final = "ranking"
"""What a record of rankings has in place of methods."""
UNKNOWN: Final = "another system"


@dataclass(frozen=True)
class ImportedRankings:
    """Records, one for each setting of the protocol, and the store they were written to."""

    records: tuple[Record, ...]
    store: Store


def import_rankings(
    spec: str | Path,
    file: Path,
    *,
    name: str = "",
    dataset: str | None = None,
    measured_by: str = UNKNOWN,
    plugins: Sequence[str] = (),
    catalogues: Sequence[Path] = (),
    data: str | Path | None = None,
    cache: str | Path | None = None,
    runs: str | Path | None = None,
) -> ImportedRankings:
    """Score rankings of a file as the runs of a spec are, and write them beside its records.

    ``harness leaderboard`` of the spec, or of the folder of its records, then shows them.

    Args:
        spec: YAML file of a retrieval comparison.
        file: rankings, as ``read_rankings`` reads them.
        name: what boards call them (default: the name of the file without suffix).
        dataset: of the spec, where it has more than one.
        measured_by: who made them.
        plugins: files or modules with methods, besides the installed ones.
        catalogues: files with datasets.
        data: folder of the user's data.
        cache: folder of the cache.
        runs: folder of the records (default ``runs`` beside the spec).

    Raises:
        Errors: mistakes in the spec.
        SpecError: the spec is of another task, or has several datasets and none is named.
        DataMissing, DataDamaged: no such file, or not rankings of the dataset.
    """
    folders = data_folders(data, cache)
    plan = make_plan(spec, folders, plugins=tuple(plugins), catalogues=tuple(catalogues), incomplete=True)
    chosen = _settings(plan.runs, dataset)
    if not chosen[0].dataset.fingerprint:
        raise Errors(plan.missing)
    loaded = chosen[0].dataset.loader.method.load(folders)
    rankings = read_rankings(file, *dataset_names(chosen[0].dataset.loader.method, loaded, folders))
    records = [_record(run, loaded, rankings, file, name or file.stem, measured_by) for run in chosen]
    store = Store(runs_store(plan, runs).folder / IMPORTED)
    for record in records:
        store.write(record)
        keep_ranks(record, rankings.rows, store)
    return ImportedRankings(tuple(records), store)


def dataset_names(loader: Any, dataset: RetrievalSet, folders: DataFolders) -> tuple[Sequence[str], Sequence[str]]:
    """Names of the images and of the queries of a dataset: of its ground truth, else of its files."""
    if isinstance(loader, HasInstances):
        truth = loader.instances(folders)
        return [*truth.images, *(path.name for path in dataset.images[len(truth.images) :])], truth.queries
    return [path.as_posix() for path in dataset.images], [path.as_posix() for path in dataset.queries]


def _settings(runs: Sequence[Run], dataset: str | None) -> list[Run]:
    """A run of each setting of the protocol on one dataset."""
    if runs and runs[0].task != "retrieval":
        raise SpecError(f"rankings are of retrieval, the spec is of {runs[0].task}")
    names = list(dict.fromkeys(run.dataset.label or run.dataset.name for run in runs))
    if dataset is None and len(names) > 1:
        raise SpecError(f"the spec has {len(names)} datasets", fix=f"--dataset with one of: {', '.join(names)}")
    wanted = dataset or names[0]
    chosen = {run.protocol_id: run for run in runs if wanted in (run.dataset.label, run.dataset.name)}
    if not chosen:
        raise UnknownName(f'"{wanted}" is not a dataset of this spec', fix=nearest(wanted, names) or ", ".join(names))
    return list(chosen.values())


def _record(run: Run, dataset: RetrievalSet, rankings: Rankings, file: Path, name: str, measured_by: str) -> Record:
    from harness.metrics.ranking import evaluate
    from harness.metrics.verdicts.flips import query_groups
    from harness.retrieval.evaluations import evaluations
    from harness.retrieval.health import tied_relevant
    from harness.runs.tasks import add_evaluations, score_numbers

    described, ks = describe(run), run.protocol.ks
    try:
        scores = evaluate(
            rankings.rows, dataset.ground_truth, ks, scores=rankings.scores, n_database=len(dataset.images)
        )
        named = evaluations(run.protocol, dataset, rankings.rows, rankings.scores)
    except InvalidInput as error:
        raise DataDamaged(f"rankings {file}: {error.headline}", fix=error.fix) from error
    metrics, details = score_numbers(scores, ks)
    add_evaluations(named, metrics, details)
    details["ranks"] = [row[:STORED_RANKS].tolist() for row in rankings.rows]
    missing = sum(not len(row) for row in rankings.rows)
    notes = [f"{missing} of {len(rankings.rows)} queries have no ranking and count as missed"] if missing else []
    details["notes"] = {"imported": notes, "tied_relevant": tied_relevant(scores)}
    details["groups"] = query_groups(dataset.ground_truth, dataset.groups)
    counts = {"images": len(dataset.images), "queries": len(dataset.queries)}
    record = imported_record(
        "retrieval",
        described.dataset.model_copy(update={"counts": counts}),
        {KIND: (name, {"file": file.name})},
        described.protocol,
        measured_by,
        {"metrics": metrics, "details": details},
        content=file_checksum(file),
        versions=described.versions,
    )
    return record.model_copy(update={"non_default": {**(described.non_default or {}), KIND: []}})
