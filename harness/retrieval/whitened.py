"""Descriptors whitened: learnt from a database, applied to all. Loads torch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.cache import Cache
from harness.plugin_api import FittedWhitening, RetrievalSet, Whitening
from harness.plugin_api.contract import require_descriptors
from harness.retrieval.distractors import PORTION, joined, scratch, stored_shards
from harness.retrieval.representation import Descriptors
from harness.retrieval.untouched import untouched

Floats = NDArray[np.float32]


def whiten(
    raw: Descriptors,
    method: Whitening,
    name: str,
    dataset: RetrievalSet,
    keys: Mapping[str, Any],
    cache: Cache,
    learnt_from: Floats | None = None,
) -> tuple[Descriptors, FittedWhitening]:
    """Learn a whitening from a database and apply it to all descriptors; those of distractors are stored again.

    Args:
        raw: the descriptors.
        method: the whitening.
        name: what to call it in messages.
        dataset: what is learnt on; gives the matching pairs.
        keys: identity of ``whitening`` and ``dataset``; only looked at where there are distractors.
        cache: where whitened distractors are stored.
        learnt_from: descriptors (n, D) of the database that is learnt on; None: those that are searched.

    Returns:
        The whitened descriptors, and the learnt object.

    Raises:
        InvalidInput: the whitening needs pairs, and the dataset has none.
        ContractError: it returned something else than finite descriptors.
    """

    def apply(rows: Floats) -> Floats:
        return require_descriptors(name, fitted.apply(rows), len(rows))

    if raw.database.dtype != np.float32:  # descriptors that stay in their file
        raw = replace(raw, database=joined(raw.database, (), cache))
    with untouched(name, raw.database, raw.queries):
        fitted = method.fit(raw.database if learnt_from is None else learnt_from, dataset.pairs)
        whitened = replace(raw, database=_in_portions(apply, raw.database, cache), queries=apply(raw.queries))
    if raw.distractor_key is None:
        return whitened, fitted
    learnt = {"whitening": keys["whitening"], "dataset": keys["dataset"]}
    key = {"stage": "whitened distractors", "of": raw.distractor_key, **learnt}
    shape = len(raw.distractors), whitened.database.shape[1]
    shards, _ = stored_shards(key, cache, shape, lambda positions: apply(raw.distractors.rows(positions)))
    return replace(whitened, distractors=shards, distractor_key=key), fitted


def _in_portions(apply: Callable[[Floats], Floats], rows: Floats, cache: Cache) -> Floats:
    """The whole at once where it is in memory; rows on disk portion by portion, onto the disk again."""
    if not isinstance(rows, np.memmap):
        return apply(rows)
    first = apply(rows[:PORTION])
    whitened: Floats = scratch((len(rows), first.shape[1]), np.dtype(np.float32), cache)
    for start in range(0, len(rows), PORTION):
        part = rows[start : start + PORTION]
        whitened[start : start + len(part)] = apply(part)
    return whitened
