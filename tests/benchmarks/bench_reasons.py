"""What methods choose and learn that do worse than the usual choice: the reasons on their pages, measured on MNIST.

``pytest -m slow tests/benchmarks/bench_reasons.py`` prints the tables; they need ``MNIST/raw`` in the test data.
"""

from __future__ import annotations

import numpy as np
import pytest

from harness import graph
from harness.active import training
from harness.active.pool import Pool
from harness.plugin_api import DataFolders, TrainingSet
from harness.registry import load_registry

pytestmark = [pytest.mark.slow, pytest.mark.realdata]
IMAGES, LABELS, BUDGET, DIMENSIONS, NEAR = 8_000, 100, 100, 128, 20


@pytest.fixture
def digits(realdata, tmp_path):
    """Images of MNIST and their labels."""
    dataset = load_registry().create("dataset", "mnist").load(DataFolders(root=realdata, cache=tmp_path))
    chosen = np.random.default_rng(0).permutation(len(dataset.train_labels))[:IMAGES]
    return dataset.train_images[chosen], dataset.train_labels[chosen]


def evenness(labels):
    """Entropy of the classes, over that of an even spread over ten."""
    shares = np.bincount(labels, minlength=10) / len(labels)
    return -(shares[shares > 0] * np.log(shares[shares > 0])).sum() / np.log(10)


def test_what_is_chosen_first(digits, capsys):
    """With 100 labels, on principal components: neighbours in the graph, distance to near ones, spread over classes."""
    from sklearn.decomposition import PCA
    from sklearn.linear_model import LogisticRegression

    images, labels = digits
    features = PCA(DIMENSIONS, random_state=0).fit_transform(images.reshape(len(images), -1) / 255).astype(np.float32)
    affinity = graph.normalise(graph.affinity(features))
    neighbours, squares = np.diff(affinity.indptr), (features**2).sum(1)
    found = {}
    for name in ("random", "jlp", "coreset", "probcover", "entropy", "typiclust"):
        numbers = []
        for seed in range(3):
            rng = np.random.default_rng(seed)
            known = np.full(len(labels), -1)
            first = np.concatenate([rng.permutation(np.flatnonzero(labels == c))[: LABELS // 10] for c in range(10)])
            known[first] = labels[first]
            model = LogisticRegression(max_iter=500).fit(features[first], labels[first])
            pool = Pool(features, model.predict_proba(features), known, affinity=lambda: affinity)
            picks = load_registry().create("acquisition", name).select(pool, BUDGET, rng)
            apart = squares[picks][:, None] + squares - 2 * features[picks] @ features.T
            near = np.sqrt(np.maximum(np.sort(apart, axis=1)[:, 1 : NEAR + 1], 0)).mean()
            between = np.sort(apart[:, picks], axis=1)[:, 1]
            nearest = np.sqrt(np.maximum(between, 0)).mean()
            numbers.append((neighbours[picks].mean(), near, nearest, evenness(labels[picks])))
        found[name] = np.mean(numbers, axis=0)
    with capsys.disabled():
        print(
            f"\nneighbours in the graph (all: {neighbours.mean():.1f}), distance to {NEAR} near ones and to the next "
        )
        print("pick, evenness over classes")
        for name, row in found.items():
            print(f"{name:10} {row[0]:5.1f} {row[1]:5.2f} {row[2]:5.2f} {row[3]:5.2f}")
    assert found["jlp"][0] < 0.2 * neighbours.mean()
    assert found["coreset"][1] > 1.2 * found["random"][1]
    assert found["probcover"][3] < found["random"][3] - 0.1
    assert found["entropy"][3] < found["random"][3] - 0.05
    assert found["entropy"][2] < found["random"][2]


def test_confident_predictions_of_a_model_of_one_label_a_class(digits, capsys):
    """How many ``ceal`` takes after its first cycle, and how many of them are right."""
    images, labels = digits
    registry = load_registry()
    shares = []
    for seed in range(3):
        rng = np.random.default_rng(seed)
        known = np.full(len(labels), -1)
        first = np.concatenate([rng.permutation(np.flatnonzero(labels == c))[:1] for c in range(10)])
        known[first] = labels[first]
        model = training.initialise(registry.create("network", "small-cnn"), images, 10, rng)
        learning = registry.create("learning", "supervised", epochs=100, batch_size=10)
        model = learning.train(model, TrainingSet(images, known, 10, flip=False), rng)
        probabilities = training.extract(model, images)[1]
        data = TrainingSet(images, known, 10, flip=False, cycle=1, previous=probabilities)
        confident = registry.create("learning", "ceal").confident(data)
        right = (probabilities[confident].argmax(axis=1) == labels[confident]).mean()
        shares.append((len(confident) / len(images), right))
    with capsys.disabled():
        print("\nshare of the pool that ceal takes as labelled, share of them that is right")
        print("\n".join(f"{taken:.2f} {right:.2f}" for taken, right in shares))
    assert min(taken for taken, _ in shares) > 0.05
    assert np.mean([right for _, right in shares]) < 0.9
