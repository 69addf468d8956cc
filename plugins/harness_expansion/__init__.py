"""Built-in query expansions."""

from __future__ import annotations

from harness.plugin_api import Registrar, hookimpl


@hookimpl
def harness_register(registry: Registrar) -> None:
    """Register the query expansions; each is loaded on first use."""
    registry.expansion("aqe", "harness_expansion.aqe:AQE", evidence="harness_evidence.expansion:aqe")
    registry.expansion("alphaqe", "harness_expansion.alphaqe:AlphaQE", evidence="harness_evidence.expansion:alphaqe")
    registry.expansion("dba", "harness_expansion.dba:DBA", evidence="harness_evidence.expansion:dba")
    registry.expansion(
        "regional-diffusion",
        "harness_expansion.regional:RegionalDiffusion",
        evidence="harness_evidence.diffusion:regional_diffusion",
    )
    registry.expansion(
        "diffusion", "harness_expansion.diffusion:Diffusion", evidence="harness_evidence.diffusion:diffusion"
    )
    registry.expansion(
        "aqe-decay", "harness_expansion.aqe_decay:AQEDecay", evidence="harness_evidence.expansion:aqe_decay"
    )
    registry.expansion(
        "dba-decay", "harness_expansion.dba_decay:DBADecay", evidence="harness_evidence.expansion:dba_decay"
    )
    registry.expansion("dqe", "harness_expansion.dqe:DQE", evidence="harness_evidence.expansion:dqe")
    registry.expansion("rocchio", "harness_expansion.rocchio:Rocchio", evidence="harness_evidence.expansion:rocchio")
    registry.expansion(
        "superglobal",
        "harness_expansion.superglobal:SuperGlobal",
        check={"top": 100},
        evidence="harness_evidence.expansion:superglobal",
    )
    registry.expansion(
        "k-reciprocal", "harness_expansion.k_reciprocal:KReciprocal", evidence="harness_evidence.diffusion:k_reciprocal"
    )
    registry.expansion("egt", "harness_expansion.egt:EGT", check={"k": 5}, evidence="harness_evidence.diffusion:egt")
