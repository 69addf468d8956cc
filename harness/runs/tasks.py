"""What a run does: hands the methods to the task's own package and turns what comes back into the parts of a record."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.cache import Cache
from harness.cache.provenance import current_recipe, foreign_names
from harness.core.cost import Cost
from harness.core.devices import CUDA, usable
from harness.core.digest import digest
from harness.core.progress import Progress
from harness.core.threads import reproducible
from harness.data.folders import use
from harness.plugin_api import DataFolders
from harness.runs.executors.calls import searching_of
from harness.runs.identity import Run
from harness.runs.kept_ranks import leave_ranks
from harness.runs.learning_sets import learning_set
from harness.runs.record import STORED_RANKS, CostRecord, Number
from harness.runs.recreate import describe
from harness.runs.shared_maps import kept_maps

if TYPE_CHECKING:
    from harness.metrics.protocols import Evaluation
    from harness.metrics.ranking import Scores
    from harness.retrieval.joint import JointPooling


@dataclass(frozen=True)
class Outcome:
    """The parts of a record that a task knows."""

    counts: dict[str, int]
    metrics: dict[str, Number]
    details: dict[str, Any]
    cost: dict[str, CostRecord]
    figures: dict[str, Number] = field(default_factory=dict)


@reproducible()
def perform(run: Run, folders: DataFolders, progress: Progress) -> Outcome:
    """Do one run. Whatever a method or the data raise comes through."""
    use(folders)
    dataset = run.dataset.loader.method.load(folders)
    cache = Cache(folders.cache / "arrays")
    keys = {kind: method.key for kind, method in run.methods.items()}
    keys["dataset"] = run.dataset.key
    with memory_of_gpu(run.protocol.device) as peak:
        if run.task == "retrieval":
            outcome = _retrieval(run, dataset, keys, cache, progress, folders)
        else:
            outcome = _active_learning(run, dataset, keys, cache, progress)
    return replace(outcome, figures={**outcome.figures, **peak})


@contextmanager
def memory_of_gpu(device: str) -> Iterator[dict[str, Number]]:
    """Gives the figure ``gpu_peak_bytes`` at its end, and hands cached memory back; nothing of a run on the CPU."""
    found: dict[str, Number] = {}
    if usable(device) != CUDA:
        yield found
        return
    import torch

    torch.cuda.reset_peak_memory_stats()
    try:
        yield found
        found["gpu_peak_bytes"] = float(torch.cuda.max_memory_allocated())
    finally:
        torch.cuda.empty_cache()  # other processes can use it while this one waits for its next run


def _retrieval(
    run: Run, dataset: Any, keys: Mapping[str, Any], cache: Cache, progress: Progress, folders: DataFolders
) -> Outcome:
    from harness.metrics.verdicts.flips import query_groups
    from harness.retrieval.health import doubts
    from harness.retrieval.map_store import MapStore
    from harness.retrieval.pipeline import RetrievalMethods, RetrievalTask, run_retrieval

    methods = RetrievalMethods(**{kind: configured.method for kind, configured in run.methods.items()})
    folder = kept_maps(run, cache.root.parent) if cache.root else None
    # Beside foreign code maps lie apart, like entries of the cache: no cleaner process reads them.
    maps = MapStore(folder / digest(foreign_names())[:16], charged=True) if folder else None
    joint = joint_poolings(run)
    if run.part is not None:
        task = RetrievalTask(dataset, methods, run.protocol, keys, cache, progress, maps, joint_poolings=joint)
        task.describe_part(run.part)
        return Outcome({}, {}, {}, _costs(task.costs))
    with searching_of(run.sharding, folders.cache) as searching:
        result = run_retrieval(
            dataset,
            methods,
            run.protocol,
            keys=keys,
            cache=cache,
            progress=progress,
            maps=maps,
            keep=run.keep_ranks,
            learning=learning_set(run, folders),
            searching=searching,
            joint_poolings=joint,
        )
    details: dict[str, Any] = {"ranks": result.ranks[:, :STORED_RANKS].tolist(), "notes": dict(result.notes)}
    if run.stores_ranks:
        details["kept_ranks"] = leave_ranks(run.id, result.ranks, run.keep_ranks, folders)
    details |= {"health": dict(result.health), "doubts": doubts(result.health)}
    details["groups"] = query_groups(dataset.ground_truth, dataset.groups)
    metrics, precisions = score_numbers(result.scores, run.protocol.ks)
    details |= precisions
    add_evaluations(result.evaluations, metrics, details)
    return Outcome(
        counts={"images": result.n_database, "queries": result.n_queries},
        metrics=metrics,
        details=details,
        cost=_costs(result.costs),
        figures={
            "query_s_p50": _number(result.query_seconds_p50),
            "query_s_p95": _number(result.query_seconds_p95),
            "bytes_per_image": _number(result.bytes_per_image),
            "dimension": _number(result.dimension),
        },
    )


def joint_poolings(run: Run) -> list[JointPooling]:
    """The poolings of other runs that share the pass of this one, with a run that has each."""
    from harness.retrieval.joint import JointPooling

    found = []
    for pooling in run.joint_poolings:
        alone = {"backbone": run.methods["backbone"], "pooling": pooling}
        other = replace(run, id=digest([run.id, pooling.key])[:24], methods=alone)
        recipe = {**current_recipe(), "run": describe(other).model_dump(by_alias=True)}
        found.append(JointPooling(pooling.method, pooling.key, recipe))
    return found


def score_numbers(scores: Mapping[str, Scores], ks: Sequence[int]) -> tuple[dict[str, Number], dict[str, Any]]:
    """What a record says of the scores of rankings: its metrics, and the values of the queries."""
    metrics: dict[str, Number] = {}
    details: dict[str, Any] = {}
    for setup, score in scores.items():
        metrics[f"map_{setup}"] = _number(score.map)
        for k, mean, values in zip(ks, score.mean_precision, score.precision.T, strict=True):
            metrics[f"mp@{k}_{setup}"] = _number(mean)
            details[f"mp@{k}_{setup}"] = [_number(value) for value in values]
        details[f"ap_{setup}"] = [_number(ap) for ap in score.ap]
    if np.isnan(scores["hard"].ap).all():
        plain_means, plain_values = plain_numbers(scores["medium"], ks)
        metrics |= plain_means
        details |= plain_values
    return metrics, details


def add_evaluations(evaluations: Sequence[Evaluation], metrics: dict[str, Number], details: dict[str, Any]) -> None:
    """Add what protocols by name give; what is measured anyway stays: a mean over the orders of tied images."""
    for evaluation in evaluations:
        key = evaluation.name.key
        if key not in metrics:
            metrics[key] = _number(evaluation.mean)
            # Intervals and tests are of means over queries.
            if evaluation.values is not None and evaluation.name.definition.over == "queries":
                details[key] = [_number(value) for value in evaluation.values]


def plain_numbers(scores: Scores, ks: Sequence[int]) -> tuple[dict[str, Number], dict[str, Any]]:
    """What a record says besides of a dataset that does not tell easy from hard: mAP, mAP@k, recall@k.

    Args:
        scores: of the set-up in which all positives count.
        ks: its ranks.

    Returns:
        The metrics, and the values of the queries under the same keys. A query without a positive is a miss of recall.
    """
    columns = {"map": scores.ap}
    columns |= {f"map@{k}": scores.precision_sum[:, i] for i, k in enumerate(ks)}
    columns |= {f"recall@{k}": np.nan_to_num(scores.success[:, i]) for i, k in enumerate(ks)}
    means = {key: values[~np.isnan(values)] for key, values in columns.items()}
    return (
        {key: float(values.mean()) if len(values) else None for key, values in means.items()},
        {key: [_number(value) for value in values] for key, values in columns.items()},
    )


def _active_learning(run: Run, dataset: Any, keys: Mapping[str, Any], cache: Cache, progress: Progress) -> Outcome:
    from harness.active.choosing import advantages
    from harness.active.health import doubts
    from harness.active.loop import run_cycles
    from harness.metrics.classification import area_under_curve, labels_needed

    methods = {kind: configured.method for kind, configured in run.methods.items()}
    result = run_cycles(
        dataset, **methods, protocol=run.protocol, seed=run.seed, keys=keys, cache=cache, progress=progress
    )
    labels = [cycle.n_labelled for cycle in result.cycles]
    accuracy = [cycle.accuracy for cycle in result.cycles]
    acquired = [cycle.acquire for cycle in result.cycles if cycle.acquire is not None]
    extracted = [cycle.extract for cycle in result.cycles if cycle.extract is not None]
    stages = {"train": [cycle.train for cycle in result.cycles], "extract": extracted, "acquire": acquired}
    cost = {stage: sum(costs, Cost()) for stage, costs in stages.items() if costs}  # one cycle acquires nothing
    metrics = {"accuracy": accuracy[-1], "area_under_curve": _number(area_under_curve(labels, accuracy))}
    if result.full_supervision is not None:
        metrics["full_supervision"] = result.full_supervision
    metrics |= {f"labels_to@{t:g}": _number(labels_needed(labels, accuracy, t)) for t in run.protocol.targets}
    return Outcome(
        counts={"train": result.n_train, "test": len(dataset.test_labels), "classes": len(dataset.classes)},
        metrics=metrics | {f"accuracy@{n}": value for n, value in zip(labels, accuracy, strict=True)},
        details={
            "cycles": [asdict(cycle) for cycle in result.cycles],
            "doubts": [*advantages(methods["acquisition"], run.protocol.cycles), *doubts(result.cycles)],
        },
        cost=_costs(cost),
        figures={
            "acquire_s": _number(cost["acquire"].wall_s / len(acquired)) if acquired else None,
            **({} if (spent := result.cycles[-1].spent) is None else {"label_cost": _number(spent)}),
        },
    )


def _costs(costs: Mapping[str, Cost]) -> dict[str, CostRecord]:
    return {stage: CostRecord(**asdict(cost)) for stage, cost in costs.items()}


def _number(value: Any) -> Number:
    """A plain float; None for NaN, which JSON does not have."""
    number = float(value)
    return None if math.isnan(number) else number
