"""How methods of each kind are called, and the inputs they are tried on."""

from __future__ import annotations

import importlib
from typing import Final, cast

from harness.conformance.case import Kind

_HOMES: Final = {
    "acquisition": "harness.conformance.kinds.acquisition:AcquisitionKind",
    "learning": "harness.conformance.kinds.learning:LearningKind",
    "network": "harness.conformance.kinds.network:NetworkKind",
    "backbone": "harness.conformance.kinds.backbone:BackboneKind",
    "pooling": "harness.conformance.kinds.pooling:PoolingKind",
    "whitening": "harness.conformance.kinds.whitening:WhiteningKind",
    "reranking": "harness.conformance.kinds.reranking:RerankingKind",
    "expansion": "harness.conformance.kinds.expansion:ExpansionKind",
    "dataset": "harness.conformance.kinds.dataset:DatasetKind",
}


def kind_of(name: str) -> Kind:
    """The kind of this name; its module is loaded here, and with it torch."""
    module, _, attribute = _HOMES[name].partition(":")
    return cast(Kind, getattr(importlib.import_module(module), attribute)())
