"""Executors of submitit: what is submitted to SLURM goes through one."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from harness.core.errors import SpecError
from harness.runs.executors.job import Limits

_SPARE_MINUTES: Final = 5
"""For starting: the limit of a run itself is kept by the harness, which leaves a record."""


def submitter(folder: Path, limits: Limits, options: Mapping[str, str]) -> Any:
    """An executor of submitit.

    Args:
        folder: where submitit keeps its files, seen by all nodes.
        limits: they become the limits of a job.
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
        executor.update_parameters(**_limits(limits), **parameters)
    except (RuntimeError, NameError, ValueError, TypeError) as error:
        raise SpecError(f"submitit cannot use {cluster}: {error}", fix="see the options of submitit") from error
    return executor


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
