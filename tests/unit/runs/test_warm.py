"""The process that forks reads once what each run of a plugin would read again."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.data.folders import data_folders
from harness.registry import load_registry, modules
from harness.registry.source import source_digest
from harness.runs.executors import warm
from harness.runs.executors.choose import WARM, preloaded
from harness.runs.identity import ENGINES
from harness.runs.plan import make_plan


def plan(tmp_path, toy, pooling):
    images = {"synthetic-instances": {"objects": 2, "images": 6, "queries": 2, "size": 48}}
    methods = {"backbone": "tiny", "pooling": pooling}
    spec = {"name": "toy", "task": "retrieval", "datasets": [images], "methods": methods, "plugins": [toy]}
    return make_plan(spec, data_folders(tmp_path, tmp_path))


@pytest.mark.parametrize(("pooling", "warmed"), [("gem", False), ("broken", True)])
def test_it_is_prepared_for_runs_of_plugins_and_after_all_that_it_prepares(tmp_path, toy, pooling, warmed):
    names = preloaded(plan(tmp_path, toy, pooling).runs)
    assert (WARM in names, names[-1] == WARM) == (warmed, warmed)
    assert warm.__name__ == WARM


def test_a_run_of_a_plugin_then_parses_nothing_but_the_plugin(toy, monkeypatch):
    import harness.retrieval.pipeline  # noqa: F401  # as the process that forks has loaded it

    warm.warm()
    parsed, tree_of = [], modules.tree_of
    monkeypatch.setattr(modules, "tree_of", lambda path: (parsed.append(path), tree_of(path))[1])
    load_registry([toy])  # forgets what may have changed, as a forked process does
    source_digest(ENGINES["retrieval"])
    assert {path for path in parsed if path != Path(toy)} == set()
