"""Runs a recorded run again, from the data on, and compares the results."""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from harness.cache.latest import forget_all
from harness.core.devices import usable
from harness.core.errors import DataDamaged, DataMissing, HarnessError, PluginError, SpecError, UnknownName
from harness.core.progress import Progress, SilentProgress
from harness.core.scratch import scratch_folder
from harness.data.folders import data_folders
from harness.plugin_api import DataFolders
from harness.registry.composition import source_of
from harness.registry.parameters import resolved
from harness.runs.environment import environment
from harness.runs.identity import Run, engine_source, protocol_identity, result_versions
from harness.runs.record import STORED_RANKS, Failure, Number, Record
from harness.runs.recreate import recreate
from harness.runs.store import Store
from harness.runs.targets import Resolver
from harness.runs.tasks import perform
from harness.runs.tolerances import Tolerances, require_metrics, scale, tolerated

_COSTS: Final = frozenset({"train", "extract", "acquire", "wall_s", "cpu_s", "peak_bytes", "cached", "contended"})
"""Parts of the details that are measured again each time."""
_OF_THE_DATA: Final = "audit"
"""What the details say of the data before a run, which decides nothing of it."""
_SURROUNDINGS: Final = ("python", "platform", "cpu", "cores", "threads")


@dataclass(frozen=True)
class MetricCheck:
    """One headline number, recorded and measured again."""

    metric: str
    recorded: Number
    again: Number
    tolerance: float
    """In points."""

    @property
    def same(self) -> bool:
        """Whether they agree as far as was asked."""
        if self.recorded is None or self.again is None:
            return self.recorded == self.again
        difference = abs(self.again - self.recorded) * scale(self.metric)
        # A tolerance of 0.1 points accepts 0.1, which is no binary fraction.
        return difference <= self.tolerance * (1 + 1e-9)


@dataclass(frozen=True)
class DetailCheck:
    """One part of the details (ranks, average precisions, cycles): how many of its values differ, and the first."""

    name: str
    values: int
    different: int
    first: str = ""


@dataclass(frozen=True)
class Reproduction:
    """A recorded run, and the same run again.

    Attributes:
        record: what was recorded.
        again: the run again, as a record of the same id.
        metrics: headline numbers one by one.
        details: parts of the details one by one.
        differs: what changed since the original run: sources, versions, machine.
        exact: whether details had to agree too: no tolerance was given.
    """

    record: Record
    again: Record
    metrics: tuple[MetricCheck, ...]
    details: tuple[DetailCheck, ...]
    differs: tuple[str, ...]
    exact: bool

    @property
    def same(self) -> bool:
        """Whether it is reproduced: the same failure; or metrics within the tolerance and, without one, details."""
        if self.record.status != self.again.status or _code(self.record) != _code(self.again):
            return False
        details = all(detail.different == 0 for detail in self.details)
        return all(check.same for check in self.metrics) and (details or not self.exact)


