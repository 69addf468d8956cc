"""Seeds added until every comparison is decided, with the level spent over the looks.

Paired t-tests at looks that are fixed before the start. A comparison at level a may spend a n / N of it up to n of N
seeds (linear spending, Lan and DeMets 1983); the level is divided over comparisons step-down (Holm). All decisions
follow from the results alone: the same results give the same looks and verdicts, however often a run was interrupted.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass, field
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from harness.metrics.verdicts.paired import LEVEL, family, paired_p

LOOKS: Final = (4, 6, 8, 11, 15, 20, 28, 38, 50)
_GROWTH: Final = 1.35
"""Of later looks, each from the one before."""
_NODES: Final = 300
_HOPELESS: Final = 0.1
"""A comparison whose chance to be decided is below this is closed."""
_BISECTIONS: Final = 70

State = Literal["open", "differs", "within", "not to be settled", "undecided", "failed"]
Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class SequentialRule:
    """What is fixed before the first seed.

    Attributes:
        methods: number of methods.
        seeds: the most seeds of a method.
        baseline: position of the method that all others are compared with; None compares all pairs.
        smallest: difference below which two methods count as equal, in the unit of the measure; None for no such claim.
        closes_hopeless: whether comparisons that are not to be settled are closed.
    """

    methods: int
    seeds: int
    baseline: int | None = 0
    smallest: float | None = None
    closes_hopeless: bool = True

    @functools.cached_property
    def looks(self) -> tuple[int, ...]:
        """Numbers of seeds after which the results are looked at, the last is ``seeds``."""
        return planned_looks(self.seeds)


@dataclass(frozen=True)
class Outcome:
    """What is known of one comparison.

    Attributes:
        first: position of the one method.
        second: position of the other.
        state: ``within``: significantly less apart than ``smallest``; ``not to be settled`` with so many seeds, closed
            without a claim; ``undecided`` after all of them; ``failed``: a method has no results.
        seeds: after how many it was closed; of an open one how many both methods have.
        difference: mean of the first minus mean of the second on these.
        p: of the test behind the state, of this look alone and not adjusted: of the paired t-test, or where two are
            ``within`` a difference of the test that they are further apart.
    """

    first: int
    second: int
    state: State
    seeds: int
    difference: float
    p: float


@dataclass(frozen=True)
class Progress:
    """Where the rule stands.

    Attributes:
        outcomes: of all comparisons.
        looks: numbers of seeds at which it has looked.
        needed: number of seeds that each method needs for the next look; all 0 when it has ended.
    """

    outcomes: tuple[Outcome, ...]
    looks: tuple[int, ...]
    needed: tuple[int, ...]

    @property
    def ended(self) -> bool:
        """Whether no more seeds are needed."""
        return not any(self.needed)


def planned_looks(seeds: int) -> tuple[int, ...]:
    """The looks of a rule with at most ``seeds`` seeds."""
    looks = list(LOOKS)
    while looks[-1] < seeds:
        looks.append(round(looks[-1] * _GROWTH))
    return (*(look for look in looks if look < seeds), seeds)


@functools.lru_cache(maxsize=4096)
def nominal_levels(level: float, looks: tuple[int, ...]) -> tuple[float, ...]:
    """What the p-value of a comparison is compared with at each look, where ``level`` is spent linearly over them."""
    from scipy.special import ndtr, ndtri

    total = looks[-1]
    nodes, weights = np.polynomial.legendre.leggauss(_NODES)
    bound = -math.sqrt(looks[0]) * float(ndtri(level * looks[0] / total / 2))
    levels = [level * looks[0] / total]
    at = bound * nodes
    mass = weights * bound * np.exp(-(at**2) / (2 * looks[0])) / math.sqrt(2 * math.pi * looks[0])
    for before, look in zip(looks, looks[1:], strict=False):
        step = math.sqrt(look - before)
        spent = level * (look - before) / total
        low, high = 0.0, 40 * math.sqrt(look)
        for _ in range(_BISECTIONS):
            bound = (low + high) / 2
            leaving = float((mass * (ndtr((-bound - at) / step) + ndtr((at - bound) / step))).sum())
            low, high = (bound, high) if leaving > spent else (low, bound)
        levels.append(float(2 * ndtr(-bound / math.sqrt(look))))
        following = bound * nodes
        density = np.exp(-((following[:, None] - at) ** 2) / (2 * step**2)) / (math.sqrt(2 * math.pi) * step)
        at, mass = following, weights * bound * (density @ mass)
    return tuple(levels)


def progress(values: Floats, rule: SequentialRule, failed: Mask | None = None) -> Progress:
    """All looks that the results allow.

    Args:
        values: (n, m) the measure by seed, in the order in which seeds are added, and method, more is better; NaN for
            what was not run.
        rule: fixed before the start.
        failed: (n, m) runs that failed for good: their methods leave at the look that needs them.
    """
    state = _State(rule, *(side.tolist() for side in family(rule.methods, rule.baseline)))
    missing = np.isnan(values)
    failed = np.zeros_like(missing) if failed is None else failed
    looked: list[int] = []
    for number, look in enumerate(rule.looks):
        active = state.active()
        if not active:
            break
        present, lost = ~missing[:look], failed[:look]
        gone = {method for method in active if lost[:, method].any()}
        if any(len(present) < look or not present[:, method].all() for method in active if method not in gone):
            return Progress(state.outcomes(values), tuple(looked), state.needs(look, gone))
        state.leave(gone, look)
        looked.append(look)
        state.look(values[:look], number)
    return Progress(state.outcomes(values), tuple(looked), (0,) * rule.methods)


def within_p(values: Floats, first: NDArray[np.intp], second: NDArray[np.intp], smallest: float) -> Floats:
    """One-sided p-values (k,) of columns of ``values`` (n, m) being ``smallest`` or more apart, not adjusted."""
    from scipy.special import stdtr

    n, apart = len(values), values[:, first] - values[:, second]
    spread = np.maximum(apart.std(axis=0, ddof=1), 1e-12 * np.abs(values[:, first]).max(initial=0.0) + 1e-300)
    return np.asarray(stdtr(n - 1, -(smallest - np.abs(apart.mean(axis=0))) * math.sqrt(n) / spread))


@dataclass
class _State:
    """The comparisons while the looks are replayed."""

    rule: SequentialRule
    first: list[int]
    second: list[int]
    states: list[State] = field(default_factory=list)
    closed: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.states = ["open"] * len(self.first)
        self.closed = [0] * len(self.first)

    @property
    def open(self) -> list[int]:
        return [c for c, state in enumerate(self.states) if state == "open"]

    def active(self) -> set[int]:
        """Methods with an open comparison."""
        return {method for c in self.open for method in (self.first[c], self.second[c])}

    def needs(self, look: int, gone: set[int]) -> tuple[int, ...]:
        active = self.active() - gone
        return tuple(look if method in active else 0 for method in range(self.rule.methods))

    def leave(self, gone: set[int], look: int) -> None:
        for c in self.open:
            if self.first[c] in gone or self.second[c] in gone:
                self._close(c, "failed", look)

    def _close(self, comparison: int, state: State, look: int) -> None:
        self.states[comparison], self.closed[comparison] = state, look

    def look(self, values: Floats, number: int) -> None:
        """Close what the results of ``values`` (look, m) decide."""
        n, last = len(values), number == len(self.rule.looks) - 1
        p, within = self._tests(values)
        self._step_down("differs", p, number, n)
        if self.rule.smallest is not None:
            self._step_down("within", within, number, n)
        if last:
            for c in self.open:
                self._close(c, "undecided", n)
        elif self.rule.closes_hopeless and 2 * n >= self.rule.seeds:
            for c in self.open:
                if self._chance_left(p[c], within[c], n) < _HOPELESS:
                    self._close(c, "not to be settled", n)

    def _tests(self, values: Floats) -> tuple[dict[int, float], dict[int, float]]:
        """P-values of the open comparisons: of a difference, and of one below the smallest that counts."""
        chosen = self.open
        first, second = (np.array([side[c] for c in chosen], np.intp) for side in (self.first, self.second))
        p = paired_p(values, first, second)
        within: Floats = np.ones(len(chosen))
        if self.rule.smallest is not None and chosen:
            within = within_p(values, first, second, self.rule.smallest)
        return dict(zip(chosen, p.tolist(), strict=True)), dict(zip(chosen, within.tolist(), strict=True))

    def _left(self, state: State) -> int:
        """Comparisons that do not have a state yet: closed otherwise they still count."""
        return sum(other != state for other in self.states)

    def _step_down(self, state: State, p: dict[int, float], number: int, look: int) -> None:
        for c in sorted(self.open, key=lambda c: p[c]):
            if p[c] > nominal_levels(LEVEL / self._left(state), self.rule.looks)[number]:
                return
            self._close(c, state, look)

    def _chance_left(self, p: float, within: float, n: int) -> float:
        """Chance that a comparison is still decided if what was seen goes on (conditional power)."""
        from scipy.special import ndtr, ndtri, stdtrit

        tau = n / self.rule.seeds
        chances = []
        claims: list[tuple[State, float, int]] = [("differs", p, 2)]
        claims += [("within", within, 1)] if self.rule.smallest is not None else []
        for state, chance, sides in claims:
            level = nominal_levels(LEVEL / max(self._left(state), 1), self.rule.looks)[-1]
            t = -float(stdtrit(n - 1, max(chance, 1e-300) / sides))
            z = -float(ndtri(level / sides))
            chances.append(float(ndtr((t / math.sqrt(tau) - z) / math.sqrt(1 - tau))))
        return max(chances)

    def outcomes(self, values: Floats) -> tuple[Outcome, ...]:
        return tuple(
            self._outcome(values, c, first, second)
            for c, (first, second) in enumerate(zip(self.first, self.second, strict=True))
        )

    def _outcome(self, values: Floats, c: int, first: int, second: int) -> Outcome:
        both = values[: self.closed[c] or len(values)][:, [first, second]]
        both = both[~np.isnan(both).any(axis=1)]
        apart = both[:, 0] - both[:, 1]
        pair, p = (np.array([0]), np.array([1])), 1.0
        if len(both) > 1:
            is_within = self.states[c] == "within" and self.rule.smallest is not None
            tested = within_p(both, *pair, self.rule.smallest or 0.0) if is_within else paired_p(both, *pair)
            p = float(tested[0])
        difference = float(apart.mean()) if len(both) else math.nan
        return Outcome(first, second, self.states[c], len(both), difference, p)
