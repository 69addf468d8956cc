"""What is better, worse or noise between two measurements, and what must not be compared."""

from __future__ import annotations

import itertools
import json

import numpy as np
import pytest
from measurements import active, retrieval
from scipy import stats

import harness
from harness.boards import NotComparable
from harness.boards.comparison.gate import judge
from harness.boards.comparison.report import render_changes
from harness.core.errors import UnknownName
from harness.runs.results import Results

RNG = np.random.default_rng(0)
APS = RNG.random(60)
NOISE = RNG.normal(0, 0.05, 60)


def verdicts(changes):
    return {method.label: [change.verdict for change in method.changes] for method in changes.methods}


def test_better_worse_noise_and_identical():
    before = [retrieval(name, APS) for name in ("up", "down", "same", "noise")]
    after = [
        retrieval("up", APS + 0.1 + NOISE),
        retrieval("down", APS - 0.1 + NOISE),
        retrieval("same", APS),
        retrieval("noise", APS + NOISE - NOISE.mean() + 0.001),
    ]
    changes = harness.compare(before, after)
    assert verdicts(changes) == {
        "tiny · up": ["better"],
        "tiny · down": ["worse"],
        "tiny · same": ["identical"],
        "tiny · noise": ["not significantly different"],
    }
    assert changes.tests == 3  # what is identical cannot raise an alarm and does not count
    (change,) = changes.methods[1].changes
    assert change.difference == pytest.approx(NOISE.mean() - 0.1)
    assert change.interval[0] < change.difference < change.interval[1] < 0
    assert harness.compare(before[::-1], after) == harness.compare(before[::-1], after[::-1])


def test_the_p_values_of_queries_are_those_of_joint_flips_by_brute_force():
    shifts = {"a": 0.03 + NOISE[:8], "b": 0.01 - NOISE[8:16]}
    changes = harness.compare(
        [retrieval(name, APS[:8]) for name in shifts], [retrieval(name, APS[:8] + d) for name, d in shifts.items()]
    )
    signs = np.array(list(itertools.product([1, -1], repeat=8)))
    statistic = np.array([np.abs(signs @ d) / np.sqrt((d**2).sum()) for d in shifts.values()])
    large, small = sorted(statistic[:, 0], reverse=True)
    worse = statistic[np.argmin(statistic[:, 0])]
    first = np.mean(statistic.max(axis=0) >= large - 1e-9)
    expected = [first, max(first, np.mean(worse >= small - 1e-9))]
    assert sorted(method.changes[0].p for method in changes.methods) == pytest.approx(expected)


def test_the_p_values_of_seeds_are_those_of_scipy_with_holm():
    values = {"a": ([0.5, 0.52, 0.49, 0.51], [0.53, 0.56, 0.51, 0.55]), "b": ([0.5, 0.6, 0.4], [0.52, 0.61, 0.44])}
    sides = [[record for name in values for record in active(values[name][side], name)] for side in (0, 1)]
    changes = harness.compare(*sides)
    low, high = sorted(stats.ttest_rel(*of_method).pvalue for of_method in values.values())
    expected = [2 * low, max(2 * low, high)]
    assert sorted(method.changes[0].p for method in changes.methods) == pytest.approx(expected)


def grouped(aps, groups, **changes):
    record = retrieval(aps=aps, **changes)
    return record.model_copy(update={"details": {**record.details, "groups": list(groups)}})


def test_queries_of_one_landmark_are_flipped_together():
    """A gain of six landmarks of ten queries is what six values can say, not sixty."""
    rng = np.random.default_rng(3)
    gain = np.repeat([0.1, 0.08, 0.12, -0.01, 0.1, 0.09], 10)
    groups = np.repeat(range(6), 10).tolist()
    before, after = grouped(APS, groups), grouped(APS + gain + rng.normal(0, 0.01, 60), groups)
    (change,) = harness.compare([before], [after]).methods[0].changes
    assert (change.verdict, change.groups, change.pairs) == ("not significantly different", 6, 60)
    (change,) = harness.compare([grouped(APS, range(60))], [grouped(APS + gain, range(60))]).methods[0].changes
    assert (change.verdict, change.groups) == ("better", 60)
    five = [min(group, 4) for group in groups]
    changes = harness.compare([grouped(APS, five)], [grouped(APS - 0.1, five)])
    assert verdicts(changes) == {"tiny · gem": ["inconclusive"]}
    assert "5 groups of queries are too few" in judge(changes).unknown[0]


