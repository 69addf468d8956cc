"""Examples that cover the pool under a kernel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

import numpy as np
from annotated_types import Ge, Gt

from harness_acquisition.budget import spendable
from harness_acquisition.herding import Herd, Spread, least_distance

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harness.plugin_api import Ids, PoolView


@dataclass(frozen=True)
class MaxHerding:
    """The example that adds most to how well all examples are covered, again and again (Bae et al. 2024).

    An example is covered as well as the kernel of the nearest labelled one says: a soft ``probcover`` that needs no
    radius. Features have unit length (a row of zeros stays zero). ``rbf`` is exp(-(r/h)^2), without the half that many
    have: h = 1 is a deviation of 0.71. Equal up to rounding are gains within 1e-9 of each other; once nothing can be
    gained positions decide. O(n m d) time for m candidates, then O(n d) for each of the few whose gain may be the
    largest, once, and after each pick O(d) for each example that it covers better; O(n d) memory. The released
    code looks at up to 35,000 random examples and covers only those; here ``candidates`` limits who may be picked, and
    what is covered is always the whole pool.

    Formula:
        argmax_(i in U) sum_j max(k(z_i, z_j) - max_(l in L) k(z_l, z_j), 0), b times, each pick joining L

    Attributes:
        kernel: of the distance r: ``rbf`` exp(-(r/h)^2), ``student`` (1 + 2 (r/h)^2)^-0.75, ``laplace`` exp(-r/h).
        bandwidth: h.
        adaptive: whether h is the least distance above 0 of two labelled examples, where there are two.
        candidates: unlabelled examples that may be picked, drawn by the seed; 0: all.
    """

    kernel: Literal["rbf", "student", "laplace"] = "rbf"
    bandwidth: Annotated[float, Gt(0)] = 1.0  # Bae et al. 2024, released code
    adaptive: bool = False
    candidates: Annotated[int, Ge(0)] = 0

    cold_start = True
    deviations: ClassVar[dict[str, str]] = {
        "position-independent": "two examples that only cover each other gain the same, and positions decide"
    }

    def select(self, pool: PoolView, budget: int, rng: np.random.Generator) -> Ids:
        """``budget`` unlabelled positions in the order in which they cover; equal ones by position."""
        return herded(self, pool, budget, rng, np.ones(len(pool.labels)))


def herded(
    options: MaxHerding, pool: PoolView, budget: int, rng: np.random.Generator, weights: NDArray[np.float64]
) -> Ids:
    """The picks where example j weighs ``weights[j]``, not negative."""
    from harness.search import unit_rows

    budget = spendable(pool, budget)
    if budget == 0:
        return np.empty(0, dtype=np.int64)
    unit = unit_rows(pool.features, dtype=np.float64)
    own = least_distance(unit, pool.labelled) if options.adaptive else 0.0
    herd = Herd(unit, weights, Spread(options.kernel, own or options.bandwidth))
    herd.choose(pool.labelled)
    candidates = pool.unlabelled
    if 0 < options.candidates < len(candidates):
        candidates = np.sort(rng.choice(candidates, max(options.candidates, budget), replace=False))
    return np.array(herd.picks(candidates, budget), dtype=np.int64)
