"""A training that learnt nothing is an error that names the parameter; what is recorded of one that did."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch
from blobs import PROTOCOL, Counting, run

from harness.active.health import doubts, drowned, equal_scores, require_trained, training_health
from harness.core.errors import TrainingFailed
from harness_acquisition.random import Random
from harness_learning.label_propagation import SemiSupervised
from harness_learning.supervised import Supervised


def test_every_cycle_says_how_it_went():
    result = run(Random(), learning=Supervised(epochs=30))
    for cycle in result.cycles:
        assert cycle.health["finite"]
        assert cycle.health["labels"] == cycle.n_labelled
        assert cycle.health["accuracy"] > 0.5
        assert 0 < cycle.health["loss"] < cycle.health["constant_loss"]
        assert len(cycle.class_accuracy) == 4
        assert np.mean(cycle.class_accuracy) == pytest.approx(cycle.accuracy)  # classes of the test have one size
        assert sum(cycle.picked) == len(cycle.labelled)
    assert result.cycles[0].picked == (1, 1, 1, 1)
    assert doubts(result.cycles) == []


@pytest.mark.parametrize(
    ("learning", "words"),
    [
        (Supervised(epochs=5, learning_rate=1e20), r"cycle 0 diverged: not finite; lower learning_rate \(1e\+20\)"),
        (
            SemiSupervised(epochs=5, semi_epochs=3, semi_rate=1e20, k=5),
            r"diverged: not finite; lower learning_rate \(0.05\) or semi_rate \(1e\+20\)",
        ),
    ],
    ids=["supervised", "semi"],
)
def test_weights_that_are_not_finite_end_a_run_and_name_the_rate(learning, words):
    with pytest.raises(TrainingFailed, match=words):
        run(Random(), learning=learning)


@dataclass
class Constant(Counting):
    """Forgets everything: one answer for all images."""

    learning_rate: float = 7.0

    def train(self, model, data, rng):
        with torch.no_grad():
            for value in model.network.parameters():
                value.zero_()
        return model


def test_a_model_at_chance_on_its_own_labels_ends_a_run():
    words = r"cycle 2 learnt nothing: \d+% of its own 12 labels are right, .* change learning_rate \(7\) of learning"
    with pytest.raises(TrainingFailed, match=words):
        run(Random(), learning=Constant())


@dataclass(frozen=True)
class Misled(Supervised):
    """Learns other classes than the labels say, as with many confident and wrong labels of an earlier model."""

    given: int = 100
    itself: bool = False
    learning_rate: float = 0.5

    def train(self, model, data, rng):
        model = super().train(model, replace(data, labels=np.where(data.labels < 0, -1, (data.labels + 1) % 4)), rng)
        model.report = {"pseudo_labels": self.given, **({"last_mask": 0.5} if self.itself else {})}
        return model


def test_a_model_misled_by_labels_of_earlier_models_is_doubtful_and_one_that_had_few_of_them_failed():
    result = run(Random(), learning=Misled(epochs=60))
    assert any("of its own labels, beside 100 that the last model gave" in doubt for doubt in doubts(result.cycles))
    itself = run(Random(), learning=Misled(epochs=60, itself=True))  # as flexmatch, batch by batch
    assert any("beside 100 that it gave itself while it trained" in doubt for doubt in doubts(itself.cycles))
    with pytest.raises(TrainingFailed, match="learnt nothing"):
        run(Random(), learning=Misled(epochs=60, given=3))


def test_one_answer_is_a_failed_training_however_many_labels_were_given():
    constant = np.tile([[0.2, 0.5, 0.3]], (12, 1))
    assert not drowned(constant, {"pseudo_labels": 1000})
    assert drowned(np.eye(3)[np.arange(12) % 3], {"pseudo_labels": 1000})
    assert not drowned(np.eye(3)[np.arange(12) % 3], {"pseudo_labels": 12})
    assert not drowned(np.eye(3)[np.arange(12) % 3], {})


def few(learning=None):
    return run(Random(), learning=learning, protocol=PROTOCOL)


def test_few_labels_at_chance_are_doubtful_and_no_error():
    """With ten labels of ten classes one right answer is what chance gives, and a long training may give two."""
    labels = np.arange(10)
    uniform = np.full((10, 10), 0.1, np.float32)
    uniform[0, 0] += 0.01
    at_chance = training_health(uniform, labels)
    with pytest.raises(TrainingFailed):
        require_trained({**at_chance, "loss": at_chance["constant_loss"]}, Supervised(), "x", 0)
    learnt_little = np.full((10, 10), 0.05, np.float32)
    learnt_little[:, :2] = 0.3
    learnt_little[np.arange(10), labels] += 0.2
    require_trained(training_health(learnt_little, labels), Supervised(), "x", 0)
    require_trained(training_health(uniform[:4], labels[:4]), Supervised(), "x", 0)


def test_one_class_among_the_labels_is_no_failure():
    certain = np.zeros((12, 3), np.float32)
    certain[:, 1] = 1
    require_trained(training_health(certain, np.ones(12, np.int64)), Supervised(), "x", 0)


def test_a_model_with_one_answer_for_all_test_images_is_doubtful():
    @dataclass
    class Small(Constant):
        def train(self, model, data, rng):
            return super().train(model, data, rng) if data.cycle == 0 else Supervised(epochs=30).train(model, data, rng)

    result = few(Small())
    assert "the model of cycle 0 gives all test images one class" in doubts(result.cycles)
    assert result.cycles[0].equal == ("features", "probabilities")
    assert "in cycle 0 all features of the pool are equal: chance chose" in doubts(result.cycles)


def test_what_is_equal_is_named():
    equal, other = np.ones((3, 2)), np.arange(6).reshape(3, 2)
    assert equal_scores(equal, other) == ("features",)
    assert equal_scores(other, other) == ()
    assert equal_scores(equal[:1], equal[:1]) == ()
