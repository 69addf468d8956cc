"""Algorithm 1 of the thesis (§3.3): cycles of train, evaluate, acquire, each kept as soon as it is done.

What a cycle gives is cached under all that decides it: data, network, learning scheme, seed, and the labelled set. So
cycle 0 is trained once and shared by all acquisitions, and a killed run goes on at the cycle where it was.
Loads torch: import it where a run is done.
"""

from __future__ import annotations

import dataclasses
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

from harness.active import training
from harness.active.contract import check_selection
from harness.active.pool import Pool
from harness.active.protocol import ActiveProtocol
from harness.active.split import balanced_labels
from harness.cache import Arrays, Cache, digest
from harness.measure import Cost, measured
from harness.metrics.classification import accuracy
from harness.progress import Reporter
from harness.protocols import AcquisitionFunction, ClassificationSet, LearningScheme, Network, TrainingSet

if TYPE_CHECKING:
    from harness.protocols import Ids

__all__ = ["ActiveProtocol", "ActiveResult", "Cycle", "run_cycles"]


@dataclass(frozen=True)
class Cycle:
    """One cycle.

    Attributes:
        labelled: examples labelled for this cycle, in the order acquired (at first: the initial set, ascending).
        n_labelled: labels in all.
        accuracy: on the test images, in [0, 1].
        train: cost of training and evaluation.
        acquire: cost of choosing the next examples; None for the last cycle.
    """

    labelled: tuple[int, ...]
    n_labelled: int
    accuracy: float
    train: Cost
    acquire: Cost | None


@dataclass(frozen=True)
class ActiveResult:
    """The cycles of a run, in order; fewer than asked for where the pool ran out."""

    cycles: tuple[Cycle, ...]


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
    reporter: Reporter,
    device: str | None = None,
) -> ActiveResult:
    """Label, train, evaluate, acquire, again and again.

    For one seed all acquisitions see the same initial labels, and in each cycle the same initial weights and the same
    order of batches for the same number of labels.

    Args:
        dataset: images and labels; the labels are asked for one by one.
        acquisition: chooses.
        learning: trains.
        network: what is trained.
        protocol: how many labels, how many cycles.
        seed: decides the split, the initial weights, the batches and the acquisition's generator, each on its own.
        keys: identity of the methods by kind, and of the data as ``dataset``: JSON-able.
        cache: where cycles are kept.
        reporter: shows progress.
        device: ``cpu`` or ``cuda``; default CUDA where there is one.

    Raises:
        InvalidInput: too few examples for the initial labels.
        ContractError: the acquisition broke the rules.
    """
    labels = np.asarray(dataset.train_labels)
    initial = balanced_labels(labels, len(dataset.classes), protocol.initial, generator(seed, "split"))
    run = _Run(dataset, learning, network, seed, keys, cache, torch.device(device or _best_device()))
    known = np.full(len(labels), -1, dtype=np.int64)
    known[initial] = labels[initial]
    new, cycles = initial, []
    for number in range(protocol.cycles):
        reporter.update("cycles", number, protocol.cycles)
        trained = run.trained(known, number)
        last = number == protocol.cycles - 1
        budget = 0 if last else min(protocol.budgets[number], int((known < 0).sum()))
        chosen, cost = (None, None) if last else run.acquired(acquisition, trained.arrays, known, budget, number)
        cycles.append(
            Cycle(tuple(new.tolist()), int((known >= 0).sum()), float(trained.arrays["accuracy"]), trained.cost, cost)
        )
        if chosen is None or budget == 0:
            break
        known[chosen] = labels[chosen]
        new = chosen
    reporter.update("cycles", protocol.cycles, protocol.cycles)
    return ActiveResult(tuple(cycles))


def generator(seed: int, component: str, cycle: int = 0) -> np.random.Generator:
    """The generator of one component in one cycle: none depends on how much another has drawn."""
    return np.random.default_rng(np.random.SeedSequence([seed, zlib.crc32(component.encode()), cycle]))


def _best_device() -> str:
    return "cuda" if torch.cuda.is_available() else "cpu"


