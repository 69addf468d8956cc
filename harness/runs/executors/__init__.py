"""Where runs are done: in this process, in isolated processes of this machine, on Dask, on SLURM."""

from __future__ import annotations

from harness.runs.executors.job import Executor, Finished, Job, Limits

__all__ = ["Executor", "Finished", "Job", "Limits"]
