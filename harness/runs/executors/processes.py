"""Runs in isolated processes of this machine, forked from one that has torch loaded.

A run that raises, hangs, exits, crashes, eats memory or floods its output costs itself only. The parent alone writes
records; a worker sends its record through a pipe and ends.
"""

from __future__ import annotations

import multiprocessing
import warnings
from collections.abc import Iterable
from dataclasses import replace
from multiprocessing.connection import wait
from typing import Final

from harness.core import threads
from harness.core.cards import VISIBLE
from harness.core.progress import Progress
from harness.core.scratch import scratch_folder
from harness.runs import single
from harness.runs.executors.children import variables_set, without_main
from harness.runs.executors.forker import started, use_for_sockets
from harness.runs.executors.gpus import NO_CARD, GpuSlots, Patience
from harness.runs.executors.job import Finished, Job
from harness.runs.executors.messages import PROGRESS
from harness.runs.executors.running import RunningJob, WorkerProcess
from harness.runs.executors.worker import serve
from harness.runs.identity import Run
from harness.runs.record import Failure, Record

_TICK: Final = 0.05
"""Seconds between two looks at time and memory of the runs."""


class Processes:
    """Up to ``workers`` runs at once, in as many processes.

    Args:
        workers: how many at once.
        progress: told how far the work is.
        preload: modules that the process from which workers are forked loads once.
        threads_each: threads of each run; 0: the cores divided among the workers.
        gpus: cards to share out; default: all there are.
    """

    def __init__(
        self,
        workers: int,
        progress: Progress,
        *,
        preload: Iterable[str] = (),
        threads_each: int = 0,
        gpus: GpuSlots | None = None,
    ) -> None:
        self.slots = workers
        self.contended = workers > 1
        self._progress = progress
        self._preload = [serve.__module__, *preload]
        self._threads = threads_each or threads.share(workers)
        self._gpus, self._patience = gpus or GpuSlots(), Patience()
        self._waiting: list[Job] = []
        self._running: list[RunningJob] = []
        self._idle: list[WorkerProcess] = []
        self._died: set[str] = set()
        self._scratch = scratch_folder()
        use_for_sockets(self._scratch)

    def submit(self, run: Run, job: Job) -> None:
        """See ``Executor``."""
        self.begin(job)

    def begin(self, job: Job) -> None:
        """Begin a job; it waits here for a GPU, where there are some."""
        self._waiting.append(replace(job, limits=replace(job.limits, threads=self._threads)))

    def finished(self, seconds: float) -> list[Finished]:
        """See ``Executor``."""
        remaining = seconds
        while True:
            self._start_waiting()
            pipes = [pipe for running in self._running for pipe in running.pipes]
            wait(pipes, min(_TICK, remaining))
            ended = [running for running in self._running if self._ended(running)]
            results = [result for running in ended if (result := self._result(running)) is not None]
            results += self._given_up()
            remaining -= _TICK
            if results or remaining <= 0 or not (self._running or self._waiting):
                return results

    def close(self) -> None:
        """See ``Executor``."""
        self._waiting.clear()
        for running in self._running:
            running.end()
            running.worker.close()
        self._running.clear()
        while self._idle:
            self._idle.pop().close()

    def _start_waiting(self) -> None:
        """Begin what can begin; a run that waits for a card keeps none from beginning that needs none."""
        for job in list(self._waiting):
            if len(self._running) >= self.slots or self._must_wait(job):
                break
            taken = self._gpus.take() if job.needs_card else NO_CARD
            if taken is None:
                continue
            held, environment = taken
            environment = {**environment, "TMPDIR": str(self._scratch)}
            self._waiting.remove(job)
            self._running.append(RunningJob(job, self._worker(job, environment), held))
        # An idle process keeps some of the memory of its card.
        for worker in [worker for worker in self._idle if worker.environment.get(VISIBLE)]:
            self._idle.remove(worker)
            worker.close()

    def _given_up(self) -> list[Finished]:
        """Runs that waited longer than they may take for cards that other processes held all the time."""
        waiting = [job for job in self._waiting if job.needs_card]
        waits = waiting and len(self._running) < self.slots and not any(run.holds_card for run in self._running)
        waited = self._patience.waited(bool(waits), len(self._gpus.devices) if waits else 0)
        ended = [job for job in waiting if job.limits.seconds is not None and waited > job.limits.seconds]
        self._waiting = [job for job in self._waiting if job not in ended]
        return [Finished(job, _without_card(job)) for job in ended]

    def _must_wait(self, job: Job) -> bool:
        """Whether one of the runs was killed before: it is then done alone, for it to cost no other run its process."""
        ids = {running.job.description.id for running in self._running}
        return bool(ids) and bool(self._died & {job.description.id, *ids})

    def _worker(self, job: Job, environment: dict[str, str]) -> WorkerProcess:
        """One that waits and had nothing foreign in it, else a new one; a run of a plugin has a new one."""
        while self._idle:
            worker = self._idle.pop()
            if job.may_share and worker.environment == environment and worker.process.is_alive():
                return worker
            worker.close()
        return self._forked(environment)

    def _forked(self, environment: dict[str, str]) -> WorkerProcess:
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(self._preload)
        their_jobs, jobs = context.Pipe(duplex=False)
        messages, their_messages = context.Pipe(duplex=False)
        output, their_output = context.Pipe(duplex=False)
        arguments = (their_jobs, their_messages, their_output, environment)
        try:
            with without_main(), variables_set(dict.fromkeys(threads.VARIABLES, str(self._threads))):
                process = started(lambda: context.Process(target=serve, args=arguments, daemon=False))
        except BaseException:
            for pipe in (jobs, messages, output):
                pipe.close()
            raise
        finally:
            for pipe in (their_jobs, their_messages, their_output):
                pipe.close()
        return WorkerProcess(process, jobs, messages, output, environment)

    def _ended(self, running: RunningJob) -> bool:
        """Read what a run sent and printed; whether it has ended."""
        for kind, content in running.read():
            if kind == PROGRESS:
                label, done, total = content
                self._progress.update(label if self.slots == 1 else f"{running.job.label}: {label}", done, total)
        return running.over()

    def _result(self, running: RunningJob) -> Finished | None:
        """The job with its record; None where its process was killed from outside, once: it is done again."""
        self._running.remove(running)
        if running.end():
            self._idle.append(running.worker)
        run_id = running.job.description.id
        if running.killed_from_outside and run_id not in self._died:
            self._died.add(run_id)
            warnings.warn(f"the process of {running.job.label} was killed from outside: done again", stacklevel=2)
            self._waiting.insert(0, running.job)
            return None
        return Finished(running.job, running.record(), tuple(running.warnings))


def _without_card(job: Job) -> Record:
    """The record of a run that had no card within its time."""
    message = f"waited longer than {job.limits.seconds:g} s for a GPU, which other processes use"
    failure = Failure(code="Timeout", message=message, fix="run again later, or with a longer --timeout", traceback="")
    return single.failed(job.description, failure, single.now(), job.surroundings)
