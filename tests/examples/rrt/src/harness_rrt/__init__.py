"""Registers the re-ranker; it is loaded on first use."""

from __future__ import annotations

from harness.plugin_api import Registrar, hookimpl

harness_plugin_api = 1


@hookimpl
def harness_register(registry: Registrar) -> None:
    """Tell the harness its name, and on what to try it: random weights."""
    registry.reranking("rrt", "harness_rrt.rrt:RRT", check="harness_rrt.examples:random_checkpoint")
