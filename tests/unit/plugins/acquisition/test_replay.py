from __future__ import annotations

import json

import numpy as np
import pytest

from harness.active import Pool
from harness.core.errors import InvalidInput
from harness_acquisition.replay import Replay


def write(folder, name, cycles, acquisition="coreset", learning="supervised"):
    names = {"acquisition": acquisition, "learning": learning, "network": "small-cnn"}
    methods = {kind: {"name": value} for kind, value in names.items()}
    details = {"cycles": [{"labelled": labelled} for labelled in cycles]}
    (folder / name).write_text(json.dumps({"methods": methods, "details": details}))


def pool(*labelled):
    labels = np.full(20, -1)
    labels[list(labelled)] = 0
    return Pool(np.eye(20), np.full((20, 2), 0.5), labels)


def picks(replay, labelled, budget):
    return replay.select(pool(*labelled), budget, np.random.default_rng(0)).tolist()


@pytest.fixture
def runs(tmp_path):
    write(tmp_path, "a.json", [[1, 0], [7, 5], [9, 3]])  # two seeds
    write(tmp_path, "b.json", [[2, 4], [6, 8], [10, 11]])
    write(tmp_path, "c.json", [[0, 1], [12, 13]], acquisition="random")
    (tmp_path / "d.json").write_text("{")
    (tmp_path / "e.json").write_text('{"methods": {}}')
    return str(tmp_path)


def test_the_record_of_the_same_labels_answers_in_its_order(runs):
    replay = Replay(runs, "coreset")
    assert picks(replay, [0, 1], 2) == [7, 5]
    assert picks(replay, [0, 1, 5, 7], 2) == [9, 3]
    assert picks(replay, [2, 4], 1) == [6]
    assert picks(Replay(runs, "random"), [0, 1], 2) == [12, 13]


def test_records_that_agree_are_one_and_others_need_a_name(runs, tmp_path):
    write(tmp_path, "f.json", [[0, 1], [7, 5]], learning="semi")
    assert picks(Replay(runs, "coreset"), [0, 1], 2) == [7, 5]
    write(tmp_path, "f.json", [[0, 1], [5, 7]], learning="semi")
    with pytest.raises(InvalidInput, match="several records"):
        picks(Replay(runs, "coreset"), [0, 1], 2)
    assert picks(Replay(runs, "coreset", learning="semi"), [0, 1], 2) == [5, 7]


@pytest.mark.parametrize(("labelled", "budget"), [([0, 2], 2), ([0, 1], 3), ([0, 1, 3, 5, 7, 9], 1)])
def test_what_no_record_answers_is_said(runs, labelled, budget):
    with pytest.raises(InvalidInput, match="no record fits"):
        picks(Replay(runs, "coreset"), labelled, budget)
