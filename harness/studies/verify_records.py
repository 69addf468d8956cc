"""Checks records more closely than reading does: rankings against the ground truth, and a sample of runs again."""

from __future__ import annotations

import secrets
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from harness.core.devices import CUDA, usable
from harness.core.errors import DataDamaged, HarnessError, InvalidInput
from harness.core.progress import Progress, SilentProgress
from harness.core.text import sentence
from harness.data.catalogue import catalogue
from harness.data.folders import data_folders
from harness.plugin_api import DataFolders
from harness.registry import Registry, load_registry
from harness.runs.record import Record
from harness.runs.recreate import restored
from harness.runs.store import read_record
from harness.runs.targets import record_files
from harness.runs.tolerances import Tolerances, for_metrics, require_metrics, scale
from harness.studies.draw import Share, drawn
from harness.studies.reproduce import Reproduction, reproduce
from harness.studies.verify_costs import changed_cost, impossible_cost

_ROUNDING: Final = 1e-6


@dataclass(frozen=True)
class RecordCheck:
    """One file, and what was found.

    Attributes:
        file: of the record.
        problem: what is wrong with it; empty if nothing is.
        checked: what was compared beside what every reading compares: ``rankings``, ``run``.
        difference: largest difference of a metric in points, where its run was done again and gave one.
        repeatable: whether its run can be drawn: it is done, nothing is wrong with it by itself, it is no import,
            and this machine has its device.
    """

    file: Path
    problem: str
    checked: tuple[str, ...] = ()
    difference: float | None = None
    repeatable: bool = False


def verify_records(
    target: str | Path | Sequence[str | Path],
    *,
    plugins: Sequence[str | Path] = (),
    data: str | Path | None = None,
    runs: str | Path | None = None,
    recompute: int | str = 0,
    seed: str | None = None,
    times: Callable[[Path], int] | None = None,
    tolerance: Tolerances | None = None,
    progress: Progress | None = None,
) -> list[RecordCheck]:
    """Check every record of a target, in the order of their files.

    A record is wrong where reading refuses it (checksum, old format, no regular file, an id that does not follow from
    it, numbers out of range or not those of its details); where the rankings of queries, whose ground truth is there,
    give another average precision; where its costs cannot be, or its dataset is not what the catalogue calls so; and
    where its run gives another result now.

    Args:
        target: a spec, a folder of records or of a leaderboard, a record, or ``COMMIT:PATH`` of one; or several.
        plugins: files or modules with the methods of the records, besides the installed ones.
        data: folder of the user's data (default ``$HARNESS_DATA``).
        runs: folder of the records of a spec (default ``runs`` beside it).
        recompute: how many runs, drawn at random, are done again from the data on: a number or a share, ``5%``.
        seed: of the draw; None draws others each time.
        times: how often the run of a record was done again already: those of the fewest times are drawn first.
        tolerance: metric -> points that a run may differ by when it is done again; by default nothing may differ.
        progress: told how far the work is.

    Raises:
        SpecError: there is nothing of this name.
        PluginError: a plugin given in ``plugins`` cannot be loaded.
        UnknownName: a tolerance is for a metric that no record has.
        BadParameter: ``recompute`` is neither a number nor a share.
    """
    progress, share = progress or SilentProgress(), Share.parse(recompute)
    folders = data_folders(data, None)
    targets = [target] if isinstance(target, str | Path) else target
    files = [file for one in targets for file in record_files(one, runs)]
    checks: dict[Path, RecordCheck] = {}
    readable: dict[Path, Record] = {}
    truths: dict[str, Any] = {}
    metrics: set[str] = set()
    elsewhere = 0
    for number, file in enumerate(files, start=1):
        try:
            record = _read(file)
            metrics.update(record.metrics)
            checked, problem = _check_rankings(record, plugins, folders, truths, file.absolute().parents[:2])
            problem = problem or _impossible(record)
            again = not problem and record.status == "done" and not record.measured_by
            here = again and _computed_here(record)
            elsewhere += again and not here
            checks[file] = RecordCheck(file, problem, checked, repeatable=here)
            readable |= {file: record} if here else {}
        except DataDamaged as error:
            checks[file] = RecordCheck(file, error.headline)
        progress.update("records", number, len(files))
    if metrics:
        require_metrics(tolerance or {}, metrics)
    if elsewhere and share.number:
        warnings.warn(f"records not run again, as there is no GPU here: {elsewhere}", stacklevel=2)
    for file in drawn(readable, share, seed or secrets.token_hex(8), times):
        own = for_metrics(tolerance, readable[file].metrics)
        problem, difference = _repeated(file, readable[file].id, plugins, data, own, progress)
        checks[file] = RecordCheck(file, problem, (*checks[file].checked, "run"), difference, repeatable=True)
    return list(checks.values())


def _computed_here(record: Record) -> bool:
    """Whether this machine has the device of a run."""
    if record.protocol.get("device") != CUDA:
        return True
    try:
        usable(CUDA)
    except InvalidInput:
        return False
    return True


def _read(file: Path) -> Record:
    record = read_record(file)
    if file.stem != record.id:
        raise DataDamaged(f"{file} holds the record of another run, {record.id}, or one of an earlier format")
    return record


