"""Built-in acquisition functions."""

from __future__ import annotations

from harness.plugin_api import Registrar, hookimpl


@hookimpl
def harness_register(registry: Registrar) -> None:
    """Register the acquisition functions; each is loaded on first use."""
    registry.acquisition("random", "harness_acquisition.random:Random")
    registry.acquisition("entropy", "harness_acquisition.entropy:Entropy")
    registry.acquisition("margin", "harness_acquisition.margin:Margin")
    registry.acquisition("least-confidence", "harness_acquisition.least_confidence:LeastConfidence")
    registry.acquisition("coreset", "harness_acquisition.coreset:CoreSet")
    registry.acquisition("jlp", "harness_acquisition.jlp:JointLabelPropagation")
    registry.acquisition("bald", "harness_acquisition.bald:Bald")
    registry.acquisition("variation-ratio", "harness_acquisition.variation_ratio:VariationRatio")
    registry.acquisition("balanced-random", "harness_acquisition.balanced_random:BalancedRandom")
    registry.acquisition("badge", "harness_acquisition.badge:Badge")
    registry.acquisition("kmeans", "harness_acquisition.kmeans:KMeans")
    registry.acquisition("typiclust", "harness_acquisition.typiclust:TypiClust")
    registry.acquisition("probcover", "harness_acquisition.probcover:ProbCover")
    registry.acquisition(
        "replay", "harness_acquisition.replay:Replay", check="harness_acquisition.examples:records_to_replay"
    )
    registry.acquisition("dal", "harness_acquisition.dal:DiscriminativeActiveLearning")
    registry.acquisition("max-herding", "harness_acquisition.max_herding:MaxHerding")
    registry.acquisition("uncertainty-herding", "harness_acquisition.uncertainty_herding:UncertaintyHerding")
    registry.acquisition("power-bald", "harness_acquisition.power_bald:PowerBald")
    registry.acquisition("cluster-margin", "harness_acquisition.cluster_margin:ClusterMargin")
    registry.acquisition("clue", "harness_acquisition.clue:Clue")
    registry.acquisition("falcun", "harness_acquisition.falcun:Falcun")
    registry.acquisition("batch-bald", "harness_acquisition.batch_bald:BatchBald")
    registry.acquisition("dropquery", "harness_acquisition.dropquery:DropQuery")
    registry.acquisition("committee", "harness_acquisition.committee:Committee")
    registry.acquisition("activeft", "harness_acquisition.activeft:ActiveFT")
    registry.acquisition("bait", "harness_acquisition.bait:Bait")
    registry.acquisition("galaxy", "harness_acquisition.galaxy:Galaxy")
