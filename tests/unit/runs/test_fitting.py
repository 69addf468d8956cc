"""Mistakes of active learning that are found when planning."""

from __future__ import annotations

import numpy as np
import pytest

from harness.core.errors import Errors
from harness.plugin_api import DataFolders
from harness.runs.identity import protocol_identity
from harness.runs.plan import make_plan


@pytest.fixture
def folders(tmp_path):
    write(tmp_path)
    return DataFolders(root=tmp_path, cache=tmp_path / "cache")


def write(folder, labels=None):
    labels = np.repeat([0, 1, 2], [50, 47, 3]).astype(np.uint8) if labels is None else labels
    features = np.random.default_rng(0).normal(size=(100, 4))
    np.savez(folder / "mine.npz", train=features, train_labels=labels, test=features, test_labels=np.arange(100) % 3)


def plan(folders, acquisition="random", learning="logistic", network="linear-head", **protocol):
    methods = {"network": network, "learning": learning, "acquisition": acquisition}
    spec = {"name": "s", "task": "active-learning", "datasets": [{"embeddings": {"path": "mine.npz"}}]}
    return make_plan({**spec, "methods": methods, "seeds": [0], "protocol": protocol}, folders)


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"initial": 60}, "asks for 20 labels of each class, class 2 of .* has 3 examples"),
        ({"initial": 101, "first_set": "random"}, "initial is 101, .* has 100 examples"),
        ({"label_costs": [1.0, 2.0]}, "label_costs has 2 numbers, .* has 3 classes"),
        ({"acquisition": "bald"}, 'acquisition "bald" needs dropout, network "linear-head" has none'),
        ({"acquisition": ["random", "random+variation-ratio"]}, "needs dropout"),
        ({"acquisition": "power-bald"}, "needs dropout"),
        ({"acquisition": "batch-bald"}, "needs dropout"),
        ({"acquisition": "dropquery", "learning": "knn"}, 'needs a linear last layer, learning "knn" has none'),
        ({"acquisition": "entropy", "first_set": "acquisition"}, '"entropy" cannot choose the first labels'),
        ({"acquisition": "margin+typiclust", "first_set": "acquisition"}, "cannot choose the first labels"),
        (
            {"learning": "flexmatch"},
            'learning "flexmatch" needs images, network "linear-head" learns from fixed features',
        ),
        ({"learning": "pretrain+flexmatch"}, "needs images"),
        ({"warm_start": True}, 'learning "logistic" has no weights to start from'),
    ],
)
def test_a_mistake_is_found_when_planning(folders, changes, match):
    with pytest.raises(Errors, match=match):
        plan(folders, **changes)


SPEC = """\
name: s
task: active-learning
datasets: [{embeddings: {path: mine.npz}}]
methods:
  network: linear-head
  learning: [logistic, flexmatch]
  acquisition:
    - random
    - bald
protocol:
  cycles: 2
  initial: 60
seeds: [0]
"""


def test_each_mistake_has_the_line_of_what_it_is_about(folders, tmp_path):
    (tmp_path / "spec.yaml").write_text(SPEC)
    with pytest.raises(Errors) as caught:
        make_plan(tmp_path / "spec.yaml", folders)
    places = {error.headline.split(" ")[1]: (error.where.line, error.where.column) for error in caught.value.errors}
    assert places == {'"flexmatch"': (6, 24), '"bald"': (9, 7), "60": (12, 12)}


def test_what_can_work_is_planned(folders):
    assert len(plan(folders, initial=9).runs) == 1
    assert len(plan(folders, initial=60, first_set="random").runs) == 1
    assert len(plan(folders, acquisition="typiclust+entropy", first_set="acquisition").runs) == 1
    assert len(plan(folders, acquisition={"power-bald": {"score": "entropy"}}).runs) == 1
    assert len(plan(folders, acquisition="dropquery").runs) == 1
    head = {"linear-head": {"dropout": 0.5}}
    assert len(plan(folders, acquisition="bald", learning="supervised", network=head).runs) == 1


def test_a_wrong_label_is_named_once_with_its_row(folders):
    labels = np.zeros(100, np.int8)
    labels[17] = -1
    write(folders.root, labels)
    with pytest.raises(Errors) as caught:
        plan(folders, acquisition=["random", "coreset"])
    assert ["train_labels[17] is -1" in error.headline for error in caught.value.errors] == [True]


def test_options_of_later_versions_change_no_identity_at_their_default():
    options = {"initial": 10, "budget": 10, "cycles": 5, "imbalance": 1.0, "targets": []}
    before = protocol_identity("active-learning", options, {"active": 4})
    now = {**options, "first_set": "balanced", "label_noise": 0.0, "label_costs": [], "warm_start": False}
    assert protocol_identity("active-learning", now, {"active": 4}) == before
    assert protocol_identity("active-learning", {**now, "first_set": "random"}, {"active": 4}) != before