def reproduce(
    record: Record | str | Path,
    *,
    plugins: Sequence[str | Path] = (),
    data: str | Path | None = None,
    out: str | Path | None = None,
    tolerance: Tolerances | None = None,
    progress: Progress | None = None,
) -> Reproduction:
    """Run a recorded run again and compare the results.

    Nothing is taken from the cache: descriptors, features and trained networks are computed again in a folder that is
    removed afterwards. Only the user's data folder is read.

    Args:
        record: a record, or a target that holds one: its file, or ``COMMIT:PATH`` of it.
        plugins: files or modules with the methods of the record, besides the installed ones.
        data: folder of the user's data (default ``$HARNESS_DATA``).
        out: folder that gets the new record; it is discarded otherwise.
        tolerance: metric -> points that a number may differ by (``harness.runs.tolerances``); without any, metrics and
            details must be equal to the last digit.
        progress: told how far the work is.

    Raises:
        SpecError: the record cannot be read, or is of a run without a result; ``out`` has a record of it already.
        UnknownName: a tolerance is for a metric that the record does not have.
        PluginError: a method of the record is not there (exit code 3).
        DataMissing: its data are not there.
        DataDamaged: its data are not those that it was measured on.
        InvalidInput: this machine has not the device that it was measured on.
    """
    original = record if isinstance(record, Record) else _read(record, plugins, data)
    # A record lies in a folder beside its spec, and a spec beside the files that it names.
    places = () if isinstance(record, Record) else tuple(Path(record).absolute().parents[:2])
    if original.status == "missing":
        raise SpecError(f"run {original.id} has no result to compare with", fix="harness run executes it")
    if original.metrics:
        require_metrics(tolerance or {}, original.metrics)
    store = Store(Path(out)) if out is not None else None
    if store is not None and store.path(original.id).exists():
        raise SpecError(f"{out} has a record of run {original.id} already", fix="name a folder that is empty")
    with tempfile.TemporaryDirectory(prefix="reproduce-", dir=scratch_folder()) as cache:
        folders = data_folders(data, cache)
        run = _recreated(original, folders, plugins, places)
        forget_all()
        again = _again(run, original, folders, progress or SilentProgress())
    if store is not None:
        store.write(again)
    return Reproduction(
        record=original,
        again=again,
        metrics=tuple(_metrics(original, again, tolerance or {})),
        details=tuple(_details(original, again)),
        differs=tuple(_differences(original, again)),
        exact=not tolerance,
    )


def _read(target: str | Path, plugins: Sequence[str | Path], data: str | Path | None) -> Record:
    """A record that cannot be read is a mistake of the command here, not damage of the data."""
    try:
        return Resolver(tuple(map(str, plugins)), data).record(target)
    except DataDamaged as error:
        raise SpecError(error.headline, fix="give the .json file of a run") from error


def _recreated(record: Record, folders: DataFolders, plugins: Sequence[str | Path], places: Sequence[Path]) -> Run:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # the result says all that it warns of
            run = recreate(record, folders, plugins, places)
            run = replace(run, keep_ranks=_kept(record))
    except UnknownName as error:
        raise PluginError(error.headline, fix=error.fix) from error
    if run.dataset.fingerprint != record.dataset.fingerprint:
        then, now = record.dataset.fingerprint[:12], run.dataset.fingerprint[:12]
        raise DataDamaged(
            f"data set {record.dataset.name} is not what the record was measured on: fingerprint {now}, was {then}",
            fix="bring back the data, or measure again: harness run",
        )
    return run


def _kept(record: Record) -> int | None:
    """How many images of each ranking the run stored."""
    about = record.details.get("kept_ranks")
    wanted = about.get("wanted", STORED_RANKS) if isinstance(about, Mapping) else STORED_RANKS
    return wanted if wanted is None or (isinstance(wanted, int) and wanted > 0) else STORED_RANKS


def _again(run: Run, record: Record, folders: DataFolders, progress: Progress) -> Record:
    """The record of the run now; the data that are missing and the plugins that are broken come through."""
    versions = result_versions(run.task, run.protocol)
    now = {
        "protocol_id": protocol_identity(run.task, resolved(run.protocol), versions),
        "versions": versions,
        "source": engine_source(run.task),
        "methods": {kind: _method(record, kind, run) for kind in run.methods},
        "environment": environment(),
        "started": _now(),
    }
    outcome: dict[str, Any] = {"metrics": {}, "details": {}, "cost": {}, "figures": {}}
    if record.status == "done":
        usable(run.protocol.device)  # that there is none here is no result
    try:
        done = perform(run, folders, progress)
        result = {"metrics": done.metrics, "details": done.details, "cost": done.cost, "figures": done.figures}
        dataset = record.dataset.model_copy(update={"counts": done.counts})
        outcome |= {**result, "dataset": dataset, "status": "done", "failure": None}
    except DataMissing:
        raise
    except (Exception, SystemExit) as error:
        code = error.code if isinstance(error, HarnessError) else type(error).__name__
        text = error.headline if isinstance(error, HarnessError) else str(error).partition("\n")[0]
        outcome |= {"status": "failed", "failure": Failure(code=code, message=text, traceback="")}
    again = record.model_copy(update={**now, **outcome, "finished": _now()})
    return Record.model_validate_json(again.model_dump_json(by_alias=True))  # as a file holds it: lists, no tuples


