"""Evaluation protocols of instance retrieval by name, from rankings and relevance judgements. Only numpy."""

from __future__ import annotations

from harness.metrics.protocols.catalogue import PROTOCOLS, Protocol
from harness.metrics.protocols.evaluation import Evaluation, evaluate_name, evaluate_names, evaluate_protocol
from harness.metrics.protocols.judged import Judged, judged
from harness.metrics.protocols.micro import global_average_precision, micro_average_precision, recall_at_precision
from harness.metrics.protocols.names import MetricName, expand_names, parse_name

__all__ = [
    "PROTOCOLS",
    "Evaluation",
    "Judged",
    "MetricName",
    "Protocol",
    "evaluate_name",
    "evaluate_names",
    "evaluate_protocol",
    "expand_names",
    "global_average_precision",
    "judged",
    "micro_average_precision",
    "parse_name",
    "recall_at_precision",
]
