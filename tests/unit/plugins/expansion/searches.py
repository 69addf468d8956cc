"""Databases, queries and searches that tests of expansions share."""

from __future__ import annotations

from harness_evidence import unit_float32 as unit
from harness_evidence.expansion import searched
from harness_evidence.expansion import some_data as data

__all__ = ["data", "searched", "unit"]
