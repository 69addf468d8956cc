"""What is asked of SLURM: a job may take what the user says, else what the partition gives."""

from __future__ import annotations

import os
import signal
import time

import pytest

from harness.core.errors import SpecError
from harness.runs.executors.job import Limits
from harness.runs.executors.submitting import Submitted, submitted, submitter

submitit = pytest.importorskip("submitit")


@pytest.fixture
def asked(tmp_path, monkeypatch):
    """The lines of the last script that was given to SLURM."""
    tools = tmp_path / "bin"
    tools.mkdir()
    for name, does in {"srun": "", "sbatch": f'cat "$1" > {tmp_path}/script; echo "Submitted batch job 12"'}.items():
        (tools / name).write_text(f"#!/bin/sh\n{does}\n")
        (tools / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tools), prepend=os.pathsep)
    return lambda: (tmp_path / "script").read_text().splitlines()


def times(lines):
    return [line for line in lines if "--time" in line]


@pytest.mark.parametrize("options", [{}, {"slurm_partition": "gpu"}])
def test_without_a_limit_a_job_has_the_time_of_its_partition(tmp_path, asked, options):
    executor = submitter(tmp_path / "jobs", Limits(), options)
    executor.submit(len, ())
    assert times(asked()) == []
    executor.map_array(len, [(), ()])
    assert any("--array=0-1" in line for line in asked())
    assert times(asked()) == []


@pytest.mark.parametrize(
    ("seconds", "options", "minutes"),
    [
        (7200, {}, 125),
        (None, {"timeout_min": "600"}, 600),
        (None, {"slurm_time": "30"}, 30),
        (7200, {"timeout_min": "600"}, 600),
    ],
)
def test_what_the_user_says_is_the_limit(tmp_path, asked, seconds, options, minutes):
    submitter(tmp_path / "jobs", Limits(seconds), options).submit(len, ())
    assert times(asked()) == [f"#SBATCH --time={minutes}"]


def test_a_local_job_without_a_limit_is_not_ended(tmp_path):
    executor = submitter(tmp_path / "jobs", Limits(), {"cluster": "local"})
    assert executor._executor.parameters["timeout_min"] >= 7 * 24 * 60


def test_the_end_of_a_partitions_time_is_said():
    before = signal.getsignal(signal.SIGUSR2)

    def interrupted(_):
        os.kill(os.getpid(), signal.SIGUSR2)
        time.sleep(60)

    try:
        error = Submitted(interrupted, limited=False)(None)
        assert "SLURM ends the job" in error.headline
        assert "--timeout" in error.fix
    finally:
        signal.signal(signal.SIGUSR2, before)


def test_a_mistake_comes_back_as_it_is_and_only_jobs_without_a_limit_mind_the_partition(tmp_path, asked):
    def mistaken(_):
        raise SpecError("wrong", fix="right")

    limits = {Limits(): False, Limits(60): True}
    for limit, limited in limits.items():
        work = submitted(submitter(tmp_path / "jobs", limit, {}), mistaken)
        assert work.limited is limited
    assert work(None).fix == "right"


@pytest.mark.parametrize("options", [{"timeout_min": "ten"}, {"no_option": "1"}])
def test_what_submitit_does_not_take_is_said(tmp_path, asked, options):
    with pytest.raises(SpecError, match=f"submitit cannot use slurm: .*{next(iter(options))}"):
        submitter(tmp_path / "jobs", Limits(), options)
