"""How the images nearest to queries are found: in this process or by shards, exactly or approximately."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from harness.search import TopK, top_k
from harness.search.sharded import Jobs, ShardedSearch, here

if TYPE_CHECKING:
    from harness.search.ivf_pq import ApproximateSearch

Searcher = Callable[..., TopK]
"""What finds the best images of queries, with the arguments and the answer of ``top_k``."""


@dataclass(frozen=True)
class Searching:
    """Where a search is done.

    Attributes:
        shards: 0: in this process, as a whole.
        jobs: does the shards.
        folder: seen by all jobs; None: that of the system for temporary files.
    """

    shards: int = 0
    jobs: Jobs = here
    folder: Path | None = None

    @property
    def exact(self) -> Searcher:
        """The exact search; its answer is that of ``top_k``."""
        return ShardedSearch(self.shards, self.jobs, self._place) if self.shards else top_k

    def approximate(self, probes: int) -> ApproximateSearch:
        """An approximate search, to be built."""
        from harness.search.ivf_pq import ApproximateSearch

        return ApproximateSearch(max(1, self.shards), self.jobs, self._place, probes)

    @property
    def _place(self) -> Path:
        return self.folder or Path(tempfile.gettempdir())
