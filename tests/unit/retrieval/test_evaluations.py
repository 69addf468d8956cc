"""Protocols by name in runs: tied images are ordered as ``harness evaluate`` orders them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path, PureWindowsPath

import pytest

from harness.metrics.protocols import evaluate_names, tie_names
from harness.plugin_api import RetrievalSet
from harness.retrieval.evaluations import evaluations
from harness.retrieval.protocol import RetrievalProtocol
from harness.runs.identity import result_versions
from harness.studies.judgements import Judgements

TIED = ("trec-map trec-map@5 mteb-multichoice-map@5 mteb-retrieval-ndcg@5 mteb-self-map@5 ir-measures-mrr@10 "
        "gldv2-map@2 sklearn-ap").split()  # fmt: skip
NAMES = ("9", "10", "a-b", "a", "b_1", "b")


@pytest.mark.parametrize("folder", ["", "/data/set/jpg", "elsewhere"])
@pytest.mark.parametrize("suffix", ["", ".jpg"])
def test_tied_images_are_ordered_alike_in_runs_and_of_files(folder, suffix):
    truth = [{"easy": (0, 3), "hard": (5,), "junk": (1,)}, {"easy": (2,), "hard": (4,), "junk": ()}]
    rankings, scores = [[0, 1, 2, 3, 4, 5], [5, 4, 3, 2, 1, 0]], [[0.5] * 6, [0.9, 0.5, 0.5, 0.5, 0.5, 0.1]]
    queries = ["q.jpg", f"9{suffix}"]
    dataset = RetrievalSet(
        "set",
        [Path(folder, name + suffix) for name in NAMES],
        [Path(folder, name) for name in queries],
        [None, None],
        truth,
    )
    given = Judgements([*NAMES], ["q.jpg", "9"], truth).judge(rankings, scores)
    expected = {}
    for name in TIED:
        expected |= {found.name.key: found.mean for found in evaluate_names(given, name)}
    run = {
        e.name.key: e.mean for e in evaluations(RetrievalProtocol(evaluation=" ".join(TIED)), dataset, rankings, scores)
    }
    assert run == expected
    distracted = replace(dataset, images=[*dataset.images, Path("/other/0.png")], distractors=1)
    again = evaluations(RetrievalProtocol(evaluation=" ".join(TIED)), distracted, rankings, scores)
    assert {e.name.key: e.mean for e in again} == expected


def test_names_that_order_ties_do_not_depend_on_the_folder():
    assert tie_names(["x/a/1.jpg", "x/b/1.jpg"]) == ["a/1", "b/1"]
    assert tie_names([Path("/r/s/1.jpg"), Path("/r/s/1_a.png")]) == ["1.jpg", "1_a.png"]
    assert tie_names([PureWindowsPath("c:\\r\\1.jpg"), PureWindowsPath("c:\\r\\12.jpg")]) == ["1", "12"]
    assert tie_names(["only.jpg"]) == ["only"]
    assert tie_names([]) == []


def test_runs_that_name_protocols_depend_on_the_version_of_protocols():
    plain = result_versions("retrieval")
    named = result_versions("retrieval", RetrievalProtocol(evaluation="trec-map"))
    assert named.keys() - plain.keys() == {"protocols"}
    assert {name: named[name] for name in plain} == plain
