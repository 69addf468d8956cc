"""Costs of jobs that are threads of one process: together they are what the process took."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from harness.core import cost
from harness.core.cost import Cost, count_elsewhere, measured, measured_among_threads


@pytest.fixture
def clock(monkeypatch):
    now = SimpleNamespace(seconds=100.0)
    monkeypatch.setattr(cost, "time", SimpleNamespace(perf_counter=lambda: 0.0, process_time=lambda: now.seconds))
    return now


def test_the_seconds_of_a_process_are_divided_among_the_jobs_under_way(clock):
    first, second = measured_among_threads(), measured_among_threads()
    a = first.__enter__()
    clock.seconds += 10
    b = second.__enter__()
    clock.seconds += 20
    first.__exit__(None, None, None)
    clock.seconds += 4
    second.__exit__(None, None, None)
    clock.seconds += 1000  # of nobody
    assert (a.cpu_s, b.cpu_s) == (20, 14)


def test_a_job_alone_has_all_that_its_process_took_and_what_others_took_for_it(clock):
    with measured() as whole, measured_among_threads() as job:
        clock.seconds += 3
        count_elsewhere(Cost(cpu_s=5))
    assert job.cpu_s == whole.cpu_s == 8


def test_a_job_that_fails_is_under_way_no_longer(clock):
    with pytest.raises(ZeroDivisionError), measured_among_threads():
        raise ZeroDivisionError
    with measured_among_threads() as job:
        clock.seconds += 3
    assert job.cpu_s == 3
