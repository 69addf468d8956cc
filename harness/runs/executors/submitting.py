"""Executors of submitit: what is submitted to SLURM goes through one."""

from __future__ import annotations

import math
import signal
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Generic, TypeVar

from harness.core.errors import SOME_FAILED, HarnessError, SpecError
from harness.runs.executors.job import Limits

T = TypeVar("T")
R = TypeVar("R")

_SPARE_MINUTES: Final = 5
"""For starting: the limit of a run itself is kept by the harness, which leaves a record."""
_LOCAL_MINUTES: Final = 30 * 24 * 60
"""Of a job of this machine, which no partition limits; submitit would end it after two minutes."""


class TimeOfPartitionOver(HarnessError):
    """SLURM ends a job for which no limit was asked."""

    code = "R801"
    exit_code = SOME_FAILED


def submitter(folder: Path, limits: Limits, options: Mapping[str, str]) -> Any:
    """An executor of submitit.

    Without a limit of time a job has that of its partition: submitit alone would ask for five minutes.

    Args:
        folder: where submitit keeps its files, seen by all nodes.
        limits: they become the limits of a job, where the options do not say otherwise.
        options: parameters of submitit, ``slurm_partition``; ``cluster`` (``slurm`` or ``local``).

    Raises:
        SpecError: submitit or SLURM is not there, or an option is wrong.
    """
    try:
        import submitit
    except ImportError as error:
        fix = "pip install 'vision-evaluation-harness[slurm]'"
        raise SpecError("submitit is not installed", fix=fix) from error
    parameters = {key: _plain(text) for key, text in options.items()}
    cluster = str(parameters.pop("cluster", "slurm"))
    try:
        executor = submitit.AutoExecutor(folder=folder, cluster=cluster)
        executor.update_parameters(**_limits(limits) | parameters)
    except (RuntimeError, NameError, ValueError, TypeError, AssertionError) as error:
        raise SpecError(f"submitit cannot use {cluster}: {error}", fix="see the options of submitit") from error
    own = executor._executor
    if cluster == "slurm" and "time" not in own.parameters:
        own.update_parameters(
            time=None
        )  # which submitit leaves out; of its own executor it takes None for nothing said
    elif cluster == "local":
        own.parameters.setdefault("timeout_min", _LOCAL_MINUTES)
    return executor


@dataclass(frozen=True)
class Submitted(Generic[T, R]):
    """A function as a job, which gives back a mistake as it is: of what is raised submitit leaves a trace only.

    Attributes:
        function: of an installed module.
        limited: whether a limit of time was asked for.
    """

    function: Callable[[T], R]
    limited: bool

    def __call__(self, task: T) -> R | HarnessError:
        """What the function gives for a task, or the mistake."""
        if not self.limited:
            signal.signal(_signal_of_the_end(), _time_is_over)  # submitit's own answer needs the limit
        try:
            return self.function(task)
        except HarnessError as error:
            return error


def submitted(executor: Any, function: Callable[[T], R]) -> Submitted[T, R]:
    """A function as a job of ``submitter``."""
    limited = executor.cluster != "slurm" or executor._executor.parameters.get("time") is not None
    return Submitted(function, limited)


def _time_is_over(number: int, frame: object) -> None:
    raise TimeOfPartitionOver(
        "SLURM ends the job: the time that its partition gives is over",
        fix="--timeout SECONDS, or --slurm timeout_min=MINUTES",
    )


def _signal_of_the_end() -> int:
    from submitit.slurm.slurm import SlurmJobEnvironment

    return int(getattr(signal, f"SIG{SlurmJobEnvironment.USR_SIG}"))


def _limits(limits: Limits) -> dict[str, Any]:
    parameters: dict[str, Any] = {}
    if limits.seconds is not None:
        parameters["timeout_min"] = math.ceil(limits.seconds / 60) + _SPARE_MINUTES
    if limits.memory_bytes is not None:
        parameters["mem_gb"] = math.ceil(1.2 * limits.memory_bytes / 2**30)
    if limits.threads:
        parameters["cpus_per_task"] = limits.threads
    return parameters


def _plain(text: str) -> int | str:
    return int(text) if text.isdecimal() else text
