"""``harness records verify`` of bundles: options hold for them as for one's own records."""

from __future__ import annotations

from contextlib import nullcontext

import pytest
from people import bundle, record, store

from harness.bundles.checking import never_recomputed, verify
from harness.bundles.recomputed import append
from harness.core.errors import BadParameter, InvalidInput
from harness.studies import verify_records


@pytest.fixture
def again(monkeypatch):
    """The ids of the runs that are done again, and the tolerance that holds for them."""
    runs = []

    def repeated(file, run_id, plugins, data, tolerance, progress):
        runs.append((run_id, tolerance))
        return "", 0.0

    monkeypatch.setattr(verify_records, "_repeated", repeated)
    return runs


def drawn(again, targets, **options):
    again.clear()
    verify(targets, recompute=2, **options)
    return list(again)


def test_seed_and_tolerance_hold_for_bundles(tmp_path, again):
    file = bundle(tmp_path, *(record(seed=seed) for seed in range(12)))
    first = drawn(again, [file], seed="1", tolerance={"": 0.5})
    assert first == drawn(again, [file], seed="1", tolerance={"": 0.5})
    assert [tolerance for _, tolerance in first] == [{"": 0.5}] * 2
    assert len({tuple(drawn(again, [file], seed=str(seed))) for seed in range(5)}) > 1


def test_several_bundles_beside_folders_are_one_set_of_runs(tmp_path, again):
    bundles = [bundle(tmp_path / str(seed), record(seed=seed)) for seed in range(2)]
    folder = store(tmp_path / "mine", record("mac"))
    assert len(verify([*bundles, folder])) == 3
    verify([*bundles, folder], recompute="100%")
    assert len({run_id for run_id, _ in again}) == 3


@pytest.mark.parametrize("there", [False, True])
def test_runs_of_a_gpu_are_drawn_where_there_is_one(tmp_path, again, monkeypatch, there):
    def usable(device):
        if not there:
            raise InvalidInput(f"no {device}")

    read = verify_records._read

    def measured_on(file):
        found = read(file)
        device = {"device": "cuda"} if found.seed == 1 else {}
        return found.model_copy(update={"protocol": {**found.protocol, **device}})

    monkeypatch.setattr(verify_records, "usable", usable)
    monkeypatch.setattr(verify_records, "_read", measured_on)
    said = nullcontext() if there else pytest.warns(UserWarning, match="no GPU here: 1")
    with said:
        checks = verify([bundle(tmp_path, *(record(seed=seed) for seed in range(3)))], recompute="100%")
    assert len(again) == sum(check.repeatable for check in checks) == (3 if there else 2)
    assert not any(check.problem for check in checks)


def test_runs_of_a_bundle_that_the_log_names_are_drawn_last(tmp_path, again):
    file, log = bundle(tmp_path, *(record(seed=seed) for seed in range(6))), tmp_path / "log.jsonl"
    seen = set()
    for left in (4, 2, 0):
        again.clear()
        checks = verify([file], recompute=2, seed="1", log=log)
        append(log, checks, "CI")
        seen |= {run_id for run_id, _ in again}
        assert never_recomputed(checks, log) == (left, 6)
    assert len(seen) == 6


@pytest.mark.parametrize(("option", "value"), [("runs", "runs"), ("run_sources", True)])
def test_options_that_would_say_nothing_are_refused(tmp_path, option, value):
    target = bundle(tmp_path, record()) if option == "runs" else store(tmp_path / "runs", record())
    with pytest.raises(BadParameter, match=f"--{option.replace('_', '-')} is for"):
        verify([target], **{option: value})
