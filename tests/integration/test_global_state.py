"""A plugin changes what is global; built-in methods measured later, without it and on the same cache, do not notice."""

from __future__ import annotations

import json
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

DRIVER = Path(__file__).parents[1] / "fixtures" / "mutations.py"
MUTATIONS = runpy.run_path(str(DRIVER))["MUTATIONS"]
QUICK = ("normalised",)
"""`make test-all` runs the others."""


def measured(folder, *names, options=()):
    """Metrics of both tasks by mutation."""
    done = subprocess.run(
        [sys.executable, str(DRIVER), str(folder), *names, *options], capture_output=True, text=True, timeout=1800
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return {name: json.loads((folder / f"{name}.json").read_text()) for name in names}


@pytest.fixture(scope="module")
def quick(tmp_path_factory):
    return measured(tmp_path_factory.mktemp("quick"), "clean", *QUICK)


@pytest.fixture(scope="module")
def all_of_them(tmp_path_factory):
    return measured(tmp_path_factory.mktemp("all"), "clean", *MUTATIONS)


def test_enough_of_what_is_global_is_changed():
    assert len(MUTATIONS) >= 30


@pytest.mark.parametrize("name", QUICK)
def test_built_in_methods_have_the_right_numbers_afterwards(quick, name):
    assert [status for status, _, _ in quick["clean"]] == ["done", "done"]
    assert quick[name] == quick["clean"]


@pytest.mark.slow
@pytest.mark.parametrize("name", MUTATIONS)
def test_whatever_a_plugin_changes_built_in_methods_have_the_right_numbers_afterwards(all_of_them, name):
    assert all_of_them[name] == all_of_them["clean"]


@pytest.mark.slow
def test_it_is_the_provenance_of_entries_that_keeps_them_right(tmp_path):
    without = measured(tmp_path, "clean", "accuracy", "normalised", options=("--without-provenance",))
    assert without["accuracy"][0] != without["clean"][0]
    assert without["normalised"][1] != without["clean"][1]
