"""Examples that look unlabelled."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import numpy as np
from annotated_types import Ge, Gt
from numpy.typing import NDArray

from harness.core.errors import InvalidInput
from harness_acquisition.budget import largest, spendable

if TYPE_CHECKING:
    from harness.plugin_api import Floats, Ids, PoolView

_BATCH = 200
_STEPS = 500
"""A network takes at least so many steps of so many examples."""


@dataclass(frozen=True)
class DiscriminativeActiveLearning:
    """Examples that a classifier tells most surely from the labelled ones (Gissin and Shalev-Shwartz 2019).

    A binary classifier, labelled against unlabelled, on standardised features. It takes ``rounds`` parts of the
    budget, is trained anew for each and counts the parts before as labelled. The unlabelled side is a random sample of
    ``ratio`` times the labelled one, and both sides weigh the same. The paper's classifier is a deep network, this one
    a logistic regression, or a network with one layer of ``hidden`` units. Needs at least one label.
    O(rounds (ratio labelled iterations + n) d) time, O((n + ratio labelled) d) memory.

    Formula:
        the largest P(unlabelled | z_i), by a classifier of labelled against unlabelled examples

    Attributes:
        rounds: parts of the budget.
        ratio: unlabelled examples a labelled one.
        hidden: units of the hidden layer; 0 for logistic regression.
        c: inverse of the strength of the regularisation of the logistic regression.
    """

    rounds: Annotated[int, Gt(0)] = 10  # Gissin and Shalev-Shwartz 2019
    ratio: Annotated[int, Gt(0)] = 10  # Gissin and Shalev-Shwartz 2019
    hidden: Annotated[int, Ge(0)] = 0
    c: Annotated[float, Gt(0)] = 1.0

    def select(self, pool: PoolView, budget: int, rng: np.random.Generator) -> Ids:
        """``budget`` unlabelled positions, round by round, the most surely unlabelled first; equal ones by position.

        Raises:
            InvalidInput: nothing is labelled.
        """
        budget = spendable(pool, budget)
        if budget == 0:
            return np.empty(0, dtype=np.int64)
        if len(pool.labelled) == 0:
            raise InvalidInput("dal needs at least one labelled example", fix="label a first set with another method")
        features = standardised(pool.features)
        labelled, free = pool.labelled, pool.unlabelled
        for part in np.array_split(np.arange(budget), min(self.rounds, budget)):
            sample = rng.choice(free, min(len(free), self.ratio * len(labelled)), replace=False)
            scores = self._scores(features, labelled, sample, free, rng)
            picks = largest(scores, free, len(part))
            labelled, free = np.concatenate([labelled, picks]), np.setdiff1d(free, picks)
        return labelled[len(pool.labelled) :]

    def _scores(
        self, features: Floats, labelled: Ids, sample: Ids, free: Ids, rng: np.random.Generator
    ) -> NDArray[np.floating]:
        """How surely each free example is unlabelled, on any rising scale."""
        rows = np.concatenate([labelled, sample])
        x, y = features[rows].astype(np.float64), np.arange(len(rows)) >= len(labelled)
        if self.hidden:
            return _network(x, y, features[free], self.hidden, rng)
        from sklearn.linear_model import LogisticRegression

        model = LogisticRegression(C=self.c, class_weight="balanced", max_iter=1000, tol=1e-6).fit(x, y)
        scores: NDArray[np.floating] = features[free] @ model.coef_[0].astype(np.float32)
        return scores


def _network(
    x: NDArray[np.float64], y: NDArray[np.bool_], features: Floats, hidden: int, rng: np.random.Generator
) -> NDArray[np.floating]:
    import warnings

    from sklearn.exceptions import ConvergenceWarning
    from sklearn.neural_network import MLPClassifier

    # It has no class weights: the smaller side is repeated.
    sides = [rng.permutation(np.flatnonzero(y == side)) for side in (False, True)]
    rows = np.concatenate([np.resize(side, max(map(len, sides))) for side in sides])
    # Few examples make few steps a pass: without more passes the network would hardly have begun.
    passes = max(20, _STEPS * _BATCH // len(rows))
    seed = int(rng.integers(2**31))
    model = MLPClassifier((hidden,), batch_size=min(_BATCH, len(rows)), max_iter=passes, random_state=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(x[rows], y[rows])
    scores: NDArray[np.floating] = model.predict_proba(features)[:, 1]
    return scores


def standardised(features: Floats) -> Floats:
    """Each column with mean 0 and standard deviation 1, float32; a constant column is 0."""
    mean, std = features.mean(axis=0, dtype=np.float64), features.std(axis=0, dtype=np.float64)
    # The rounding of a mean must not pass for a spread.
    constant = std <= 1e-6 * np.abs(mean)
    result: Floats = features - mean.astype(np.float32)
    result /= np.where(constant, np.inf, std).astype(np.float32)
    return result
