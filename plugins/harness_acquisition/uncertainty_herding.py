"""Examples that cover the uncertain ones under a kernel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

import numpy as np
from annotated_types import Gt
from numpy.typing import NDArray

from harness_acquisition.entropy import entropies
from harness_acquisition.margin import negative_margins
from harness_acquisition.max_herding import MaxHerding, herded

if TYPE_CHECKING:
    from harness.plugin_api import Ids, PoolView


@dataclass(frozen=True)
class UncertaintyHerding(MaxHerding):
    """``max-herding`` where an example weighs as much as its prediction is uncertain (Bae et al. 2025).

    Labelled examples weigh nothing; before the first label all weigh 1. With few labels it covers, with many it prefers
    what is uncertain. The paper chooses the temperature on labels kept back and trains again; here it is a number.
    Where every prediction is certain positions decide. Costs as ``max-herding``: O(n^2 d) time, O(nd) memory.

    Formula:
        argmax_(i in U) sum_j u_j max(k(z_i, z_j) - max_(l in L) k(z_l, z_j), 0), b times, each pick joining L
        u_j = 1 - p_j(1) + p_j(2), of softmax(logits / temperature); 0 on L

    Attributes:
        kernel: of the distance r: ``rbf`` exp(-(r/h)^2), ``student`` (1 + 2 (r/h)^2)^-0.75, ``laplace`` exp(-r/h).
        bandwidth: h.
        adaptive: whether h is the least distance above 0 of two labelled examples, where there are two.
        candidates: unlabelled examples that may be picked, drawn by the seed; 0: all.
        uncertainty: u: ``margin`` 1 - p(1) + p(2), ``confidence`` 1 - p(1), ``entropy``.
        temperature: of the probabilities: above 1 they are more alike.
    """

    uncertainty: Literal["margin", "confidence", "entropy"] = "margin"
    temperature: Annotated[float, Gt(0)] = 1.0

    deviations: ClassVar[dict[str, str]] = {}

    def select(self, pool: PoolView, budget: int, rng: np.random.Generator) -> Ids:
        """``budget`` unlabelled positions in the order in which they cover; equal ones by position."""
        weights = np.ones(len(pool.labels))
        if len(pool.labelled):
            p = tempered(pool.probabilities.astype(np.float64), self.temperature)
            weights = uncertainties(p, self.uncertainty)
            weights[pool.labelled] = 0
        return herded(self, pool, budget, rng, weights)


def tempered(p: NDArray[np.float64], temperature: float) -> NDArray[np.float64]:
    """Probabilities (n, c) of the logits divided by the temperature."""
    if temperature == 1:
        return p
    with np.errstate(divide="ignore"):
        logits = np.log(p) / temperature
    powers: NDArray[np.float64] = np.exp(logits - logits.max(axis=1, keepdims=True))
    powers /= powers.sum(axis=1, keepdims=True)
    return powers


def uncertainties(p: NDArray[np.float64], kind: str) -> NDArray[np.float64]:
    """How uncertain each of the predictions (n, c) is: ``margin``, ``confidence`` or ``entropy``; not negative."""
    found: NDArray[Any]
    if kind == "entropy":
        found = entropies(p)
    elif kind == "confidence":
        found = 1 - p.max(axis=1)
    else:
        found = 1 + negative_margins(p) if p.shape[1] > 1 else np.zeros(len(p))
    return np.maximum(found, 0)
