"""Costs that no run can have had, and costs that no other machine explains."""

from __future__ import annotations

import pytest

from harness.runs.record import Record
from harness.studies.verify_costs import changed_cost, impossible_cost


def record(wall=4.0, cpu=6.0, *, cached=False, figures=None, **changes):
    """A run of ten seconds on two processors, one stage of which is told."""
    stage = {"wall_s": wall, "cpu_s": cpu, "peak_bytes": 0, "cached": cached}
    content = {
        "id": "1",
        "status": "done",
        "task": "retrieval",
        "protocol": {},
        "protocol_id": "p",
        "dataset": {"name": "set", "loader": "l", "parameters": {}, "fingerprint": "f"},
        "methods": {},
        "seed": 0,
        "metrics": {"map": 0.5},
        "cost": {"extract": stage},
        "figures": figures or {},
        "environment": {"cores": 2},
        "started": "2026-01-01T00:00:00.000+00:00",
        "finished": "2026-01-01T00:00:10.000+00:00",
    }
    return Record.model_validate({**content, **changes})


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({}, ""),
        ({"wall": 10.9}, ""),  # clocks differ
        ({"wall": 12.0}, "its stages took 12 s, the run 10 s"),
        ({"wall": 12.0, "cached": True}, ""),  # of another run
        ({"cpu": 12.0}, "extract took 12 s of 2 processors in 4 s"),
        ({"cpu": 12.0, "environment": {}}, ""),
        ({"cpu": 12.0, "environment": {"cores": 2, "shards": 8}}, ""),  # on other machines
        ({"wall": 0.0, "cpu": 0.0}, "extract took no time"),
        ({"finished": "2025-12-31T23:59:59+00:00"}, "it finished before it started"),
        ({"finished": "soon"}, "when it started or finished is not a time"),
        ({"finished": "2026-01-01T00:00:10"}, "when it started or finished is not a time"),
        ({"figures": {"query_s_p50": 0.2, "query_s_p95": 0.1}}, "half of its queries took longer than 95% of them"),
        ({"wall": 12.0, "measured_by": "others"}, ""),
    ],
)
def test_costs_that_cannot_be(changes, problem):
    assert impossible_cost(record(**changes)) == problem


def test_other_machines_explain_times_but_no_sizes():
    figures = {"bytes_per_image": 12.0, "query_s_p50": 0.1}
    now = record(figures={**figures, "query_s_p50": 0.9})
    assert changed_cost(record(figures=figures), now) == ""
    assert changed_cost(record(figures={"bytes_per_image": 1.0}), now) == "bytes_per_image is 1, now 12"
    assert changed_cost(record(wall=0.1), now) == ""
    assert changed_cost(record(wall=0.01), record(wall=9.0)) == "extract took 0.01 s, now 9 s"
    assert changed_cost(record(wall=0.01), record(wall=9.0, cached=True)) == ""
    card = {"gpu_peak_bytes": 2e9}
    assert changed_cost(record(figures=card), record(figures={"gpu_peak_bytes": 3e9})) == ""
