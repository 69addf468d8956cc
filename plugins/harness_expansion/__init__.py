"""Built-in query expansions."""

from __future__ import annotations

from harness.plugin_api import Registrar, hookimpl


@hookimpl
def harness_register(registry: Registrar) -> None:
    """Register the query expansions; each is loaded on first use."""
    registry.expansion("aqe", "harness_expansion.aqe:AQE")
    registry.expansion("alphaqe", "harness_expansion.alphaqe:AlphaQE")
    registry.expansion("dba", "harness_expansion.dba:DBA")
    registry.expansion("regional-diffusion", "harness_expansion.regional:RegionalDiffusion")
    registry.expansion("diffusion", "harness_expansion.diffusion:Diffusion")
