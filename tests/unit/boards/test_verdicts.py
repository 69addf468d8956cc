from __future__ import annotations

import json
import math

import numpy as np
import pytest

import harness
from harness.boards import boards
from harness.boards.comparison.pairs import differences, render_differences
from harness.boards.evidence import paired_units
from harness.boards.stored import boards_content, boards_of
from harness.boards.verdicts import FLIPS, PAIRED, POOLED, pairwise_tests
from harness.core.errors import UnknownName
from harness.metrics.verdicts.paired import pooled_square
from harness.metrics.verdicts.power import detectable
from harness.runs.design import Design
from harness.runs.results import Results

RNG = np.random.default_rng


def verdicts(values, **options):
    return pairwise_tests(paired_units({name: dict(enumerate(v)) for name, v in values.items()}, **options))


def test_equal_methods_share_a_rank_and_a_better_one_leads():
    rng = RNG(0)
    base = rng.normal(size=70)
    close = {name: base + rng.normal(0, 0.2, 70) for name in "abc"}
    for grouped in (True, False):
        result = verdicts({**close, "best": base + 1}, grouped=grouped)
        assert result.test == (FLIPS if grouped else PAIRED)
        assert result.ranks["best"] == (1, 1)
        assert {result.ranks[name] for name in "abc"} == {(2, 4)}


def test_ranks_make_sense_where_not_different_is_not_transitive():
    """A is better than C; B, which varies much, differs from neither: it may have any rank."""
    rng = RNG(0)
    base = rng.random(40)
    values = {
        "a": base + 0.2,
        "b": base + rng.permutation(np.linspace(-0.9, 1.1, 40)),
        "c": base + rng.normal(0, 0.01, 40),
    }
    assert verdicts(values, grouped=True).ranks == {"a": (1, 2), "b": (1, 3), "c": (2, 3)}


