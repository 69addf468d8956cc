"""The pool that an acquisition sees holds no hidden label, wherever one looks."""

from __future__ import annotations

import types

import numpy as np
import pytest

from harness.active import ActiveProtocol, Pool
from harness.active.loop import run_cycles
from harness.cache import Cache
from harness.core.errors import ContractError
from harness.core.progress import SilentProgress
from harness.plugin_api import ClassificationSet, RetrievalSet
from harness.retrieval.extraction import NamedBackbone
from harness.retrieval.protocol import RetrievalProtocol
from harness.retrieval.representation import Descriptors, Extraction
from harness.retrieval.whitened import whiten
from harness_acquisition.random import Random
from harness_learning.supervised import Supervised
from harness_network.small import SmallCNN


def walk(value, depth=4, seen=None):
    """Everything that attributes, slots, bound methods, closures, partials, bases, lists and mappings lead to."""
    seen = {} if seen is None else seen
    if depth == 0 or id(value) in seen or isinstance(value, type | types.ModuleType):
        return
    seen[id(value)] = value
    yield value
    parts = list(getattr(value, "__dict__", {}).values())
    parts += [cell.cell_contents for cell in getattr(value, "__closure__", None) or ()]
    parts += list(getattr(value, "__defaults__", None) or ())
    parts += [
        getattr(value, name, None) for name in ("base", "obj", "__self__", "__func__", "func", "args", "keywords")
    ]
    parts += list(value.values()) if isinstance(value, dict) else []
    parts += list(value) if isinstance(value, list | tuple) else []
    for part in parts:
        yield from walk(part, depth - 1, seen)


def reachable(value, depth=4):
    """Every array that a value leads to."""
    return [part for part in walk(value, depth) if isinstance(part, np.ndarray)]


def test_no_hidden_label_can_be_reached():
    truth = np.arange(30) % 3
    known = np.where(np.arange(30) < 6, truth, -1)
    rng = np.random.default_rng(0)
    pool = Pool(rng.normal(size=(30, 4)), rng.dirichlet(np.ones(3), 30), known, np.zeros((30, 1, 2, 2), np.uint8))
    for name in ("labels", "labelled", "unlabelled", "features"):
        getattr(pool, name)
    arrays = list(reachable(pool))
    assert len(arrays) >= 5
    for array in arrays:
        if array.shape == truth.shape:
            assert not np.array_equal(array, truth)
            assert (array[6:] == -1).all() or not np.array_equal(array[6:], truth[6:])


def test_what_it_shows_cannot_be_changed():
    pool = Pool(np.zeros((4, 2)), np.full((4, 2), 0.5), [0, -1, -1, 1])
    for name in ("features", "probabilities", "labels", "labelled", "unlabelled"):
        with pytest.raises(ValueError, match="read-only"):
            getattr(pool, name)[0] = 1


def _dataset():
    """A data set whose pool, test images and labels are parts of one array each, as loaders give them."""
    rng = np.random.default_rng(0)
    labels = np.arange(90) % 3
    images = (labels[:, None, None, None] * 80 + rng.integers(0, 60, (90, 1, 8, 8))).astype(np.uint8)
    return ClassificationSet("toy", images[:60], labels[:60], images[60:], labels[60:], ("a", "b", "c"), flip=False)


def _cycles(dataset, acquisition, learning=None):
    return run_cycles(
        dataset,
        acquisition,
        learning or Supervised(epochs=1),
        SmallCNN(width=2),
        ActiveProtocol(initial=3, budget=3, cycles=2),
        0,
        keys={"dataset": "toy", "learning": "supervised", "network": "small", "acquisition": "mine"},
        cache=Cache(None),
        progress=SilentProgress(),
        device="cpu",
    )


def test_nothing_that_a_run_gives_leads_to_hidden_labels_or_test_data():
    dataset, given = _dataset(), []

    class Collecting:
        def select(self, pool, budget, rng):
            given.extend([pool, pool.dropout_probabilities, pool.images, pool.images(slice(0, 4))])
            return pool.unlabelled[:budget]

    class Training(Supervised):
        def train(self, model, data, rng):
            given.append(data)
            return super().train(model, data, rng)

    _cycles(dataset, Collecting(), Training(epochs=1))
    arrays = [array for value in given for array in reachable(value, depth=12)]
    assert len(arrays) > 10
    for array in arrays:
        assert len(array) != 90 if array.ndim else True
        assert not (array.shape == (60,) and np.array_equal(array, dataset.train_labels))
        assert not any(np.array_equal(array, secret) for secret in (dataset.test_labels, dataset.test_images))


def test_images_that_an_acquisition_writes_to_stay_as_they_are():
    dataset = _dataset()
    before = dataset.train_images.copy()

    class Writing:
        def select(self, pool, budget, rng):
            pool.images(slice(None))[:] = 0
            pool.images(np.arange(60))[:] = 0
            return pool.unlabelled[:budget]

    class Right:
        def select(self, pool, budget, rng):
            return pool.unlabelled[:budget]

    accuracies = [[cycle.accuracy for cycle in _cycles(dataset, method).cycles] for method in (Writing(), Right())]
    assert accuracies[0] == accuracies[1]
    assert np.array_equal(dataset.train_images, before)


def test_images_that_are_trained_on_cannot_be_made_writable():
    class Writing(Supervised):
        def train(self, model, data, rng):
            with pytest.raises(ValueError, match="read-only"):
                data.images[:4][0] = 0
            with pytest.raises(ValueError, match="WRITEABLE"):
                data.images.flags.writeable = True
            return super().train(model, data, rng)

    _cycles(_dataset(), Random(), Writing(epochs=1))


def test_maps_for_a_fit_do_not_lead_to_the_relevance_judgements():
    truth = [{"easy": [0], "hard": [], "junk": []}]
    dataset = RetrievalSet("toy", ["a.png"], ["b.png"], [None], truth)
    seen = []

    class Learning:
        def fit(self, maps):
            seen.append(maps)
            return self

    backbone = NamedBackbone(object(), "backbone")
    Extraction(dataset, RetrievalProtocol(), backbone, SilentProgress()).fitted(Learning())
    assert not any(value is truth or value is dataset for value in walk(seen[0], depth=12))


@pytest.mark.parametrize("stage", ["fit", "apply"])
def test_a_whitening_that_changes_its_input_is_named(stage):
    class Writing:
        def fit(self, database, pairs):
            if stage == "fit":
                database[0] = 0
            return self

        def apply(self, rows):
            rows[:1] *= 2
            return rows

    rows = np.eye(4, dtype=np.float32)
    dataset = RetrievalSet("toy", [], [], [], [])
    with pytest.raises(ContractError, match='whitening "mine" changed the descriptors'):
        whiten(Descriptors(rows, rows.copy(), {}), Writing(), 'whitening "mine"', dataset, {}, Cache(None))
