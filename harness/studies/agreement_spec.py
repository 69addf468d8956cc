"""The agreement study of a spec: every combination of dataset, network and learning apart, all its seeds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache as once
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.cache import Cache
from harness.core.digest import digest
from harness.core.errors import SpecError
from harness.core.progress import Progress, SilentProgress
from harness.data.catalogue import counts
from harness.data.folders import data_folders
from harness.data.stand_in.marker import names_stand_in
from harness.metrics.selections import Comparison
from harness.plugin_api import DataFolders
from harness.registry.parameters import resolved
from harness.runs.comparability import STAND_IN, count_doubt
from harness.runs.identity import Configured, Run
from harness.runs.plan import Plan, make_plan

if TYPE_CHECKING:
    from harness.studies.agreement import Candidate

DEFAULT_REFERENCE = "entropy"  # thesis §3.6: Uncertainty


@dataclass(frozen=True)
class AgreementStudy:
    """Acquisitions compared with a reference on one dataset, with one network and one learning scheme.

    Attributes:
        title: ``digits · small-cnn · supervised``.
        dataset: name.
        reference: label of the reference.
        compared: label of an acquisition -> its comparisons: seed by seed, in each cycle by cycle.
        protocol: the options.
        warnings: why the numbers are not comparable with others of the dataset's name.
    """

    title: str
    dataset: str
    reference: str
    compared: Mapping[str, tuple[Comparison, ...]]
    protocol: Mapping[str, Any] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()


def agreement_studies(
    spec: str | Path | Mapping[str, Any],
    *,
    reference: str = DEFAULT_REFERENCE,
    unlabelled: bool = False,
    plugins: tuple[str, ...] = (),
    catalogues: tuple[Path, ...] = (),
    data: str | Path | None = None,
    cache: str | Path | None = None,
    progress: Progress | None = None,
) -> list[AgreementStudy]:
    """Compare the acquisitions of an active-learning spec with a reference (thesis §3.6).

    Args:
        spec: path of a YAML spec, or the same as a mapping.
        reference: name of an acquisition, with the parameters of the spec where it is listed there, else its defaults.
        unlabelled: measure on all unlabelled examples, not only on what neither acquired.
        plugins: files or modules with methods, besides the installed ones.
        catalogues: files with datasets, besides that of the harness.
        data: folder of the user's data (default ``$HARNESS_DATA``).
        cache: folder of the cache (default ``$HARNESS_CACHE``).
        progress: told how far the work is.

    Raises:
        Errors: mistakes in the spec, all at once.
        SpecError: a spec of another task, nothing to compare, or a reference that is not one method.
        UnknownName: no acquisition has the name of the reference.
    """
    plan = make_plan(spec, data_folders(data, cache), plugins=plugins, catalogues=catalogues)
    if plan.spec.task != "active-learning":
        raise SpecError(f'"{plan.spec.name}" is a {plan.spec.task} spec', fix="give a spec of task active-learning")
    chosen = _reference(plan, reference)
    groups: dict[str, list[Run]] = {}
    for run in plan.runs:
        methods = {kind: run.methods[kind].key for kind in ("network", "learning")}
        groups.setdefault(digest([run.dataset.fingerprint, run.dataset.name, run.protocol_id, methods]), []).append(run)
    compared = [runs for runs in groups.values() if any(_acquisition(run).key != chosen.key for run in runs)]
    if not compared:
        raise SpecError(
            f'"{plan.spec.name}" has no acquisition beside the reference "{reference}"',
            fix="list others under acquisition",
        )
    if not any(run.protocol.budgets for runs in compared for run in runs):
        raise SpecError(f'"{plan.spec.name}" acquires nothing: cycles is 1', fix="protocol: {cycles: 2}")
    return [_study(plan, runs, chosen, unlabelled, progress or SilentProgress()) for runs in compared]


def _reference(plan: Plan, name: str) -> Configured:
    listed = {digest(m.key): m for m in map(_acquisition, plan.runs) if m.id.name == name}
    if len(listed) > 1:
        raise SpecError(
            f'the reference "{name}" is listed with {len(listed)} sets of parameters',
            fix="leave one of them in the spec",
        )
    if listed:
        return next(iter(listed.values()))
    method = plan.registry.create("acquisition", name)
    return Configured(method, plan.registry.identify("acquisition", name, method))


def _study(plan: Plan, runs: list[Run], reference: Configured, unlabelled: bool, progress: Progress) -> AgreementStudy:
    from harness.studies.agreement import AgreementSetting, compare_acquisitions

    first, cache = runs[0], Cache(plan.folders.cache / "arrays")
    compared_methods = {digest(m.key): m for m in map(_acquisition, runs) if m.key != reference.key}
    methods = tuple(compared_methods.values())
    others = {_label(method, (*methods, reference)): _candidate(method) for method in methods}
    seeds = list(dict.fromkeys(run.seed for run in runs))
    compared: dict[str, tuple[Comparison, ...]] = dict.fromkeys(others, ())
    load = once(lambda: first.dataset.loader.method.load(plan.folders))
    keys: dict[str, Any] = {kind: first.methods[kind].key for kind in ("learning", "network")}
    keys["dataset"] = first.dataset.key
    for done, seed in enumerate(seeds):
        progress.update("seeds", done, len(seeds))
        learning, network = (first.methods[kind].method for kind in ("learning", "network"))
        setting = AgreementSetting(load, learning, network, first.protocol, seed, keys, unlabelled)
        for label, result in compare_acquisitions(
            setting, _candidate(reference), others, cache=cache, progress=progress
        ).items():
            compared[label] += result
    progress.update("seeds", len(seeds), len(seeds))
    return AgreementStudy(
        title=_title(first),
        dataset=first.dataset.name,
        reference=_label(reference, methods),
        compared=compared,
        protocol=resolved(first.protocol),
        warnings=tuple(_doubts(first, load(), plan.folders)),
    )


def _doubts(run: Run, dataset: Any, folders: DataFolders) -> Iterator[str]:
    """Why the numbers are not comparable with others of the dataset's name."""
    parameters = [run.dataset.loader.id.parameters, *(method.id.parameters for method in run.methods.values())]
    if any(names_stand_in(given, folders.root) for given in parameters):
        yield STAND_IN
    if doubt := count_doubt(run.dataset.name, counts(dataset), run.dataset.expected):
        yield doubt


def _title(run: Run) -> str:
    """Dataset, swept options, network and learning, with the parameters that tell them from others of the plan."""
    setting = [run.setting] if run.setting else []
    return " · ".join([run.dataset.label, *setting, *(run.labels[kind] for kind in ("network", "learning"))])


def _label(method: Configured, others: Iterable[Configured]) -> str:
    """The name, and the parameters that differ among methods of this name."""
    same = [other.id.parameters for other in others if other.id.name == method.id.name]
    values = method.id.parameters
    differing = [f"{name}={values[name]}" for name in values if any(p.get(name) != values[name] for p in same)]
    return " ".join([method.id.name, *differing])


def _acquisition(run: Run) -> Configured:
    return run.methods["acquisition"]


def _candidate(method: Configured) -> Candidate:
    from harness.studies.agreement import Candidate

    return Candidate(method.id.name, method.method, method.key)
