"""``harness publish``: records as a bundle that others can read, check and merge."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError

from harness.bundles.bundle import PLUGINS, RUNS, SPEC, SUFFIX, Manifest, is_part, packed
from harness.bundles.private import anonymous, home_in, places_left
from harness.core.errors import DataDamaged, Errors, FileUnusable, HarnessError, PluginError, SpecError, UnknownName
from harness.core.files import write_atomically
from harness.core.places import without_places
from harness.core.progress import Progress
from harness.core.signed import signed
from harness.data.folders import data_folders
from harness.registry import Registry, load_registry
from harness.registry.composition import COMPOSED, code_of, sources_behind
from harness.registry.modules import HARNESS
from harness.runs.plan import Plan, make_plan
from harness.runs.record import Record
from harness.runs.results import Results
from harness.runs.store import Store
from harness.runs.targets import Resolver
from harness.studies.verify_records import verify_records

_SPECS: Final = (".yaml", ".yml")
_HIDDEN: Final = frozenset({"command"})
"""Of an environment: what was typed is in each record."""


@dataclass(frozen=True)
class Published:
    """A bundle that was written.

    Attributes:
        file: of the bundle.
        id: digest of its content, which is the name of its file.
        runs: number of records in it.
        left_out: number of records of others, which are theirs to publish.
        sources: number of source files in it.
    """

    file: Path
    id: str
    runs: int
    left_out: int
    sources: int


def publish(
    target: str | Path,
    out: str | Path,
    *,
    measured_by: str,
    licence: str,
    contact: str = "",
    plugins: Sequence[str | Path] = (),
    catalogues: Sequence[Path] = (),
    data: str | Path | None = None,
    runs: str | Path | None = None,
    progress: Progress | None = None,
) -> Published:
    """Write the records of a target as a bundle.

    Args:
        target: a spec, a folder of records, or a record.
        out: folder that gets the file, or the file (``.zip``).
        measured_by: who did the runs, as boards are to name them.
        licence: under which others may use the records, such as ``CC-BY-4.0``.
        contact: whom to ask about them.
        plugins: files or modules with the methods of the records, besides the installed ones.
        catalogues: files with datasets, for a spec.
        data: folder of the user's data (default ``$HARNESS_DATA``).
        runs: folder of the records of a spec (default ``runs`` beside it).
        progress: told how far the verification is.

    Raises:
        SpecError: there are no records, or who measured them or their licence is not said.
        DataDamaged, Errors: records that ``harness records verify`` calls wrong, each named.
        PluginError: the source of a method is not there, or not the one that ran.
        FileUnusable: the file cannot be written.
    """
    names, spec = tuple(map(str, plugins)), _spec(target)
    plan = _plan(spec, names, data, catalogues) if spec else None
    needed = plan.plugins if plan else names
    checks = verify_records(target, plugins=needed, data=data, runs=runs, progress=progress)
    own = {run.id for run in plan.runs} if plan else {check.file.stem for check in checks}  # others may lie beside them
    wrong = [check.problem for check in checks if check.problem and check.file.stem in own]
    _refuse([DataDamaged(problem, fix="remove it, and run the spec again") for problem in wrong])
    results = Resolver(names, data, None, runs, catalogues=tuple(catalogues)).results(target)
    records = [anonymous(record) for record in results.require_records(written=True) if not record.measured_by]
    if not records:
        raise SpecError(f"{target} has records of others alone", fix="whoever measured them publishes them")
    parts = _records(records, results)
    if spec is not None:
        parts[SPEC] = without_places(spec.read_text(encoding="utf-8")).encode()
    sources = _sources(records, plan.registry if plan else None, names)
    manifest = _manifest(records, {**parts, **sources}, results.title, measured_by, licence, contact)
    file = Path(out) if Path(out).suffix == SUFFIX else Path(out) / f"{manifest.id}{SUFFIX}"
    try:
        write_atomically(file, packed(manifest, {**parts, **sources}))
    except OSError as error:
        raise FileUnusable.of(error, file) from error
    others = sum(bool(record.measured_by) for record in results.records)
    return Published(file, manifest.id, len(records), others, len(sources))


def _refuse(errors: Sequence[HarnessError]) -> None:
    if errors:
        raise errors[0] if len(errors) == 1 else Errors(errors)


def _spec(target: str | Path) -> Path | None:
    """The file of the spec behind a target, None where there is none."""
    path = Path(target)
    spec = path if path.suffix in _SPECS else path / SPEC
    return spec if spec.is_file() else None


def _records(records: Iterable[Record], results: Results) -> dict[str, bytes]:
    """The files of records and of the rankings beside them."""
    parts, errors = {}, list[HarnessError]()
    for record in records:
        if place := places_left(record):
            fix = "name it relative to the spec or to the data folder, and run the spec again"
            errors.append(SpecError(f"run {record.id} is identified by a place on this machine: {place}", fix=fix))
        parts[f"{RUNS}/{record.id}.json"] = signed(record.model_dump(by_alias=True))
        ranks = Store(results.files[record.id].parent).ranks_path(record.id)
        if ranks.is_file() and "kept_ranks" in record.details:
            parts[f"{RUNS}/{ranks.name}"] = ranks.read_bytes()
    _refuse(errors)
    return parts


def _plan(spec: Path, plugins: tuple[str, ...], data: str | Path | None, catalogues: Sequence[Path]) -> Plan:
    folders = data_folders(data, None)
    return make_plan(spec, folders, plugins=plugins, catalogues=tuple(catalogues), incomplete=True)


def _sources(records: Iterable[Record], known: Registry | None, plugins: tuple[str, ...]) -> dict[str, bytes]:
    """The files behind the methods and loaders that are identified by their source. Raises ``PluginError``."""
    wanted = sorted({foreign for record in records for foreign in _foreign(record)})
    if not wanted:
        return {}
    registry, parts = known or load_registry(plugins), dict[str, bytes]()
    for kind, name, code in wanted:
        what = f'the source of {kind} "{name}"'
        if (state := _state(registry, kind, name, code)) != "":
            fix = "load the plugin with --plugin, as it was; or run the spec again"
            raise PluginError(f"{what} {state}", fix=fix)
        for path, file in _files(registry, kind, name).items():
            content = file.read_bytes()
            home = home_in(content)
            if home or not is_part(path) or parts.get(path, content) != content:
                reason = f"it names {home}" if home else f"{path} is not a portable name, or that of another file too"
                raise PluginError(f"{what} cannot be published: {reason}", fix=f"change {file}")
            parts[path] = content
    return parts


def _foreign(record: Record) -> Iterator[tuple[str, str, str]]:
    """Kind, name and digest of what is identified by its source: all that is not built in."""
    named = [(method.kind, method.name, method.digest) for method in record.methods.values()]
    data = [record.dataset, *(m.learning_set for m in record.methods.values() if m.learning_set)]
    named += [("dataset", dataset.loader, dataset.digest) for dataset in data]
    yield from (one for one in named if not all(part.startswith("v") for part in one[2].split("+")))


def _state(registry: Registry, kind: str, name: str, code: str) -> str:
    """What is wrong with the method that is here now; empty where it is the one that ran."""
    try:
        return "" if code_of(registry.entry(kind, name).load()) == code else "is not the one that ran"
    except UnknownName:
        return "is not there"


def _files(registry: Registry, kind: str, name: str) -> dict[str, Path]:
    """The files of the plugins that have a method, or its parts, by their names in a bundle."""
    files: dict[str, Path] = {}
    for part in name.split("+") if kind in COMPOSED else [name]:
        entry = registry.entry(kind, part)
        if entry.origin.plugin != HARNESS:
            folder = f"{PLUGINS}/{entry.origin.plugin.removesuffix('.py')}"
            modules = _modules(registry, entry.origin.plugin)
            files |= {f"{folder}/{place}": file for place, file in sources_behind(entry.load(), modules).items()}
    return files


def _modules(registry: Registry, plugin: str) -> list[str]:
    """The modules that register a plugin: those of its file, or what it is called."""
    loaded = {key for key in registry.loaded if key == plugin or Path(key).name == plugin}
    files = {name: getattr(module, "__file__", None) for name, module in sys.modules.copy().items()}
    return [name for name, file in files.items() if name in loaded or file in loaded]


def _manifest(
    records: Sequence[Record], parts: dict[str, bytes], name: str, measured_by: str, licence: str, contact: str
) -> Manifest:
    try:
        return Manifest(
            name=name,
            measured_by=measured_by,
            licence=licence,
            contact=contact,
            environments=_environments(records),
            audits=_audits(records),
            files={path: hashlib.sha256(content).hexdigest() for path, content in sorted(parts.items())},
        )
    except ValidationError as error:
        option = str(error.errors()[0]["loc"][0]).replace("_", "-")
        raise SpecError(
            f"--{option} is empty or too long", fix='--measured-by "A. Name" --licence CC-BY-4.0'
        ) from error


def _environments(records: Iterable[Record]) -> list[dict[str, Any]]:
    texts = set()
    for record in records:
        public = {key: value for key, value in record.environment.items() if key not in _HIDDEN}
        texts.add(json.dumps(public, sort_keys=True))
    return [json.loads(text) for text in sorted(texts)]


def _audits(records: Iterable[Record]) -> list[dict[str, Any]]:
    """What is known of the data of records, each dataset once."""
    audits: dict[str, dict[str, Any]] = {}
    for record in sorted(records, key=lambda record: record.id):
        data = record.dataset
        about = {"dataset": data.name, "fingerprint": data.fingerprint, "counts": data.counts, "warnings": []}
        audit = audits.setdefault(data.fingerprint, about)
        if isinstance(found := record.details.get("audit"), list):
            audit["warnings"] = sorted({*audit["warnings"], *map(str, found)})
    return [audits[fingerprint] for fingerprint in sorted(audits)]
