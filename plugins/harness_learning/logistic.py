"""Logistic regression on features."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, NamedTuple

import numpy as np
from annotated_types import Gt
from numpy.typing import NDArray

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Module

    from harness.plugin_api import Ids, TrainingSet

Values = NDArray[np.float64]

_GRID: Final = tuple(float(c) for c in 10.0 ** np.arange(0, 7.5, 0.5))
"""Strengths times the spread of the features. At 1 a label can move its own logit by about 1; below, all answers come
close to a constant one."""
_WORSE: Final = 1.02
"""Share by which a loss has risen: less may be the flat beginning of the path."""
_FOLDS: Final = 5
_NEVER: Final = -1e4
"""Bias of a class without a label, far below any logit: its probability is 0."""


@dataclass(frozen=True)
class Logistic:
    """Multinomial logistic regression on the features of the network, solved until it converges (Cox 1958).

    The network is left as it is. With frozen features (``linear-head``) it is the head to take: there is no learning
    rate, and turning the features changes nothing. ``c`` means what it does in scikit-learn, for two classes too,
    which here have a row of weights each. A class without a label has probability 0. The strength ``c`` is chosen on
    the labels alone, among multiples of 1 / (mean squared distance of their features from the mean), so that a scale of
    the features changes nothing: least loss of cross-validation, from strong to weak until the loss has risen twice; of
    equal losses the stronger. Held-out labels of a class that the others lack do not count; where none counts, c is 1.
    O(l d c) time a step of the solver for l labels; of more dimensions than labels only their span matters.

    Formula:
        minimise sum_(i in L) -ln p_i,y_i + |W|^2 / (2 c), by L-BFGS in float64, to gradients of
        1e-6 max(1, l / c); p = softmax(W z + b)

    Attributes:
        c: inverse of the strength of the regularisation, or how it is chosen.
    """

    c: Literal["cross-validated"] | Annotated[float, Gt(0)] = "cross-validated"

    result_version = 2

    def prepare(self, model: Module, data: TrainingSet, rng: np.random.Generator) -> Mapping[str, Tensor] | None:
        """None: the network is left as it is."""
        return None

    def train(self, model: Module, data: TrainingSet, rng: np.random.Generator) -> Module:
        """``model`` with the head of its labels; its ``report`` tells ``c`` and whether the solver converged."""
        from harness_learning.heads import OnFeatures, features_of, linear

        labelled = np.flatnonzero(data.labels >= 0)
        x = features_of(model, data.images, labelled).astype(np.float64)
        present, y = np.unique(data.labels[labelled], return_inverse=True)
        c = chosen(x, y, rng) if self.c == "cross-validated" else float(self.c)
        fit = fitted(x, y, len(present), c)
        weight, bias = np.zeros((data.n_classes, x.shape[1])), np.full(data.n_classes, _NEVER)
        weight[present], bias[present] = fit.weight, fit.bias
        trained = OnFeatures(model, linear(weight, bias).to(next(model.parameters()).device))
        trained.report = {"c": c, "converged": fit.converged}  # type: ignore[assignment]
        return trained

    def restore(self, model: Module, images: Any, weights: Mapping[str, Tensor]) -> Module:
        """The trained model again."""
        from harness_learning.heads import OnFeatures, linear, parts

        own, head = parts(weights)
        model.load_state_dict(own)
        restored = linear(head["weight"].numpy(), head["bias"].numpy())
        return OnFeatures(model, restored.to(next(model.parameters()).device))


class Fit(NamedTuple):
    """Weights (c, d) and bias (c,) of a regression, and whether its solver converged."""

    weight: Values
    bias: Values
    converged: bool


def fitted(x: Values, y: Ids, n_classes: int, c: float, start: Fit | None = None) -> Fit:
    """The regression of labels ``y`` (l,) in [0, n_classes) on ``x`` (l, d)."""
    basis = None
    if x.shape[1] > len(x):  # the weights lie in the span of the examples
        basis, r = np.linalg.qr(x.T)
        x, start = r.T, None
    fit = _solved(x, y, n_classes, c, start)
    return fit if basis is None else fit._replace(weight=fit.weight @ basis.T)


def _solved(x: Values, y: Ids, n_classes: int, c: float, start: Fit | None) -> Fit:
    from scipy.optimize import minimize

    n, d = x.shape
    # All is divided by max(1, l / c), so that the solver's own limits mean the same for every c.
    unit = max(1.0, n / c)

    def objective(values: Values) -> tuple[float, Values]:
        weight, bias = values[:-n_classes].reshape(n_classes, d), values[-n_classes:]
        logits = x @ weight.T + bias
        logits -= logits.max(axis=1, keepdims=True)
        p = np.exp(logits)
        total = p.sum(axis=1, keepdims=True)
        loss = (np.log(total[:, 0]) - logits[np.arange(n), y]).sum() + (weight**2).sum() / (2 * c)
        p /= total
        p[np.arange(n), y] -= 1
        gradient = np.concatenate([(p.T @ x + weight / c).ravel(), p.sum(axis=0)])
        return float(loss) / unit, gradient / unit

    first = np.zeros(n_classes * (d + 1)) if start is None else np.concatenate([start.weight.ravel(), start.bias])
    options = {"gtol": 1e-6, "ftol": 0.0, "maxiter": 1000, "maxfun": 2000, "maxcor": 20}
    found = minimize(objective, first, jac=True, method="L-BFGS-B", options=options)
    weight, bias = found.x[:-n_classes].reshape(n_classes, d), found.x[-n_classes:]
    return Fit(weight, bias, bool(np.abs(found.jac).max() <= 1e-6))


def chosen(x: Values, y: Ids, rng: np.random.Generator) -> float:
    """The ``c`` of the grid with the least loss of cross-validation, the smaller of equal ones; 1 where none counts."""
    fold = _folds(y, rng)
    splits = [(fold != k, fold == k) for k in range(_FOLDS)]
    # A label of a class that the rest lacks says nothing of c.
    splits = [(rest, out & np.isin(y, y[rest])) for rest, out in splits]
    splits = [(rest, out) for rest, out in splits if out.any()]
    if not splits:
        return 1.0
    spread = float(((x - x.mean(axis=0)) ** 2).sum(axis=1).mean())
    if spread == 0:
        return 1.0
    best, least, risen = 1.0, np.inf, 0
    starts: list[Fit | None] = [None] * len(splits)
    for c in (step / spread for step in _GRID):
        loss = 0.0
        for number, (rest, out) in enumerate(splits):
            present, known = np.unique(y[rest], return_inverse=True)
            fit = starts[number] = fitted(x[rest], known, len(present), c, starts[number])
            loss += _loss(fit, x[out], np.searchsorted(present, y[out]))
        risen += loss > least * _WORSE
        if loss < least * (1 - 1e-9):
            best, least, risen = c, loss, 0
        if risen == 2:
            break
    return best


def _folds(y: Ids, rng: np.random.Generator) -> Ids:
    """The fold (l,) of each label: classes are dealt out one after the other, so that each fold has its share."""
    order = rng.permutation(len(y))
    order = order[np.argsort(y[order], kind="stable")]
    fold = np.empty(len(y), dtype=np.int64)
    fold[order] = np.arange(len(y)) % _FOLDS
    return fold


def _loss(fit: Fit, x: Values, y: Ids) -> float:
    from scipy.special import logsumexp

    logits = x @ fit.weight.T + fit.bias
    return float((logsumexp(logits, axis=1) - logits[np.arange(len(y)), y]).sum())
