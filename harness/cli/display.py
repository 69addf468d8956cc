"""Progress and summaries: bars on a terminal, lines now and then where standard error is not one."""

from __future__ import annotations

import errno
import os
import shlex
import sys
from collections import Counter
from collections.abc import Collection, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from harness.cli.progress_lines import ProgressLines
from harness.core.text import counted
from harness.runs.identity import Run
from harness.runs.plan import Plan
from harness.runs.record import Failure, Record


def leaderboard_command(spec: Path, **options: str | Path | Sequence[str | Path] | None) -> str:
    """The command that shows the board of a spec, with the options that its runs were given."""
    words: list[str | Path] = ["harness", "leaderboard", spec]
    for name, given in options.items():
        for value in [given] if isinstance(given, str | Path) else given or ():
            words += [f"--{name}", value]
    return shlex.join(map(str, words))


class _Terminal(Console):
    """Standard error; a reader of it that has gone is an error like any other."""

    def on_broken_pipe(self) -> None:
        """See ``rich.console.Console``, which would end the process as if runs had failed."""
        self.quiet = True
        raise BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE), "standard error")


class Bars:
    """Draws one bar per kind of work, with rate and time left; prints lines where there is no terminal.

    Args:
        records: where the records of runs go, said when runs begin; None where there are none.
    """

    def __init__(self, records: Path | None = None) -> None:
        self._records = records
        self._console = _Terminal(stderr=True)
        self._lines = None if self._console.is_terminal else ProgressLines(self._say)
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=self._console,
            disable=not self._console.is_terminal,
            transient=True,
        )
        self._tasks: dict[str, TaskID] = {}

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def update(self, label: str, done: int, total: int) -> None:
        """See ``harness.core.progress.Progress``."""
        if done == 0 and label in self._tasks and label != "runs":
            self._progress.remove_task(self._tasks.pop(label))
        task = self._tasks.get(label)
        if self._lines is not None:
            self._lines.update(label, done, total)
        if task is None:
            if label == "runs" and self._records is not None:
                self._say(f"{counted(total, 'run')} to do, records in {self._records}")
            task = self._tasks[label] = self._progress.add_task(label, total=total, rate="")
        speed = self._progress.tasks[self._progress.task_ids.index(task)].speed
        self._progress.update(task, completed=done, total=total, rate=_rate(speed))
        if done >= total and label != "runs":
            self._progress.remove_task(self._tasks.pop(label))

    def finished(self, run: Run, record: Record) -> None:
        """One line per finished run."""
        self._say(f"{record.status:>6}  {run.label}  {_headline(record)}")

    def _say(self, line: str) -> None:
        self._console.print(line, markup=False, highlight=False, soft_wrap=True)


def _rate(speed: float | None) -> str:
    """``3,400/s``, ``2.5/s``; three digits where there are no more."""
    if not speed:
        return ""
    return f"{speed:,.0f}/s" if speed >= 100 else f"{speed:.3g}/s"


def print_plan(plan: Plan, waiting: Collection[str]) -> None:
    """The runs of a plan: cached, pending, or without their data."""
    for run in plan.runs:
        state = "data missing" if run.incomplete else "pending" if run.id in waiting else "cached"
        print(f"{state:>12}  {'-' * 24 if run.incomplete else run.id}  {run.label}")
    incomplete = sum(run.incomplete for run in plan.runs)
    counts = f"{len(waiting) - incomplete} pending, {len(plan.runs) - len(waiting)} cached"
    print(f"{len(plan.runs)} runs: {counts}{f', {incomplete} without their data' if incomplete else ''}.")


def print_failures(failed: Sequence[tuple[Run, Record]], shown: Collection[str]) -> None:
    """List what failed before and why, and count the kinds of failure, on standard error.

    Args:
        failed: runs and their records.
        shown: ids of runs whose line was just shown.
    """
    for run, record in failed:
        if record.failure is not None and run.id not in shown:
            print(f"failed  {run.label}: {record.failure.code}: {record.failure.message}", file=sys.stderr)
    _print_remedies([record.failure for _, record in failed if record.failure is not None])
    kinds = Counter(record.failure.code for _, record in failed if record.failure is not None)
    if kinds:
        counts = ", ".join(f"{count} {code}" for code, count in sorted(kinds.items()))
        print(f"failures: {counts}; harness run --retry-failed runs them again", file=sys.stderr)


def _print_remedies(failures: Sequence[Failure]) -> None:
    """Where in a plugin it happened and what would be right, each once."""
    for place in dict.fromkeys(failure.place for failure in failures if failure.place):
        print(f"  at   {place}", file=sys.stderr)
    for fix in dict.fromkeys(failure.fix for failure in failures if failure.fix):
        print(f"  fix: {fix}", file=sys.stderr)


def _headline(record: Record) -> str:
    if record.failure is not None:
        return f"{record.failure.code}: {record.failure.message}"
    for key, title in (("map_medium", "mAP Medium"), ("map_easy", "mAP Easy"), ("accuracy", "accuracy")):
        value = record.metrics.get(key)
        if value is not None:
            return f"{title} {100 * value:.2f}"
    return ""