def test_queries_and_seeds_share_the_level():
    apart = [active([0.5, 0.52, 0.49, 0.51]), active([0.53, 0.56, 0.51, 0.55])]
    alone = harness.compare(*apart).methods[0].changes[0].p
    both = harness.compare([*apart[0], retrieval(aps=APS)], [*apart[1], retrieval(aps=APS + NOISE)])
    assert [m.changes[0].p for m in both.methods if m.changes[0].groups is None] == pytest.approx([2 * alone])


def test_equal_methods_are_rarely_called_different():
    rng = np.random.default_rng(1)
    alarms = 0
    for _ in range(100):
        quality = rng.random(40)
        before = [retrieval(str(i), quality + rng.normal(0, 0.05, 40)) for i in range(3)]
        after = [retrieval(str(i), quality + rng.normal(0, 0.05, 40)) for i in range(3)]
        alarms += bool(harness.compare(before, after).with_verdict("better", "worse"))
    assert alarms <= 10  # at most 5% expected; 11 or more of 100 would have p < 1%


def test_two_seeds_are_inconclusive_and_three_can_tell():
    two = harness.compare(active([0.5] * 2), active([0.9, 0.8]))
    assert verdicts(two) == {"random": ["inconclusive"]}
    three = harness.compare(active([0.5] * 3), active([0.9, 0.8, 0.85]))
    assert verdicts(three) == {"random": ["better"]}
    same = harness.compare(active([0.5] * 3), active([0.75] * 3))  # steps of accuracy: equal differences are chance
    assert verdicts(same) == {"random": ["not significantly different"]}


def test_only_shared_seeds_count():
    changes = harness.compare(active([0.5] * 9), active([0.7, 0.71, 0.72, 0.73, 0.74, 0.75, 0.76]))
    (change,) = changes.methods[0].changes
    assert (change.pairs, change.before) == (7, 0.5)


def test_fewer_labels_needed_is_better():
    after = active([0.5] * 8)
    after = [r.model_copy(update={"metrics": {**r.metrics, "labels_to@0.8": 9.0 + r.seed}}) for r in after]
    changes = harness.compare(active([0.5] * 8), after, metrics=["labels_to@0.8", "accuracy"])
    assert verdicts(changes) == {"random": ["better", "identical"]}
    assert "23.50" in render_changes(changes)


def test_what_made_the_numbers_may_differ_and_is_told():
    other = retrieval(digest="d2", protocol_id="retrieval-2")
    methods = {**other.methods, "backbone": other.methods["backbone"].model_copy(update={"version": "2"})}
    (method,) = harness.compare([retrieval()], [other.model_copy(update={"methods": methods})]).methods
    assert method.changed == ("backbone: p 1 to p 2", "source of pooling", "source of engine")


def test_another_exact_source_of_what_counts_as_the_same_is_told():
    def of(source, engine):
        base = retrieval(digest="v1")
        pooling = base.methods["pooling"].model_copy(update={"source": source})
        return base.model_copy(update={"methods": {**base.methods, "pooling": pooling}, "source": engine})

    def changed(a, b):
        (method,) = harness.compare([a], [b]).methods
        return method.changed

    assert changed(of("s1", "e1"), of("s2", "e1")) == ("exact source of pooling",)
    assert changed(of("s1", "e1"), of("s1", "e2")) == ("exact source of engine",)
    assert changed(of("", ""), of("s2", "e2")) == ()  # older records do not say


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"protocol": {"image_size": 512}}, "image_size 256 and 512"),
        ({"dataset": {"fingerprint": "0" * 64}}, "other data on each side: fingerprints ffffffffffff and 000000000000"),
        ({"dataset": {"name": "other", "fingerprint": "0" * 64}}, "no dataset in common: set and other"),
    ],
)
def test_other_data_and_protocols_are_refused_by_name(change, words):
    if "dataset" in change:
        change = {"dataset": {**retrieval().dataset.model_dump(), **change["dataset"]}}
    with pytest.raises(NotComparable, match=words) as error:
        harness.compare([retrieval()], [retrieval(**change)])
    assert error.value.exit_code == 6


def test_a_renamed_data_set_is_the_same_data():
    renamed = {**retrieval().dataset.model_dump(), "name": "renamed"}
    assert len(harness.compare([retrieval()], [retrieval(dataset=renamed)]).methods) == 1


