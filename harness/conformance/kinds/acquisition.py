"""Acquisitions: pools that are small, degenerate or plain, and budgets around what is left."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.active.pool import Pool
from harness.conformance import checks
from harness.conformance.case import Case, Inputs, Kind
from harness.plugin_api import LinearHead


class AcquisitionKind(Kind):
    """Tried on sealed pools; budgets are at least 0 and may exceed what is left."""

    name = "acquisition"
    baseline = "random"
    what, numbers = "what select returned", "int64"

    def cases(self, method: Any) -> Sequence[Case]:
        """From two examples to a hundred."""
        plain, small, empty, alike = "plain-inputs", "small-inputs", "empty-inputs", "constant-inputs"
        return (
            _case("one example left of two", 2, 1, 1, small),
            _case("nothing left", 2, 2, 1, "budget"),
            _case("a plain pool", 6, 2, 2, plain),
            _case("a budget of 0", 6, 2, 0, "budget"),
            _case("a budget of all that is left", 6, 2, 4, "budget"),
            _case("a budget of more than is left", 6, 2, 9, "budget"),
            _case("no label yet", 6, 0, 2, empty, may_refuse=True),
            _case("features of zeros", 6, 2, 2, empty, _zero),
            _case("all examples alike", 6, 2, 3, alike, _alike),
            _case("equal probabilities", 6, 2, 3, alike, _equal),
            _case("certain predictions", 6, 2, 3, alike, _certain),
            _case("many duplicates", 24, 4, 10, alike, _duplicates),
            _case("one class labelled", 24, 6, 5, small, _one_class),
            _case("features of very different scale", 24, 4, 5, "scales", _scales),
            _case("a hundred examples", 100, 12, 20, plain),
        )

    def standard(self, method: Any) -> Case:
        """2,000 examples of 64 features, 100 labelled, a budget of 100."""
        return Case("pool 2000 x 64, budget 100", lambda: {"pool": some_pool(2000, 100, 64, 10), "budget": 100})

    def apply(self, fitted: Any, inputs: Inputs, rng: Any) -> Any:
        """The picks."""
        return fitted.select(inputs["pool"], inputs["budget"], rng)

    def shape(self, inputs: Inputs, answer: Any) -> None:
        """One dimension: how many picks there are is for the rule ``budget``."""
        if len(answer.shape) != 1:
            checks.require_shape(answer, (inputs["budget"],), "(budget,)", self.what)


class ShownPool(Pool):
    """A pool that can be shown in a line."""

    def describe_short(self) -> str:
        """Its size, labels and first features."""
        from harness.conformance.values import short

        labels = short(np.asarray(self.labels))
        return f"Pool of {len(self.labels)} (labels {labels}; features {short(np.asarray(self.features))})"


def some_pool(
    n: int,
    labelled: int,
    d: int = 3,
    c: int = 3,
    change: Callable[[NDArray[Any], NDArray[Any], NDArray[Any]], None] | None = None,
    seed: int = 0,
) -> ShownPool:
    """A pool of ``n`` examples in overlapping clusters; ``change`` alters its three arrays in place.

    Labelled are the odd positions, 1, 3, 5, ..., and then the even ones.
    """
    rng = np.random.default_rng([seed, n, labelled])
    truth = np.arange(n) % c
    features = (2 * rng.normal(size=(c, d))[truth] + rng.normal(size=(n, d))).astype(np.float32)
    probabilities = rng.dirichlet(np.ones(c), n).astype(np.float32)
    labels = np.full(n, -1)
    known = np.argsort(np.arange(n) % 2 == 0, kind="stable")[:labelled]
    labels[known] = truth[known]
    if change is not None:
        change(features, probabilities, labels)
    images = rng.integers(0, 255, (n, 1, 8, 8), dtype=np.uint8)
    return ShownPool(
        features, probabilities, labels, images, lambda t: passes(probabilities, t), head=lambda: head(d, c)
    )


def head(d: int, c: int) -> LinearHead:
    """A last layer on d features: what it says is not what ``probabilities`` says, which no method may rely on."""
    rng = np.random.default_rng([d, c])
    return LinearHead(rng.normal(size=(c, d)).astype(np.float32), rng.normal(size=c).astype(np.float32))


def passes(probabilities: NDArray[np.float32], t: int) -> NDArray[np.float32]:
    """(t, n, c) float32 passes with dropout that agree less the later they come."""
    shares = np.linspace(0.5, 1, t, dtype=np.float32)[:, None, None]
    mixed: NDArray[np.float32] = shares * probabilities + (1 - shares) / np.float32(probabilities.shape[1])
    return mixed


def _case(
    name: str, n: int, labelled: int, budget: int, judge: str, change: Any = None, may_refuse: bool = False
) -> Case:
    def make() -> Inputs:
        return {"pool": some_pool(n, labelled, change=change), "budget": budget}

    return Case(name, make, judge, may_refuse)


def _zero(features: NDArray[Any], probabilities: NDArray[Any], labels: NDArray[Any]) -> None:
    features[:] = 0


def _alike(features: NDArray[Any], probabilities: NDArray[Any], labels: NDArray[Any]) -> None:
    features[:], probabilities[:] = features[0], probabilities[0]


def _equal(features: NDArray[Any], probabilities: NDArray[Any], labels: NDArray[Any]) -> None:
    probabilities[:] = 1 / probabilities.shape[1]


def _certain(features: NDArray[Any], probabilities: NDArray[Any], labels: NDArray[Any]) -> None:
    probabilities[:] = np.eye(probabilities.shape[1])[probabilities.argmax(axis=1)]


def _duplicates(features: NDArray[Any], probabilities: NDArray[Any], labels: NDArray[Any]) -> None:
    for array in (features, probabilities):
        array[:] = array[np.arange(len(array)) % 5]


def _one_class(features: NDArray[Any], probabilities: NDArray[Any], labels: NDArray[Any]) -> None:
    labels[labels >= 0] = 2


def _scales(features: NDArray[Any], probabilities: NDArray[Any], labels: NDArray[Any]) -> None:
    features *= np.array([1e-15, 1e-3, 1, 1e6])[np.arange(len(features)) % 4, None]
