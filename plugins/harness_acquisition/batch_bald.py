"""A batch whose labels together tell most about the model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Final

import numpy as np
from annotated_types import Ge, Gt
from numpy.typing import NDArray

from harness.core.errors import InvalidInput
from harness_acquisition.bald import dropout_passes
from harness_acquisition.budget import spendable
from harness_acquisition.entropy import entropies

if TYPE_CHECKING:
    from harness.plugin_api import Floats, Ids, PoolView

Values = NDArray[np.float64]

_VALUES: Final = 2_000_000
"""Probabilities of configurations worked on at once: 16 MB."""
_ROWS: Final = 1024
_TIE: Final = 1e-9
"""Nats by which rounding may tell equal scores apart."""


@dataclass(frozen=True)
class BatchBald:
    """Most information that the labels of a whole batch give about the model (Kirsch et al. 2019).

    Greedy: each pick adds most to the mutual information of all labels of the batch and the weights, so that a near
    duplicate of a pick adds little, where ``bald`` counts it again. Passes with dropout stand for the weights; each
    drops the same for all examples, as labels are joined over passes. Joint probabilities are exact while the labels of
    the batch have at most ``samples`` configurations (with ten classes: four picks); from then on some are drawn, which
    makes scores noisy (the released code draws anew for each pick, this one goes on with the same). t passes can tell
    no more than ln t nats: after a few picks there is little left to choose by. O(tnc) for the first pick, then
    O(samples t c) for each example whose score may be the best, a few in most cycles; O(tnc + samples t) memory.

    Formula:
        argmax_(i in U) H(y_B, y_i) - sum_(j in B, i) mean_t H(p_tj), b times, each pick joining B
        H of p(y_B, y_i) = mean_t prod_j p_tj(y_j)

    Attributes:
        t: number of passes with dropout.
        samples: configurations of labels up to which all are counted.
        samples_after: configurations that are drawn where there are more; 0: a budget that leads there is refused.
    """

    t: Annotated[int, Gt(1)] = 20
    samples: Annotated[int, Gt(0)] = 10_000  # Kirsch et al. 2019, released code
    samples_after: Annotated[int, Ge(0)] = 1000

    needs_dropout = True

    def select(self, pool: PoolView, budget: int, rng: np.random.Generator) -> Ids:
        """``budget`` unlabelled positions in the order picked; equal ones by position. Labels are not looked at.

        Raises:
            InvalidInput: the pool has no model, or more configurations than ``samples`` and none may be drawn.
        """
        budget, left = spendable(pool, budget), pool.unlabelled
        if budget in (0, len(left)):
            return left[:budget].copy()
        passes = np.ascontiguousarray(dropout_passes(pool, self.t, shared=True)[:, left].transpose(1, 0, 2))
        batch = _Batch(passes, self.samples, self.samples_after, rng)
        picks: list[int] = []
        while len(picks) < budget:
            picks.append(batch.best())
            if len(picks) < budget and not batch.add(picks[-1]) and not self.samples_after:
                raise InvalidInput(
                    f"the labels of {len(picks)} picks have more than {self.samples} configurations",
                    fix="a smaller budget, more samples, or samples_after above 0",
                )
        return left[picks]


class _Batch:
    """What the labels of a growing batch say about which pass is right.

    A configuration s of labels has a probability, and given it each pass has one: (m,) and (m, t). What another label
    would tell is the mean entropy of its prediction given s, less that of its prediction given the pass.
    """

    def __init__(self, passes: Floats, samples: int, samples_after: int, rng: np.random.Generator) -> None:
        self.passes, self.samples, self.samples_after, self.rng = passes, samples, samples_after, rng
        n, t, _ = passes.shape
        self.chances, self.posterior = np.ones(1), np.full((1, t), 1 / t)
        self.picked: list[int] = []
        self.owner = np.empty(0, dtype=np.int64)  # the pass that each drawn configuration was drawn from
        self.given_pass, self.bounds = np.empty(n), np.empty(n)
        for start in range(0, n, _ROWS):
            rows = slice(start, start + _ROWS)
            p = passes[rows].astype(np.float64)
            self.given_pass[rows] = entropies(p).mean(axis=1)
            self.bounds[rows] = entropies(p.mean(axis=1)) - self.given_pass[rows]

    def best(self) -> int:
        """The place of the largest score. Scores fall as the batch grows, so old ones are bounds."""
        stale = np.full(len(self.bounds), bool(self.picked))
        block = max(1, _VALUES // (len(self.chances) * self.passes.shape[2]))
        while True:
            known = self.bounds[~stale].max(initial=-np.inf)
            likely = np.flatnonzero(stale & (self.bounds > -np.inf) & (self.bounds >= known - _TIE))
            if len(likely) == 0:
                return int(np.flatnonzero(self.bounds >= known - _TIE)[0])
            if len(likely) > block:
                likely = likely[np.argpartition(-self.bounds[likely], block - 1)[:block]]
            self.bounds[likely] = self._scores(likely)
            stale[likely] = False

    def add(self, place: int) -> bool:
        """Count an example as picked; False where configurations are drawn."""
        self.picked.append(place)
        self.bounds[place] = -np.inf
        p = self.passes[place].astype(np.float64)  # (t, c)
        if not len(self.owner) and len(self.chances) * p.shape[1] <= self.samples:
            joint = self.posterior[:, :, None] * p  # (m, t, c)
            given = joint.sum(axis=1)
            s, y = np.nonzero(given)
            self.chances = self.chances[s] * given[s, y]
            self.posterior = joint[s, :, y] / given[s, y, None]
        elif not len(self.owner):
            self._draw_all()
        else:
            self._draw(p)
        return not len(self.owner)

    def _draw_all(self) -> None:
        t = self.passes.shape[1]
        self.owner = np.repeat(np.arange(t), max(1, self.samples_after // t))
        m = len(self.owner)
        self.chances, self.posterior = np.full(m, 1 / m), np.full((m, t), 1 / t)
        for place in self.picked:
            self._draw(self.passes[place].astype(np.float64))

    def _draw(self, p: Values) -> None:
        """Each configuration gets one more label, drawn from what its own pass says."""
        sums = np.cumsum(p, axis=1)
        levels = self.rng.random(len(self.owner)) * sums[self.owner, -1]
        labels = np.minimum((sums[self.owner] <= levels[:, None]).sum(axis=1), p.shape[1] - 1)
        self.posterior *= p.T[labels]
        self.posterior /= self.posterior.sum(axis=1, keepdims=True)

    def _scores(self, rows: Ids) -> Values:
        p = self.passes[rows].astype(np.float64)  # (r, t, c)
        r, t, c = p.shape
        given = (self.posterior @ p.transpose(1, 0, 2).reshape(t, r * c)).reshape(-1, r, c)
        scores: Values = self.chances @ entropies(given) - self.given_pass[rows]
        return scores
