"""Examples whose prediction a small step towards a labelled class changes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Final

import numpy as np
from annotated_types import Ge, Gt, Le
from numpy.typing import NDArray

from harness.core.errors import InvalidInput
from harness_acquisition.budget import spendable
from harness_acquisition.dropquery import head_of
from harness_acquisition.kmeans import one_a_cluster

if TYPE_CHECKING:
    from harness.plugin_api import Floats, Ids, LinearHead, PoolView

    Doubles = NDArray[np.float64]

_ROWS: Final = 2048
_NEVER_ZERO: Final = 1e-8
"""Added to differences before one divides by them (released code)."""


@dataclass(frozen=True)
class AlfaMix:
    """Centres of clusters of the examples that a mixture with a labelled class changes (Parvaneh et al. 2022).

    An anchor is the mean of the features of the labels of a class, of all labels for a class without one. Each example
    is mixed with each anchor, entry by entry, along the gradient of the loss of its predicted class, as far as ``cap``
    allows. Candidates are the examples that the last layer then predicts otherwise. As long as there are no more
    candidates than picks the cap grows by its first value, up to 1. k-means on the candidates at unit length finds b
    clusters, and each gives the example nearest to its middle; too few candidates: all of them, and others at random.

    Shares in closed form; the released code can also learn them, by a few steps of gradient descent for each anchor,
    which is not here. An example whose prediction no feature changes is no candidate. Needs a label and a linear last
    layer (``PoolView.head``), whose predictions count. O(n c^2 d) time and O(m d b iterations) for m candidates,
    O(nd) memory.

    Formula:
        g_i = (p_i - onehot(y_i)) W, y_i = argmax_k p_ik
        alpha = cap / sqrt(d) |a_k - z_i| / |g_i| g_i / (a_k - z_i), entry by entry
        C = {i in U: argmax h(z_i + alpha (a_k - z_i)) != y_i for the anchor a_k of some class k}
        argmin_(i in C) |z_i / |z_i| - c_j| for each centre c_j of k-means on C, j = 1, ..., b

    Attributes:
        cap: bound of the share of an anchor, its first value and by how much it grows.
        grows: whether the cap grows; some reimplementations take one cap of 0.2.
        iterations: of k-means.
    """

    cap: Annotated[float, Ge(0.001), Le(1)] = 0.03125  # Parvaneh et al. 2022, released code
    grows: bool = True
    iterations: Annotated[int, Gt(0)] = 20

    needs_head = True

    def select(self, pool: PoolView, budget: int, rng: np.random.Generator) -> Ids:
        """``budget`` unlabelled positions: one a cluster, or all candidates in order and then others as drawn.

        Raises:
            InvalidInput: nothing is labelled, or the last layer of the model is not linear.
        """
        budget, left = spendable(pool, budget), pool.unlabelled
        if budget == 0:
            return np.empty(0, dtype=np.int64)
        if not len(pool.labelled):
            raise InvalidInput("alfa-mix needs at least one labelled example", fix="first_set: balanced or random")
        head = head_of(pool)
        least = least_caps(head, pool.features[left], anchors(pool))
        return one_a_cluster(pool, self._candidates(least, budget), budget, rng, self.iterations)

    def _candidates(self, least: Doubles, budget: int) -> Ids:
        """Places of the examples that change below the smallest cap with enough of them."""
        steps = int(np.ceil(1 / self.cap - 1e-9)) if self.grows else 1
        for step in range(1, steps + 1):
            places = np.flatnonzero(least < step * self.cap)
            if len(places) > budget:
                break
        return places


def anchors(pool: PoolView) -> Doubles:
    """Mean features (c, d) of the labels of each class; of all labels for a class without any."""
    labels, features = pool.labels[pool.labelled], pool.features[pool.labelled].astype(np.float64)
    result = np.tile(features.mean(axis=0), (pool.probabilities.shape[1], 1))
    for k in np.unique(labels):
        result[k] = features[labels == k].mean(axis=0)
    return result


def least_caps(head: LinearHead, features: Floats, towards: Doubles) -> Doubles:
    """The cap (n,) above which a mixture of features (n, d) with one of the anchors (k, d) is predicted otherwise.

    Scores of classes are linear in the cap: each class overtakes the predicted one at one value, or never (infinity).
    """
    weight, bias = head.weight.astype(np.float64), head.bias.astype(np.float64)
    least = np.full(len(features), np.inf)
    for start in range(0, len(features), _ROWS):
        z = features[start : start + _ROWS].astype(np.float64)
        scores = z @ weight.T + bias
        predicted = scores.argmax(axis=1)
        rows = np.arange(len(z))
        ahead = scores[rows, predicted][:, None] - scores
        direction = _direction(weight, ahead, predicted)
        for anchor in towards:
            change = _step(anchor - z, direction) @ weight.T
            gained = change - change[rows, predicted][:, None]
            caps = np.divide(ahead, gained, out=np.full_like(ahead, np.inf), where=gained > 0)
            part = least[start : start + _ROWS]
            np.minimum(part, caps.min(axis=1), out=part)
    return least


def _direction(weight: Doubles, ahead: Doubles, predicted: Ids) -> Doubles:
    """Gradients (n, d) of the losses of the predicted classes, at unit length; zeros where nothing changes a loss."""
    # The other classes share what the predicted one lacks. A common factor does not count, and with it left out the
    # gradient of a certain prediction does not vanish.
    rows = np.arange(len(ahead))
    others = ahead.copy()
    others[rows, predicted] = np.inf
    with np.errstate(invalid="ignore"):  # one class: no others
        shares = np.nan_to_num(np.exp(others.min(axis=1, keepdims=True) - others))
    shares[rows, predicted] = -shares.sum(axis=1)
    gradients = shares @ weight
    lengths = np.linalg.norm(gradients, axis=1, keepdims=True)
    return np.asarray(np.divide(gradients, lengths, out=np.zeros_like(gradients), where=lengths > 0))


def _step(difference: Doubles, direction: Doubles) -> Doubles:
    """What is added to the features (n, d) at a cap of 1, for their differences to an anchor."""
    n, d = difference.shape
    divisors = difference + _NEVER_ZERO
    share = np.divide(difference, divisors, out=np.zeros_like(difference), where=divisors != 0)
    share *= np.linalg.norm(difference, axis=1, keepdims=True) / d**0.5
    share *= direction
    return share
