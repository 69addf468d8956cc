"""Algorithm 1 of the thesis (§3.3): cycles of train, evaluate, acquire, each stored as soon as it is completed.

A cycle is cached under all that decides it: data, network, learning scheme, seed, and the labelled set. So cycle 0 is
trained once and shared by all acquisitions, and an interrupted run resumes at its last cycle.
Loads torch: import it where a run is done.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from harness.active.models import generator
from harness.active.pool import sealed
from harness.active.protocol import ActiveProtocol
from harness.active.split import annotated, long_tail
from harness.active.stages import Stages
from harness.active.state import State
from harness.cache import Cache
from harness.core.cost import Cost
from harness.core.devices import computing, usable
from harness.core.errors import InvalidInput
from harness.core.progress import Progress
from harness.core.threads import reproducible
from harness.plugin_api import (
    AcquisitionFunction,
    ClassificationSet,
    LearningScheme,
    Network,
    RestoresModel,
)

if TYPE_CHECKING:
    from harness.plugin_api import Floats, Ids

__all__ = ["ActiveProtocol", "ActiveResult", "Cycle", "run_cycles"]


@dataclass(frozen=True)
class Cycle:
    """One cycle.

    Attributes:
        labelled: examples labelled for this cycle, in the order acquired (at first: the initial set, ascending).
        n_labelled: labels in all.
        accuracy: on the test images, in [0, 1].
        train: cost of training and evaluation.
        extract: cost of the features and probabilities of the pool; None for the last cycle.
        acquire: cost of choosing the next examples; None for the last cycle.
        report: what the learning scheme says of its work.
        picked: how many of ``labelled`` are of each class, by their true labels.
        class_accuracy: on the test images of each class; None for a class without any.
        health: loss and accuracy on the labels of this cycle (``health.training_health``).
        equal: what was equal for all unlabelled examples: ``features``, ``probabilities``.
        spent: what all labels cost so far; None where costs are not counted.
    """

    labelled: tuple[int, ...]
    n_labelled: int
    accuracy: float
    train: Cost
    extract: Cost | None
    acquire: Cost | None
    report: Mapping[str, Any]
    picked: tuple[int, ...]
    class_accuracy: tuple[float | None, ...]
    health: Mapping[str, Any]
    equal: tuple[str, ...]
    spent: float | None = None


@dataclass(frozen=True)
class ActiveResult:
    """The cycles of a run, in order; fewer than asked for where the pool ran out.

    Attributes:
        cycles: one a model.
        n_train: examples of the pool.
        full_supervision: accuracy of a model trained on all labels; None where it was not asked for.
    """

    cycles: tuple[Cycle, ...]
    n_train: int
    full_supervision: float | None = None


@reproducible()
def run_cycles(
    dataset: ClassificationSet,
    acquisition: AcquisitionFunction,
    learning: LearningScheme,
    network: Network,
    protocol: ActiveProtocol,
    seed: int,
    *,
    keys: Mapping[str, Any],
    cache: Cache,
    progress: Progress,
    device: str | None = None,
) -> ActiveResult:
    """Label, train, evaluate, acquire, again and again.

    For one seed all acquisitions see the same initial labels, unless they choose them, and in each cycle the same
    initial weights and the same order of batches for the same number of labels. They see the pool in one order, drawn
    by the seed: most methods prefer the lower of two equal examples, and a dataset may be stored class by class.

    Args:
        dataset: images and labels; labels are revealed when they are acquired.
        acquisition: chooses.
        learning: trains.
        network: what is trained.
        protocol: how many labels, how many cycles.
        seed: decides the split, the initial weights, the batches and the acquisition's generator, each on its own.
        keys: identity of the methods by kind, and of the data as ``dataset``: JSON-able.
        cache: where cycles are stored.
        progress: told how far the work is.
        device: ``cpu`` or ``cuda``, in place of that of the protocol.

    Raises:
        InvalidInput: too few examples for the initial labels, costs that are not one a class, or no such device here.
        ContractError: the acquisition broke the rules.
        TrainingFailed: a training diverged or learnt nothing of its own labels.
    """
    positions = np.arange(len(dataset.train_labels))
    if protocol.imbalance != 1:
        dataset, positions = _long_tailed(dataset, protocol.imbalance, seed)
        keys = {**keys, "pool": [protocol.imbalance, seed]}
    keys = {**keys, **_further_keys(protocol, seed)}
    device = usable(device or protocol.device)
    if protocol.warm_start and isinstance(learning, RestoresModel):
        raise InvalidInput("warm_start: this learning scheme has no weights to start from", fix="warm_start: false")
    truth, classes = np.asarray(dataset.train_labels), len(dataset.classes)
    labels = (
        annotated(truth, classes, protocol.label_noise, generator(seed, "noise")) if protocol.label_noise else truth
    )
    costs = _costs_of(truth, classes, protocol)
    dataset = dataclasses.replace(dataset, train_images=sealed(dataset.train_images))
    run = Stages(dataset, positions, learning, network, seed, keys, cache, torch.device(device), protocol, labels)
    with computing(device, protocol.numerics):
        return _cycles(run, acquisition, costs, progress)


def _cycles(run: Stages, acquisition: AcquisitionFunction, costs: Floats | None, progress: Progress) -> ActiveResult:
    """All cycles of a run whose arguments are right."""
    protocol, labels, positions = run.protocol, run.answers, run.positions
    truth, classes = np.asarray(run.dataset.train_labels), len(run.dataset.classes)
    empty = State(np.full(len(labels), -1, dtype=np.int64))
    new = run.first(acquisition, empty)
    state, cycles = empty.after(new, labels), []
    for number in range(protocol.cycles):
        progress.update("cycles", number, protocol.cycles)
        trained = run.trained(state, number)
        budget = 0 if number == protocol.cycles - 1 else min(protocol.budgets[number], int((state.labels < 0).sum()))
        picked = run.acquired(acquisition, trained.arrays, state, budget, number) if budget else None
        cycles.append(
            Cycle(
                labelled=tuple(positions[new].tolist()),
                n_labelled=int((state.labels >= 0).sum()),
                accuracy=float(trained.arrays["accuracy"]),
                train=trained.cost,
                extract=picked.extract if picked else None,
                acquire=picked.cost if picked else None,
                picked=tuple(np.bincount(truth[new], minlength=classes).tolist()),
                equal=picked.equal if picked else (),
                spent=None if costs is None else float(costs[state.labels >= 0].sum()),
                **json.loads(str(trained.arrays["told"])),
            )
        )
        if picked is None:
            break
        new = picked.picks
        model = trained.arrays if protocol.warm_start else None
        state = dataclasses.replace(
            state.after(new, labels), previous=picked.probabilities, model=model, memory=picked.memory
        )
    full = (
        float(run.trained(empty.after(np.arange(len(labels)), labels), 0).arrays["accuracy"])
        if protocol.full_supervision
        else None
    )
    progress.update("cycles", protocol.cycles, protocol.cycles)
    return ActiveResult(tuple(cycles), len(labels), full)


def _further_keys(protocol: ActiveProtocol, seed: int) -> dict[str, Any]:
    """What protocol options add to the keys of all stages; nothing by default."""
    noise = {"noise": [protocol.label_noise, seed]} if protocol.label_noise else {}
    return {**noise, **({"warm_start": True} if protocol.warm_start else {})}


def _costs_of(labels: Ids, n_classes: int, protocol: ActiveProtocol) -> Floats | None:
    """What the label of each example costs; None where costs are not counted."""
    if not protocol.label_costs:
        return None
    if len(protocol.label_costs) != n_classes:
        raise InvalidInput(f"label_costs has {len(protocol.label_costs)} numbers for {n_classes} classes")
    return np.asarray(protocol.label_costs, np.float32)[labels]


def _long_tailed(dataset: ClassificationSet, imbalance: float, seed: int) -> tuple[ClassificationSet, Ids]:
    """The dataset with a smaller pool, and the positions of its images in the whole pool."""
    labels = np.asarray(dataset.train_labels)
    positions = long_tail(labels, len(dataset.classes), imbalance, generator(seed, "imbalance"))
    pool = dataclasses.replace(dataset, train_images=dataset.train_images[positions], train_labels=labels[positions])
    if (seen := dataset.selection_features) is not None:
        pool = dataclasses.replace(pool, selection_features=seen[positions])
    return pool, positions
