"""``harness verify``: methods beside their slow references, on the small cases that plugins offer (``evidence=``)."""

from __future__ import annotations

import importlib
import inspect
import itertools
import json
import multiprocessing
import os
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from typing import Final, Literal

from harness.conformance import evaluated
from harness.conformance.under_test import MethodUnderTest, find
from harness.core.errors import DataMissing, PluginError, SpecError, UnknownName, nearest, nearest_or_all
from harness.core.text import sentence
from harness.plugin_api import KINDS, Create, EvidenceFunction
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
            return without_reference(self.method.partition(":")[0])
        counted = f"{self.cases} case{'s' * (self.cases != 1)}"
        return f"equals its reference {_size(self.difference)} in {counted}"

    @property
    def holds(self) -> bool:
        """Whether nothing is wrong with the method; one without a reference has nothing to show either way."""
        return self.status in ("equal", "no reference")


def without_reference(kind: str) -> str:
    """What is said of a method of this kind that has no reference."""
    return NOTHING if kind == "dataset" else NO_REFERENCE


def verify(
    target: str = "--all", *, kind: str | None = None, plugins: Sequence[str] = (), workers: int | None = None
) -> list[Verdict]:
    """Compare methods, evaluation protocols and metrics with their references.

    Args:
        target: a plugin file, an installed plugin, ``kind:name``, a name alone, or ``--all``.
        kind: of these only one kind; also ``protocol`` and ``metric``.
        plugins: files or modules to load besides.
        workers: processes; as many as there are CPUs if not given.

    Raises:
        UnknownName: no such method or kind.
        SpecError: a name that several kinds have.
    """
    kinds = (*KINDS, *evaluated.KINDS)
    if kind is not None and kind not in kinds:
        raise UnknownName(f'unknown kind "{kind}"', fix=f"{nearest(kind, kinds)} kinds: {', '.join(kinds)}".strip())
    others = evaluated.named(target, kind)
    methods = []
    if kind not in evaluated.KINDS and (target == "--all" or not others):
        methods = [m for m in _methods(target, tuple(plugins), kind) if kind in (None, m.entry.kind)]
    if not methods and not others:
        raise UnknownName(f"{target} has no {kind}", fix="harness methods lists what is installed")
    offered = [(method.label, method.plugins) for method in methods if method.entry.evidence is not None]
    found = {one.method: one for one in _verdicts([*offered, *((label, ()) for label in others)], workers or _cpus())}
    labels = [*(method.label for method in methods), *others]
    return [found.get(label) or Verdict(label, "no reference") for label in labels]


def _methods(target: str, plugins: tuple[str, ...], kind: str | None) -> list[MethodUnderTest]:
    """The methods that a target names; a name alone is looked for in all kinds."""
    installed = find("--all", plugins)
    named = [m for m in installed if m.entry.name == target and kind in (None, m.entry.kind)]
    if len(named) > 1:
        labels = ", ".join(method.label for method in named)
        raise SpecError(f'"{target}" names several methods', fix=f"one of {labels}")
    if named or kind is None or target == "--all":
        names = (*(m.entry.name for m in installed), *(label.partition(":")[2] for label in evaluated.labels()))
        return named or find(target, plugins, names)
    known = [m.entry.name for m in installed if m.entry.kind == kind]
    raise UnknownName(f'unknown {kind} "{target}"', fix=nearest_or_all(target, known, f"harness methods {kind}"))


_Task = tuple[str, tuple[str, ...]]
"""A label, and the plugins that have it."""


def _verdicts(tasks: Sequence[_Task], workers: int) -> list[Verdict]:
    """Those of a kind go to one process where there are several, so that each loads its libraries once."""
    if workers < 2 or len(tasks) < 2:
        return _of_labels(tasks)
    groups = [list(group) for _, group in itertools.groupby(tasks, key=lambda task: task[0].partition(":")[0])]
    parts = [part for group in sorted(groups, key=len, reverse=True) for part in _parts(group)]
    context = multiprocessing.get_context("spawn")  # a fork would inherit the threads of torch and faiss
    with ProcessPoolExecutor(min(workers, len(parts)), mp_context=context, initializer=_one_thread) as pool:
        return list(itertools.chain.from_iterable(pool.map(_of_labels, parts)))


def _parts(tasks: list[_Task]) -> list[list[_Task]]:
    size = 20 if tasks[0][0].startswith(evaluated.KINDS) else 6
    return [tasks[start : start + size] for start in range(0, len(tasks), size)]


def _one_thread() -> None:
    """Each process has one CPU: threads of libraries would wait for each other."""
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"):
        os.environ[name] = "1"


def _of_labels(tasks: Sequence[_Task]) -> list[Verdict]:
    found = []
    for label, plugins in tasks:
        if label.partition(":")[0] in evaluated.KINDS:
            found.append(_verdict(label, lambda label=label: evaluated.compared(label)))  # type: ignore[misc]
        else:
            found.append(verdict_of(next(m for m in find(label, plugins) if m.label == label)))
    return found


def verdict_of(method: MethodUnderTest) -> Verdict:
    """Compare one method with its reference; an error of either is a verdict too."""
    return _verdict(method.label, lambda: (_function(method.entry), lambda **chosen: method.create(chosen)))


def _verdict(label: str, offered: Callable[[], tuple[EvidenceFunction, Create]]) -> Verdict:
    try:
        function, create = offered()
        comparisons = list(function(create))
        if not comparisons:
            raise PluginError("its evidence has no case", fix="yield at least one Comparison")
        reference = " ".join((inspect.getdoc(function) or "").partition("\n")[0].split())
        worst = max(comparisons, key=lambda one: one.difference)
        different = next((one for one in comparisons if not one.holds), None)
    except DataMissing as error:  # a library or a file that only this method needs
        return Verdict(label, "no reference", problem=sentence(f"not compared: {error.headline}", 300))
    except Exception as error:
        reason = f"cannot be compared: {type(error).__name__}: {error}"
        return Verdict(label, "failed", problem=sentence(reason, 300))
    verdict = Verdict(label, "equal", len(comparisons), worst.difference, sentence(reference))
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
    others = sum(verdict.method.startswith(evaluated.KINDS) for verdict in verdicts)
    methods = len(verdicts) - others
    counted = [f"{methods} method{'s' * (methods != 1)}"] * bool(methods)
    counted += ["1 protocol or metric" if others == 1 else f"{others} protocols and metrics"] * bool(others)
    counts = Counter(verdict.status for verdict in verdicts)
    said = ", ".join(f"{counts[status]} {words}" for status, words in _WORDS.items() if counts[status])
    return f"{' and '.join(counted)}: {said}"


def as_json(verdicts: Sequence[Verdict]) -> str:
    """All of it for programs."""
    rows = [asdict(verdict) | {"line": verdict.line} for verdict in verdicts]
    for row in rows:
        if row["difference"] == float("inf"):
            row["difference"] = None
    return json.dumps(rows, indent=2, allow_nan=False) + "\n"
