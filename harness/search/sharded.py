"""Exact search of a database in shards: jobs search one each, wherever they are done, and their answers merge exactly.

A job reads a shard block by block from files (``stored_rows``): it takes little memory, whatever the shard holds.
Importing this module loads nothing slow.
"""

from __future__ import annotations

import os
import platform
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeVar

import numpy as np

from harness.core.cost import Cost, count_elsewhere, measured_among_threads
from harness.core.errors import InvalidInput
from harness.core.files import writing
from harness.core.versions import package_version, warn_of_other_versions
from harness.search.stored_rows import Shard, shards_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harness.search.exact import Part, TopK
    from harness.search.keys import Ids

    Array = NDArray[Any]

T = TypeVar("T")
R = TypeVar("R")

_LIBRARIES: Final = ("vision-evaluation-harness", "numpy", "numba", "torch", "faiss-cpu", "faiss-gpu-cu12")


class Jobs(Protocol):
    """Does calls at once, in other processes or on other machines; what they need and give is pickled."""

    def __call__(self, function: Callable[[T], R], tasks: Sequence[T], label: str) -> list[R]:
        """The results, in the order of the tasks. A call whose process or machine is lost is done again.

        Args:
            function: of an installed module.
            tasks: its arguments.
            label: what the calls do, for messages.
        """
        ...


def here(function: Callable[[T], R], tasks: Sequence[T], label: str) -> list[R]:
    """``Jobs`` of this very process, one after the other."""
    return [function(task) for task in tasks]


@dataclass(frozen=True)
class SearchJob:
    """One shard and what is asked of it.

    Attributes:
        shard: its rows.
        asked: file of the queries and of the marks.
        k: images a query.
    """

    shard: Shard
    asked: Path
    k: int


@cache
def libraries() -> Mapping[str, str]:
    """Versions of what this process searches with."""
    return {name: version for name in _LIBRARIES if (version := package_version(name))}


@dataclass(frozen=True)
class Answer:
    """What a shard answers, what that cost, the process that did it, and its libraries."""

    part: Part
    cost: Cost
    process: str
    libraries: Mapping[str, str] = field(default_factory=libraries)


def search_shard(job: SearchJob) -> Answer:
    """Search one shard; holds little more than a block of rows and the answer."""
    from harness.search.exact import part_top_k
    from harness.search.marks import Marks

    with measured_among_threads() as cost:
        with np.load(job.asked, allow_pickle=False) as asked:
            queries, marks = asked["queries"], [asked[name] for name in Marks._fields if name in asked.files]
        part = part_top_k(
            queries, job.shard.blocks(), job.k, first=job.shard.first, marks=Marks(*marks) if marks else None
        )
    return Answer(part, cost, this_process())


@dataclass(frozen=True)
class ShardedSearch:
    """``top_k`` by jobs: the same answer, bit for bit, from any number of shards and machines.

    Attributes:
        count: of shards, where the database has 1,024 rows for each.
        jobs: does them.
        folder: seen by all of them under the same path; rows that lie in no file yet are written there meanwhile.
    """

    count: int
    jobs: Jobs
    folder: Path

    def __post_init__(self) -> None:
        if self.count < 1:
            raise InvalidInput(f"{self.count} shards", fix="at least 1")

    def __call__(
        self,
        queries: Array,
        database: Array | Sequence[Array],
        k: int | None = None,
        *,
        ranks_of: Sequence[Sequence[int] | Ids] = (),
    ) -> TopK:
        """See ``top_k``; the costs being measured take up what the jobs took."""
        from harness.search.exact import checked, merged
        from harness.search.marks import Marks

        arrays, k, queries = checked(queries, database, k, ranks_of)
        marks = Marks.of(queries, arrays, ranks_of) if len(ranks_of) else None
        with shards_of(arrays, self.count, self.folder) as (shards, place):
            asked = place / "asked.npz"
            with writing(asked), asked.open("wb") as file:
                np.savez(file, queries=queries, **(marks._asdict() if marks else {}))
            answers = self.jobs(search_shard, [SearchJob(shard, asked, k) for shard in shards], "search shards")
        count_jobs(answers)
        return merged([answer.part for answer in answers], k, marks)


def this_process() -> str:
    """Machine and process."""
    return f"{platform.node()}-{os.getpid()}"


class Done(Protocol):
    """What a job gave, with what it cost."""

    @property
    def cost(self) -> Cost:
        """Of the job."""
        ...

    @property
    def process(self) -> str:
        """Where it was done."""
        ...

    @property
    def libraries(self) -> Mapping[str, str]:
        """What it was done with."""
        ...


def count_jobs(answers: Sequence[Done]) -> None:
    """Add to the costs being measured what jobs of other processes took; warn of those with other libraries."""
    # A harness of before libraries were told leaves them out of what it pickles.
    told = {answer.process: getattr(answer, "libraries", None) for answer in answers}
    for process, theirs in told.items():
        if theirs is None:
            text = f"worker {process} runs another version of the harness: its results may differ"
            warnings.warn(f"{text} (fix: install the same versions)", stacklevel=2)
        else:
            warn_of_other_versions(f"worker {process}", theirs, libraries())
    for answer in answers:
        if answer.process != this_process():
            count_elsewhere(answer.cost)