def _method(record: Record, kind: str, run: Run) -> Any:
    configured = run.methods[kind]
    changed = {name: getattr(configured.id, name) for name in ("plugin", "version", "digest", "files", "origin")}
    return record.methods[kind].model_copy(update={**changed, "source": source_of(type(configured.method))})


def _metrics(record: Record, again: Record, tolerance: Tolerances) -> Iterator[MetricCheck]:
    for name in dict.fromkeys([*record.metrics, *again.metrics]):
        accepted = tolerated(tolerance, name) or 0.0
        yield MetricCheck(name, record.metrics.get(name), again.metrics.get(name), accepted)


def _details(record: Record, again: Record) -> Iterator[DetailCheck]:
    for name in dict.fromkeys([*record.details, *again.details]):
        if name == _OF_THE_DATA:
            continue
        then, now = (dict(_leaves(one.details.get(name), name)) for one in (record, again))
        places = dict.fromkeys([*then, *now])
        different = [place for place in places if then.get(place, _ABSENT) != now.get(place, _ABSENT)]
        first = "".join(f"{p}: {then.get(p, 'absent')}, now {now.get(p, 'absent')}" for p in different[:1])
        yield DetailCheck(name, len(places), len(different), first)


_ABSENT: Final = object()


def _leaves(value: Any, place: str) -> Iterator[tuple[str, Any]]:
    """``cycles[0].accuracy`` and its value, for all values but costs; a record and JSON name lists differently."""
    if isinstance(value, Mapping):
        for name, part in value.items():
            if name not in _COSTS and not str(name).endswith(("_s", "seconds")):
                yield from _leaves(part, f"{place}.{name}")
    elif isinstance(value, list | tuple):
        for index, part in enumerate(value):
            yield from _leaves(part, f"{place}[{index}]")
    else:
        yield place, value


def _differences(record: Record, again: Record) -> Iterator[str]:
    """What changed, one clause each."""
    if record.protocol_id != again.protocol_id:
        versions = [_versions(one) for one in (record, again)]
        known = all(versions) and versions[0] != versions[1]
        then_by, now_by = versions if known else (record.protocol_id, again.protocol_id)
        yield f"what measures ({then_by}, now {now_by})"
    elif record.source != again.source:
        yield f"the source that measures ({record.source or 'not recorded'}, now {again.source})"
    for kind, then in record.methods.items():
        now = again.methods[kind]
        if (then.plugin, then.version) != (now.plugin, now.version):
            yield f'{kind} "{then.name}": plugin {then.plugin} {then.version}, now {now.plugin} {now.version}'
        if then.digest != now.digest:
            yield f'{kind} "{then.name}": code {then.digest[:12]}, now {now.digest[:12]}'
        elif then.source != now.source:
            yield f'{kind} "{then.name}": source {then.source[:12] or "not recorded"}, now {now.source[:12]}'
        for name in dict.fromkeys([*then.files, *now.files]):
            if then.files.get(name) != now.files.get(name):
                yield f'{kind} "{then.name}": {name} holds something else'
    packages = (dict(one.environment.get("packages", {})) for one in (record, again))
    old, new = packages
    for name in dict.fromkeys([*old, *new]):
        if old.get(name) != new.get(name):
            yield f"{name} {old.get(name, 'absent')}, now {new.get(name, 'absent')}"
    for name in _SURROUNDINGS:
        before, after = record.environment.get(name), again.environment.get(name)
        if before != after:
            yield f"{name} {before or 'not recorded'}, now {after or 'not set'}"
    commits = [str(one.environment.get("git", {}).get("commit", ""))[:12] for one in (record, again)]
    if commits[0] != commits[1]:
        yield f"commit {commits[0] or 'not recorded'}, now {commits[1] or 'none'}"


def _versions(record: Record) -> str:
    """``metrics 1, retrieval 2``; empty where the record is older than these versions."""
    return ", ".join(f"{name} {version}" for name, version in record.versions.items())


def _code(record: Record) -> str:
    return record.failure.code if record.failure else ""


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
