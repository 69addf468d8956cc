"""What a TARGET on the command line means. Every command that takes one asks here.

- a spec (``.yaml``): the records of its runs, planned runs without a record included;
- a leaderboard folder (``spec.yaml``, ``results.json`` or both): the records of the spec where there are any, else the
  boards of ``results.json``;
- any other folder: the records in it, or in ``runs`` beside a ``results.json`` (``harness merge``);
- a file: one record, or the boards of a ``results.json``;
- ``COMMIT:PATH``: any of these as git has it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from harness.core.errors import DataDamaged, SpecError, nearest
from harness.runs.committed import checked_out
from harness.runs.record import Record
from harness.runs.results import Results
from harness.runs.store import RESULTS, Store, read_record

SPEC: Final = "spec.yaml"
RUNS: Final = "runs"
IMPORTED: Final = "imported"
"""Folder below that of the records: what others measured, to be shown beside them."""
REFERENCE: Final = "reference.yaml"
_SPECS: Final = (".yaml", ".yml")
_FIX: Final = (
    "give a spec, a folder of records or of a leaderboard, a record, a results.json, or COMMIT:PATH of one of them"
)


def find_results(
    target: str | Path,
    *,
    plugins: Sequence[str] = (),
    data: str | Path | None = None,
    cache: str | Path | None = None,
    runs: str | Path | None = None,
    add: Sequence[str] = (),
    catalogues: Sequence[Path] = (),
    ranks: bool = True,
    device: str | None = None,
    numerics: str | None = None,
) -> Results:
    """The results that a TARGET names: a spec, a folder, a record, a ``results.json``, or ``COMMIT:PATH`` of one.

    Args:
        target: what a user wrote.
        plugins: files or modules with methods, for a spec.
        data: folder of the user's data, for a spec.
        cache: folder of the cache, for a spec.
        runs: folder of the records of a spec (default ``runs`` beside it).
        add: ``KIND=NAME``: methods that join the alternatives of a spec.
        catalogues: files with datasets, for a spec.
        ranks: whether records are read with the ranking of every query; tables do without.
        device: in place of that of a spec.
        numerics: likewise.

    Raises:
        SpecError: there is nothing of this name.
        Errors: mistakes in a spec, all at once.
        DataDamaged: a file is neither a record nor the results of a leaderboard.
    """
    chosen = Resolver(tuple(plugins), data, cache, runs, tuple(add), tuple(catalogues), ranks, device, numerics)
    return chosen.results(target)


def record_files(target: str | Path, runs: str | Path | None = None) -> list[Path]:
    """The files that a TARGET has as records, whatever they are; none is read.

    Args:
        target: a spec, a folder of records or of a leaderboard, a record, or ``COMMIT:PATH`` of one of them.
        runs: folder of the records of a spec (default ``runs`` beside it).

    Raises:
        SpecError: there is nothing of this name.
    """
    path = Path(target) if Path(target).is_symlink() else _path(target)  # also one that leads nowhere
    if not path.is_dir() and path.suffix not in _SPECS:
        return [path]
    beside = path.parent / RUNS if path.suffix in _SPECS else path / RUNS
    folder = Path(runs) if runs else beside if beside.is_dir() else path if path.is_dir() else beside
    return [file for file in sorted(folder.glob("*.json")) if file.name != RESULTS]


@dataclass(frozen=True)
class Resolver:
    """Says what a TARGET means. The attributes are the arguments of ``find_results``."""

    plugins: tuple[str, ...] = ()
    data: str | Path | None = None
    cache: str | Path | None = None
    runs: str | Path | None = None
    add: tuple[str, ...] = ()
    catalogues: tuple[Path, ...] = ()
    ranks: bool = True
    device: str | None = None
    numerics: str | None = None

    def results(self, target: str | Path) -> Results:
        """The results that a target names. See ``find_results``."""
        path = _path(target)
        if path.is_dir():
            return self._folder(path, str(target))
        if path.suffix in _SPECS:
            return self._planned(path, str(target))
        return self._file(path, str(target))

    def record(self, run: str | Path, among: str | Path | None = None) -> Record:
        """The one record that a target names.

        Args:
            run: a target that holds one record; or, with ``among``, the id of a run.
            among: the target that holds the run's record.

        Raises:
            SpecError: there is no such record, or more than one.
            DataDamaged: it cannot be read.
        """
        if not Path(run).exists() and ":" not in str(run):
            if among is not None:
                return _record_of_id(str(run), among)
            raise SpecError(f"there is no record {run}", fix="give the .json file of a run, or an id and --runs FOLDER")
        records = self.results(run).require_records()
        if len(records) > 1:
            fix = f"give one of them, or its id and --runs {run}"
            raise SpecError(f"{run} holds {len(records)} records, where one is needed", fix=fix)
        return records[0]

    def spec(self, target: str | Path) -> Path:
        """The file of the spec that a target names: a spec, or a leaderboard folder that has one.

        Raises:
            SpecError: the target is no spec and holds none.
        """
        path = _path(target)
        path = path / SPEC if path.is_dir() else path
        if path.suffix not in _SPECS or not path.is_file():
            raise SpecError(f"there is no spec in {target}", fix=f"give a spec, or a folder with a {SPEC}")
        return path

    def _folder(self, path: Path, name: str) -> Results:
        spec, boards = path / SPEC, path / RESULTS
        if not spec.is_file():
            shown = self._records(path, name)
            if shown.records or not boards.is_file():
                return shown
            board, runs = self._file(boards, name), self._records(path / RUNS, name)
            return _as_in(board, runs) if runs.records else board
        if self.runs is not None or not boards.is_file() or any((path / RUNS).glob("*.json")):
            planned = self._planned(spec, name)
            if not boards.is_file() or any(record.status != "missing" for record in planned.records):
                return planned
        shown = self._file(boards, name)
        return replace(shown, reference=_beside(spec))

    def _records(self, path: Path, name: str) -> Results:
        store = Store(path, ranks=self.ranks)
        records = tuple(store.read_all())
        imported, files = self._imported(path)
        return Results(name, (*records, *imported), files={**_files(store, records), **files})

    def _imported(self, folder: Path) -> tuple[list[Record], dict[str, Path]]:
        """What was imported beside the records of a folder, with the files."""
        store = Store(folder / IMPORTED, ranks=self.ranks)
        records = store.read_all()
        return records, _files(store, records)

    def _file(self, path: Path, name: str) -> Results:
        content = _boards(path)
        if path.suffix == ".zip":
            raise SpecError(f"{name} is an archive", fix=f"harness merge {name} makes boards of a bundle")
        if content is None and path.suffix != ".json":
            raise SpecError(f"{name} is neither a spec nor a record", fix=_FIX)
        if content is None:
            record = read_record(path, ranks=self.ranks)
            return Results(name, (record,), files={record.id: path})
        title, description = (str(content.get(key) or "") for key in ("title", "description"))
        return Results(name, boards=tuple(content["boards"]), title=title, description=description)

    def _planned(self, path: Path, name: str) -> Results:
        from harness.data.folders import data_folders
        from harness.runs.looks import seen_seeds
        from harness.runs.plan import make_plan, with_seeds
        from harness.runs.planned import planned_records, runs_store
        from harness.runs.rules import stored_rule

        plan = make_plan(
            path,
            data_folders(self.data, self.cache),
            plugins=self.plugins,
            add=self.add,
            catalogues=self.catalogues,
            incomplete=True,
            device=self.device,
            numerics=self.numerics,
        )
        store = Store(runs_store(plan, self.runs).folder, ranks=self.ranks)
        rule, design = stored_rule(store.folder, plan.spec.name), plan.spec.design
        records = tuple(planned_records(with_seeds(plan, rule.seeds) if rule else plan, store))
        if rule is not None:  # it decides which seeds are run: none is missing
            records = tuple(record for record in records if record.status != "missing")
            design = replace(design, measure=rule.measure, baseline=rule.baseline, rule=rule)
        settings = {(run.dataset.fingerprint, run.protocol_id): run.dataset for run in plan.runs}
        imported, files = self._imported(store.folder)
        beside = [record for record in imported if (record.dataset.fingerprint, record.protocol_id) in settings]
        return Results(
            name,
            (*records, *beside),
            title=plan.spec.name,
            description=plan.spec.description,
            files={**_files(store, records), **files},
            reference=_beside(path),
            missing=plan.missing,
            design=replace(design, seen=seen_seeds(store.folder)),
            columns=plan.spec.columns,
            folder=store.folder,
            plugin_warnings=tuple(map(str, (*plan.registry.broken, *plan.registry.outdated))),
        )


def _as_in(board: Results, runs: Results) -> Results:
    """Records with what the ``results.json`` beside them says of their board, as ``harness merge`` writes both."""
    baselines = {str(one.get("baseline") or "") for one in board.boards}
    design = replace(runs.design, baseline=baselines.pop() if len(baselines) == 1 else "")
    return replace(runs, title=board.title, description=board.description, design=design)


def _path(target: str | Path) -> Path:
    """Where a target lies; what is at a commit is written to a temporary folder first."""
    path = Path(target)
    if path.exists():
        return path
    if ":" in str(target):
        return checked_out(str(target), fix=_FIX)
    raise SpecError(f"there is no {target}", fix=_FIX)


def _record_of_id(run: str, among: str | Path) -> Record:
    path = _path(among)
    folders = [path, path / RUNS] if path.is_dir() else [path.parent / RUNS]
    for folder in folders:
        record = Store(folder).read(run)
        if record is not None:
            return record
    names = [file.stem for folder in folders for file in sorted(folder.glob("*.json"))]
    raise SpecError(f"there is no record {run} in {among}", fix=nearest(run, names) or "give the id of a run in it")


def _files(store: Store, records: Iterable[Record]) -> dict[str, Path]:
    return {record.id: store.path(record.id) for record in records if record.status != "missing"}


def _beside(spec: Path) -> Path | None:
    """The published numbers beside a spec."""
    reference = spec.with_name(REFERENCE)
    return reference if reference.is_file() else None


def _boards(path: Path) -> Mapping[str, Any] | None:
    """The content of a ``results.json``; None where the file is something else."""
    try:
        content = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return None  # read_record says what is wrong
    if not isinstance(content, dict) or "boards" not in content:
        return None
    boards = content["boards"]
    if not isinstance(boards, list) or not all(isinstance(b, dict) and isinstance(b.get("rows"), list) for b in boards):
        raise DataDamaged(f"{path} is not the JSON of a leaderboard", fix="harness leaderboard --format json writes it")
    return content
