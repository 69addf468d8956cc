"""Adding seeds on simulated records: no training."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest

from harness.boards import boards_of
from harness.boards.verdicts import SEQUENTIAL
from harness.cli.run import _Execution
from harness.core.errors import SpecError
from harness.data.folders import data_folders
from harness.metrics.verdicts.power import detectable
from harness.runs.decidable import decidable_lines
from harness.runs.looks import LOOKS, keep_looks, seen_seeds
from harness.runs.plan import make_plan, with_seeds
from harness.runs.recreate import describe
from harness.runs.rules import begin, stored_rule
from harness.runs.store import Store
from harness.runs.targets import find_results
from harness.runs.until_decided import make_rule, planned_seeds, report_lines, until_decided

SPEC = """\
name: study
task: active-learning
datasets: digits
seeds: [0, 1, 2]
baseline: random
methods:
  learning: supervised
  acquisition: [random, margin, entropy]
"""
TIMES = itertools.count()
GAIN = {"random": 0.0, "margin": 0.1, "entropy": 0.002}


class Simulation:
    """Writes a record for every run, in place of an executor."""

    def __init__(self, store, fails=(), stop_after=None, fails_once=()):
        self.store, self.fails, self.stop_after, self.done = store, fails, stop_after, []
        self.fails_once = fails_once

    def __call__(self, plan, *, retry_failed):
        known = self.store.read_many(run.id for run in plan.runs)
        for run in plan.runs:
            if run.id in known and not (retry_failed and known[run.id].status == "failed"):
                continue
            if self.stop_after is not None and len(self.done) >= self.stop_after:
                raise KeyboardInterrupt
            name = run.methods["acquisition"].id.name
            self.done.append((name, run.seed))
            failed = (name, run.seed) in self.fails or ((name, run.seed) in self.fails_once and run.id not in known)
            record = record_of(run, name, failed=failed)
            self.store.write(record.model_copy(update={"finished": str(next(TIMES))}))


def record_of(run, name, *, failed):
    rng = np.random.default_rng([run.seed, *name.encode()])
    accuracies = [float(0.5 + 0.1 * cycle + GAIN[name] + rng.normal(0, 0.01)) for cycle in range(3)]
    record = describe(run)
    if failed:
        failure = {"code": "E", "message": "no memory", "traceback": ""}
        return record.model_validate({**record.model_dump(), "status": "failed", "failure": failure})
    cycles = [{"n_labelled": 10 * 2**n, "accuracy": a} for n, a in enumerate(accuracies)]
    metrics = {"accuracy": accuracies[-1]} | {f"accuracy@{c['n_labelled']}": c["accuracy"] for c in cycles}
    return record.model_copy(update={"status": "done", "metrics": metrics, "details": {"cycles": cycles}})


@pytest.fixture
def spec(tmp_path):
    path = tmp_path / "spec.yaml"
    path.write_text(SPEC)
    return path


def planned(spec, **changes):
    plan = make_plan(spec, data_folders(spec.parent / "data", spec.parent / "cache"), incomplete=True)
    design = replace(plan.spec.design, **changes)
    return replace(plan, spec=replace(plan.spec, design=design), missing=())


def do(spec, simulation, **changes):
    plan = planned(spec, **changes)
    rule = make_rule(plan, 20, all_pairs=False)
    begin(rule, simulation.store.folder)
    return until_decided(with_seeds(plan, rule.seeds), simulation.store, rule, simulation), rule


def test_seeds_are_added_only_where_a_comparison_is_open(spec, tmp_path):
    simulation = Simulation(Store(tmp_path / "runs"))
    ((board, found),), rule = do(spec, simulation)
    states = {board.setting.names[board.keys[o.first]].split(" · ")[-1]: (o.state, o.seeds) for o in found.outcomes}
    assert states["margin"] == ("differs", 4)
    assert states["entropy"][0] in ("undecided", "not to be settled")
    seeds = {name: sum(other == name for other, _ in simulation.done) for name in GAIN}
    assert seeds["margin"] == 4
    assert seeds["random"] == seeds["entropy"] >= 10
    lines = "\n".join(report_lines([(board, found)], simulation.store, rule.measure))
    assert "better after 4 seeds" in lines
    assert f"{len(simulation.done)} of 60 runs done" in lines


def test_an_interrupted_test_resumes_to_the_same_end(spec, tmp_path):
    whole = Simulation(Store(tmp_path / "whole"))
    ((_, expected),), _ = do(spec, whole)
    found, done = in_parts(spec, tmp_path / "parts", 12)
    assert len(done) > 12
    assert (found, done) == (expected, whole.done)


def in_parts(spec, folder, runs, **failing):
    """What an interrupted test comes to, and what it did, ``runs`` at a time."""
    done = []
    while True:
        simulation = Simulation(Store(folder), stop_after=runs, **failing)
        try:
            ((_, found),), _ = do(spec, simulation)
            return found, done + simulation.done
        except KeyboardInterrupt:
            done += simulation.done


@pytest.mark.parametrize("runs", [1, 2, 3, 5])
def test_failed_runs_are_repeated_once_however_often_a_test_is_interrupted(spec, tmp_path, runs):
    """One method recovers, one fails twice; interrupted at any time, no run is done more often than in one go."""
    spec.write_text(SPEC.replace("[0, 1, 2]", "[0]"))
    failing = {"fails_once": {("random", 2), ("margin", 1)}, "fails": {("entropy", 1)}}
    whole = Simulation(Store(tmp_path / "whole"), **failing)
    ((_, expected),), _ = do(spec, whole)
    assert sorted(outcome.state for outcome in expected.outcomes) == ["differs", "failed"]
    assert whole.done.count(("entropy", 1)) == 2
    found, done = in_parts(spec, tmp_path / "parts", runs, **failing)
    assert (found, sorted(done)) == (expected, sorted(whole.done))


def test_a_method_without_the_measure_leaves_and_does_not_hold_up_the_others(spec, tmp_path):
    simulation = Simulation(Store(tmp_path / "runs"))
    ((_, found),), _ = do(spec, simulation, measure="accuracy@50")
    assert {outcome.state for outcome in found.outcomes} == {"failed"}


def test_a_run_that_fails_is_repeated_once_and_its_method_leaves(spec, tmp_path):
    simulation = Simulation(Store(tmp_path / "runs"), fails={("margin", 1)})
    ((_, found),), _ = do(spec, simulation)
    assert sorted(o.state for o in found.outcomes)[0] == "failed"
    assert simulation.done.count(("margin", 1)) == 2


def test_close_methods_are_closed_by_the_smallest_difference(spec, tmp_path):
    simulation = Simulation(Store(tmp_path / "runs"))
    ((_, found),), _ = do(spec, simulation, smallest_difference=4.0)
    assert {o.state for o in found.outcomes} == {"differs", "within"}
    (within,) = [o for o in found.outcomes if o.state == "within"]
    ((board, _),), rule = do(spec, simulation, smallest_difference=4.0)
    lines = report_lines([(board, found)], simulation.store, rule.measure)
    assert any(
        f"within 4 points after {within.seeds} seeds" in line and f"p = {within.p:.2g}" in line for line in lines
    )


def test_the_rule_cannot_be_changed_after_the_start(spec, tmp_path):
    plan = planned(spec)
    rule = make_rule(plan, 20, all_pairs=False)
    assert begin(rule, tmp_path) == []
    assert begin(rule, tmp_path) == []
    assert stored_rule(tmp_path, "study") == rule
    with pytest.raises(SpecError, match="started with other seeds, which cannot be changed"):
        begin(make_rule(plan, 30, all_pairs=False), tmp_path)
    renamed = replace(make_rule(plan, 30, all_pairs=False), name="second")
    assert begin(renamed, tmp_path) == ["new test; earlier ones on these records: study"]


@pytest.mark.parametrize(
    ("changes", "most", "message"),
    [
        ({"baseline": ""}, 20, "the spec names none"),
        ({}, 3, "too few"),
        ({"baseline": "supervised"}, 20, "means 3 methods"),
    ],
)
def test_what_cannot_be_decided_this_way_is_said(spec, changes, most, message):
    with pytest.raises(SpecError, match=message):
        make_rule(planned(spec, **changes), most, all_pairs=False)


def test_seeds_follow_those_of_the_spec():
    assert planned_seeds((0, 1, 7), 6) == (0, 1, 7, 8, 9, 10)
    assert planned_seeds((5, 6, 7), 2) == (5, 6)


def test_the_board_shows_the_verdicts_of_the_test(spec, tmp_path):
    simulation = Simulation(Store(tmp_path / "runs"))
    do(spec, simulation, smallest_difference=4.0)
    results = find_results(spec, data=tmp_path / "data", cache=tmp_path / "cache")
    assert len(results.records) == len(simulation.done)
    (board,) = boards_of(results)
    assert board.tests.test == SEQUENTIAL
    standings = {row.labels["acquisition"]: row.against and row.against.standing for row in board.rows}
    assert standings == {"margin": "better", "entropy": "within 4 points", "random": None}
    assert {row.rank for row in board.rows} == {None}
    assert "Seeds were added until all was decided" in board.provenance[0]
    assert not any(row.notes for row in board.rows)


def test_imported_results_stand_beside_the_test_and_do_not_hold_it_up(spec, tmp_path):
    simulation = Simulation(Store(tmp_path / "runs"))
    do(spec, simulation)
    results = find_results(spec, data=tmp_path / "data", cache=tmp_path / "cache")
    (alone,) = boards_of(results)
    record = next(r for r in results.records if r.methods["acquisition"].name == "margin")
    method = record.methods["acquisition"].model_copy(update={"name": "theirs"})
    methods = {**record.methods, "acquisition": method}
    theirs = record.model_copy(update={"id": "theirs", "methods": methods, "measured_by": "others"})
    (board,) = boards_of(replace(results, records=(*results.records, theirs)))
    assert {row.labels["acquisition"] for row in board.rows} == {*GAIN, "theirs"}
    assert dict(board.tests.against) == dict(alone.tests.against)
    assert board.tests.tests == 2


@pytest.mark.parametrize(
    ("measure", "said"), [("area", "points"), ("accuracy", "points"), ("labels-to@55", "times the labels")]
)
def test_the_report_gives_differences_in_the_unit_of_the_measure(spec, tmp_path, measure, said):
    simulation = Simulation(Store(tmp_path / "runs"), fails={("entropy", seed) for seed in range(20)})
    stand, rule = do(spec, simulation, measure=measure)
    _, *lines, _ = report_lines(stand, simulation.store, rule.measure)
    margin, entropy = sorted(lines, key=lambda line: "entropy against" in line)
    assert "better after" in margin
    assert f"{said}, p = " in margin
    assert entropy.endswith("failed after 0 seeds")


def test_seeds_added_after_a_look_are_disclosed(spec, tmp_path):
    store = Store(tmp_path / "runs")
    Simulation(store)(planned(spec), retry_failed=False)

    def look():
        results = find_results(spec, data=tmp_path / "data", cache=tmp_path / "cache")
        (board,) = boards_of(results)
        return " ".join(board.provenance)

    from harness.cli.leaderboard import _remember

    assert "added after" not in look()
    _remember(find_results(spec, data=tmp_path / "data", cache=tmp_path / "cache"))
    assert list(seen_seeds(store.folder).values()) == [(0, 1, 2)]
    assert "added after" not in look()
    spec.write_text(SPEC.replace("[0, 1, 2]", "[0, 1, 2, 3, 4]"))
    Simulation(store)(planned(spec), retry_failed=False)
    assert "2 of 5 seeds were added after a verdict was seen (3, 4): the level does not hold." in look()
    keep_looks(store.folder, dict.fromkeys(seen_seeds(store.folder), (0,)))
    assert list(seen_seeds(store.folder).values()) == [(0, 1, 2)]  # the first look counts
    (store.folder / LOOKS).write_text("broken")
    assert "added after" not in look()


def test_a_plan_says_what_it_can_decide(spec, tmp_path):
    plan, store = planned(spec), Store(tmp_path / "runs")
    lines = "\n".join(decidable_lines(plan, store))
    assert "all 3 pairs of 3 methods, 3 seeds, measure area, t-test with pooled error, 1% level" in lines
    assert f"all pairs: {detectable(3, 3, baseline=False):.2f} standard deviations of a difference" in lines
    assert "against random:" in lines
    Simulation(store)(plan, retry_failed=False)
    lines = "\n".join(decidable_lines(planned(spec, smallest_difference=1.0), store))
    assert "points (up to" in lines
    assert "from 3 seeds of" in lines
    assert "seeds for a difference of 1 points:" in lines
    two = replace(plan, runs=tuple(run for run in plan.runs if run.seed < 2))
    assert "none is possible from 2 seeds; it takes at least 3" in "\n".join(decidable_lines(two, store))


def test_runs_on_other_data_of_the_same_name_are_no_pilots(spec, tmp_path):
    plan, store = planned(spec), Store(tmp_path / "runs")
    Simulation(store)(plan, retry_failed=False)
    assert "points (up to" in "\n".join(decidable_lines(plan, store))
    data = replace(plan.runs[0].dataset, fingerprint="other")
    changed = replace(plan, runs=tuple(replace(run, dataset=data) for run in plan.runs))
    assert "points (up to" not in "\n".join(decidable_lines(changed, store))


def test_the_command_counts_what_it_saved(spec, tmp_path, capsys, monkeypatch):
    from harness.cli import run as command

    simulation = Simulation(Store(tmp_path / "runs"))
    execution = _Execution(options=None, sinks=None, store=simulation.store)
    monkeypatch.setattr(_Execution, "perform", lambda self, plan, **options: simulation(plan, **options))
    assert command._until_decided(planned(spec), execution, 20, all_pairs=False) is False
    out = capsys.readouterr().out
    assert f"{60 - len(simulation.done)} saved, 0 failed." in out
