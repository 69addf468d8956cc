"""What active learning is made of: networks, learning schemes, and acquisition functions over a pool."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor
    from torch.nn import Module

    from harness.plugin_api.arrays import Floats, Ids


@dataclass(frozen=True)
class LinearHead:
    """The last layer of a model as a function of its features: softmax(weight z + bias).

    Attributes:
        weight: (c, d) float32.
        bias: (c,) float32.
    """

    weight: Floats
    bias: Floats

    def __call__(self, features: Floats) -> Floats:
        """Class probabilities (m, c) float32 of features (m, d)."""
        import numpy as np

        logits = np.asarray(features, np.float32) @ self.weight.T + self.bias
        powers = np.exp((logits - logits.max(axis=1, keepdims=True)).astype(np.float64))
        powers /= powers.sum(axis=1, keepdims=True)
        probabilities: Floats = powers.astype(np.float32)
        return probabilities


class PoolView(Protocol):
    """What an acquisition sees: everything but the hidden labels. Arrays are read-only.

    ``features`` (n, d) float32 · ``probabilities`` (n, c) float32 · ``labels`` (n,) int64, -1 where not labelled ·
    ``labelled`` and ``unlabelled`` sorted int64 positions · ``affinity`` the normalised reciprocal k-NN graph (lazy) ·
    ``dropout_probabilities(t)`` (t, n, c) float32 · ``images(indices)`` (b, C, H, W) uint8 · ``positions`` (n,) int64,
    where each example stands in its dataset. The order of the examples is drawn by the seed, the same in all cycles.

    ``shared_dropout_probabilities(t)`` as ``dropout_probabilities``, each pass dropping the same for all examples ·
    ``members(t, bootstrap)`` (t, n, c) float32 of t models trained on their own, of passes with dropout where a pool
    trains none · ``head`` the last layer on ``features``, None where it is not linear or the features are not its own.
    """

    @property
    def features(self) -> Floats: ...
    @property
    def probabilities(self) -> Floats: ...
    @property
    def labels(self) -> Ids: ...
    @property
    def labelled(self) -> Ids: ...
    @property
    def unlabelled(self) -> Ids: ...
    @property
    def positions(self) -> Ids: ...
    @property
    def affinity(self) -> Any: ...  # scipy.sparse.csr_array, which has no useful static type
    @property
    def head(self) -> LinearHead | None: ...
    def dropout_probabilities(self, t: int) -> Floats: ...
    def shared_dropout_probabilities(self, t: int) -> Floats: ...
    def members(self, t: int, bootstrap: bool = False) -> Floats: ...
    def images(self, indices: Ids) -> NDArray[np.uint8]: ...


class AcquisitionFunction(Protocol):
    """Chooses which examples to label next.

    Optional: ``ChangesByCycle``, ``SeesLabels``, ``AsksLabels``, ``Remembers``.

    Attributes of the class may say more, for mistakes to be found when planning: ``cold_start = True``, it can choose
    without any label, by features alone; ``needs_dropout = True``, it needs a network with dropout; ``needs_head =
    True``, it needs ``PoolView.head``, which a learning scheme that says ``linear_head = False`` does not give.
    """

    def select(self, pool: PoolView, budget: int, rng: np.random.Generator) -> Ids:
        """``budget`` unlabelled positions, unique, int64, in the order acquired; ties go to the lowest position."""
        ...


@runtime_checkable
class ChangesByCycle(Protocol):
    """An acquisition that is another one in each cycle, as ``random+coreset`` is."""

    def at(self, cycle: int) -> AcquisitionFunction:
        """The acquisition of a cycle, counted from 0."""
        ...


@runtime_checkable
class SeesLabels(Protocol):
    """An acquisition that is shown all labels: no method, but a reference for what methods could gain."""

    def select_knowing(self, pool: PoolView, budget: int, rng: np.random.Generator, labels: Ids) -> Ids:
        """As ``select``, with the labels (n,) of all examples of the pool, hidden ones too."""
        ...


@runtime_checkable
class AsksLabels(Protocol):
    """An acquisition that asks for one label after the other within a batch.

    Its rows cannot be compared with those of acquisitions that choose a batch at once, and boards say so. ``select`` is
    what it does where nobody answers.
    """

    def select_asking(self, pool: PoolView, budget: int, rng: np.random.Generator, ask: Callable[[int], int]) -> Ids:
        """As ``select``; ``ask(position)`` gives the label of an example, which has to be among the picks."""
        ...


@runtime_checkable
class Remembers(Protocol):
    """An acquisition with a memory. ``select`` is what it does without one."""

    def select_remembering(
        self, pool: PoolView, budget: int, rng: np.random.Generator, memory: Mapping[str, Any] | None
    ) -> tuple[Ids, Mapping[str, Any]]:
        """As ``select``, and arrays by name for the next cycle; ``memory`` are those of the last, None at first.

        The order of the examples is the same in all cycles. A run that is resumed gets the same memory.
        """
        ...


class Network(Protocol):
    """A classifier that also gives features. Optional: ``KeepsFeatures``."""

    def build(self, shape: tuple[int, int, int], n_classes: int) -> Module:
        """A module for images (C, H, W) whose ``forward(images)`` returns ``(logits, features)``.

        Initial weights come from torch's global generator, which the caller has seeded.
        """
        ...


@runtime_checkable
class KeepsFeatures(Protocol):
    """A network that learns no features: those of the data stay as they are, up to a shift and a scale.

    What depends on the features alone, as their k-NN graph does, is then computed once for all cycles and seeds.
    """

    def scale(self, features: Floats) -> tuple[Floats, Floats]:
        """What is subtracted from features (n, d) of the pool, then what divides them: (d,) float32 each."""
        ...


@dataclass(frozen=True)
class TrainingSet:
    """What a learning scheme may see in one cycle: all images, only the labels that were asked for.

    Attributes:
        images: (n, C, H, W) uint8.
        labels: (n,) int64, -1 where not labelled.
        n_classes: number of classes.
        flip: whether a mirrored image keeps its label.
        cycle: number of the cycle, from 0.
        previous: (n, n_classes) float32 class probabilities by the model of the cycle before; None in the first.
        affinity: gives the normalised k-NN graph of features (n, d) of the images, with k neighbours, exponent gamma
            and mode ``reciprocal`` or ``union``; of features that do not change it is computed once. None: compute it.
    """

    images: NDArray[np.uint8]
    labels: Ids
    n_classes: int
    flip: bool = True
    cycle: int = 0
    previous: Floats | None = None
    affinity: Callable[[Floats, int, float, str], Any] | None = None


class LearningScheme(Protocol):
    """How one cycle trains: supervised, semi-supervised, ...

    Optional: ``RestoresModel``; the model it returns may be a ``HasReport``. With ``needs_images = True`` on its class
    it is planned with no network that ``KeepsFeatures``.
    """

    def prepare(self, model: Module, data: TrainingSet, rng: np.random.Generator) -> Mapping[str, Tensor] | None:
        """Initial weights learnt once per dataset and seed without labels (PRE), or None for the network's own."""
        ...

    def train(self, model: Module, data: TrainingSet, rng: np.random.Generator) -> Module:
        """Train ``model`` (already initialised) in place and return it."""
        ...


@runtime_checkable
class RestoresModel(Protocol):
    """A learning scheme whose trained model is another module than the network's own."""

    def restore(self, model: Module, images: NDArray[np.uint8], weights: Mapping[str, Tensor]) -> Module:
        """The trained model again.

        Args:
            model: the network, initialised.
            images: (n, C, H, W) of the pool, as in training.
            weights: ``state_dict`` of what ``train`` returned.
        """
        ...


@runtime_checkable
class HasReport(Protocol):
    """A trained model, a fitted pooling, whitening or expansion with more to say: the record stores it.

    Example::

        model.report = {"pseudo_labels": len(confident)}
    """

    @property
    def report(self) -> Mapping[str, Any]:
        """JSON-able values."""
        ...
