"""What a record says of a training that diverged, and of descriptors that are all equal."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest
import torch

from harness import hookimpl, run

TOY = Path(__file__).parents[2] / "fixtures" / "toy.py"


@dataclass(frozen=True)
class Ones:
    """A descriptor that says nothing."""

    def pool(self, maps):
        return torch.ones(maps.shape[:-2])


@hookimpl
def harness_register(registry):
    registry.pooling("ones", Ones)


def do(spec, tmp_path):
    places = {"data": tmp_path / "data", "cache": tmp_path / "cache", "runs": tmp_path / "runs"}
    (record,) = run({"name": "health", "seeds": [0], **spec}, **places, plugins=(str(TOY), __file__))
    return record


def test_a_diverged_training_is_a_failed_run_that_names_the_parameter(tmp_path):
    learning = {"supervised": {"epochs": 3, "learning_rate": 1e20}}
    record = do(
        {
            "task": "active-learning",
            "datasets": ["toy-classes"],
            "methods": {"network": "small-cnn", "learning": learning, "acquisition": "random"},
            "protocol": {"initial": 3, "budget": 3, "cycles": 2},
        },
        tmp_path,
    )
    assert (record.status, record.failure.code) == ("failed", "T700")
    assert record.failure.message == (
        'training of cycle 0 diverged: not finite; lower learning_rate (1e+20) of learning "supervised"'
    )


def test_equal_descriptors_are_doubtful_and_their_score_is_chance(tmp_path):
    record = do(
        {"task": "retrieval", "datasets": ["toy-images"], "methods": {"backbone": "colour", "pooling": "ones"}},
        tmp_path,
    )
    assert record.details["doubts"] == ["all images have the same descriptor: the ranking is chance"]
    assert record.details["health"]["constant"]
    assert record.details["health"]["tied_relevant"] == {"easy": 1.0, "medium": 1.0, "hard": 1.0}
    # Two of ten images besides the easy one, in any order: what the place of a file says is nothing.
    assert record.metrics["mp@1_medium"] == pytest.approx(3 / 12)
