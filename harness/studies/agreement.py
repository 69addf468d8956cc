"""The agreement study (thesis §3.6): what two acquisitions would have led to from one model and one labelled set.

The reference acquisition runs its cycles. After each but the last every other one chooses beside it, both sets of
labels are revealed, and label propagation stands for training. Each pair of acquisitions is cached for each seed.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from harness.active.protocol import ActiveProtocol
from harness.cache import Arrays, Cache, CacheEntry, Key
from harness.core.errors import InvalidInput
from harness.core.progress import Progress, SilentProgress
from harness.core.threads import reproducible
from harness.metrics.selections import Comparison, jaccard, overlap, pseudo_label_agreement, rank_correlation
from harness.plugin_api import ChangesByCycle
from harness.plugin_api.contract import require_picks

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harness.plugin_api import ClassificationSet, Ids, LearningScheme, Network, PoolView

    Values = NDArray[np.float64]

RESULT_VERSION: Final = 3
"""Of stored comparisons. Raised when numbers change: docs/explanation/identity.md."""
RANK_LIMIT: Final = 2000
"""Unlabelled examples up to which every acquisition ranks by its own picks, one after the other, of all of them."""
PICKS: Final = "order of its picks"
NOT_RANKED: Final = "not ranked"
_BATCH: Final = frozenset({"badge", "kmeans", "probcover", "typiclust"})
"""Acquisitions with neither a score nor a surrogate, whose picks of a large pool would take quadratic time."""
_SHARE, _LEAST = 0.05, 200
"""The part of the ranks that is stored for the scatter (thesis Fig. 3.6: 5%), and how many at least."""
_MEASURED: Final = (
    *("agree", "agree_weighted", "unreached", "accuracy", "accuracy_reference", "accuracy_equal"),
    *("accuracy_unequal", "accuracy_unequal_reference", "weight_equal", "weight_unequal"),
    *("overlap", "jaccard", "spearman", "kendall"),
)


@dataclass(frozen=True)
class Candidate:
    """An acquisition with its registered name and the JSON-able identity that cache keys hold."""

    name: str
    method: Any
    key: Mapping[str, Any]

    def at(self, cycle: int) -> tuple[str, Any]:
        """Name and method that choose in a cycle: of ``random+coreset`` one part."""
        if not isinstance(self.method, ChangesByCycle):
            return self.name, self.method
        parts = self.name.split("+")
        return parts[min(cycle, len(parts) - 1)].strip(), self.method.at(cycle)


@dataclass(frozen=True)
class AgreementSetting:
    """What all acquisitions of a study share.

    Attributes:
        load: gives the dataset; called only where something is not cached.
        learning: trains.
        network: what is trained.
        protocol: how many labels, how many cycles.
        seed: as for ``run_cycles``.
        keys: JSON-able identity of ``dataset``, ``learning`` and ``network``.
        unlabelled: measure on all unlabelled examples, those just acquired included.
    """

    load: Callable[[], ClassificationSet]
    learning: LearningScheme
    network: Network
    protocol: ActiveProtocol
    seed: int
    keys: Mapping[str, Any]
    unlabelled: bool = False


@reproducible()
def compare_acquisitions(
    setting: AgreementSetting,
    reference: Candidate,
    others: Mapping[str, Candidate],
    *,
    cache: Cache,
    progress: Progress | None = None,
) -> dict[str, tuple[Comparison, ...]]:
    """Compare acquisitions with the reference, which also chooses what is labelled from cycle to cycle.

    In a cycle all draw from the generator that a run with them would have there. Pseudo-labels are those of
    ``harness.graph.propagate`` with its defaults on ``pool.affinity``. U is what neither acquired, less the examples
    that no label reaches on either side: they have no pseudo-label.

    Args:
        setting: data, training, protocol, seed.
        reference: runs the cycles.
        others: by the label that the result shall have.
        cache: where cycles and comparisons are stored.
        progress: told how far the work is.

    Returns:
        For each label one comparison a cycle, without the last cycle.

    Raises:
        InvalidInput: too few examples for the initial labels.
        ContractError: an acquisition broke the rules.
    """
    if setting.protocol.first_set == "acquisition" or setting.protocol.label_noise:
        raise InvalidInput(
            "the study of agreement has right labels from the start", fix="first_set: balanced or random"
        )

    @functools.cache
    def views() -> list[_CycleView]:
        return _views(setting, reference, cache, progress or SilentProgress())

    return {label: _compared(setting, reference, other, views, cache) for label, other in others.items()}


def _compared(
    setting: AgreementSetting,
    reference: Candidate,
    other: Candidate,
    views: Callable[[], Sequence[_CycleView]],
    cache: Cache,
) -> tuple[Comparison, ...]:
    protocol = setting.protocol
    key = {
        "stage": "agreement",
        **{kind: setting.keys[kind] for kind in ("dataset", "learning", "network")},
        "reference": dict(reference.key),
        "acquisition": dict(other.key),
        "protocol": [
            *(protocol.initial, list(protocol.budgets), protocol.imbalance),
            *([protocol.first_set] if protocol.first_set != "balanced" else []),
            *(["warm start"] if protocol.warm_start else []),
        ],
        "seed": setting.seed,
        "unlabelled": setting.unlabelled,
        "engine": RESULT_VERSION,
    }
    return _unpack(cache.get_or_compute(key, lambda: _pack([_comparison(view, other) for view in views()])).arrays)


@dataclass(frozen=True)
class _CycleView:
    """One cycle as the reference saw it, with what it chose."""

    setting: AgreementSetting
    reference: Candidate
    cycle: int
    pool: PoolView
    truth: Ids
    picks: Ids

    def rng(self, component: str = "acquisition") -> np.random.Generator:
        from harness.active.models import generator

        return generator(self.setting.seed, component, self.cycle)

    def chosen(self, candidate: Candidate, budget: int) -> Ids:
        """What an acquisition picks here, checked."""
        picks = candidate.at(self.cycle)[1].select(self.pool, budget, self.rng())
        return require_picks(f'acquisition "{candidate.name}"', picks, self.pool, budget)

    def spread(self, picks: Ids) -> tuple[Ids, Values]:
        """Pseudo-labels (n,) and weights (n,) once the picks are labelled."""
        from harness.graph import propagate

        labels = self.pool.labels.copy()
        labels[picks] = self.truth[picks]
        propagated = propagate(self.pool.affinity, labels, self.pool.probabilities.shape[1])
        return propagated.labels, propagated.weights

    @functools.cached_property
    def reference_spread(self) -> tuple[Ids, Values]:
        return self.spread(self.picks)

    @functools.cached_property
    def reference_ranks(self) -> tuple[Ids | None, str]:
        return _ranks(self, self.reference)


@dataclass
class _RecordingAcquisition:
    """Chooses as the reference and records the pools that it saw."""

    reference: Candidate
    seen: list[tuple[PoolView, Ids]] = field(default_factory=list)

    def select(self, pool: PoolView, budget: int, rng: np.random.Generator) -> Ids:
        picks = self.reference.at(len(self.seen))[1].select(pool, budget, rng)
        self.seen.append((pool, require_picks(f'acquisition "{self.reference.name}"', picks, pool, budget)))
        return self.seen[-1][1]


class _UncachedChoices(Cache):
    """A cache without choices: what the reference saw is needed, not only what it chose."""

    def get_or_compute(self, key: Key, make: Callable[[], Arrays]) -> CacheEntry:
        return Cache(None).get_or_compute(key, make) if key["stage"] == "acquire" else super().get_or_compute(key, make)


def _views(setting: AgreementSetting, reference: Candidate, cache: Cache, progress: Progress) -> list[_CycleView]:
    from harness.active.loop import run_cycles

    dataset, recorder = setting.load(), _RecordingAcquisition(reference)
    run_cycles(
        dataset,
        recorder,
        setting.learning,
        setting.network,
        setting.protocol,
        setting.seed,
        keys={**setting.keys, "acquisition": dict(reference.key)},
        cache=_UncachedChoices(cache.root),
        progress=progress,
    )
    truth = np.asarray(dataset.train_labels)
    return [
        _CycleView(setting, reference, cycle, pool, truth[pool.positions], picks)
        for cycle, (pool, picks) in enumerate(recorder.seen)
    ]


def _comparison(view: _CycleView, other: Candidate) -> Comparison:
    picks = view.chosen(other, len(view.picks))
    values = {
        **_pseudo_labels(view, picks),
        "overlap": overlap(view.picks, picks),
        "jaccard": jaccard(view.picks, picks),
    }
    (first, first_how), (second, second_how) = view.reference_ranks, _ranks(view, other)
    ranks, (values["spearman"], values["kendall"]) = np.empty((2, 0), dtype=np.int64), (math.nan, math.nan)
    if first is not None and second is not None:
        values["spearman"], values["kendall"] = rank_correlation(first, second)
        shown = min(len(first), max(_LEAST, math.ceil(_SHARE * len(first))))
        ranks = np.stack([first, second])[:, np.sort(view.rng("scatter").choice(len(first), shown, replace=False))]
    return Comparison(
        seed=view.setting.seed,
        cycle=view.cycle,
        n_labelled=len(view.pool.labelled),
        n_unlabelled=len(view.pool.unlabelled),
        values=values,
        ranks=ranks,
        ranked_by=(first_how, second_how),
    )


def _pseudo_labels(view: _CycleView, picks: Ids) -> dict[str, float]:
    """What the pseudo-labels over U are worth, and the share of U that no label reaches on either side."""
    (z1, w1), (z2, w2) = view.reference_spread, view.spread(picks)
    measured = view.pool.labels < 0
    if not view.setting.unlabelled:
        measured[view.picks] = measured[picks] = False
    reached = measured & ((z1 >= 0) | (z2 >= 0))
    values = pseudo_label_agreement(z1[reached], w1[reached], z2[reached], w2[reached], view.truth[reached])
    return {**values, "unreached": float(1 - reached[measured].mean()) if measured.any() else math.nan}


def _ranks(view: _CycleView, candidate: Candidate) -> tuple[Ids | None, str]:
    """Rank from 0 of every unlabelled example, by position, and how it was found; None where there are no ranks."""
    pool, (name, method) = view.pool, candidate.at(view.cycle)
    unlabelled, how = pool.unlabelled, PICKS
    if len(unlabelled) > RANK_LIMIT and name in _SURROGATES:
        score, how = _SURROGATES[name]
        order = unlabelled[np.argsort(score(pool, method), kind="stable")]
    elif len(unlabelled) > RANK_LIMIT and name in _BATCH:
        return None, NOT_RANKED
    else:
        order = view.chosen(candidate, len(unlabelled))
    ranks = np.empty(len(unlabelled), dtype=np.int64)
    ranks[np.searchsorted(unlabelled, order)] = np.arange(len(unlabelled))
    return ranks, how


def _nearness(pool: PoolView, method: Any) -> Values:
    """Minus the squared distance of each unlabelled example to the labelled set."""
    features = pool.features.astype(np.float64)
    norms, centres = (features**2).sum(axis=1), pool.labelled
    nearness = np.empty(len(pool.unlabelled))
    for start in range(0, len(nearness), 1024):
        rows = pool.unlabelled[start : start + 1024]
        squares = norms[rows, None] + norms[centres] - 2 * features[rows] @ features[centres].T
        nearness[start : start + 1024] = -np.maximum(squares.min(axis=1), 0)
    return nearness


def _reach(pool: PoolView, method: Any) -> Values:
    """How far the labelled set reaches each unlabelled example before any pick (thesis 3.11)."""
    from harness.graph import solve

    delta = (pool.labels >= 0).astype(np.float64)
    return np.asarray(solve(pool.affinity, delta, alpha=method.alpha, tol=method.tol)[0][pool.unlabelled])


_SURROGATES: Final[Mapping[str, tuple[Callable[[PoolView, Any], Values], str]]] = {
    "coreset": (_nearness, "distance to the labelled set"),
    "jlp": (_reach, "one-shot jlp score"),
}
"""Scores, smallest first, for large pools in place of greedy picks, each of which changes all scores."""


def _pack(comparisons: Sequence[Comparison]) -> Arrays:
    facts = [[c.seed, c.cycle, c.n_labelled, c.n_unlabelled] for c in comparisons]
    return {
        "facts": np.array(facts, dtype=np.int64).reshape(-1, 4),
        "values": np.array([[c.values[name] for name in _MEASURED] for c in comparisons], dtype=np.float64),
        "ranked_by": np.array([c.ranked_by for c in comparisons], dtype=np.str_),
        **{f"ranks {i}": c.ranks for i, c in enumerate(comparisons)},
    }


def _unpack(arrays: Arrays) -> tuple[Comparison, ...]:
    comparisons = []
    for i, (seed, cycle, n_labelled, n_unlabelled) in enumerate(arrays["facts"].tolist()):
        values = dict(zip(_MEASURED, arrays["values"][i].tolist(), strict=True))
        first, second = arrays["ranked_by"][i].tolist()
        ranks = arrays[f"ranks {i}"]
        comparisons.append(Comparison(seed, cycle, n_labelled, n_unlabelled, values, ranks, (first, second)))
    return tuple(comparisons)
