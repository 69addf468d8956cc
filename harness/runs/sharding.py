"""How the parts of one run are handed out. Imports nothing slow."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Sharding:
    """Where shards of a run are described and searched; can be pickled.

    Attributes:
        count: of shards.
        executor: ``inline``, ``processes``, ``dask`` or ``slurm``.
        workers: processes, or jobs of SLURM, at once.
        scheduler: address of a Dask scheduler.
        slurm: parameters of submitit.
        seconds: limit of a job of SLURM; None: that of its partition.
    """

    count: int
    executor: str = "inline"
    workers: int = 1
    scheduler: str = ""
    slurm: tuple[tuple[str, str], ...] = ()
    seconds: float | None = None

    @property
    def elsewhere(self) -> bool:
        """Whether other machines may do shards."""
        return self.executor in ("dask", "slurm")
