"""Pictures of acquisitions, learning schemes and networks."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from harness.registry.parameters import describe

if TYPE_CHECKING:
    from harness.plugin_api import ClassificationSet

_COLOURS = np.array("#0072B2 #E69F00 #009E73 #CC79A7 #56B4E9 #D55E00 #999933 #000000 #882255 #AAAAAA".split())
_BUDGET = 12


def picks(name: str, method: type, folder: Path) -> tuple[Figure, str]:
    """What an acquisition picks from a pool in the plane."""
    from sklearn.linear_model import LogisticRegression

    from harness.active import Pool
    from harness.plugin_api import LinearHead

    points, truth = _plane()
    labels = np.full(len(points), -1)
    for label in range(3):
        labels[np.flatnonzero(truth == label)[:2]] = label
    known = labels >= 0
    model = LogisticRegression().fit(points[known], labels[known])

    def dropout(t: int) -> NDArray[np.float32]:
        rng = np.random.default_rng(1)
        masks = rng.integers(0, 2, (t, 1, 2)) * 2
        passes = [model.predict_proba(points * mask) for mask in masks]
        return np.array(passes, np.float32)

    # A constant third feature: directions in space are then about as far apart as points in the plane.
    features = np.column_stack([points, np.full(len(points), 4.0)]).astype(np.float32)
    # The model does not look at it.
    weight, bias = np.column_stack([model.coef_, np.zeros(3)]).astype(np.float32), model.intercept_.astype(np.float32)
    pool = Pool(
        features,
        model.predict_proba(points).astype(np.float32),
        labels,
        dropout=dropout,
        head=lambda: LinearHead(weight, bias),
    )
    chosen = method().select(pool, _BUDGET, np.random.default_rng(0))
    figure = Figure(figsize=(5.4, 3.4), layout="constrained")
    axes = figure.subplots()
    axes.set_aspect("equal")
    axes.axis("off")
    axes.scatter(*points.T, s=10, c=_COLOURS[pool.probabilities.argmax(axis=1)], alpha=0.45, linewidths=0)
    axes.scatter(*points[known].T, s=36, c=_COLOURS[labels[known]], marker="s", edgecolors="black")
    axes.scatter(*points[chosen].T, s=110, facecolors="white", edgecolors="black", zorder=3)
    for order, point in enumerate(points[chosen], start=1):
        axes.text(*point, str(order), ha="center", va="center", fontsize=7, zorder=4)
    caption = (
        f"{_BUDGET} picks in their order, from 240 points of three classes. Squares are labelled; a colour is the class "
        "that a logistic regression on them predicts."
    )
    return figure, caption


def _plane() -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Three clusters that touch, one of them with a small group apart."""
    rng = np.random.default_rng(4)
    centres = np.array([[-2.0, 0.0], [1.0, 1.4], [1.2, -1.5], [4.2, -0.2]])
    sizes = np.array([80, 80, 66, 14])
    group = np.repeat(np.arange(4), sizes)
    points = centres[group] + rng.normal(0, np.array([0.8, 0.8, 0.8, 0.2])[group][:, None], (240, 2))
    order = rng.permutation(240)
    return points[order], np.minimum(group, 2)[order]


def schemes(name: str, method: type, folder: Path) -> tuple[Figure, str] | None:
    """The features of digits after training on thirty labels, by supervised training and by the scheme.

    None for a scheme that trains no network: features stay as they are.
    """
    from harness.active import training
    from harness.plugin_api import TrainingSet
    from harness_learning.supervised import Supervised
    from harness_network.small import SmallCNN

    if "epochs" not in {parameter.name for parameter in describe(method)}:
        return None
    digits = _digits(folder)
    images = digits.train_images[:500]
    labels = np.where(np.arange(500) < 30, digits.train_labels[:500], -1)
    common: dict[str, Any] = {"epochs": 60, "batch_size": 10}
    quick: dict[str, dict[str, Any]] = {
        "semi": {"semi_epochs": 4, "semi_batch": 32, "labelled_batch": 10, "share": 1.0},
        "pretrain": {"pre_epochs": 10},
    }
    compared = {"supervised": Supervised(**common), name: method(**common, **quick.get(name, {}))}
    figure = Figure(figsize=(3.4 * len(compared), 3.0), layout="constrained")
    probabilities: NDArray[np.float32] | None = None
    for axes, (title, scheme) in zip(np.atleast_1d(figure.subplots(1, len(compared))), compared.items(), strict=True):
        # What ceal labels is what the model of the cycle before is sure of: here the one beside it.
        data = TrainingSet(images, labels, 10, flip=False, cycle=int(probabilities is not None), previous=probabilities)
        model = training.initialise(SmallCNN(), images, 10, np.random.default_rng(0))
        start = scheme.prepare(model, data, np.random.default_rng(1))
        if start is not None:
            model.load_state_dict(start)
        model = scheme.train(model, data, np.random.default_rng(2))
        _, probabilities = training.extract(model, images)
        _plot_features(axes, model, digits.test_images[:300], digits.test_labels[:300], title)
    changed = {**common, **quick.get(name, {})}
    caption = (
        "The features of 300 test digits on their first two principal components, a colour a class, after training "
        f"`small-cnn` on 500 digits of which 30 have labels; with {_listed(changed)}. One seed, one small pool."
    )
    return figure, caption


def _listed(values: dict[str, Any]) -> str:
    return ", ".join(f"`{name}: {value}`" for name, value in values.items())


def _digits(folder: Path) -> ClassificationSet:
    from harness.plugin_api import DataFolders
    from harness_dataset.digits import Digits

    return Digits().load(DataFolders(folder, folder))


def features(name: str, method: type, folder: Path) -> tuple[Figure, str]:
    """The features of digits before and after training on a hundred of them."""
    from harness.active import training
    from harness.plugin_api import TrainingSet
    from harness_learning.supervised import Supervised

    digits, large = _digits(folder), name == "cnn13"
    count = 100 if large else 300
    shown, truth = digits.test_images[:count], digits.test_labels[:count]
    model = training.initialise(method(), digits.train_images, 10, np.random.default_rng(0))
    figure = Figure(figsize=(3.4 if large else 6.8, 3.0), layout="constrained")
    panels = np.atleast_1d(figure.subplots(1, 1 if large else 2))
    _plot_features(panels[0], model, shown, truth, "before training")
    where = f"The features of {count} test digits on their first two principal components, a colour a class; "
    if large:
        return figure, f"{where}with initial weights: training takes minutes on a CPU."
    data = TrainingSet(digits.train_images[:100], digits.train_labels[:100], 10, flip=False)
    model = Supervised(epochs=60).train(model, data, np.random.default_rng(1))
    _plot_features(panels[1], model, shown, truth, "after")
    return figure, f"{where}before and after 60 epochs of supervised training on 100 digits."


def _plot_features(axes: Any, model: Any, images: Any, truth: Any, title: str) -> None:
    from harness.active import training

    found, probabilities = training.extract(model, images)
    centred = found - found.mean(axis=0)
    plane = centred @ np.linalg.svd(centred, full_matrices=False)[2][:2].T
    axes.scatter(*plane.T, s=8, c=_COLOURS[truth], linewidths=0)
    axes.set_title(f"{title}: {100 * (probabilities.argmax(axis=1) == truth).mean():.0f}% right")
    axes.axis("off")
