"""Built-in poolings: registration only."""

from __future__ import annotations

from harness.plugin_api import Registrar, hookimpl


@hookimpl
def harness_register(registry: Registrar) -> None:
    """Register the poolings; each is loaded on first use."""
    registry.pooling("spoc", "harness_pooling.spoc:SPoC")
    registry.pooling("mac", "harness_pooling.mac:MAC")
    registry.pooling("gem", "harness_pooling.gem:GeM")
    registry.pooling(
        "learned-gem", "harness_pooling.learned_gem:LearnedGeM", check="harness_pooling.examples:checkpoint"
    )
    registry.pooling("rmac", "harness_pooling.rmac:RMAC")
    registry.pooling("rgem", "harness_pooling.rgem:RGeM")
    registry.pooling("superglobal", "harness_pooling.superglobal:SuperGlobal")
    registry.pooling("crow", "harness_pooling.crow:CroW")
    registry.pooling("fs-egm", "harness_pooling.fs_egm:FeatureSaliencyEGM")
    registry.pooling("os-egm", "harness_pooling.os_egm:ObjectSaliencyEGM")
