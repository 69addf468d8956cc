"""``harness verify``: methods beside their slow references, on the small cases that plugins offer (``evidence=``)."""

from __future__ import annotations

import importlib
import inspect
import itertools
import json
import multiprocessing
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from typing import Final, Literal

from harness.conformance.under_test import MethodUnderTest, find
from harness.core.errors import DataMissing, PluginError, SpecError, UnknownName, nearest
from harness.core.text import sentence
from harness.plugin_api import KINDS, EvidenceFunction
from harness.registry import Entry

NO_REFERENCE: Final = "no reference: checked by rules only"
NOTHING: Final = "nothing to compute: it reads data; harness datasets verify compares files with what was published"

Status = Literal["equal", "different", "failed", "no reference"]
_WORDS: Final[Mapping[Status, str]] = {
    "equal": "equal their reference",
    "different": "differ from it",
    "failed": "failed",
    "no reference": "without a reference",
}


@dataclass(frozen=True)
class Verdict:
    """What the comparison of one method with its reference gave.

    Attributes:
        method: ``pooling:gem``.
        status: what came of it.
        cases: how many cases were compared.
        difference: the largest, as a share of the largest value of the reference; 0: exactly equal.
        reference: what the reference is, in one line.
        problem: the first case that differs, or why it failed.
    """

    method: str
    status: Status
    cases: int = 0
    difference: float = 0.0
    reference: str = ""
    problem: str = ""

    @property
    def line(self) -> str:
        """``equals its reference to 3e-07 in 12 cases``."""
        if self.problem:
            return self.problem
        if self.status == "no reference":
            return NOTHING if self.method.startswith("dataset:") else NO_REFERENCE
        counted = f"{self.cases} case{'s' * (self.cases != 1)}"
        return f"equals its reference {_size(self.difference)} in {counted}"

    @property
    def holds(self) -> bool:
        """Whether nothing is wrong with the method; one without a reference has nothing to show either way."""
        return self.status in ("equal", "no reference")


def verify(
    target: str = "--all", *, kind: str | None = None, plugins: Sequence[str] = (), workers: int | None = None
) -> list[Verdict]:
    """Compare methods with their references.

    Args:
        target: a plugin file, an installed plugin, ``kind:name``, a name alone, or ``--all``.
        kind: of these only one kind.
        plugins: files or modules to load besides.
        workers: processes; as many as there are CPUs if not given.

    Raises:
        UnknownName: no such method or kind.
        SpecError: a name that several kinds have.
    """
    if kind is not None and kind not in KINDS:
        raise UnknownName(f'unknown kind "{kind}"', fix=f"{nearest(kind, KINDS)} kinds: {', '.join(KINDS)}".strip())
    methods = [m for m in _methods(target, tuple(plugins), kind) if kind in (None, m.entry.kind)]
    if not methods:
        raise UnknownName(f"{target} has no {kind}", fix="harness methods lists what is installed")
    offered = [method for method in methods if method.entry.evidence is not None]
    found = {verdict.method: verdict for verdict in _verdicts(offered, workers or _cpus())}
    return [found.get(method.label) or Verdict(method.label, "no reference") for method in methods]


def _methods(target: str, plugins: tuple[str, ...], kind: str | None) -> list[MethodUnderTest]:
    """The methods that a target names; a name alone is looked for in all kinds."""
    named = [m for m in find("--all", plugins) if m.entry.name == target and kind in (None, m.entry.kind)]
    if len(named) > 1:
        labels = ", ".join(method.label for method in named)
        raise SpecError(f'"{target}" names several methods', fix=f"one of {labels}")
    if named or kind is None or target == "--all":
        return named or find(target, plugins)
    known = [m.entry.name for m in find("--all", plugins) if m.entry.kind == kind]
    raise UnknownName(f'unknown {kind} "{target}"', fix=f"{nearest(target, known)} (harness methods {kind})".strip())


