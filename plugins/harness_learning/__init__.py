"""Built-in learning schemes."""

from __future__ import annotations

from harness.plugin_api import Registrar, hookimpl


@hookimpl
def harness_register(registry: Registrar) -> None:
    """Register the learning schemes; each is loaded on first use. ``pretrain+semi`` is made of two of them."""
    few = {"epochs": 3}
    registry.learning(
        "supervised",
        "harness_learning.supervised:Supervised",
        check=few,
        evidence="harness_evidence.learning:supervised",
    )
    registry.learning(
        "pretrain",
        "harness_learning.deep_cluster:Pretrain",
        check={**few, "pre_epochs": 2},
        evidence="harness_evidence.descent:pretrain",
    )
    registry.learning(
        "semi",
        "harness_learning.label_propagation:SemiSupervised",
        check={**few, "semi_epochs": 2},
        evidence="harness_evidence.learning:semi",
    )
    registry.learning(
        "validated", "harness_learning.validated:Validated", check=few, evidence="harness_evidence.descent:validated"
    )
    registry.learning("logistic", "harness_learning.logistic:Logistic", evidence="harness_evidence.learning:logistic")
    registry.learning("knn", "harness_learning.nearest:NearestNeighbours", evidence="harness_evidence.learning:knn")
    registry.learning(
        "propagation", "harness_learning.spread:LabelPropagation", evidence="harness_evidence.learning:propagation"
    )
    registry.learning("ceal", "harness_learning.ceal:CEAL", check=few, evidence="harness_evidence.learning:ceal")
    registry.learning(
        "flexmatch",
        "harness_learning.flexmatch:FlexMatch",
        check=few,
        evidence="harness_evidence.learning:flexmatch",
    )
