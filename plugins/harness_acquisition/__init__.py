"""Built-in acquisition functions."""

from __future__ import annotations

from harness.plugin_api import Registrar, hookimpl


@hookimpl
def harness_register(registry: Registrar) -> None:
    """Register the acquisition functions; each is loaded on first use."""
    registry.acquisition("random", "harness_acquisition.random:Random", evidence="harness_evidence.mixtures:random")
    registry.acquisition(
        "entropy", "harness_acquisition.entropy:Entropy", evidence="harness_evidence.uncertainty:entropy"
    )
    registry.acquisition("margin", "harness_acquisition.margin:Margin", evidence="harness_evidence.uncertainty:margin")
    registry.acquisition(
        "least-confidence",
        "harness_acquisition.least_confidence:LeastConfidence",
        evidence="harness_evidence.uncertainty:least_confidence",
    )
    registry.acquisition("coreset", "harness_acquisition.coreset:CoreSet", evidence="harness_evidence.coverage:coreset")
    registry.acquisition("jlp", "harness_acquisition.jlp:JointLabelPropagation", evidence="harness_evidence.graphs:jlp")
    registry.acquisition("bald", "harness_acquisition.bald:Bald", evidence="harness_evidence.uncertainty:bald")
    registry.acquisition(
        "variation-ratio",
        "harness_acquisition.variation_ratio:VariationRatio",
        evidence="harness_evidence.uncertainty:variation_ratio",
    )
    registry.acquisition(
        "balanced-random",
        "harness_acquisition.balanced_random:BalancedRandom",
        evidence="harness_evidence.mixtures:balanced_random",
    )
    registry.acquisition("badge", "harness_acquisition.badge:Badge", evidence="harness_evidence.gradients:badge")
    registry.acquisition("kmeans", "harness_acquisition.kmeans:KMeans", evidence="harness_evidence.coverage:kmeans")
    registry.acquisition(
        "typiclust", "harness_acquisition.typiclust:TypiClust", evidence="harness_evidence.coverage:typiclust"
    )
    registry.acquisition(
        "probcover", "harness_acquisition.probcover:ProbCover", evidence="harness_evidence.coverage:probcover"
    )
    registry.acquisition(
        "replay",
        "harness_acquisition.replay:Replay",
        check="harness_acquisition.examples:records_to_replay",
        evidence="harness_evidence.mixtures:replay",
    )
    registry.acquisition(
        "dal", "harness_acquisition.dal:DiscriminativeActiveLearning", evidence="harness_evidence.gradients:dal"
    )
    registry.acquisition(
        "max-herding", "harness_acquisition.max_herding:MaxHerding", evidence="harness_evidence.coverage:max_herding"
    )
    registry.acquisition(
        "uncertainty-herding",
        "harness_acquisition.uncertainty_herding:UncertaintyHerding",
        evidence="harness_evidence.coverage:uncertainty_herding",
    )
    registry.acquisition(
        "power-bald", "harness_acquisition.power_bald:PowerBald", evidence="harness_evidence.uncertainty:power_bald"
    )
    registry.acquisition(
        "cluster-margin",
        "harness_acquisition.cluster_margin:ClusterMargin",
        evidence="harness_evidence.mixtures:cluster_margin",
    )
    registry.acquisition("clue", "harness_acquisition.clue:Clue", evidence="harness_evidence.mixtures:clue")
    registry.acquisition("falcun", "harness_acquisition.falcun:Falcun", evidence="harness_evidence.mixtures:falcun")
    registry.acquisition(
        "batch-bald", "harness_acquisition.batch_bald:BatchBald", evidence="harness_evidence.uncertainty:batch_bald"
    )
    registry.acquisition(
        "dropquery", "harness_acquisition.dropquery:DropQuery", evidence="harness_evidence.mixtures:dropquery"
    )
    registry.acquisition(
        "committee", "harness_acquisition.committee:Committee", evidence="harness_evidence.uncertainty:committee"
    )
    registry.acquisition(
        "activeft", "harness_acquisition.activeft:ActiveFT", evidence="harness_evidence.coverage:activeft"
    )
    registry.acquisition("bait", "harness_acquisition.bait:Bait", evidence="harness_evidence.gradients:bait")
    registry.acquisition("galaxy", "harness_acquisition.galaxy:Galaxy", evidence="harness_evidence.graphs:galaxy")
    registry.acquisition(
        "alfa-mix", "harness_acquisition.alfa_mix:AlfaMix", evidence="harness_evidence.mixtures:alfa_mix"
    )
    registry.acquisition("dcom", "harness_acquisition.dcom:DCoM", evidence="harness_evidence.coverage:dcom")
