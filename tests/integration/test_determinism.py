"""The same spec gives the same records, whoever does it, on how many threads, and in which order."""

from __future__ import annotations

import itertools
import json
import os
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

DRIVER = Path(__file__).parents[1] / "fixtures" / "determinism.py"
SPECS = list(runpy.run_path(str(DRIVER))["SPECS"])
QUICK = ["linear", "whitenings"]
SETTINGS = list(
    itertools.product(
        (("inline", 1), ("processes", 1), ("processes", 2)), ("1", "2"), ("0", "1", "2"), ("forwards", "backwards")
    )
)


def records(folder, executor, omp, hashes, order, names):
    """Records without costs by spec and id."""
    folder.mkdir()
    environment = {**os.environ, "OMP_NUM_THREADS": omp, "PYTHONHASHSEED": hashes}
    command = [sys.executable, str(DRIVER), str(folder), executor[0], str(executor[1]), order, *names]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=900)
    assert done.returncode == 0, done.stderr[-3000:]
    found = json.loads(done.stdout.splitlines()[-1])
    assert {record["status"] for record in found.values()} == {"done"}, found
    return found


def test_the_records_are_the_same_on_one_thread_and_on_two_in_the_other_order(tmp_path):
    """With other hashes too. Other executors: the settings below, and test_executors.py."""
    first = records(tmp_path / "a", ("inline", 1), "1", "0", "forwards", QUICK)
    assert first == records(tmp_path / "b", ("inline", 1), "2", "1", "backwards", QUICK)


@pytest.fixture(scope="module")
def reference(tmp_path_factory):
    return records(tmp_path_factory.mktemp("reference") / "a", *SETTINGS[0], SPECS)


@pytest.mark.slow
@pytest.mark.parametrize("setting", SETTINGS[1:], ids=str)
def test_twelve_specs_have_the_same_records_in_every_setting(reference, setting, tmp_path):
    assert records(tmp_path / "a", *setting, SPECS) == reference
