"""``harness explain``: which protocol a published number is from."""

from __future__ import annotations

from harness.studies.explain.explanation import Explainer, Explanation, explain, explanation_data, explanation_text

__all__ = ["Explainer", "Explanation", "explain", "explanation_data", "explanation_text"]
