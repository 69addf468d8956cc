"""Built-in whitenings: registration only."""

from __future__ import annotations

from harness.plugin_api import Registrar, hookimpl


@hookimpl
def harness_register(registry: Registrar) -> None:
    """Register the whitenings; each is loaded on first use."""
    registry.whitening("pca", "harness_whitening.pca:PCA", evidence="harness_evidence.whitening:pca")
    registry.whitening(
        "supervised", "harness_whitening.supervised:Supervised", evidence="harness_evidence.whitening:supervised"
    )
    registry.whitening(
        "learned",
        "harness_whitening.learned:Learned",
        check="harness_whitening.examples:checkpoint",
        evidence="harness_evidence.whitening:learned",
    )
