"""When the gate closes: worse, fine, and nothing to judge by."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from measurements import active, retrieval

import harness
from harness.boards.comparison.gate import judge
from harness.core.errors import DONE, NOTHING_MEASURED, BadParameter, UnknownName
from harness.runs.results import Results
from harness.runs.targets import find_results
from harness.runs.tolerances import parse_tolerances

APS = np.random.default_rng(0).random(60)
COMMITTED = sorted((Path(__file__).parents[3] / "leaderboards").glob("*/results.json"))
NOISE = np.random.default_rng(1).normal(0, 0.05, 60)


def verdict(before, after, tolerance=None, **options):
    return judge(harness.compare(before, after), tolerance=tolerance, **options)


def test_worse_is_5_and_noise_and_better_are_0():
    before = [retrieval(aps=APS)]
    worse = verdict(before, [retrieval(aps=APS - 0.05 + NOISE)])
    assert worse.exit_code == 5
    assert worse.worse[0].startswith("set · tiny · gem: map_medium 5")
    assert verdict(before, [retrieval(aps=APS + NOISE - NOISE.mean() - 0.001)]).exit_code == 0
    assert verdict(before, [retrieval(aps=APS + 0.05)]).exit_code == 0
    same = verdict(before, before)
    assert (same.exit_code, same.worse, same.unknown) == (0, (), ())
    assert same.summary.endswith("1 numbers are identical: nothing changed.")


def test_a_tolerated_loss_passes():
    before, after = [retrieval(aps=APS)], [retrieval(aps=APS - 0.01)]
    assert verdict(before, after).exit_code == 5
    assert verdict(before, after, {"": 1.5}).exit_code == 0
    assert verdict(before, after, {"": 1.5, "map_medium": 0.5}).exit_code == 5
    assert verdict(before, after, {"": 0.5}).exit_code == 5


def test_a_tolerance_for_a_metric_that_no_method_has_is_refused():
    before = [retrieval(aps=APS)]
    with pytest.raises(UnknownName, match=r'(?s)for "map_medum", which no record has.*did you mean "map_medium"'):
        verdict(before, before, {"map_medum": 0.5})


def test_too_few_seeds_are_6_unless_a_tolerance_decides():
    before, after = active([0.8, 0.8]), active([0.7, 0.75])
    none = verdict(before, after)
    assert none.exit_code == 6
    assert "2 pairs are too few" in none.unknown[0]
    assert verdict(before, after, {"": 1.0}).exit_code == 5
    assert verdict(before, after, {"": 20.0}).exit_code == 0
    assert verdict(after, before).exit_code == 0  # better, whether by chance or not


def test_runs_that_fail_now_are_worse():
    before = [retrieval(), retrieval("mac")]
    now = verdict(before, [retrieval(), retrieval("mac", status="failed")])
    assert now.exit_code == 5
    assert "1 of 1 runs gave a result, now 0 of 1; failed: no memory" in now.worse[0]
    failed = [retrieval(status="failed"), retrieval("mac")]
    assert verdict(failed, failed).exit_code == 6


def test_what_is_not_measured_any_more_is_6_unless_allowed():
    before, after = [retrieval(), retrieval("mac")], [retrieval()]
    assert verdict(before, after).exit_code == 6
    assert verdict(before, after, allow_missing=True).exit_code == 0
    assert verdict(after, before).exit_code == 0  # a new method
    assert verdict([retrieval()], [retrieval("mac")], allow_missing=True).exit_code == 6
    assert verdict([retrieval()], [retrieval(status="missing")]).exit_code == 6


def test_worse_comes_before_unknown():
    before = [retrieval(aps=APS), retrieval("mac")]
    assert verdict(before, [retrieval(aps=APS - 0.1)]).exit_code == 5


def test_tolerances_are_read_and_checked():
    assert parse_tolerances(["0.5", "map_hard=1", "labels_to@0.8=5"]) == {"": 0.5, "map_hard": 1, "labels_to@0.8": 5}
    for bad in ("x", "map=", "-1", "nan", "inf", "map=-2"):
        with pytest.raises(BadParameter, match="bad tolerance"):
            parse_tolerances([bad])


def committed(records, name="results.json"):
    content = json.loads(harness.leaderboard(records, format="json"))
    return Results(name, boards=tuple(content["boards"]))


def older(results):
    """As a version wrote it that stated no parameters."""
    boards = json.loads(json.dumps(results.boards))
    for board in boards:
        del board["data"], board["protocol_non_default"]
        for row in board["rows"]:
            del row["methods"]
    return Results(results.name, boards=tuple(boards))


@pytest.mark.parametrize("file", COMMITTED, ids=lambda file: file.parent.name)
def test_a_committed_board_against_itself_says_that_nothing_changed(file):
    same = verdict(find_results(file.parent), find_results(file))
    assert (same.exit_code, same.worse, same.unknown) == (DONE, (), ())
    assert same.summary.endswith("nothing changed.")


@pytest.mark.parametrize("board", [committed, lambda records: older(committed(records))], ids=["present", "older"])
def test_records_against_the_results_they_made_say_that_nothing_changed(board):
    records = [retrieval("gem", APS / 3, parameters={"p": p}) for p in (2.5, 3.0)]
    records += [retrieval("mac", APS / 7, parameters={"weights": "a/b.npz", "ks": [1, 2], "of": None, "name": ""})]
    for sides in ((records, board(records)), (board(records), records), (board(records), board(records))):
        same = verdict(*sides)
        assert (same.exit_code, same.worse, same.unknown) == (DONE, (), ())
        assert same.summary.endswith("3 numbers are identical: nothing changed.")


def test_a_run_against_its_own_results_says_that_nothing_changed(tmp_path, toy):
    methods = {"backbone": "colour", "pooling": ["mac", {"gem": {"p": [2, 3]}}], "whitening": {"pca": {"shrink": 0.2}}}
    spec = {"name": "a", "task": "retrieval", "datasets": "toy-images", "methods": methods}
    records = harness.run(spec, plugins=(toy,), runs=tmp_path / "runs", cache=tmp_path / "cache")
    same = verdict(records, committed(records))
    assert (same.exit_code, same.worse, same.unknown) == (DONE, (), ())
    assert same.summary.endswith("3 numbers are identical: nothing changed.")


def test_methods_of_other_parameters_are_two_methods_also_where_no_label_shows_them():
    before = [retrieval("pca", APS, parameters={"shrink": 0.2})]
    after = [retrieval("pca", APS - 0.1, parameters={"shrink": 0.0})]
    for sides in ((before, after), (committed(before), committed(after)), (committed(before), after)):
        parted = verdict(*sides)
        assert (parted.exit_code, parted.worse) == (NOTHING_MEASURED, ())
        assert "pca shrink=0.2: not measured on the side" in parted.unknown[0]


def test_results_without_parameters_are_no_evidence_for_worse():
    before, after = [retrieval(aps=APS, parameters={"p": 3.0})], [retrieval(aps=APS - 0.1, parameters={"p": 4.0})]
    for tolerance in (None, {"": 1.0}):
        unsure = verdict(older(committed(before)), after, tolerance)
        assert (unsure.exit_code, unsure.worse) == (NOTHING_MEASURED, ())
        assert "parameters are not known: an older version wrote the results" in unsure.unknown[0]


def test_labels_of_older_results_are_matched_with_the_parameters_they_name():
    before = [retrieval(aps=APS, parameters={"p": p, "eps": 1e-6}) for p in (3.0, 4.0)]
    after = [retrieval(aps=APS, parameters={"p": p, "eps": 1e-6}) for p in (5.0, 4.0)]
    half = harness.compare(older(committed(before)), after)
    assert [method.label for method in half.methods] == ["tiny · gem p=4"]
    assert half.only_before == ("set · tiny · gem p=3",)


def test_a_new_parameter_that_is_not_at_its_default_is_another_method():
    old = [retrieval(aps=APS, parameters={"p": 3.0}, non_default={"pooling": []})]

    def new(eps, names):
        return [retrieval(aps=APS - 0.1, parameters={"p": 3.0, "eps": eps}, non_default={"pooling": names})]

    assert verdict(old, new(1e-6, [])).exit_code == 5
    assert verdict(old, new(0.5, ["eps"])).exit_code == NOTHING_MEASURED
