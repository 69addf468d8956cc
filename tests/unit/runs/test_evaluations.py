"""``protocol: {evaluation: ...}``: named protocols in records, and what they leave as it is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import harness
from harness.core.errors import Errors, InvalidInput
from harness.metrics.ranking import evaluate
from harness.registry.parameters import non_default, resolved
from harness.retrieval.protocol import RetrievalProtocol
from harness.runs.plausibility import implausible
from harness.runs.tasks import plain_numbers

TOY = str(Path(__file__).parents[2] / "fixtures" / "toy.py")
SPEC = {
    "name": "named",
    "task": "retrieval",
    "datasets": "toy-images",
    "plugins": [TOY],
    "methods": {"backbone": "colour", "pooling": "mac"},
    "protocol": {"evaluation": "gldv2-map@3 recall@1 mAP(revisited) map ukbench_hard"},
}


def test_results_without_the_option_stay_what_they_are():
    assert "evaluation" not in resolved(RetrievalProtocol())
    assert non_default(RetrievalProtocol()) == []
    assert resolved(RetrievalProtocol(evaluation="map@100"))["evaluation"] == "map@100"
    assert non_default(RetrievalProtocol(evaluation="map@100")) == ["evaluation"]


def test_a_name_that_does_not_exist_is_refused_before_anything_runs(tmp_path):
    with pytest.raises(InvalidInput, match='unknown protocol "gldv2-mpa"'):
        RetrievalProtocol(evaluation="gldv2-mpa")
    with pytest.raises(Errors) as caught:
        harness.run({**SPEC, "protocol": {"evaluation": "gldv2-mpa"}}, runs=tmp_path, cache=tmp_path, data=tmp_path)
    assert 'did you mean "gldv2-map"?' in str(caught.value)


def test_records_and_boards_have_the_protocols_that_a_spec_names(tmp_path):
    (record,) = harness.run(SPEC, runs=tmp_path / "runs", cache=tmp_path / "cache", data=tmp_path / "data")
    assert record.failure is None
    keys = [f"{name}_{setup}" for name in ("gldv2-map@3", "recall@1", "revisited") for setup in ("medium", "hard")]
    assert set(keys) <= record.metrics.keys()
    assert record.metrics["revisited_medium"] == pytest.approx(record.metrics["map_medium"])
    assert len(record.details["gldv2-map@3_hard"]) == record.dataset.counts["queries"]
    assert "map_medium" not in record.details  # as it is measured anyway
    assert {key for key in record.metrics if key.startswith("ukbench")} == {"ukbench@4_hard"}
    beyond = record.model_copy(update={"metrics": {**record.metrics, "ukbench@4_hard": 3.0, "recall@1_hard": 1.0}})
    assert not implausible(beyond)
    assert implausible(beyond.model_copy(update={"metrics": {**beyond.metrics, "recall@1_hard": 1.5}}))
    table = harness.leaderboard([record], format="markdown", cost=False)
    assert "mAP@3(gldv2, medium)" in table
    assert table.index("mAP@3(gldv2, medium)") < table.index("mAP Medium")


def test_sets_with_one_kind_of_positive_have_plain_numbers():
    truth = [{"easy": [0, 1]}, {"easy": [3]}, {}]
    scores = evaluate([[0, 2, 1, 3]] * 3, truth, ks=(1, 2))["medium"]
    metrics, values = plain_numbers(scores, (1, 2))
    assert metrics["map"] == pytest.approx(scores.map)
    assert metrics["map@2"] == pytest.approx((1 / 2 + 0) / 2)
    assert metrics["recall@1"] == pytest.approx(1 / 3)  # a query without a positive is a miss
    assert values["recall@2"] == [1.0, 0.0, 0.0]
    assert values["map"][2] is None
    empty = plain_numbers(evaluate([[0]], [{}], ks=(1,))["medium"], (1,))[0]
    assert empty["map"] is None
    assert np.isclose(empty["recall@1"], 0)