def test_settings_of_a_sweep_are_matched_one_by_one():
    def swept(size, shift=0.0):
        return retrieval(aps=APS + shift, protocol={"image_size": size}, protocol_id=f"retrieval-{size}", name=size)

    changes = harness.compare([swept(256), swept(512)], [swept(512, 0.2), swept(256), swept(1024)])
    assert [m.changes[0].verdict for m in changes.methods] == ["identical", "better"]
    assert changes.only_after == ("set image_size=1024 · tiny · gem",)
    assert "## set image\\_size=512: map\\_medium" in render_changes(changes)


def test_methods_are_matched_by_their_parameters_and_others_listed():
    before = [retrieval(parameters={"p": 2.0}), retrieval(parameters={"p": 3.0}), retrieval("mac")]
    after = [retrieval(parameters={"p": 3.0}), retrieval(parameters={"p": 4.0}), retrieval("mac")]
    changes = harness.compare(before, after)
    assert [method.label for method in changes.methods] == ["tiny · gem", "tiny · mac"]
    assert changes.only_before == ("set · tiny · gem p=2",)
    assert changes.only_after == ("set · tiny · gem p=4",)


def test_a_new_parameter_does_not_part_a_method_from_itself():
    before = [retrieval(parameters={"p": 3.0}), retrieval(parameters={"p": 4.0})]
    after = [
        retrieval(parameters={"p": p, "eps": 1e-6}, protocol={"image_size": 256, "crop": True}) for p in (4.0, 3.0)
    ]
    changes = harness.compare(before, after)
    assert [method.label for method in changes.methods] == ["tiny · gem p=3", "tiny · gem p=4"]
    assert "parameter pooling.eps=1e-06 is new" in changes.methods[0].changed
    assert "protocol option crop=True is new" in changes.methods[0].changed
    two = [retrieval(parameters={"p": 3.0, "eps": eps}) for eps in (1e-6, 1e-3)]
    assert harness.compare(two, [*two[:1], retrieval(parameters={"p": 3.0, "eps": 1.0})]).only_before


def test_failed_and_missing_runs_are_shown():
    before = [retrieval("a"), retrieval("b"), retrieval("c", status="failed")]
    after = [retrieval("a", status="failed"), retrieval("b", status="missing"), retrieval("c")]
    changes = harness.compare(before, after)
    assert set(sum(verdicts(changes).values(), [])) == {"not measured"}
    text = render_changes(changes)
    assert "- tiny · a, B, 0 of 1 runs: failed: no memory" in text
    assert "- tiny · b, B, 0 of 1 runs: not run" in text
    assert "- tiny · c, A, 0 of 1 runs: failed: no memory" in text


def test_of_two_records_of_one_run_the_later_counts():
    old = retrieval(aps=[0.1] * 20, digest="d0", finished="2025-01-01T00:00:00+00:00")
    changes = harness.compare([old, retrieval()], [retrieval()])
    assert verdicts(changes) == {"tiny · gem": ["identical"]}
    assert changes.notes == ("1 older records of records were left out: their runs were done again later.",)


def test_times_are_compared_on_one_machine_only():
    def timed(seconds, cpu, contended=False):
        cost = {"wall_s": seconds, "cpu_s": seconds, "peak_bytes": int(seconds * 1e8), "cached": False}
        figures = {"bytes_per_image": 100.0 * seconds, "query_s_p50": seconds}
        cost = {"whiten": {**cost, "contended": contended}}
        return retrieval(cost=cost, figures=figures, environment={"cpu": cpu})

    here = " ".join(render_changes(harness.compare([timed(1.0, "x")], [timed(2.0, "x")])).split())
    assert "| tiny · gem | preparation s | 1.00 | 2.00 | 2.00 × |" in here
    assert "| tiny · gem | ms/query | 1000.00 | 2000.00 | 2.00 × |" in here
    away = harness.compare([timed(1.0, "x")], [timed(2.0, "y")])
    text = render_changes(away)
    assert "preparation s" not in text
    assert "ms/query" not in text
    assert "peak MB" in text
    assert "bytes/image" in text
    assert "times are not compared" in away.notes[0]
    assert "preparation s" not in render_changes(harness.compare([timed(1.0, "x")], [timed(2.0, "x", contended=True)]))
    assert "Cost" not in render_changes(harness.compare([timed(1.0, "x")], [timed(1.1, "x")]))


