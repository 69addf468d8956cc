"""Built-in poolings: registration only."""

from __future__ import annotations

from harness.plugin_api import Registrar, hookimpl


@hookimpl
def harness_register(registry: Registrar) -> None:
    """Register the poolings; each is loaded on first use."""
    registry.pooling("spoc", "harness_pooling.spoc:SPoC", evidence="harness_evidence.pooling:spoc")
    registry.pooling("mac", "harness_pooling.mac:MAC", evidence="harness_evidence.pooling:mac")
    registry.pooling("gem", "harness_pooling.gem:GeM", evidence="harness_evidence.pooling:gem")
    registry.pooling(
        "learned-gem",
        "harness_pooling.learned_gem:LearnedGeM",
        check="harness_pooling.examples:checkpoint",
        evidence="harness_evidence.pooling:learned_gem",
    )
    registry.pooling("rmac", "harness_pooling.rmac:RMAC", evidence="harness_evidence.pooling:rmac")
    registry.pooling("rgem", "harness_pooling.rgem:RGeM", evidence="harness_evidence.pooling:rgem")
    registry.pooling(
        "superglobal", "harness_pooling.superglobal:SuperGlobal", evidence="harness_evidence.pooling:superglobal"
    )
    registry.pooling("crow", "harness_pooling.crow:CroW", evidence="harness_evidence.pooling:crow")
    registry.pooling("fs-egm", "harness_pooling.fs_egm:FeatureSaliencyEGM", evidence="harness_evidence.pooling:fs_egm")
    registry.pooling("os-egm", "harness_pooling.os_egm:ObjectSaliencyEGM", evidence="harness_evidence.pooling:os_egm")
