"""What the cycles of a run consist of: training, extraction, choice. Each is computed once, or read.

The key of a stage holds all that decides it. Loads torch.
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
from harness.active.choosing import choose
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
from harness.active.pool import Pool
from harness.active.protocol import ActiveProtocol
from harness.active.split import balanced_labels, random_labels
from harness.active.state import Picked, State
from harness.cache import Arrays, Cache
from harness.core.cost import Cost, measured
from harness.core.devices import numerics_key
from harness.core.errors import ContractError, InvalidInput
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
    TrainingSet,
)
from harness.registry.composition import preparation

if TYPE_CHECKING:
    from harness.plugin_api import Floats, Ids

_MEMORY: Final = "memory "
COLD_START: Final = "first_set: balanced or random, or an acquisition such as typiclust first (typiclust+margin)"


@dataclass(frozen=True)
class Stages:
    """The stages of one run.

    Attributes:
        dataset: images and labels; those of the pool may be fewer than the data set has.
        positions: (n,) of the images of the pool in the whole data set.
        learning: trains.
        network: what is trained.
        seed: of the run.
        keys: identity of the methods by kind, and of the data.
        cache: where stages are stored.
        device: where the network is.
        protocol: of the run.
        answers: (n,) the labels that are revealed, which may be noisy.
    """

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

    def trained(self, state: State, cycle: int) -> Any:
        """Accuracy and weights of the model of this labelled set; computed or read."""
        return self.cache.get_or_compute(self._key("cycle", state, cycle), lambda: self._train(state, cycle))

    def acquired(
        self, acquisition: AcquisitionFunction, arrays: Arrays, state: State, budget: int, cycle: int
    ) -> Picked:
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
        return Picked(chosen.arrays["picks"], said, extracted.cost, cost, equal, memory)

    def first(self, acquisition: AcquisitionFunction, empty: State) -> Ids:
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

    def _choose(self, acquisition: AcquisitionFunction, cycle: int, pool: Pool, budget: int, state: State) -> Arrays:
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

    def _pool(self, extracted: Arrays, state: State, shown: Shown | None) -> Pool:
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

    def _extract_untrained(self, empty: State) -> Arrays:
        """What is known before the first label: features of the initial model, all classes equally likely."""
        n, classes = len(empty.labels), len(self.dataset.classes)
        uniform = np.full((n, classes), 1 / classes, np.float32)
        if self.fixed_features is not None:
            return {"probabilities": uniform}
        images, flip = self.dataset.train_images, self.dataset.flip
        model = self._initial_model(TrainingSet(images, empty.labels, classes, flip))
        return {"probabilities": uniform, "features": training.extract(model, images)[0]}

    def _key(self, stage: str, state: State, cycle: int) -> dict[str, Any]:
        return {**self._base(stage), "cycle": cycle, "labelled": list(state.history)}

    def _base(self, stage: str) -> dict[str, Any]:
        """What every stage depends on."""
        methods = {kind: self.keys[kind] for kind in ("dataset", "learning", "network")}
        engine = [RESULT_VERSION, DATA_VERSION, METRICS_VERSION]
        numerics = numerics_key(self.device.type, self.protocol.numerics)
        pool = {name: self.keys[name] for name in ("pool", "noise", "warm_start") if name in self.keys}
        return {"stage": stage, **methods, **pool, "seed": self.seed, "numerics": numerics, "engine": engine}

    def _data(self, state: State, cycle: int) -> TrainingSet:
        """What a training of this cycle may see."""
        images, classes = self.dataset.train_images, len(self.dataset.classes)
        graphs = self._graphs(isinstance(self.network, KeepsFeatures))
        return TrainingSet(images, state.labels.copy(), classes, self.dataset.flip, cycle, state.previous, graphs)

    def _train(self, state: State, cycle: int) -> Arrays:
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
