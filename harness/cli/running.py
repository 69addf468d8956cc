"""Options of ``harness run`` that say where runs are done and what they may take."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from harness.core.errors import SpecError

if TYPE_CHECKING:
    from harness.runs.executors.choose import Options

How = Annotated[str, typer.Option("--executor", help="processes (isolated), inline (in this process), dask or slurm.")]
Workers = Annotated[int, typer.Option("--workers", help="Runs at once; the cores are divided among them.")]
Timeout = Annotated[float | None, typer.Option("--timeout", help="Seconds after which a run is ended.")]
Memory = Annotated[str | None, typer.Option("--memory", help="Memory above which a run is ended: 800M, 16G.")]
Threads = Annotated[int, typer.Option("--threads", help="Threads of one run [default: cores / workers].")]
Scheduler = Annotated[
    str | None, typer.Option("--scheduler", help="Run on the Dask scheduler at this address, tcp://HOST:PORT.")
]
Slurm = Annotated[
    list[str] | None, typer.Option("--slurm", help="KEY=VALUE for submitit, slurm_partition=gpu; may be repeated.")
]


def run_options(
    executor: str,
    workers: int,
    timeout: float | None,
    memory: str | None,
    threads: int,
    scheduler: str | None,
    slurm: Sequence[str] | None,
) -> Options:
    """The options as the Python API takes them. Raises ``SpecError``."""
    from harness.cache import parse_size
    from harness.runs.executors.choose import DASK, SLURM, Options

    pairs = []
    for text in slurm or ():
        key, equals, value = text.partition("=")
        if not equals or not key:
            raise SpecError(f'--slurm "{text}" is no setting', fix="write KEY=VALUE, slurm_partition=gpu")
        pairs.append((key, value))
    chosen = DASK if scheduler else SLURM if pairs else executor
    return Options(
        executor=chosen,
        workers=workers,
        seconds=timeout,
        memory_bytes=parse_size(memory) if memory else None,
        threads=threads,
        scheduler=scheduler,
        slurm=tuple(pairs),
    )
