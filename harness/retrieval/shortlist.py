"""Shortlists as published rows of learnt re-rankers have them: the ground truth takes out what does not count."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from harness.metrics.ranking import SETUPS
from harness.plugin_api import Ranking
from harness.retrieval.leave_one_out import LeaveOneOut


def shortlisted(ranking: Ranking, truth: Sequence[Mapping[str, Any]], setup: str) -> Ranking:
    """The ranking of each query with the images that do not count in a setup below all others.

    Args:
        ranking: of all queries, of the whole database.
        truth: per query ids by level.
        setup: ``easy``, ``medium`` or ``hard``.
    """
    removed = SETUPS[setup][1]
    ids = {query: [i for level in removed for i in labels.get(level, ())] for query, labels in enumerate(truth)}
    out = LeaveOneOut({query: np.array(images, np.int64) for query, images in ids.items() if images})
    return out.searched(range(len(truth)), ranking, None)
