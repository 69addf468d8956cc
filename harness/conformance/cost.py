"""What a method costs on a standard case, beside the built-in baseline of its kind. Reported, never failed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from harness.conformance.guards import isolated
from harness.conformance.trial import Trial
from harness.conformance.under_test import MethodUnderTest
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
        if trial.tested.entry.name == baseline:
            return Measured(name, own.wall_s, own.peak_bytes / 1e6)
        tested = MethodUnderTest(trial.tested.registry.entry(trial.kind.name, baseline), trial.tested.registry)
        _, other = _best(Trial(tested, Path(trial.folder) / "baseline"))
    except Exception:
        return None
    return Measured(name, own.wall_s, own.peak_bytes / 1e6, baseline, other.wall_s, other.peak_bytes / 1e6)


def _best(trial: Trial) -> tuple[str, Cost]:
    """The better of two, and what was measured."""
    case = trial.kind.standard(trial.folders if trial.kind.name == "dataset" else trial.method())
    costs = []
    for _ in range(2):
        method, inputs = trial.method(), case.make()
        with isolated(0), measured() as cost:
            rng = np.random.default_rng(0)
            trial.kind.apply(trial.kind.prepare(method, inputs, rng), inputs, rng)
        costs.append(cost)
    return case.name, min(costs, key=lambda cost: cost.wall_s)
