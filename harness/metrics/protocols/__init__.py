"""Evaluation protocols of instance retrieval by name, from rankings and relevance judgements. Only numpy."""

from __future__ import annotations

from typing import Final

from harness.metrics.protocols.catalogue import PROTOCOLS, Protocol
from harness.metrics.protocols.evaluation import (
    Evaluation,
    category_means,
    evaluate_name,
    evaluate_names,
    evaluate_protocol,
)
from harness.metrics.protocols.judged import Judged, judged, tie_names
from harness.metrics.protocols.micro import global_average_precision, micro_average_precision, recall_at_precision
from harness.metrics.protocols.names import MetricName, expand_names, parse_name

RESULT_VERSION: Final = 2
"""Raised when numbers of a protocol change; counts for runs whose option ``evaluation`` names one.

2: trec orders tied images by name, not by position.
"""

__all__ = [
    "PROTOCOLS",
    "RESULT_VERSION",
    "Evaluation",
    "Judged",
    "MetricName",
    "Protocol",
    "category_means",
    "evaluate_name",
    "evaluate_names",
    "evaluate_protocol",
    "expand_names",
    "global_average_precision",
    "judged",
    "micro_average_precision",
    "parse_name",
    "recall_at_precision",
    "tie_names",
]