def test_of_a_long_table_the_best_are_compared():
    rng = RNG(0)
    base = rng.random(30)
    values = {f"{m:03}": base - m + rng.normal(0, 0.1, 30) for m in range(310)}
    result = verdicts(values)
    assert (result.methods, result.tests) == (310, 310 * 309 // 2)
    assert list(result.ranks.values()) == [(place, place + 10) for place in range(1, 301)]
    result = verdicts(values, grouped=True)
    assert list(result.ranks.values()) == [(place, place + 210) for place in range(1, 101)]


def test_the_sign_of_all_values_mirrors_the_ranks():
    values = dict(zip("abcde", RNG(2).normal(size=(5, 6)) * 0.5 + np.arange(5)[:, None], strict=True))
    ranks = verdicts(values).ranks
    mirrored = verdicts({name: -v for name, v in values.items()}).ranks
    assert {name: (6 - last, 6 - first) for name, (first, last) in ranks.items()} == mirrored


def test_five_groups_decide_nothing_however_many_queries():
    values = {"a": np.arange(20) + 100.0, "b": np.arange(20.0)}
    result = verdicts(values, grouped=True, groups={query: query // 4 for query in range(20)})
    assert (result.groups, result.can_decide) == (5, False)
    assert set(result.ranks.values()) == {(1, 2)}
    assert verdicts(values, grouped=True, groups={query: query // 3 for query in range(20)}).can_decide


def curve(record, name, seed, accuracies, labels=(100, 200, 400), **changes):
    metrics = {f"accuracy@{n}": a for n, a in zip(labels, accuracies, strict=True)}
    metrics |= {"accuracy": accuracies[-1]}
    return record(name, seed=seed, kind="acquisition", task="active-learning", metrics=metrics, details={}, **changes)


@pytest.fixture
def study(record):
    """Three acquisitions and six seeds."""
    rng = RNG(0)
    return [
        curve(record, name, seed, (0.60 + gain + rng.normal(0, 0.005), 0.70 + gain, 0.74 + gain))
        for name, gain in (("random", 0.0), ("near", 0.001), ("far", 0.1))
        for seed in range(6)
    ]


def test_the_area_over_the_logarithm_decides_by_default(study, rows):
    (board,) = boards(study)
    assert [column.key for column in board.columns][:2] == ["area", "accuracy@400"]
    assert board.metric == "AUC (log)"
    cell = board.rows[0].cells["area"]
    assert cell.mean == pytest.approx(0.785, abs=0.003)  # 68.5 points and 10 more
    assert any("mean accuracy from 100 to 400 labels" in text for text in board.provenance)
    assert board.tests.test == PAIRED
    assert [(row.rank, row.rank_last) for row in board.rows] == [(1, 1), (2, 3), (2, 3)]
    assert rows(harness.leaderboard(study))[0][2] == "AUC (log)"


def test_a_measure_chosen_in_the_design_decides(study):
    (board,) = boards(study, design=Design(measure="accuracy@200"))
    assert [column.key for column in board.columns][0] == "accuracy@200"
    (linear,) = boards(study, design=Design(measure="area-linear"))
    assert linear.columns[0].key == "area-linear"
    assert linear.rows[0].cells["area-linear"].mean == pytest.approx(0.7967, abs=0.003)


def test_one_number_of_labels_has_no_area(record):
    records = [
        curve(record, name, seed, (value,), labels=(50,)) for name, value in (("a", 0.5), ("b", 0.6)) for seed in (0, 1)
    ]
    (board,) = boards(records)
    assert board.columns[0].key == "accuracy@50"


def test_labels_to_a_target_are_cut_and_counted(record, rows):
    records = [
        curve(record, name, seed, accuracies)
        for name, accuracies in (("fast", (0.6, 0.9, 0.9)), ("slow", (0.1, 0.2, 0.3)))
        for seed in range(4)
    ]
    records[0] = curve(record, "fast", 0, (0.1, 0.2, 0.3))
    (board,) = boards(records, design=Design(measure="labels-to@80"))
    assert board.columns[0].key == "labels_to@0.8"
    fast, slow = board.rows
    expected = 100 * 2 ** (2 / 3)
    assert fast.cells["labels_to@0.8"].mean == pytest.approx((3 * expected + 400) / 4)
    assert (fast.cells["labels_to@0.8"].reached, slow.cells["labels_to@0.8"].reached) == (3, 0)
    text = harness.boards.render_boards([board], "markdown")
    assert "219 (3 of 4)" in text or "**219** (3 of 4)" in text
    assert "more than 400" in text


def test_differences_in_labels_are_doublings_not_points(record):
    records = [
        curve(record, name, seed, accuracies)
        for name, accuracies in (("fast", (0.8, 0.9, 0.9)), ("slow", (0.1, 0.2, 0.8)))
        for seed in range(4)
    ]
    made = boards(records, design=Design(measure="labels-to@80", baseline="slow"))
    (difference,) = differences(made, "fast", "slow")
    assert difference.mean == pytest.approx(2)  # 100 labels in place of 400
    text = render_differences([difference])
    assert "in doublings saved of labels to 80%" in text
    assert "+2.00 " in text
    assert "difference in points" not in " ".join(made[0].provenance)


def test_the_detectable_difference_is_that_of_the_test_that_was_done():
    alike = RNG(3).normal(0, 0.01, (6, 5)) + 0.5
    unlike = alike * np.array([1, 1, 1, 1, 12.0])
    pooled, paired = (verdicts(dict(zip("abcde", values.T, strict=True))) for values in (alike, unlike))
    assert (pooled.test, paired.test, paired.unlike) == (POOLED, PAIRED, True)
    spreads = math.sqrt(2 * pooled_square(unlike[:, ::-1]))
    assert paired.detectable == pytest.approx(spreads * detectable(6, 5, baseline=False, unlike=True))
    assert detectable(6, 5, baseline=False, unlike=True) > detectable(6, 5, baseline=False)


@pytest.mark.parametrize("grouped", [True, False])
def test_methods_that_are_always_equal_tell_no_detectable_difference(grouped):
    """It would be nothing, as if any difference could be found."""
    assert math.isnan(verdicts({name: [1.0] * 8 for name in "abc"}, grouped=grouped).detectable)


def test_a_baseline_has_a_column_with_its_own_correction(study, rows):
    (board,) = boards(study, design=Design(baseline="random"))
    assert board.baseline == "random"
    standings = {row.labels["acquisition"]: row.against and row.against.standing for row in board.rows}
    assert standings == {"far": "better", "near": "not significantly different", "random": None}
    table = rows(harness.boards.render_boards([board], "markdown"))
    assert "against random" in table[0]
    assert any(cell.startswith("+") and cell.endswith(" better") for cell in table[1])
    assert any("corrected over 2 comparisons with it" in text for text in board.provenance)


def test_a_baseline_that_no_board_has_is_named(study):
    with pytest.raises(UnknownName, match='no board has a row "randon"'):
        boards(study, design=Design(baseline="randon"))


def test_few_seeds_say_what_the_pooled_test_assumes(record):
    rng = RNG(1)
    records = [
        curve(record, f"m{m}", seed, tuple(0.5 + 0.05 * m + rng.normal(0, 0.01, 3)))
        for m in range(5)
        for seed in range(4)
    ]
    (board,) = boards(records)
    assert (board.tests.test, board.tests.level) == (POOLED, 0.01)
    assert "holds if no method varies more than twice as much" in " ".join(board.provenance)
    assert [row.rank for row in board.rows] == [1, 2, 3, 4, 5]


def test_queries_of_a_landmark_count_once(record):
    rng = RNG(3)
    groups = np.repeat(np.arange(8), 5).tolist()
    shared = rng.normal(0, 0.1, (8, 2))[groups]
    aps = np.clip(0.5 + shared + rng.normal(0, 0.01, (40, 2)), 0, 1)
    made = [
        record(
            name,
            details={"ap_medium": aps[:, m].tolist(), "groups": groups},
            metrics={"map_medium": float(aps[:, m].mean())},
        )
        for m, name in enumerate("ab")
    ]
    (board,) = boards(made)
    assert (board.tests.groups, board.tests.pairs) == (8, 40)
    assert board.tests.correlation > 0.8
    assert "40 paired queries in 8 groups, correlation inside groups" in board.provenance[0]
    alone = [r.model_copy(update={"details": {"ap_medium": r.details["ap_medium"]}}) for r in made]
    (without,) = boards(alone)
    assert np.ptp(board.rows[0].interval) > 1.5 * np.ptp(without.rows[0].interval)
    compared = differences([board], "a", "b")[0]
    assert len(set(compared.groups)) == 8
    text = render_differences([compared])
    assert "8 groups among 40 queries" in text


def test_a_row_with_everything_right_says_that_its_interval_has_no_width(record):
    (board,) = boards([record("a", 1.0), record("b", 0.5)])
    assert any("interval has no width" in note for note in board.rows[0].notes)


def test_collapsed_seeds_are_counted_and_kept(record):
    rng = RNG(0)
    values = {seed: 0.9 + rng.normal(0, 0.005) for seed in range(8)} | {3: 0.2}
    records = [curve(record, "a", seed, (v, v, v)) for seed, v in values.items()]
    records += [curve(record, "b", seed, (0.8 + seed / 1000,) * 3) for seed in range(8)]
    (board,) = boards(records)
    notes = {row.labels["acquisition"]: row.notes for row in board.rows}
    assert any("1 of 8 seeds collapsed" in note and "(3)" in note for note in notes["a"])
    assert notes["b"] == ()


def test_a_committed_board_keeps_its_verdicts(study):
    measured = boards(study, design=Design(baseline="random"))
    content = json.loads(json.dumps(boards_content(measured, "t", "")))
    (read,) = boards_of(Results("x", boards=tuple(content["boards"])))
    assert [row.against for row in read.rows] == [row.against for row in measured[0].rows]
    assert read.baseline == "random"
    assert (read.tests.test, read.tests.level) == (PAIRED, 0.05)
    text = harness.boards.render_boards(measured, "markdown")
    assert harness.boards.render_boards([read], "markdown") == text