@dataclass(frozen=True)
class _Run:
    dataset: ClassificationSet
    learning: LearningScheme
    network: Network
    seed: int
    keys: Mapping[str, Any]
    cache: Cache
    device: torch.device

    def trained(self, known: Ids, cycle: int) -> Any:
        """Accuracy, features, probabilities and weights of the model of this labelled set; made or read."""
        return self.cache.get_or_make(self._key("cycle", known, cycle), lambda: self._train(known, cycle))

    def acquired(
        self, acquisition: AcquisitionFunction, arrays: Arrays, known: Ids, budget: int, cycle: int
    ) -> tuple[Ids, Cost]:
        """The picks of this cycle and what choosing cost; the pool is built before the clock starts."""
        identity = self.keys["acquisition"]
        name = f'acquisition "{identity.get("name", "") if isinstance(identity, Mapping) else identity}"'
        pool = Pool(
            features=arrays["features"],
            probabilities=arrays["probabilities"],
            labels=known,
            images=self.dataset.train_images,
            dropout=self._dropout(arrays, cycle),
        )
        kept: list[Cost] = []

        def choose() -> Arrays:
            with measured() as cost:
                picks = acquisition.select(pool, budget, generator(self.seed, "acquisition", cycle))
            kept.append(cost)
            return {"picks": check_selection(name, picks, pool, budget)}

        key = {**self._key("acquire", known, cycle), "acquisition": identity, "budget": budget}
        made = self.cache.get_or_make(key, choose)
        # The cost kept beside cached picks includes their check, which is small.
        return made.arrays["picks"], kept[0] if kept else made.cost

    def _key(self, stage: str, known: Ids, cycle: int) -> dict[str, Any]:
        methods = {kind: self.keys[kind] for kind in ("dataset", "learning", "network")}
        labelled = np.flatnonzero(known >= 0)
        numerics = f"fp32-{self.device.type}"
        state = {"seed": self.seed, "cycle": cycle, "labelled": digest(labelled.tolist()), "numerics": numerics}
        return {"stage": stage, **methods, **state}

    def _train(self, known: Ids, cycle: int) -> Arrays:
        data = TrainingSet(self.dataset.train_images, known.copy(), len(self.dataset.classes), self.dataset.flip)
        model = self._initial_model(data)
        self.learning.train(model, data, generator(self.seed, "training", cycle))
        features, probabilities = training.extract(model, self.dataset.train_images)
        _, of_test = training.extract(model, self.dataset.test_images)
        weights = {f"weight {name}": value.cpu().numpy() for name, value in model.state_dict().items()}
        correct = accuracy(of_test.argmax(axis=1), self.dataset.test_labels)
        return {"accuracy": np.array(correct), "features": features, "probabilities": probabilities, **weights}

    def _initial_model(self, data: TrainingSet) -> nn.Module:
        """The network at theta_0: its own random weights, or what the scheme learns without labels (PRE)."""
        model = self._fresh_model()
        blind = dataclasses.replace(data, labels=np.full_like(data.labels, -1))

        def prepare() -> Arrays:
            weights = self.learning.prepare(model, blind, generator(self.seed, "pretraining"))
            return {name: value.cpu().numpy() for name, value in (weights or {}).items()}

        key = {kind: self.keys[kind] for kind in ("dataset", "learning", "network")}
        made = self.cache.get_or_make({"stage": "prepare", **key, "seed": self.seed}, prepare)
        if made.arrays:
            model.load_state_dict({name: torch.from_numpy(value) for name, value in made.arrays.items()}, strict=False)
        return model

    def _fresh_model(self) -> nn.Module:
        rng = generator(self.seed, "initialisation")
        model = training.initialise(self.network, self.dataset.train_images, len(self.dataset.classes), rng)
        return model.to(self.device)

    def _dropout(self, arrays: Arrays, cycle: int) -> Callable[[int], Any]:
        def passes(t: int) -> Any:
            model = self._fresh_model()
            prefix = "weight "
            weights = {k.removeprefix(prefix): torch.from_numpy(v) for k, v in arrays.items() if k.startswith(prefix)}
            model.load_state_dict(weights)
            rng = generator(self.seed, "dropout", cycle)
            return training.dropout_probabilities(model, self.dataset.train_images, t, rng)

        return passes