def _impossible(record: Record) -> str:
    """Costs that cannot be, and the name of a dataset that is another one's; empty if there is nothing."""
    entry = catalogue().get(record.dataset.name)
    if entry is not None and not record.measured_by:
        if entry.loader != record.dataset.loader:
            loader = sentence(record.dataset.loader, 80)
            return f"{record.id}: its dataset is called {record.dataset.name}, which {loader} does not load"
        if record.non_default is not None and record.dataset.expected != dict(entry.counts):
            return f"{record.id}: it expects other counts of {record.dataset.name} than the catalogue states"
    cost = impossible_cost(record)
    return f"{record.id}: {cost}" if cost else ""


def _check_rankings(
    record: Record,
    plugins: Sequence[str | Path],
    folders: DataFolders,
    truths: dict[str, Any],
    places: Sequence[Path],
) -> tuple[tuple[str, ...], str]:
    """What could be compared, and the first query whose ranking gives another average precision."""
    ranks = record.details.get("ranks")
    if record.task != "retrieval" or record.status != "done" or not ranks:
        return (), ""
    key = record.dataset.fingerprint
    if key not in truths:
        truths[key] = _ground_truth(record, load_registry(plugins), folders, places)
    truth = truths[key]
    if truth is None:
        return (), ""
    if len(truth) != len(ranks):
        return ("rankings",), f"{record.id}: {len(ranks)} rankings, the data have {len(truth)} queries"
    try:
        return ("rankings",), next(_differences(record, ranks, truth), "")
    except (HarnessError, ValueError, TypeError, AttributeError) as error:
        return ("rankings",), f"{record.id}: its rankings are not those of these data: {sentence(error)}"


def _ground_truth(record: Record, registry: Registry, folders: DataFolders, places: Sequence[Path]) -> Any:
    """The relevance judgements that a record was measured with; None where they are not there, or are others now."""
    try:
        loader = restored(record, registry, (*places, folders.root, Path.cwd()), folders).dataset.loader.method
        if loader.fingerprint(folders) != record.dataset.fingerprint:
            return None
        return loader.load(folders).ground_truth
    except HarnessError:
        return None


def _differences(record: Record, ranks: list[list[int]], truth: Any) -> Iterator[str]:
    """Queries whose relevant images all stand in the stored part of the ranking, and are not tied with others."""
    from harness.metrics.ranking import SETUPS, evaluate

    tied = record.details.get("health", {}).get("tied_relevant", {})
    scores = evaluate(np.array(ranks, np.int64), truth)
    for setup, (positive, _) in SETUPS.items():
        recorded = record.details.get(f"ap_{setup}", [])
        if tied.get(setup):
            continue
        for query, (expected, row) in enumerate(zip(recorded, ranks, strict=True)):
            relevant = {int(i) for label in positive for i in truth[query].get(label, ())}
            if not relevant or not relevant <= set(row):
                continue
            again = float(scores[setup].ap[query])
            if expected is None or abs(again - expected) > _ROUNDING:
                yield f"{record.id}: ap_{setup} of query {query} is {expected}; its ranking gives {again:.6f}"


def _repeated(
    file: Path,
    run_id: str,
    plugins: Sequence[str | Path],
    data: str | Path | None,
    tolerance: Tolerances | None,
    progress: Progress,
) -> tuple[str, float | None]:
    """What is wrong, and the largest difference of a metric in points."""
    try:
        again = reproduce(file, plugins=plugins, data=data, tolerance=tolerance, progress=progress)
    except HarnessError as error:
        return f"{run_id} cannot be run again: {error.headline}", None
    differences = [
        abs(check.again - check.recorded) * scale(check.metric)
        for check in again.metrics
        if check.again is not None and check.recorded is not None
    ]
    return _changed(run_id, again), max(differences, default=0.0)


def _changed(run_id: str, again: Reproduction) -> str:
    """What is wrong with a record, as its run was done again; empty if nothing is."""
    if other := _other_code(again.record, again.again):
        return f"{run_id} was done by other code than what is here: {other}"
    if again.again.dataset.counts != again.record.dataset.counts:
        return f"{run_id} was done on other counts: {again.record.dataset.counts}, now {again.again.dataset.counts}"
    if again.same:
        cost = changed_cost(again.record, again.again)
        return f"{run_id} has other costs: {cost}" if cost else ""
    changed = [f"{check.metric} {check.recorded}, now {check.again}" for check in again.metrics if not check.same]
    changed += [f"{detail.different} values of {detail.name}" for detail in again.details if detail.different]
    return f"{run_id} gives another result: {'; '.join(changed) or again.again.status}"


def _other_code(then: Record, now: Record) -> str:
    """The first result version, or method, of a record that is another one now: equal results would prove nothing."""
    if then.versions != now.versions:
        texts = (", ".join(f"{name} {version}" for name, version in one.versions.items()) for one in (then, now))
        return ", now ".join(texts)
    other = [kind for kind, method in then.methods.items() if method.digest != now.methods[kind].digest]
    return f"{other[0]} {then.methods[other[0]].digest}, now {now.methods[other[0]].digest}" if other else ""