def _verdicts(methods: Sequence[MethodUnderTest], workers: int) -> list[Verdict]:
    """Methods of a kind go to one process where there are several, so that each loads its libraries once."""
    if workers < 2 or len(methods) < 2:
        return [verdict_of(method.entry, method) for method in methods]
    tasks = [
        [(method.label, method.plugins) for method in group]
        for _, group in itertools.groupby(methods, key=lambda method: method.entry.kind)
    ]
    tasks = [part for task in sorted(tasks, key=len, reverse=True) for part in _parts(task, 6)]
    context = multiprocessing.get_context("spawn")  # a fork would inherit the threads of torch and faiss
    with ProcessPoolExecutor(min(workers, len(tasks)), mp_context=context, initializer=_one_thread) as pool:
        return list(itertools.chain.from_iterable(pool.map(_of_labels, tasks)))


def _parts(task: list[tuple[str, tuple[str, ...]]], size: int) -> list[list[tuple[str, tuple[str, ...]]]]:
    return [task[start : start + size] for start in range(0, len(task), size)]


def _one_thread() -> None:
    """Each process has one CPU: threads of libraries would wait for each other."""
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"):
        os.environ[name] = "1"


def _of_labels(task: Sequence[tuple[str, tuple[str, ...]]]) -> list[Verdict]:
    found = []
    for label, plugins in task:
        method = next(m for m in find(label, plugins))
        found.append(verdict_of(method.entry, method))
    return found


def verdict_of(entry: Entry, method: MethodUnderTest) -> Verdict:
    """Compare one method with its reference; an error of either is a verdict too."""
    try:
        function = _function(entry)
        comparisons = list(function(lambda **parameters: method.create(parameters)))
        if not comparisons:
            raise PluginError("its evidence has no case", fix="yield at least one Comparison")
        reference = " ".join((inspect.getdoc(function) or "").partition("\n")[0].split())
        worst = max(comparisons, key=lambda one: one.difference)
        different = next((one for one in comparisons if not one.holds), None)
    except DataMissing as error:  # a library or a file that only this method needs
        return Verdict(method.label, "no reference", problem=sentence(f"not compared: {error.headline}", 300))
    except Exception as error:
        reason = f"cannot be compared: {type(error).__name__}: {error}"
        return Verdict(method.label, "failed", problem=sentence(reason, 300))
    verdict = Verdict(method.label, "equal", len(comparisons), worst.difference, sentence(reference))
    if different is None:
        return verdict
    by = "in shape, or in a value that must be exact" if different.difference == float("inf") else ""
    problem = f"differs from its reference {by or f'by {different.difference:.1g}'}: {different.case}"
    return Verdict(**asdict(verdict) | {"status": "different", "problem": sentence(problem)})


def _function(entry: Entry) -> EvidenceFunction:
    if not isinstance(entry.evidence, str):
        if entry.evidence is None:
            raise PluginError(f"{entry.name} offers no evidence")
        return entry.evidence
    module, _, name = entry.evidence.partition(":")
    function: EvidenceFunction = getattr(importlib.import_module(module), name)
    return function


def _cpus() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _size(difference: float) -> str:
    return f"to {difference:.1g}" if difference else "exactly"


def table(verdicts: Sequence[Verdict]) -> str:
    """A line per method, then the counts."""
    width = max(len(verdict.method) for verdict in verdicts)
    lines = []
    for verdict in verdicts:
        reference = f" ({verdict.reference.rstrip('.')})" if verdict.reference else ""
        lines.append(f"{verdict.method:{width}}  {verdict.line}{reference}")
    return "\n".join([*lines, "", summary(verdicts), ""])


def summary(verdicts: Sequence[Verdict]) -> str:
    """``84 methods: 60 equal their reference, 24 without a reference``."""
    counts = Counter(verdict.status for verdict in verdicts)
    said = ", ".join(f"{counts[status]} {words}" for status, words in _WORDS.items() if counts[status])
    return f"{len(verdicts)} method{'s' * (len(verdicts) != 1)}: {said}"


def as_json(verdicts: Sequence[Verdict]) -> str:
    """All of it for programs."""
    rows = [asdict(verdict) | {"line": verdict.line} for verdict in verdicts]
    for row in rows:
        if row["difference"] == float("inf"):
            row["difference"] = None
    return json.dumps(rows, indent=2, allow_nan=False) + "\n"
