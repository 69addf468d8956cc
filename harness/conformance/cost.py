"""What a method costs on a standard case, beside the built-in baseline of its kind. Reported, never failed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from harness.conformance.guards import seeded_globals
from harness.conformance.subject import Subject
from harness.conformance.trial import Trial, quiet
from harness.core.cost import Cost, measured


@dataclass(frozen=True)
class Measured:
    """Seconds (the better of two) and peak memory on one case, of a method and of the baseline.

    Attributes:
        case: what was measured.
        seconds: of the method.
        megabytes: peak above where it began.
        baseline: name of the built-in method, empty where this is it.
        baseline_seconds: of that.
        baseline_megabytes: of that.
    """

    case: str
    seconds: float
    megabytes: float
    baseline: str = ""
    baseline_seconds: float = 0.0
    baseline_megabytes: float = 0.0


def measure(trial: Trial) -> Measured | None:
    """None where the method does not answer the standard case."""
    baseline = trial.kind.baseline
    try:
        name, own = _best(trial)
        if trial.subject.entry.name == baseline:
            return Measured(name, own.wall_s, own.peak_bytes / 1e6)
        subject = Subject(trial.subject.registry.entry(trial.kind.name, baseline), trial.subject.registry)
        _, other = _best(Trial(subject, Path(trial.folder) / "baseline"))
    except Exception:
        return None
    return Measured(name, own.wall_s, own.peak_bytes / 1e6, baseline, other.wall_s, other.peak_bytes / 1e6)


def _best(trial: Trial) -> tuple[str, Cost]:
    """The better of two, and what was measured."""
    case = trial.kind.standard(trial.folders if trial.kind.name == "dataset" else trial.method())
    costs = []
    for _ in range(2):
        method, given = trial.method(), case.make()
        with quiet(), seeded_globals(0), measured() as cost:
            rng = np.random.default_rng(0)
            trial.kind.apply(trial.kind.prepare(method, given, rng), given, rng)
        costs.append(cost)
    return case.name, min(costs, key=lambda cost: cost.wall_s)
