"""Every evaluation protocol of the catalogue beside the same one read aloud, and cases by hand."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any, Final

import numpy as np

from harness.metrics.protocols import PROTOCOLS, MetricName, judged, parse_name
from harness.plugin_api import Comparison, Create, EvidenceFunction
from harness_evidence import RNG
from harness_evidence.aloud import aloud, class_means, one_list
from harness_evidence.published import PUBLISHED

Case = tuple[str, Any, Mapping[str, Any], Mapping[str, Any], float]
BY_HAND: Final[tuple[Case, ...]] = (
    # retrieval.md: positives at ranks 2 and 5 of 5.
    ("map", [0, 1, 2, 3, 4], {"easy": [1, 4]}, {}, 0.2875),
    ("trec-map", [0, 1, 2, 3, 4], {"easy": [1, 4]}, {}, 0.45),
    ("sklearn-ap", [0, 1, 2, 3, 4], {"easy": [1, 4]}, {}, 0.45),
    # One positive at rank r >= 1: the trapezoid is half the finite sum.
    ("holidays", [9, 0, 1], {"easy": [1]}, {"own": [9]}, 0.25),
    ("trec-map", [0, 1], {"easy": [1]}, {}, 0.5),
    # A list shorter than the number of positives: lost, forgiven, capped.
    ("revisited", [0], {"easy": range(300)}, {}, 1 / 300),
    ("delf-revisited", [0], {"easy": range(300)}, {}, 1.0),
    ("ames-revisited", [0], {"easy": range(300)}, {}, 1.0),
    ("vissl-revisited", [0], {"easy": range(300)}, {}, 1.0),  # ids are compared with ranks
    ("trec-map@5", range(10), {"easy": range(10)}, {}, 0.5),  # the ceiling of map_cut_k
    ("gldv2-map@5", range(10), {"easy": range(10)}, {}, 1.0),
    ("torchmetrics-map@10", [0, 1, 2], {"easy": [0, 9]}, {}, 1.0),  # a hit at rank 1, whatever was missed
    ("torchmetrics-map@10", [0, 1], {"easy": [0, 1]}, {"scores": [[0.5, -0.1]]}, 1.0),  # negative: no positive
    ("trec-p@10", [0, 1], {"easy": [0, 1]}, {}, 0.2),  # divided by k although two are listed
    ("revisited-mp@10", [0, 1], {"easy": [0, 1]}, {}, 1.0),
    ("revisited-mp@10", [0, 1], {"easy": [0, 5]}, {}, 1.0),  # the last positive that is reached
    ("mp@10", [0, 1], {"easy": [0, 5]}, {}, 0.1),
    ("ilias-oracle@1k", range(20), {"easy": [0, 1, 90, 91]}, {}, 0.5),  # not 25
    ("recall@2", [0, 1], {"easy": [1, 7]}, {}, 1.0),  # any, not the share
    ("trec-recall@2", [0, 1], {"easy": [1, 7]}, {}, 0.5),
    ("recall@5", [0, 1], {}, {}, 0.0),  # a class of one image is a miss
    ("ukbench", [3, 0, 1, 2], {"easy": [0, 1, 2]}, {"own": [3]}, 4.0),
    ("ukbench", [3, 7, 8, 9], {"easy": [0, 1, 2]}, {"own": [3]}, 1.0),
    ("oxford", [3, 7, 8, 9], {"easy": [0], "junk": [7]}, {"own": [3]}, 0.5),  # 1 / m with m = 2
    ("pml-map-r", [0, 1, 2, 3], {"easy": [0, 3]}, {}, 0.5),  # nothing beyond R
    ("pml-r-precision", [0, 1, 2, 3], {"easy": [0, 3]}, {}, 0.5),
    ("copydays@2", [0, 1, 2], {"easy": [0, 2]}, {}, 0.5),
    ("uned-mmp", [4, 0, 1], {"easy": [0]}, {"own": [4]}, 1.0),
    ("uned-mmp", [0, 4, 1], {"easy": [0]}, {"own": [4]}, 1.0),  # the copy was dropped instead of the query
    # trec_eval: "9" before "10", and 1 and 1 + 1e-10 tie.
    ("trec-map", [10, 9], {"easy": [9]}, {"scores": [[1 + 1e-10, 1.0]]}, 1.0),
    ("trec-map", [10, 9], {"easy": [9]}, {"scores": [[1 + 1e-3, 1.0]]}, 0.5),
    ("trec-map", [0, 1], {"easy": [1]}, {"scores": [[1.0, 1.0]], "names": ["z", "a"]}, 0.5),
    ("mteb-self-map@5", [0, 1], {"easy": [0]}, {"scores": [[1.0, 1.0]]}, 0.5),  # no query in it: nothing is dropped
    ("mteb-self-map@5", [2, 0, 1], {"easy": [1]}, {"scores": [[1.0] * 3], "own": [2]}, 0.5),
    ("isc-muap", [0, 1], {"easy": [0]}, {"scores": [[1.0, 1.0]]}, 0.5),  # wrong pairs first among equals
    ("sklearn-ap", [0, 1], {"easy": [0]}, {"scores": [[1.0, 1.0]]}, 0.5),
    ("ilias-map", [0, 1], {"easy": [0]}, {"scores": [[1.0, 1.0]]}, 0.5),
    ("isc-recall@1", [0, 1], {"easy": [0]}, {"scores": [[1.0, 0.5]]}, 1.0),
    ("isc-recall@1", [0, 1], {"easy": [0]}, {"scores": [[1.0, 1.0]]}, 0.0),  # a tie counts against the right one
    ("isc-recall@1", [0, 1], {"easy": [0, 2]}, {"scores": [[1.0, 0.5]]}, 0.5),  # of the pairs that there are
    ("gldv2-p@5", [0, 1], {"easy": [0, 1]}, {}, 0.4),
    ("dirtorch-top@1", [3, 7], {"easy": [0]}, {"own": [3]}, 1.0),  # finds itself
)  # fmt: skip
"""Metric, ranking, judgements, what else is given, number."""
Rankings = tuple[list[list[int]], list[list[float]], list[dict[str, list[int]]], list[int | None], int]
_TOLERANCE: Final = 1e-12


def some_rankings(seed: int) -> Rankings:
    """Truncated lists of different lengths with ties: images, scores, judgements, the query itself, the database."""
    rng = RNG(seed)
    n, kinds = int(rng.integers(1, 15)), ["easy", "junk", ""] + ["hard"] * (seed % 2)
    rows, scores, truth, own = [], [], [], list[int | None]()
    for _ in range(int(rng.integers(1, 5))):
        rows.append(rng.permutation(n)[: int(rng.integers(0, n + 1))].tolist())
        scores.append(sorted((float(value) for value in rng.integers(-3, 4, len(rows[-1]))), reverse=True))
        label = rng.choice(kinds, n)
        truth.append({name: np.flatnonzero(label == name).tolist() for name in ("easy", "hard", "junk")})
        own.append(None if rng.random() < 0.3 else int(rng.integers(n)))
    return rows, scores, truth, own, n


def expected_values(metric: MetricName, case: Rankings, with_scores: bool) -> tuple[list[float | None], float]:
    """The value of each query, None where it is left out, and the mean."""
    rows, scores, truth, own, _ = case
    falling = scores if with_scores else [[1.0 / (r + 1) for r in range(len(row))] for row in rows]
    values = [aloud(metric, *one) for one in zip(rows, falling, truth, own, strict=True)]
    counted = [value for value in values if value is not None]
    means = class_means(values, truth, own) if metric.protocol.startswith("pml-avg") else counted
    return values, math.fsum(means) / len(means) if means else math.nan


def protocol(name: str) -> EvidenceFunction:
    """The comparisons of a protocol, which ``create`` evaluates."""

    def compared(create: Create) -> Iterator[Comparison]:
        for seed in range(12):
            yield from _of_case(name, create, some_rankings(seed), seed)
        for metric, row, truth, given, expected in by_hand:
            (found,) = create(metric, [list(row)], [truth], **given)
            yield Comparison(f"{metric} by hand", found.mean, expected, _TOLERANCE)
        for one in printed:
            for metric, figure in one.of(name).items():
                (found,) = create(metric, one.rows, one.truth, scores=one.scores)
                value = found.mean if isinstance(figure, float) else found.values
                yield Comparison(f"{metric} of {one.source}", np.round(value, one.digits), figure, _TOLERANCE)

    by_hand = [case for case in BY_HAND if parse_name(case[0]).protocol == name]
    printed = [one for one in PUBLISHED if one.of(name)]
    sources = sorted({one.source.partition(",")[0] for one in printed})
    also = "; cases by hand" * bool(by_hand) + f"; figures printed by {' and '.join(sources)}" * bool(sources)
    compared.__doc__ = f"Read aloud: one query and one rank after the other, in plain Python{also}."
    return compared


def _of_case(name: str, create: Create, case: Rankings, seed: int) -> Iterator[Comparison]:
    rows, scores, truth, own, n = case
    definition = PROTOCOLS[name]
    with_scores = definition.needs_scores or bool(seed // 2 % 2)
    given = {"scores": scores if with_scores else None, "n_database": n, "own": own}
    for k in (1, 3, 20) if definition.ks else (0,):
        for setup in judged(rows, truth, n_database=n).setups:
            metric = MetricName(name, k, setup)
            (found,) = create(metric.key, rows, truth, **given)
            if definition.needs_scores:
                expected = one_list(setup, rows, scores, truth, own, (k,))[f"{name}@{k}" if k else name]
                yield Comparison(f"{metric}, rankings {seed}", found.mean, expected, _TOLERANCE)
                continue
            values, mean = expected_values(metric, case, with_scores)
            numbers = [math.nan if value is None else value for value in values]
            yield Comparison(f"{metric}, rankings {seed}, queries", found.values, numbers, _TOLERANCE)
            yield Comparison(f"{metric}, rankings {seed}, mean", found.mean, mean, _TOLERANCE)
