"""One run of the retrieval task: describe, search, re-rank, expand, evaluate. ``RetrievalTask`` has the stages.

Loads torch and numba: import it where a run is done.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from harness.cache import Cache
from harness.core.progress import Progress
from harness.plugin_api import RetrievalSet
from harness.retrieval.joint import JointPooling
from harness.retrieval.map_store import MapStore
from harness.retrieval.methods import LearningSet, RetrievalMethods
from harness.retrieval.protocol import RetrievalProtocol
from harness.retrieval.result import RetrievalResult
from harness.retrieval.searching import Searching
from harness.retrieval.task import RetrievalTask

__all__ = ["LearningSet", "RetrievalMethods", "RetrievalProtocol", "RetrievalResult", "RetrievalTask", "run_retrieval"]


def run_retrieval(
    dataset: RetrievalSet,
    methods: RetrievalMethods,
    protocol: RetrievalProtocol,
    *,
    keys: Mapping[str, Any],
    cache: Cache,
    progress: Progress,
    maps: MapStore | None = None,
    keep: int | None = None,
    learning: LearningSet | None = None,
    searching: Searching = Searching(),  # noqa: B008 - frozen
    joint_poolings: Sequence[JointPooling] = (),
) -> RetrievalResult:
    """Describe, search, re-rank, expand, evaluate. Arguments and errors are those of ``RetrievalTask``."""
    task = RetrievalTask(
        dataset,
        methods,
        protocol,
        keys,
        cache,
        progress,
        maps,
        learning,
        joint_poolings=joint_poolings,
        keep=keep,
        searching=searching,
    )
    return task.run()
