"""Built-in classification networks."""

from __future__ import annotations

from harness.plugin_api import Registrar, hookimpl


@hookimpl
def harness_register(registry: Registrar) -> None:
    """Register the networks; each is loaded on first use."""
    registry.network("small-cnn", "harness_network.small:SmallCNN", evidence="harness_evidence.networks:small_cnn")
    registry.network(
        "linear-head", "harness_network.linear:LinearHead", evidence="harness_evidence.learning:linear_head"
    )
    registry.network("cnn13", "harness_network.cnn13:CNN13", evidence="harness_evidence.networks:cnn13")
