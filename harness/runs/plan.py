"""From a spec to runs: every combination of dataset, methods and seed, with the identity of each.

All names and parameters are checked here, before anything runs, and all mistakes are reported together. Neither torch
nor any data are loaded for it.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from harness.core.document import At
from harness.core.errors import Errors, HarnessError, SpecError, UnknownName
from harness.data.catalogue import catalogue, catalogue_files
from harness.data.folders import use
from harness.plugin_api import DataFolders
from harness.registry import DESCRIPTORS, Registry, load_registry, parameters
from harness.runs.alternatives import Alternatives
from harness.runs.direct import with_names
from harness.runs.fitting import unfitting
from harness.runs.identity import Configured, PlannedDataset, Run, planned_id, protocol_identity, result_versions
from harness.runs.labels import Labels, Method, dataset_labels, method_labels
from harness.runs.shared_maps import with_shared_maps
from harness.runs.spec import PROTOCOL, STAGES, Choice, Combination, Spec, read_spec, with_arithmetic


@dataclass(frozen=True)
class Plan:
    """All runs of a spec, in the order of the spec; ``missing`` says what they still need, each thing once."""

    spec: Spec
    runs: tuple[Run, ...]
    registry: Registry
    folders: DataFolders
    missing: tuple[HarnessError, ...] = ()
    plugins: tuple[str, ...] = ()
    """Files and modules that hold methods, besides the installed plugins: whoever does a run loads them again."""


def make_plan(
    source: str | Path | Mapping[str, Any],
    folders: DataFolders,
    *,
    plugins: tuple[str, ...] = (),
    add: tuple[str, ...] = (),
    strict: bool = False,
    catalogues: tuple[Path, ...] = (),
    incomplete: bool = False,
    device: str | None = None,
    numerics: str | None = None,
) -> Plan:
    """Read a spec, check everything in it, and expand it into runs.

    Args:
        source: a YAML file, or the same as a mapping, which may hold classes and instances of methods.
        folders: where data and cache live.
        plugins: files or modules with methods, besides the installed ones.
        add: ``KIND=NAME``: methods that join the alternatives of the spec.
        strict: a broken installed plugin is an error.
        catalogues: user-supplied files with datasets, besides ``$HARNESS_CATALOGUE`` and ``datasets.yaml`` beside the
            spec.
        incomplete: plan runs whose data or files are missing too, and say so in the plan instead of refusing.
        device: in place of that of the spec, ``auto``, ``cpu`` or ``cuda``.
        numerics: likewise, ``fp32``, ``tf32`` or ``bf16``.

    Raises:
        Errors: all mistakes found, each with its place; and unless ``incomplete``, all that is missing.
        PluginError: a plugin given in ``plugins`` cannot be loaded.
        SpecError: the spec cannot be read at all.
    """
    use(folders)
    registry = load_registry(plugins, strict=strict)
    spec, errors = read_spec(with_names(source, registry))
    spec = with_arithmetic(spec, device, numerics)
    known = catalogue(catalogue_files(catalogues, spec.folder if spec.document.file else None))
    alternatives = Alternatives(spec, registry, known, folders, errors)
    alternatives.load_plugins()
    combinations = _added(spec, add)
    alternatives.require_few(combinations)
    common = alternatives.protocols()
    datasets = list(alternatives.datasets())
    groups = [
        (
            alternatives.protocols(options, at) if options else common,
            list(itertools.chain(*map(alternatives.methods, group))),
        )
        for (options, at), group in _groups(combinations)
    ]
    methods = [combination for _, group in groups for combination in group]
    missing = _once(alternatives.missing)
    if errors or (missing and not incomplete):
        raise Errors(sorted([*errors, *missing], key=_place))
    all_labels = _labels(methods)
    _require_baseline(spec, all_labels)
    labels = iter(all_labels)
    named = [(protocols, [(combination, next(labels)) for combination in group]) for protocols, group in groups]
    runs = [
        _run(spec, protocol, setting, dataset, combination, seed)
        for dataset in _labelled(datasets)
        for protocols, group in named
        for (setting, protocol), combination, seed in itertools.product(
            protocols.get(dataset.name, protocols[""]).items(), group, spec.seeds
        )
    ]
    if wrong := unfitting(spec, runs, folders):
        raise Errors(sorted(wrong, key=_place))
    unique = with_shared_maps({run.id: run for run in runs}.values())
    return Plan(spec, unique, registry, folders, tuple(missing), registry.loaded)


def with_seeds(plan: Plan, seeds: Sequence[int]) -> Plan:
    """The plan with these seeds in place of those of the spec; the runs of a seed follow each other as before."""
    first = plan.spec.seeds[0]
    runs = [
        replace(run, seed=seed, id=planned_id(run.protocol_id, run.dataset, run.methods, seed))
        for run in plan.runs
        if run.seed == first
        for seed in seeds
    ]
    return replace(plan, runs=tuple(runs))


def _require_baseline(spec: Spec, labels: Sequence[Labels]) -> None:
    """Raises ``Errors`` where no run has the words of the baseline among the names of its methods."""
    words = set(re.findall(r"[^\s·,]+", spec.design.baseline))
    if words and not any(words <= set(" ".join(names.values()).split()) for names in labels):
        fix = f"name a method of the spec, such as {next((n for names in labels for n in names.values()), 'random')}"
        error = SpecError(f'baseline "{spec.design.baseline}" is no method of this spec', fix=fix)
        raise Errors([spec.document.error(error, ("baseline",))])


def _added(spec: Spec, add: Iterable[str]) -> list[Combination]:
    """The spec's combinations with the methods of ``--add`` among the alternatives of their kind."""
    combinations = [dict(combination.kinds) for combination in spec.combinations]
    for text in add:
        kind, _, name = text.partition("=")
        if kind not in STAGES[spec.task] or not name:
            kinds = ", ".join(STAGES[spec.task])
            raise UnknownName(f'cannot add "{text}"', fix=f"write KIND=NAME with one of the kinds {kinds}")
        for combination in combinations:
            added = Choice(name, {"database": name}) if kind == DESCRIPTORS else Choice(name)
            combination[kind] = (*combination[kind], added)
    return [replace(old, kinds=new) for old, new in zip(spec.combinations, combinations, strict=True)]


