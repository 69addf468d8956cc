"""Rankings of a dataset under the protocols that the protocol options name."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from harness.metrics.protocols import Evaluation, evaluate_name, judged, tie_names

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike

    from harness.plugin_api import RetrievalSet
    from harness.retrieval.protocol import RetrievalProtocol


def evaluations(
    protocol: RetrievalProtocol,
    dataset: RetrievalSet,
    rankings: ArrayLike | Sequence[ArrayLike],
    scores: ArrayLike | Sequence[ArrayLike] | None,
) -> list[Evaluation]:
    """One evaluation a metric and set-up; nothing where the options name no protocol.

    Args:
        protocol: with ``evaluation``.
        dataset: a query whose file is one of its images is in the database.
        rankings: per query ids, best first.
        scores: of the same images, falling; None where there are none.

    Raises:
        InvalidInput: rankings or a ground truth that contradict themselves, or no scores where a protocol needs them.
    """
    metrics = protocol.evaluations()
    if not metrics:
        return []
    n = len(dataset.images)
    judged_images, distractors = dataset.images[: n - dataset.distractors], dataset.images[n - dataset.distractors :]
    images = {path: number for number, path in enumerate(judged_images)}
    own = [images.get(query) for query in dataset.queries]
    by_name = any(metric.definition.trec_order for metric in metrics)
    names = [*tie_names(judged_images), *(path.name for path in distractors)] if by_name else None
    given = judged(rankings, dataset.ground_truth, scores=scores, n_database=n, own=own, names=names)
    return [
        evaluate_name(given, replace(metric, setup=setup))
        for metric in metrics
        for setup in given.setups
        if metric.setup in ("", setup)
    ]