def test_thousands_of_methods_are_compared_at_once_and_decided():
    rng = np.random.default_rng(2)
    noise = rng.normal(0, 0.02, (1200, 60))
    before = [retrieval(str(i), APS) for i in range(1200)]
    after = [retrieval(str(i), APS + noise[i] + (0.05 if i < 3 else 0.0)) for i in range(1200)]
    changes = harness.compare(before, after)
    assert [m.label for m, _ in changes.with_verdict("better")] == [f"tiny · {i}" for i in range(3)]
    assert len(changes.with_verdict("not significantly different")) == 1197
    assert changes.methods[0].changes[0].p < 0.001


def test_committed_boards_are_compared_with_their_values():
    def board(shift):
        records = [retrieval("a", APS + shift), retrieval("b", APS)]
        return json.loads(harness.leaderboard(records, format="json"))["boards"]

    changes = harness.compare(Results("old", boards=tuple(board(0.0))), Results("new", boards=tuple(board(0.1))))
    assert verdicts(changes) == {"tiny · b": ["identical"], "tiny · a": ["better"]}
    for row in (old := board(0.0))[0]["rows"]:
        del row["units"], row["values"]
    changes = harness.compare(Results("old", boards=tuple(old)), Results("new", boards=tuple(board(0.1))))
    assert changes.with_verdict("inconclusive")[0][0].label == "tiny · a"
    assert old[0].pop("fingerprint")
    with pytest.raises(NotComparable, match="one side does not say which data"):
        harness.compare(Results("old", boards=tuple(old)), Results("new", boards=tuple(board(0.1))))
    old = [*old, {**old[0], "dataset": "set size=2"}]
    assert len(harness.compare(Results("old", boards=tuple(old)), Results("same", boards=tuple(old))).methods) == 4
    old, other = board(0.0), board(0.1)
    other[0]["fingerprint"] = "0" * 64
    with pytest.raises(NotComparable, match="other data"):
        harness.compare(Results("old", boards=tuple(old)), Results("new", boards=tuple(other)))


def test_records_and_a_committed_board_of_them_agree_on_the_primary_metric():
    records = active([0.5, 0.6, 0.7, 0.8, 0.9, 0.7])
    records = [r.model_copy(update={"metrics": {**r.metrics, "accuracy@40": r.metrics["accuracy"]}}) for r in records]
    boards = tuple(json.loads(harness.leaderboard(records, format="json"))["boards"])
    changes = harness.compare(records, Results("board", boards=boards))
    assert verdicts(changes) == {"random": ["identical"]}


def test_precision_is_tested_query_by_query_like_average_precision():
    def precise(values):
        record = retrieval("gem", APS, metrics={"map_medium": 0.5, "mp@10_medium": float(np.mean(values))})
        return record.model_copy(update={"details": {**record.details, "mp@10_medium": values.tolist()}})

    better = harness.compare([precise(APS)], [precise(APS + 0.1 + NOISE)], metrics=["mp@10_medium"])
    assert verdicts(better) == {"tiny · gem": ["better"]}
    alone = harness.compare([retrieval("gem", APS)], [retrieval("gem", APS + 0.1)], metrics=["mp@10_medium"])
    assert verdicts(alone) == {
        "tiny · gem": ["inconclusive"]
    }  # records without the values of the queries have one number each


def test_an_unknown_metric_and_an_empty_side():
    with pytest.raises(UnknownName, match='no side has the metric "map_medum"') as error:
        harness.compare([retrieval()], [retrieval()], metrics=["map_medum"])
    assert 'did you mean "map_medium"?' in error.value.fix
    with pytest.raises(NotComparable, match="no records in records"):
        harness.compare([retrieval()], [])


def test_hostile_names_stay_text_and_json_is_json():
    name = "<script>alert(1)</script>|**x**\n# y"
    changes = harness.compare([retrieval(name, APS), retrieval("ok", APS)], [retrieval(name, APS + 0.1)])
    text = render_changes(changes)
    assert "<script>" not in text
    assert "**x**" not in text
    assert "\n# y" not in text
    content = json.loads(render_changes(changes, "json"), parse_constant=lambda found: pytest.fail(found))
    assert content["methods"][0]["methods"]["pooling"]["name"] == name
    assert content["only_before"] == ["set · tiny · ok"]
    with pytest.raises(UnknownName, match="markdwn"):
        render_changes(changes, "markdwn")
