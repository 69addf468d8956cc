"""Built-in re-rankers: registration only."""

from __future__ import annotations

from harness.plugin_api import Registrar, hookimpl


@hookimpl
def harness_register(registry: Registrar) -> None:
    """Register the re-rankers; each is loaded on first use."""
    registry.reranking("dsm", "harness_reranking.dsm.reranker:DSM", evidence="harness_evidence.dsm:dsm")
    registry.reranking("r-match", "harness_reranking.r_match:RMatch", evidence="harness_evidence.reranking:r_match")
    registry.reranking(
        "sift-ransac", "harness_reranking.sift_ransac:SiftRansac", evidence="harness_evidence.reranking:sift_ransac"
    )
    registry.reranking(
        "asmk", "harness_reranking.asmk:ASMK", check={"words": 16}, evidence="harness_evidence.reranking:asmk"
    )
    some = {"extractor": "harness_reranking.examples:patches"}
    registry.reranking(
        "local-features",
        "harness_reranking.local_features:LocalFeatures",
        check=some,
        evidence="harness_evidence.reranking:local_features",
    )