def _groups(combinations: Iterable[Combination]) -> Iterator[tuple[tuple[Mapping[str, Any], At], list[Combination]]]:
    """Neighbours in the spec with the same protocol options of their own: the options, their place, and them."""
    for options, group in itertools.groupby(combinations, key=lambda combination: combination.protocol):
        members = list(group)
        yield (options, (*members[0].at, PROTOCOL)), members


def _labels(combinations: Sequence[Mapping[str, Configured]]) -> list[Labels]:
    """What the methods of each combination are called among all of the plan."""
    named = {
        str(number): {kind: Method(m.id.name, m.id.parameters) for kind, m in methods.items()}
        for number, methods in enumerate(combinations)
    }
    return list(method_labels(named).values())


def _labelled(datasets: Sequence[PlannedDataset]) -> list[PlannedDataset]:
    labels = dataset_labels([(dataset.name, (dataset.loader.id.parameters,)) for dataset in datasets])
    return [replace(dataset, label=label) for dataset, label in zip(datasets, labels, strict=True)]


def _run(
    spec: Spec,
    protocol: Any,
    setting: str,
    dataset: PlannedDataset,
    methods: tuple[Mapping[str, Configured], Labels],
    seed: int,
) -> Run:
    task = spec.task
    versions = result_versions(task, protocol)
    protocol_id = protocol_identity(task, parameters.resolved(protocol), versions)
    combination, labels = methods
    return Run(
        id=planned_id(protocol_id, dataset, combination, seed),
        task=task,
        protocol=protocol,
        protocol_id=protocol_id,
        dataset=dataset,
        methods=combination,
        seed=seed,
        setting=setting,
        labels=labels,
        keep_ranks=spec.keep_ranks,
    )


def _once(missing: list[HarnessError]) -> list[HarnessError]:
    """What is missing, each thing once though several methods need it, in the order of the spec."""
    return sorted({error.headline: error for error in reversed(missing)}.values(), key=_place)


def _place(error: HarnessError) -> tuple[str, int, int]:
    where = error.where
    return (str(where.file), where.line, where.column) if where else ("", 0, 0)
