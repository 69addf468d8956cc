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
    registry.expansion("aqe-decay", "harness_expansion.aqe_decay:AQEDecay")
    registry.expansion("dba-decay", "harness_expansion.dba_decay:DBADecay")
    registry.expansion("dqe", "harness_expansion.dqe:DQE")
    registry.expansion("rocchio", "harness_expansion.rocchio:Rocchio")
    registry.expansion("superglobal", "harness_expansion.superglobal:SuperGlobal", check={"top": 100})
    registry.expansion("k-reciprocal", "harness_expansion.k_reciprocal:KReciprocal")
