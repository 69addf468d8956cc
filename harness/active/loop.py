"""Algorithm 1 of the thesis (§3.3): cycles of train, evaluate, acquire, each stored as soon as it is completed.

A cycle is cached under all that decides it: data, network, learning scheme, seed, and the labelled set. So cycle 0 is
trained once and shared by all acquisitions, and an interrupted run resumes at its last cycle.
Loads torch: import it where a run is done.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import torch
from torch import nn

from harness.active import RESULT_VERSION, training
from harness.active.choosing import Memory, choose
from harness.active.graphs import POOL_GRAPH, StoredGraphs, affinity, reordered
from harness.active.health import (
    class_accuracies,
    diverged,
    drowned,
    equal_scores,
    is_finite,
    require_trained,
    training_health,
)
from harness.active.models import WEIGHT, Models, Shown, generator, weights_of
from harness.active.pool import Pool, sealed
from harness.active.protocol import ActiveProtocol
from harness.active.split import annotated, balanced_labels, long_tail, random_labels
from harness.cache import Arrays, Cache
from harness.core.cost import Cost, measured
from harness.core.devices import computing, numerics_key, usable
from harness.core.digest import digest
from harness.core.errors import ContractError, InvalidInput
from harness.core.progress import Progress
from harness.core.threads import reproducible
from harness.data import RESULT_VERSION as DATA_VERSION
from harness.metrics import RESULT_VERSION as METRICS_VERSION
from harness.metrics.classification import accuracy
from harness.plugin_api import (
    AcquisitionFunction,
    ChangesByCycle,
    ClassificationSet,
    HasReport,
    KeepsFeatures,
    LearningScheme,
    Network,
    RestoresModel,
    TrainingSet,
)
from harness.registry.composition import preparation

if TYPE_CHECKING:
    from harness.plugin_api import Floats, Ids

_MEMORY: Final = "memory "
COLD_START: Final = "first_set: balanced or random, or an acquisition such as typiclust first (typiclust+margin)"

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
    run = _Run(dataset, positions, learning, network, seed, keys, cache, torch.device(device), protocol, labels)
    with computing(device, protocol.numerics):
        return _cycles(run, acquisition, costs, progress)


def _cycles(run: _Run, acquisition: AcquisitionFunction, costs: Floats | None, progress: Progress) -> ActiveResult:
    """All cycles of a run whose arguments are right."""
    protocol, labels, positions = run.protocol, run.answers, run.positions
    truth, classes = np.asarray(run.dataset.train_labels), len(run.dataset.classes)
    empty = _State(np.full(len(labels), -1, dtype=np.int64))
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


@dataclass(frozen=True)
class _State:
    """The beginning of a cycle.

    Labels (n,), -1 where unknown; digests of each acquisition; probabilities of the last model, and its arrays where
    training starts from them; what the acquisition remembers.
    """

    labels: Ids
    history: tuple[str, ...] = ()
    previous: Floats | None = None
    model: Arrays | None = None
    memory: Memory | None = None

    def after(self, new: Ids, labels: Ids) -> _State:
        revealed = self.labels.copy()
        revealed[new] = labels[new]
        return _State(revealed, (*self.history, digest(np.sort(new).tolist())))


@dataclass(frozen=True)
class _Picked:
    picks: Ids
    probabilities: Floats
    extract: Cost
    cost: Cost
    equal: tuple[str, ...]
    memory: Memory | None


def _long_tailed(dataset: ClassificationSet, imbalance: float, seed: int) -> tuple[ClassificationSet, Ids]:
    """The dataset with a smaller pool, and the positions of its images in the whole pool."""
    labels = np.asarray(dataset.train_labels)
    positions = long_tail(labels, len(dataset.classes), imbalance, generator(seed, "imbalance"))
    pool = dataclasses.replace(dataset, train_images=dataset.train_images[positions], train_labels=labels[positions])
    if (seen := dataset.selection_features) is not None:
        pool = dataclasses.replace(pool, selection_features=seen[positions])
    return pool, positions


@dataclass(frozen=True)
class _Run:
    dataset: ClassificationSet
    positions: Ids
    learning: LearningScheme
    network: Network
    seed: int
    keys: Mapping[str, Any]
    cache: Cache
    device: torch.device
    protocol: ActiveProtocol
    answers: Ids

    @cached_property
    def order(self) -> Ids:
        """The order in which acquisitions see the pool."""
        return generator(self.seed, "order").permutation(len(self.positions))

    def trained(self, state: _State, cycle: int) -> Any:
        """Accuracy and weights of the model of this labelled set; computed or read."""
        return self.cache.get_or_compute(self._key("cycle", state, cycle), lambda: self._train(state, cycle))

    def acquired(
        self, acquisition: AcquisitionFunction, arrays: Arrays, state: _State, budget: int, cycle: int
    ) -> _Picked:
        """The picks of this cycle and what choosing cost; features are there before the clock starts."""
        identity = self.keys["acquisition"]
        extracted = self.cache.get_or_compute(self._key("extract", state, cycle), lambda: self._extract(arrays))
        shown = Shown(self._models, weights_of(arrays), self._data(state, cycle), self.order)
        pool = self._pool(extracted.arrays, state, shown)
        costs: list[Cost] = []

        def chosen_now() -> Arrays:
            with measured() as cost:
                found = self._choose(acquisition, cycle, pool, budget, state)
            costs.append(cost)
            return found

        key = {**self._key("acquire", state, cycle), "acquisition": identity, "budget": budget}
        chosen = self.cache.get_or_compute(key, chosen_now)
        cost = costs[0] if costs else chosen.cost
        left = pool.unlabelled
        equal = equal_scores(pool.features[left], pool.probabilities[left])
        remembered = [name for name in chosen.arrays if name.startswith(_MEMORY)]
        memory = {name.removeprefix(_MEMORY): chosen.arrays[name] for name in remembered} or None
        said = extracted.arrays["probabilities"]
        return _Picked(chosen.arrays["picks"], said, extracted.cost, cost, equal, memory)

    def first(self, acquisition: AcquisitionFunction, empty: _State) -> Ids:
        """Positions of the first labels; in the order of the choice where the acquisition chooses them."""
        labels, total = self.dataset.train_labels, self.protocol.initial
        if self.protocol.first_set == "balanced":
            return balanced_labels(labels, len(self.dataset.classes), total, generator(self.seed, "split"))
        if self.protocol.first_set == "random":
            return random_labels(len(labels), total, generator(self.seed, "split"))
        name, method = self._name("acquisition"), self._method(acquisition, -1)
        if not getattr(method, "cold_start", False):
            raise InvalidInput(f"{name} cannot choose the first labels: it needs some", fix=COLD_START)

        def chosen_first() -> Arrays:
            pool = self._pool(self._extract_untrained(empty), empty, None)
            return {"picks": self._choose(acquisition, -1, pool, total, empty)["picks"]}

        key = {**self._key("acquire", empty, -1), "acquisition": self.keys["acquisition"], "budget": total}
        picks: Ids = self.cache.get_or_compute(key, chosen_first).arrays["picks"]
        return picks

    def _method(self, acquisition: AcquisitionFunction, cycle: int) -> AcquisitionFunction:
        """What chooses after a cycle; -1: before the first. A choice of the first labels is one more choice."""
        choice = cycle + (self.protocol.first_set == "acquisition")
        return acquisition.at(choice) if isinstance(acquisition, ChangesByCycle) else acquisition

    def _choose(self, acquisition: AcquisitionFunction, cycle: int, pool: Pool, budget: int, state: _State) -> Arrays:
        """The choice after a cycle (-1: before the first): ``picks``, and what the method remembers."""
        method, before = self._method(acquisition, cycle), self._method(acquisition, max(cycle - 1, -1))
        picks, memory = choose(
            method,
            pool,
            budget,
            generator(self.seed, "acquisition", cycle) if cycle >= 0 else generator(self.seed, "first"),
            name=self._name("acquisition"),
            answers=self.answers[self.order],
            truth=self.dataset.train_labels[self.order],
            memory=state.memory if type(before) is type(method) else None,
        )
        return {"picks": self.order[picks], **{f"{_MEMORY}{name}": value for name, value in memory.items()}}

    def _pool(self, extracted: Arrays, state: _State, shown: Shown | None) -> Pool:
        order, images = self.order, self.dataset.train_images
        features, graph = self._seen(extracted)
        return Pool(
            features=features[order],
            probabilities=extracted["probabilities"][order],
            labels=state.labels[order],
            images=lambda indices: images[order[indices]],
            dropout=shown.dropout if shown else None,
            positions=self.positions[order],
            affinity=lambda: reordered(graph(features, *POOL_GRAPH), order),
            shared_dropout=shown.shared_dropout if shown else None,
            members=shown.members if shown else None,
            # Other features than the model's own are not what its last layer is a function of.
            head=shown.head if shown and self.dataset.selection_features is None else None,
        )

    def _extract_untrained(self, empty: _State) -> Arrays:
        """What is known before the first label: features of the initial model, all classes equally likely."""
        n, classes = len(empty.labels), len(self.dataset.classes)
        uniform = np.full((n, classes), 1 / classes, np.float32)
        if self.fixed_features is not None:
            return {"probabilities": uniform}
        images, flip = self.dataset.train_images, self.dataset.flip
        model = self._initial_model(TrainingSet(images, empty.labels, classes, flip))
        return {"probabilities": uniform, "features": training.extract(model, images)[0]}

    def _key(self, stage: str, state: _State, cycle: int) -> dict[str, Any]:
        return {**self._base(stage), "cycle": cycle, "labelled": list(state.history)}

    def _base(self, stage: str) -> dict[str, Any]:
        """What every stage depends on."""
        methods = {kind: self.keys[kind] for kind in ("dataset", "learning", "network")}
        engine = [RESULT_VERSION, DATA_VERSION, METRICS_VERSION]
        numerics = numerics_key(self.device.type, self.protocol.numerics)
        pool = {name: self.keys[name] for name in ("pool", "noise", "warm_start") if name in self.keys}
        return {"stage": stage, **methods, **pool, "seed": self.seed, "numerics": numerics, "engine": engine}

    def _data(self, state: _State, cycle: int) -> TrainingSet:
        """What a training of this cycle may see."""
        images, classes = self.dataset.train_images, len(self.dataset.classes)
        graphs = self._graphs(isinstance(self.network, KeepsFeatures))
        return TrainingSet(images, state.labels.copy(), classes, self.dataset.flip, cycle, state.previous, graphs)

    def _train(self, state: _State, cycle: int) -> Arrays:
        data, labels, classes = self._data(state, cycle), state.labels.copy(), len(self.dataset.classes)
        model = self._models.restored(weights_of(state.model)) if state.model else self._initial_model(data)
        with self._explained(model, cycle):
            model = self.learning.train(model, data, generator(self.seed, "training", cycle))
        report = dict(model.report) if isinstance(model, HasReport) else {}
        health = self._health(model, labels, report, cycle)
        predicted = training.extract(model, self.dataset.test_images)[1].argmax(axis=1)
        weights = {f"{WEIGHT}{name}": value.cpu().numpy() for name, value in model.state_dict().items()}
        told = {
            "report": report,
            "class_accuracy": class_accuracies(predicted, self.dataset.test_labels, classes),
            "health": health,
        }
        correct = accuracy(predicted, self.dataset.test_labels)
        return {"accuracy": np.array(correct), "told": np.array(json.dumps(told)), **weights}

    def _health(self, model: nn.Module, labels: Ids, report: Mapping[str, Any], cycle: int) -> dict[str, Any]:
        """Of a trained model on its own labels; refused where it learnt nothing."""
        own = np.flatnonzero(labels >= 0)
        if not is_finite(model, self.dataset.train_images[own]):
            raise diverged(self.learning, self._name("learning"), cycle)
        probabilities = training.extract(model, self.dataset.train_images[own])[1]
        health = training_health(probabilities, labels[own])
        if not (health["finite"] and drowned(probabilities, report)):
            require_trained(health, self.learning, self._name("learning"), cycle)
        return health

    @contextmanager
    def _explained(self, model: nn.Module, cycle: int) -> Iterator[None]:
        """What a scheme raises of features that are not finite is the end of a training that diverged."""
        try:
            yield
        except InvalidInput as error:
            if is_finite(model, self.dataset.train_images[:2]):
                raise
            raise diverged(self.learning, self._name("learning"), cycle) from error

    def _name(self, kind: str) -> str:
        """What messages call a method: ``learning "semi"``."""
        identity = self.keys[kind]
        return f'{kind} "{identity.get("name", "") if isinstance(identity, Mapping) else identity}"'

    def _extract(self, arrays: Arrays) -> Arrays:
        features, probabilities = training.extract(self._models.restored(weights_of(arrays)), self.dataset.train_images)
        return {"probabilities": probabilities, **({"features": features} if self.fixed_features is None else {})}

    @cached_property
    def fixed_features(self) -> Floats | None:
        """What acquisitions see in every cycle; None where each model gives its own features."""
        if (seen := self.dataset.selection_features) is not None:
            return seen
        if not isinstance(self.network, KeepsFeatures):
            return None
        return training.extract(self._models.fresh(), self.dataset.train_images)[0]

    def _seen(self, extracted: Arrays) -> tuple[Floats, Callable[[Floats, int, float, str], Any]]:
        """The features that acquisitions see in a cycle, and what gives their graphs."""
        if self.fixed_features is not None:
            return self.fixed_features, self._graphs(fixed=True)
        return extracted["features"], self._graphs(fixed=False)

    def _graphs(self, fixed: bool) -> Callable[[Floats, int, float, str], Any]:
        """Gives graphs of features; of those of one model nobody would read the graph again."""
        return StoredGraphs(self.cache).affinity if fixed else affinity

    def _initial_model(self, data: TrainingSet) -> nn.Module:
        """The network at theta_0: its own random weights, or what the scheme learns without labels (PRE)."""
        model = self._models.fresh()
        blind = dataclasses.replace(data, labels=np.full_like(data.labels, -1), cycle=0, previous=None)

        def prepare() -> Arrays:
            with self._explained(model, 0):
                weights = self.learning.prepare(model, blind, generator(self.seed, "pretraining"))
            return {name: value.cpu().numpy() for name, value in (weights or {}).items()}

        # Schemes that prepare alike share it: the weights of PRE are learnt once for all that start from them.
        key = {**self._base("prepare"), "learning": preparation(self.learning, self.keys["learning"])}
        arrays = self.cache.get_or_compute(key, prepare).arrays
        model = self._models.fresh()  # learning the weights has changed it, reading them has not
        if unknown := sorted(set(arrays) - set(model.state_dict())):
            raise ContractError(f'prepare of the learning scheme returned "{unknown[0]}", which the network has not')
        model.load_state_dict({name: torch.from_numpy(value) for name, value in arrays.items()}, strict=False)
        return model

    @cached_property
    def _models(self) -> Models:
        images, classes = self.dataset.train_images, len(self.dataset.classes)
        return Models(self.network, self.learning, images, classes, self.seed, self.device)
