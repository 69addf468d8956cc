"""The spec of a comparison: task, datasets, methods, seeds, protocol. Read and checked whole before anything runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any, Final, Literal, get_args

from annotated_types import Ge
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from harness.core.devices import CPU, FP32, Device, Numerics
from harness.core.document import At, Document, path_text, plain, read_document, shape_error
from harness.core.errors import BadParameter, Errors, HarnessError, SpecError, UnknownName, nearest
from harness.plugin_api import KINDS, DataFolders
from harness.registry import DESCRIPTORS
from harness.runs.design import Design, read_design
from harness.runs.devices import AUTO, planned_device
from harness.runs.record import STORED_RANKS

STAGES: Final[Mapping[str, tuple[str, ...]]] = {
    "retrieval": ("descriptors", "backbone", "pooling", "whitening", "reranking", "expansion"),
    "active-learning": ("network", "learning", "acquisition"),
}
"""The kinds that make up a run of each task, in the order of the data. ``descriptors`` are no methods, but files."""

DESCRIBING: Final = ("backbone", "pooling", "reranking")
"""Kinds that look at images: they have no place beside ``descriptors`` from files."""

REQUIRED: Final = frozenset({"backbone", "pooling", "network", "learning", "acquisition"})
DEFAULT_METHODS: Final[Mapping[str, Mapping[str, str]]] = {
    "retrieval": {},
    "active-learning": {"network": "small-cnn"},
}
DEFAULT_SEEDS: Final[Mapping[str, tuple[int, ...]]] = {
    "retrieval": (0,),
    "active-learning": (0, 1, 2, 3, 4, 5),
}
NONE: Final = "none"
DEVICES: Final = (AUTO, *get_args(Device))
PROTOCOL: Final = "protocol"
_EXAMPLE: Final = {"retrieval": "backbone", "active-learning": "network"}
_SEEDS: Final = 2**63
"""Generators of numpy and torch take seeds below this."""


@dataclass(frozen=True)
class Choice:
    """One method or dataset as the spec names it: lists in ``parameters`` are still to be swept."""

    name: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    at: At = ()


@dataclass(frozen=True)
class Combination:
    """Methods that are measured together.

    Attributes:
        kinds: alternatives per kind; a run takes one of each.
        protocol: options of these runs alone; they count before those of ``Spec.protocols`` and ``Spec.protocol``.
        at: where the spec has it.
    """

    kinds: Mapping[str, tuple[Choice | None, ...]]
    protocol: Mapping[str, Any] = field(default_factory=dict)
    at: At = ()


@dataclass(frozen=True)
class Spec:
    """A checked spec: its shape is right; names and parameters are checked by the plan."""

    name: str
    task: str
    datasets: tuple[Choice, ...]
    combinations: tuple[Combination, ...]
    seeds: tuple[int, ...]
    protocol: Mapping[str, Any]
    protocols: Mapping[str, Mapping[str, Any]]
    """Options of single datasets, by name; they count before those of ``protocol``."""
    plugins: tuple[str, ...]
    description: str
    document: Document
    design: Design = field(default_factory=Design)
    """What is tested, of all runs together."""
    keep_ranks: int | None = STORED_RANKS
    """Images of each ranking that are stored beside a record; None: all. The numbers of a run do not depend on it."""
    device: str = CPU
    """Where runs compute, ``auto`` already decided."""
    numerics: str = FP32
    columns: tuple[str, ...] = ()
    """Columns that the tables of its boards show; empty for a few that fit."""

    @property
    def folder(self) -> Path:
        """Where relative paths of the spec start: its own folder."""
        return self.document.file.parent if self.document.file else Path()

    @property
    def arithmetic(self) -> dict[str, str]:
        """Device and numerics as protocol options, those that are not at their default."""
        device = {"device": self.device} if self.device != CPU else {}
        return {**device, **({"numerics": self.numerics} if self.numerics != FP32 else {})}

    def places(self, folders: DataFolders) -> tuple[Path, ...]:
        """Folders in which files that parameters name are looked up: that of the spec, the data, the working folder."""
        return self.folder.absolute(), folders.root, Path.cwd()


class _Shape(BaseModel):
    """The keys of a spec and the types of their values."""

    model_config = ConfigDict(extra="forbid", strict=True)

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    """Name of the board; letters, digits and ``. _ -``."""
    task: Literal["retrieval", "active-learning"]
    """What is measured."""
    description: str = ""
    """Text that the board shows above its tables."""
    datasets: Any
    """Names of the catalogue or of loaders, or mappings from a name to parameters."""
    methods: Any
    """Alternatives of each kind; a run takes one of each."""
    seeds: Any = None
    """One seed or a list. Without it: 0 in retrieval, 0 to 5 in active learning."""
    protocol: dict[str, Any] = {}
    """Options that decide the numbers."""
    protocols: dict[str, dict[str, Any]] = {}
    """Options of single datasets, by name; they count before those of ``protocol``."""
    device: Literal["auto", Device] = "cpu"
    """Where runs compute; ``auto``: on a GPU where the machine that plans them has one. Part of their identity."""
    numerics: Numerics = "fp32"
    """Precision of products: ``fp32``; ``tf32``, on ``cuda`` only; or ``bf16``, in networks. Part of their identity."""
    plugins: list[str] = []
    """Plugin files, relative to the spec, or names of modules."""
    measure: Any = None
    """What is tested: ``area`` (default), ``area-linear``, ``accuracy``, ``accuracy@100`` or ``{labels-to: 90}``; in
    retrieval ``map_medium`` (default), ``map_easy`` or ``map_hard``."""
    baseline: Any = None
    """The row that all others are compared with, by name or words of it: ``random``."""
    smallest_difference: Any = None
    """Points below which two methods count as equal."""
    columns: list[str] = []
    """Columns of the boards beside the first, by key or title (``map_hard``, ``ms/query``), or ``all``."""
    keep_ranks: Annotated[int, Ge(1)] | Literal["all"] = STORED_RANKS
    """Images of each ranking that are stored, or ``all``; more than 100 in a file beside the record."""


def read_spec(source: str | Path | Mapping[str, Any]) -> tuple[Spec, list[HarnessError]]:
    """The spec and the mistakes in its shape; where there are mistakes the spec holds what could be read.

    Raises:
        SpecError: the file cannot be read or is not YAML.
        Errors: nothing can be made of it (no task, no methods).
    """
    if not isinstance(source, str | Path | Mapping):
        raise SpecError(f"{source!r} is no spec", fix="give the path of a YAML file, or a mapping like one")
    document = read_document(Path(source) if isinstance(source, str) else source)
    errors: list[HarnessError] = []
    try:
        _Shape.model_validate(plain(document.data))
    except ValidationError as error:
        keys, name = list(_Shape.model_fields), "letters, digits and . _ - only, without spaces"
        errors += [shape_error(document, dict(detail), keys, patterns=name) for detail in error.errors()]
    data = document.data
    task = data.get("task")
    if not isinstance(task, str) or task not in STAGES:
        raise Errors(errors)
    seeds = _seeds(document, task, errors)
    design, mistakes = read_design(data, task)
    errors += [document.error(error, (key,)) for error, key in mistakes]
    spec = Spec(
        name=str(data.get("name", "")),
        task=task,
        datasets=tuple(choice for choice in _choices(document, data.get("datasets"), ("datasets",), errors) if choice),
        combinations=tuple(_combinations(document, task, errors)),
        seeds=seeds,
        protocol=_mapping(data.get("protocol")),
        protocols={str(name): _mapping(own) for name, own in _mapping(data.get("protocols")).items()},
        plugins=tuple(map(str, _sequence(data.get("plugins")))),
        description=str(data.get("description", "")),
        document=document,
        design=design,
        device=planned_device(_one_of(DEVICES, data.get("device"), CPU)),
        numerics=_one_of(get_args(Numerics), data.get("numerics"), FP32),
        columns=tuple(map(str, _sequence(data.get("columns")))),
        keep_ranks=_kept(data.get("keep_ranks", STORED_RANKS)),
    )
    return spec, errors


def with_arithmetic(spec: Spec, device: str | None, numerics: str | None) -> Spec:
    """The spec with another device and other numerics, also where it states them as options; None leaves what it says.

    Raises:
        BadParameter: there is no such device, or there are no such numerics.
    """
    for name, stated, known in (("device", device, DEVICES), ("numerics", numerics, get_args(Numerics))):
        if stated is not None and stated not in known:
            raise BadParameter(f'unknown {name} "{stated}"', fix=f"one of {', '.join(known)}")
    given = {name for name, value in (("device", device), ("numerics", numerics)) if value is not None}

    def without(options: Mapping[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in options.items() if name not in given}

    return replace(
        spec,
        device=spec.device if device is None else planned_device(device),
        numerics=spec.numerics if numerics is None else numerics,
        protocol=without(spec.protocol),
        protocols={name: without(own) for name, own in spec.protocols.items()},
        combinations=tuple(replace(one, protocol=without(one.protocol)) for one in spec.combinations),
    )


def _seeds(document: Document, task: str, errors: list[HarnessError]) -> tuple[int, ...]:
    stated = document.data.get("seeds")
    if stated is None:
        return DEFAULT_SEEDS[task]
    seeds = stated if isinstance(stated, list) else [stated]
    if not seeds:
        error = SpecError("seeds is empty", fix="give at least one seed, or leave it out")
        errors.append(document.error(error, ("seeds",)))
    before: set[int] = set()
    for position, seed in enumerate(seeds):
        at: At = ("seeds", position) if isinstance(stated, list) else ("seeds",)
        errors += [document.error(error, at) for error in _seed_mistakes(seed, before)]
        before |= {seed} if isinstance(seed, int) else set()
    return tuple(dict.fromkeys(int(seed) for seed in seeds if type(seed) is not bool and isinstance(seed, int)))


def _seed_mistakes(seed: Any, before: Set[int]) -> Iterator[HarnessError]:
    if isinstance(seed, bool) or not isinstance(seed, int):
        yield BadParameter(f"seed {seed!r} should be an integer of at least 0")
        return
    if seed < 0:
        yield BadParameter(f"seed {seed} is negative", fix="seeds are 0, 1, 2, ...")
    if seed >= _SEEDS:
        yield BadParameter(f"seed {seed} is too large", fix="below 2**63")
    if seed in before:
        yield BadParameter(f"duplicate seed {seed}", fix="list each seed once")


def _combinations(document: Document, task: str, errors: list[HarnessError]) -> Iterator[Combination]:
    methods = document.data.get("methods")
    if isinstance(methods, Mapping):
        yield _combination(document, task, methods, ("methods",), errors)
    elif isinstance(methods, list) and methods and all(isinstance(item, Mapping) for item in methods):
        for position, item in enumerate(methods):
            yield _combination(document, task, item, ("methods", position), errors)
    elif "methods" in document.data:
        fix = f"methods: {{{_EXAMPLE[task]}: NAME, ...}} or a list of such mappings"
        errors.append(document.error(SpecError("methods should map kinds to names", fix=fix), ("methods",), key=True))


def _combination(
    document: Document, task: str, methods: Mapping[str, Any], at: At, errors: list[HarnessError]
) -> Combination:
    stages, protocol = STAGES[task], methods.get(PROTOCOL, {})
    if not isinstance(protocol, Mapping):
        error = SpecError(f"protocol = {protocol!r} is no mapping", fix="protocol: {OPTION: VALUE}")
        errors.append(document.error(error, (*at, PROTOCOL), key=True))
    for kind in methods:
        if kind in stages or kind == PROTOCOL:
            continue
        reason = f'"{kind}" does not belong to a {task} run' if kind in KINDS else f'unknown kind "{kind}"'
        fix = f"{nearest(str(kind), stages)} kinds of this task: {', '.join(stages)}".strip()
        errors.append(document.error(UnknownName(reason, fix=fix), (*at, str(kind)), key=True))
    result: dict[str, tuple[Choice | None, ...]] = {}
    for kind in stages:
        stated = methods.get(kind, DEFAULT_METHODS[task].get(kind, NONE))
        where: At = (*at, kind) if kind in methods else at
        choices = tuple(_choices(document, stated, where, errors))
        if kind == DESCRIPTORS:
            choices = tuple(choice and _of_file(choice) for choice in choices)
            if any(choices) and None in choices:
                error = SpecError("descriptors are files or none", fix="make two combinations (methods: a list)")
                errors.append(document.error(error, where, key=True))
        described = any(result.get(DESCRIPTORS, ()))
        if described and kind in DESCRIBING and any(choices):
            reason = f"a run with descriptors from files has no {kind}: there are no images to look at"
            fix = f"leave out {kind}, or make two combinations (methods: a list)"
            errors.append(document.error(SpecError(reason, fix=fix), where, key=True))
        if kind in REQUIRED and None in choices and not described:
            error = SpecError(
                f"a {task} run needs a {kind}", fix=f"add {kind}: NAME (harness methods {kind} lists them)"
            )
            errors.append(document.error(error, where, key=True))
        result[kind] = choices
    return Combination(result, _mapping(protocol), at)


def _of_file(choice: Choice) -> Choice:
    """``descriptors: a.npy`` is short for ``{a.npy: {database: a.npy}}``."""
    return choice if choice.parameters else replace(choice, parameters={"database": choice.name})


def _choices(document: Document, stated: Any, at: At, errors: list[HarnessError]) -> Iterator[Choice | None]:
    """``name``, ``{name: {parameter: value}}`` or a list of these."""
    items = stated if isinstance(stated, list) else [stated]
    if stated is None or items == []:
        errors.append(document.error(SpecError(f"{path_text(at)} is empty", fix="name at least one"), at, key=True))
        return
    for position, item in enumerate(items):
        where: At = (*at, position) if isinstance(stated, list) else at
        if item == NONE or (item is None and isinstance(stated, list)):
            yield None
        elif isinstance(item, str):
            yield Choice(item, {}, where)
        elif isinstance(item, Mapping) and len(item) == 1 and isinstance(next(iter(item.values())), Mapping | None):
            ((name, values),) = item.items()
            yield Choice(str(name), values or {}, (*where, name))
        else:
            fix = "write a name, or {name: {parameter: value}}"
            errors.append(
                document.error(SpecError(f"{path_text(where)} = {item!r} does not name a method", fix=fix), where)
            )


def _kept(stated: Any) -> int | None:
    return stated if isinstance(stated, int) else None


def _one_of(known: Sequence[str], stated: Any, default: str) -> str:
    """What is stated; the default where it is none of what is known, which is a mistake in the shape."""
    return next((name for name in known if name == stated), default)


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _sequence(value: Any) -> Sequence[Any]:
    return value if isinstance(value, list) else []
