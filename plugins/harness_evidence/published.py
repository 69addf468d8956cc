"""Figures that others published for small inputs: computed values, which are facts, with the place of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from harness.metrics.protocols import parse_name


@dataclass(frozen=True)
class Published:
    """Rankings and what others print of them.

    Attributes:
        source: where, and under which licence.
        rows: per query the ids of images, best first.
        truth: per query its positives and junk.
        figures: metric -> the mean, or the values of the queries.
        scores: of the images, falling; None: there are none.
        digits: decimals that are printed.
    """

    source: str
    rows: Sequence[Sequence[int]]
    truth: Sequence[Mapping[str, Sequence[int]]]
    figures: Mapping[str, float | Sequence[float]]
    scores: Sequence[Sequence[float]] | None = None
    digits: int = 15

    def of(self, protocol: str) -> dict[str, Any]:
        """The figures of one protocol."""
        return {metric: value for metric, value in self.figures.items() if parse_name(metric).protocol == protocol}


def _positives(*queries: Sequence[int]) -> list[dict[str, Sequence[int]]]:
    return [{"easy": images} for images in queries]


_DELF: Final = "tensorflow/models, research/delf (Apache 2.0)"
PUBLISHED: Final = (
    Published(
        f"{_DELF}, google_landmarks_dataset/metrics_test.py",
        rows=[[], [0, 1], [4], [3, 4]],
        truth=_positives([1, 2], [1], [3, 4, 5], [3]),
        figures={"gldv2-map@100": 0.458333, "gldv2-map@1": 0.5, "gldv2-p@1": 0.5, "gldv2-p@2": 0.375},
        digits=6,
    ),
    Published(
        f"{_DELF}, google_landmarks_dataset/metrics_test.py",
        rows=[[], [0], [1], [150], []],
        truth=_positives([0, 12], [100, 200, 300], [1], [], []),
        figures={"gldv2-gap": 0.166667, "met-gap-nodis": 0.333333, "gldv2-top@1": 0.333333},
        scores=[[], [0.01], [10.0], [15.0], []],
        digits=6,
    ),
    Published(
        f"{_DELF}, revisited_op/dataset_test.py",
        rows=[[0, 9, 1, 8, 7, 2]],
        truth=_positives([0, 1, 2]),
        figures={"delf-revisited": 0.677778, "revisited": 0.677778, "map": 0.677778},
        digits=6,
    ),
    Published(
        f"{_DELF}, revisited_op/dataset_test.py",
        rows=[[4, 2, 0, 1, 3], [0, 2, 4, 1, 3], [0, 1, 2, 3, 4]],
        truth=[{"easy": [0, 1], "junk": [2]}, {"easy": [0, 4]}, {}],
        figures={
            "delf-revisited": [0.416667, 0.791667, np.nan],
            "revisited": 0.604167,
            "delf-recall@1": [0.0, 0.5, np.nan],
            "delf-recall@2": 0.5,
            "delf-recall@5": 1.0,
            "revisited-mp@1": 0.5,
            "revisited-mp@2": [0.5, 0.5, np.nan],
            "revisited-mp@5": [0.666667, 0.666667, np.nan],
        },
        digits=6,
    ),
    Published(
        "cvangysel/pytrec_eval, README (MIT)",
        rows=[[3, 1, 2], [1, 3, 2]],
        truth=_positives([2], [2, 3]),
        figures={
            "trec-map": [0.3333333333333333, 0.5833333333333333],
            "trec-ndcg@5": [0.5, 0.6934264036172708],
        },
        scores=[[1.5, 1.0, 0.0], [1.5, 0.5, 0.2]],
    ),
    Published(
        "torchmetrics, RetrievalMAP (Apache 2.0)",
        rows=[[2, 1, 0], [2, 1, 3, 0]],
        truth=_positives([2], [1, 3]),
        figures={"torchmetrics-map@10": 0.7917},
        scores=[[0.5, 0.3, 0.2], [0.5, 0.3, 0.2, 0.1]],
        digits=4,
    ),
    Published(
        "scikit-learn, average_precision_score (BSD)",
        rows=[[3, 1, 2, 0]],
        truth=_positives([2, 3]),
        figures={"sklearn-ap": 0.83},
        scores=[[0.8, 0.4, 0.35, 0.1]],
        digits=2,
    ),
)
