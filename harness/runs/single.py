"""Does one run in this process and says in its record how it went."""

from __future__ import annotations

import sysconfig
import traceback
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from harness.cache.provenance import recipe
from harness.core.devices import CUDA
from harness.core.errors import ContractError, HarnessError
from harness.core.progress import Progress
from harness.core.signed import signed
from harness.core.text import printable
from harness.core.threads import threads_here
from harness.data.stand_in.marker import names_stand_in
from harness.plugin_api import DataFolders
from harness.registry.foreign import foreign_code
from harness.registry.locations import class_location
from harness.registry.modules import is_built_in
from harness.runs.environment import environment, gpu_in_use
from harness.runs.identity import Run
from harness.runs.record import Failure, Record
from harness.runs.recreate import describe
from harness.runs.tasks import Outcome, perform

_TRACEBACK_LINES: Final = 30
_MESSAGE_CHARACTERS: Final = 4_000


def execute(
    run: Run,
    folders: DataFolders,
    progress: Progress,
    surroundings: Mapping[str, Any] | None = None,
    places: Sequence[Path] = (),
) -> Record:
    """Do one run; what it raises becomes the record of a failure, except an interrupt by the user.

    Args:
        run: what to do.
        folders: where data and cache live.
        progress: told how far the work is.
        surroundings: what the record says of machine and versions (default: those of this process).
        places: folders in which files that parameters name were looked up.
    """
    started, description = now(), _marked(describe(run), folders)
    try:
        with recipe(_recipe(description, places)):
            outcome = perform(run, folders, progress)
        record = _done(description, outcome, started, surroundings)
        if run.sharding is not None and run.sharding.elsewhere:  # whose processors are in the costs
            where = {**record.environment, "shards": run.sharding.count}
            record = record.model_copy(update={"environment": where})
        _require_json(record)
        return record
    except (Exception, SystemExit) as error:
        failure = failure_of(error)
        return failed(
            description,
            failure.model_copy(update={"place": failure.place or _method(run, error)}),
            started,
            surroundings,
        )


def _method(run: Run, error: BaseException) -> str:
    """Where the method begins whose answer broke a rule: no line of it was under way when that was found."""
    if not isinstance(error, ContractError):
        return ""
    for kind, configured in run.methods.items():
        method = type(configured.method)
        if f'{kind} "{configured.id.name}"' in error.headline and not is_built_in(method.__module__):
            where = class_location(method)
            return f"{where.file.name}:{where.line} class {method.__name__}" if where else ""
    return ""


def _recipe(description: Record, places: Sequence[Path]) -> dict[str, Any]:
    """How the arrays that a run leaves in the cache can be computed again: its record, plugins, places of files."""
    plugins = [code.plugin for code in foreign_code() if code.plugin]
    return {"run": description.model_dump(by_alias=True), "plugins": plugins, "places": list(map(str, places))}


def _marked(description: Record, folders: DataFolders) -> Record:
    """The record with a mark on data and methods that are stand-ins."""

    def marked(part: Any) -> Any:
        return part.model_copy(update={"stand_in": names_stand_in(part.parameters, folders.root)})

    methods = {kind: marked(method) for kind, method in description.methods.items()}
    return description.model_copy(update={"dataset": marked(description.dataset), "methods": methods})


def failed(
    description: Record, failure: Failure, started: str, surroundings: Mapping[str, Any] | None = None
) -> Record:
    """The record of a run that gave no result."""
    return _ended(description, started, surroundings, status="failed", failure=failure)


def failure_of(error: BaseException) -> Failure:
    """What a record says of an error: code, one sentence, the end of the traceback."""
    code = error.code if isinstance(error, HarnessError) else type(error).__name__
    text = error.headline if isinstance(error, HarnessError) else error
    message = printable(text, _MESSAGE_CHARACTERS, keep="\n").partition("\n")[0]
    fix = error.fix if isinstance(error, HarnessError) else ""
    return Failure(code=code, message=message, fix=fix, place=_place(error), traceback=_end_of_traceback(error))


def _place(error: BaseException) -> str:
    """File, line and function of the innermost call in code that is neither the harness nor an installed package."""
    installed = (sysconfig.get_path("purelib"), sysconfig.get_path("platlib"), sysconfig.get_path("stdlib"))
    for frame, line in reversed(list(traceback.walk_tb(error.__traceback__))):
        file, module = frame.f_code.co_filename, str(frame.f_globals.get("__name__", ""))
        if Path(file).is_file() and not file.startswith(installed) and not is_built_in(module):
            return f"{Path(file).name}:{line} in {frame.f_code.co_name}"
    return ""


def _end_of_traceback(error: BaseException) -> str:
    try:
        lines = "".join(traceback.format_exception(error)).splitlines()
    except Exception:  # an error of a plugin may not even have a text
        return ""
    return "\n".join(lines[-_TRACEBACK_LINES:])


def now() -> str:
    """The time as records have it."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def _done(description: Record, outcome: Outcome, started: str, surroundings: Mapping[str, Any] | None) -> Record:
    dataset = description.dataset.model_copy(update={"counts": outcome.counts})
    parts = {name: getattr(outcome, name) for name in ("metrics", "details", "cost", "figures")}
    return _ended(description, started, surroundings, status="done", dataset=dataset, **parts)


def _ended(description: Record, started: str, surroundings: Mapping[str, Any] | None, **outcome: Any) -> Record:
    where = {**(environment() if surroundings is None else surroundings), "threads": threads_here()}
    if description.protocol.get("device") == CUDA and outcome["status"] == "done":
        where["gpu"] = gpu_in_use()
    times = {"started": started or now(), "finished": now()}
    return description.model_copy(update={**outcome, "environment": where, **times})


def _require_json(record: Record) -> None:
    """What a method reports must be plain: a record that cannot be written would end the runs after it."""
    try:
        signed(record.model_dump(by_alias=True))
    except (ValueError, TypeError) as error:
        raise ContractError(f"what the run reports cannot be written as JSON: {error}") from error
