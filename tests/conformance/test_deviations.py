"""Declared deviations travel from the class to the record and to the footer of a leaderboard."""

from __future__ import annotations

import pytest

from harness.boards import leaderboard
from harness.registry import load_registry
from harness.registry.composition import deviations_of
from harness.runs import run

PLUGIN = """
from dataclasses import dataclass
from typing import ClassVar
from harness import hookimpl

@dataclass(frozen=True)
class Mean:
    '''Mean of each map.'''
    deviations: ClassVar = {"batch": "the paper normalises over the batch"}
    def pool(self, maps):
        return maps.mean((-2, -1))

@dataclass(frozen=True)
class Lowest:
    '''The first ones.'''
    deviations: ClassVar = {"position-independent": "a baseline that reads the file"}
    def select(self, pool, budget, rng):
        return pool.unlabelled[:budget]

@hookimpl
def harness_register(registry):
    registry.pooling("my-mean", Mean)
    registry.acquisition("lowest", Lowest)
"""


@pytest.fixture
def plugin(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(PLUGIN)
    return str(path)


def test_the_footer_of_a_leaderboard_tells_them(plugin, toy, tmp_path):
    methods = {"backbone": "colour", "pooling": ["mac", "my-mean"]}
    spec = {"name": "toy", "task": "retrieval", "datasets": "toy-images", "methods": methods, "plugins": [toy, plugin]}
    records = run(spec, runs=tmp_path / "runs")
    by_name = {record.methods["pooling"].name: record.methods["pooling"].deviations for record in records}
    assert by_name == {"mac": {}, "my-mean": {"batch": "the paper normalises over the batch"}}
    text = leaderboard(records)
    (line,) = [line for line in text.splitlines() if "deviates from the rules" in line]
    assert "pooling my-mean" in line
    assert "batch (the paper normalises over the batch)" in line
    without = [record for record in records if record.methods["pooling"].name == "mac"]
    assert "deviates" not in leaderboard(without)


def test_of_methods_put_together_those_of_all_parts_count(plugin):
    registry = load_registry([plugin])
    composed = registry.entry("acquisition", "lowest+coreset").load()
    assert deviations_of(composed) == {"position-independent": "a baseline that reads the file"}
    assert deviations_of(registry.entry("pooling", "gem").load()) == {}
