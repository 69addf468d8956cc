"""Small runs of both engines and small calls of the packages that have a result version."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Final

import numpy as np

import harness.active
import harness.data
import harness.data.generators
import harness.graph
import harness.metrics
import harness.retrieval
import harness.search

_PRINTED: Final = {"preset": "thesis"}
_RETRIEVAL: Final = {
    "name": "golden",
    "task": "retrieval",
    "datasets": [{"synthetic-instances": {"objects": 4, "images": 24, "queries": 4, "size": 96}}],
    "methods": [
        {
            "backbone": "tiny",
            "pooling": ["gem", "rmac"],
            "whitening": ["none", {"pca": {"preset": "thesis", "shrink": 0.2}}],
        },
        {"backbone": "tiny", "pooling": "gem", "reranking": {"dsm": {"overlap": 1.0, "order_by": "inliers"}}},
        {
            "backbone": "tiny",
            "pooling": "gem",
            "expansion": [{"alphaqe": _PRINTED}, {"diffusion": {"k": 5, **_PRINTED}}],
        },
    ],
    "protocol": {"image_size": 96, "scales": [1.0, 0.5]},
}
_ACTIVE: Final = {
    "name": "golden",
    "task": "active-learning",
    "datasets": "digits",
    "methods": {
        "network": {"linear-head": {"normalise": True}},
        "learning": {"supervised": {"epochs": 5}},
        "acquisition": ["random", "entropy", "coreset"],
    },
    "seeds": [0],
    "protocol": {"initial": 200, "budget": 50, "cycles": 2, "targets": [0.5]},
}


def _measured(spec: Any) -> Any:
    """All metrics of all runs of a spec."""
    with tempfile.TemporaryDirectory() as folder:
        records = harness.run(spec, runs=Path(folder, "runs"), cache=Path(folder, "cache"), data=Path(folder, "data"))
    failures = [record.failure for record in records if record.failure]
    assert not failures, failures
    return {
        " ".join(method.name for method in record.methods.values()): {
            name: np.array(np.nan if value is None else value, np.float64) for name, value in record.metrics.items()
        }
        for record in records
    }


def _search() -> Any:
    """Ties, on both ways of ``top_k``: the lowest index first."""
    rng = np.random.default_rng(0)
    rows = np.repeat(rng.normal(size=(12, 8)).astype(np.float32), 3, axis=0)
    queries = np.ascontiguousarray(rows[::5]) + np.float32(0.25)
    every, few = (harness.search.top_k(queries, rows, k, ranks_of=[[0, 5, 20]] * len(queries)) for k in (None, 7))
    points = rng.normal(size=(60, 4)).astype(np.float32) + 8 * (np.arange(60)[:, None] % 3)
    clusters = harness.search.k_means(points.astype(np.float32), 3, 0, 10)
    listed = harness.search.neighbours_of(rows[:4], rows, 5)
    return {
        "all": [every.indices, every.scores, list(every.ranks)],
        "few": [few.indices, few.scores, list(few.ranks)],
        "unit rows": harness.search.unit_rows(rows),
        "clusters": [np.sort(np.asarray(part, np.float64).ravel()) for part in _arrays(clusters)],
        "neighbours": [listed.indices, listed.similarities],
    }


def _arrays(value: Any) -> list[Any]:
    return [part for part in (value if isinstance(value, tuple) else (value,)) if isinstance(part, np.ndarray)]


def _graph() -> Any:
    from harness.graph import affinity, centrality, normalise, propagate, solve

    rng = np.random.default_rng(0)
    x = rng.normal(size=(40, 6)).astype(np.float32)
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    w = affinity(x, 5)
    s = normalise(w)
    labels = np.where(np.arange(40) < 6, np.arange(40) % 3, -1)
    spread = propagate(s, labels, 3)
    return {
        "affinity": w.toarray(),
        "normalised": s.toarray(),
        "solution": _arrays(solve(s, np.eye(40)[:, :2], 0.9)),
        "propagation": [spread.labels, spread.weights],
        "centrality": centrality(w, "katz"),
    }


@dataclass(frozen=True)
class _Scores:
    """The numbers of the revisited protocol, without those that scores were given later."""

    ap: Any
    map: Any
    precision: Any
    mean_precision: Any
    tied: Any


def _scores(scores: Mapping[str, Any]) -> dict[str, _Scores]:
    names = [field.name for field in fields(_Scores)]
    return {setup: _Scores(*(getattr(values, name) for name in names)) for setup, values in scores.items()}


def _metrics() -> Any:
    from harness.metrics.classification import accuracy, area_under_curve, labels_needed
    from harness.metrics.ranking import evaluate
    from harness.metrics.saliency import saliency_precision
    from harness.metrics.selections import agreement, jaccard, overlap, rank_correlation, weighted_accuracy

    rng = np.random.default_rng(0)
    ranks = np.array([rng.permutation(20) for _ in range(3)])
    truth = [{"easy": [0, 3], "hard": [7, 11 + q], "junk": [5, 19]} for q in range(3)]
    a, b = np.arange(12) % 3, np.arange(12) % 4 % 3
    return {
        "ranking": _scores(evaluate(ranks, truth, (1, 5, 10))),
        "truncated": _scores(evaluate(ranks[:, :8], truth, (1, 5), n_database=20)),
        "classification": [
            np.array(accuracy(a, b)),
            np.array(area_under_curve([10, 20, 40], [0.2, 0.5, 0.7])),
            np.array(labels_needed([10, 20, 40], [0.2, 0.5, 0.7], 0.6)),
        ],
        "selections": [
            np.array(agreement(a, b)),
            np.array(weighted_accuracy(a, b, np.arange(12) / 12)),
            np.array(rank_correlation(a + 0.1 * b, b)),
            np.array(overlap([1, 2, 3], [2, 3, 4])),
            np.array(jaccard([1, 2, 3], [2, 3, 4])),
        ],
        "saliency": np.array(saliency_precision(np.arange(20.0).reshape(4, 5), (8.0, 8.0, 24.0, 24.0), 8.0)),
    }


def _data() -> Any:
    """Pixels of images as they are decoded and resized."""
    from PIL import Image

    from harness.data.decode import decode_image, decode_squares

    pixels = np.random.default_rng(0).integers(0, 256, (12, 16, 3)).astype(np.uint8)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "image.png")
        Image.fromarray(pixels).save(file)
        squares = decode_squares([file], 8, 3).astype(np.float64)
        return {"image": np.asarray(decode_image(file)), "grey": np.asarray(decode_image(file, "L")), "square": squares}


ENGINES: Final[dict[str, tuple[int, Callable[[], Any], float | None]]] = {
    "active": (harness.active.RESULT_VERSION, lambda: _measured(_ACTIVE), 2e-2),
    "data": (harness.data.RESULT_VERSION, _data, 1e-2),
    "graph": (harness.graph.RESULT_VERSION, _graph, None),
    "metrics": (harness.metrics.RESULT_VERSION, _metrics, 1e-9),
    "retrieval": (harness.retrieval.RESULT_VERSION, lambda: _measured(_RETRIEVAL), 1e-2),
    "search": (harness.search.RESULT_VERSION, _search, None),
}
"""Name -> declared version, what computes the values, tolerance where it is another one."""
