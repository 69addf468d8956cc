"""What rankings and relevance judgements have to be before anything is measured; one message for each mistake."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from harness.core.errors import InvalidInput, nearest

Ids = NDArray[np.int64]

LABELS: Final = ("easy", "hard", "junk")
"""Labels of a ground truth; an id has one of them, once."""
IGNORED: Final = ("bbx", "box", "group")
"""What else a ground truth may say of a query."""
_OTHER_NAMES: Final[Mapping[str, str]] = {
    **dict.fromkeys(("positives", "positive", "relevant", "good"), "easy"),
    "ok": "easy",
    "ignore": "junk",
}
"""Words of other formats for the labels."""


def ranked_rows(rankings: ArrayLike | Sequence[ArrayLike]) -> list[NDArray[Any]]:
    """One array of integers a query, best first; lists may have different lengths, or be empty.

    Raises:
        InvalidInput: no lists, or something other than integers in them.
    """
    whole = rankings if isinstance(rankings, np.ndarray) and rankings.dtype != object else None
    rows = list(whole) if whole is not None and whole.ndim == 2 else [np.asarray(row) for row in _items(rankings)]
    for row in rows:
        if row.ndim != 1 or not (np.issubdtype(row.dtype, np.integer) or row.size == 0):
            raise InvalidInput(
                f"rankings should be integers of shape (queries, ranked), not {row.dtype} {(len(rows), *row.shape)}",
                fix="one list of database ids a query, best first",
            )
    # An empty list has no integers to tell its type by.
    return [row if row.size else row.astype(np.int64) for row in rows]


def _items(lists: Any) -> list[Any]:
    if isinstance(lists, str | bytes | Mapping) or not hasattr(lists, "__iter__"):
        raise InvalidInput(f"rankings should be lists of database ids, one a query, not {type(lists).__name__}")
    return list(lists)


def score_rows(scores: ArrayLike | Sequence[ArrayLike], rows: Sequence[NDArray[Any]]) -> list[NDArray[Any]]:
    """The scores of the images in ``rows``, one array a query.

    Raises:
        InvalidInput: other shapes than the rankings, something other than numbers, NaN.
    """
    values = [np.asarray(row) for row in _items(scores)]
    shapes, wanted = [value.shape for value in values], [row.shape for row in rows]
    if shapes != wanted:
        pairs = list(enumerate(zip(shapes, wanted, strict=False)))
        where = next((f"query {q}: {a[0] if a else 1} scores, {b[0]} ranked" for q, (a, b) in pairs if a != b), "")
        raise InvalidInput(
            f"scores have shape {_shape(shapes)}, rankings {_shape(wanted)}", why=where, fix="one score a ranked image"
        )
    for query, value in enumerate(values):
        if value.size and value.dtype.kind not in "iufb":
            raise InvalidInput(f"query {query}: scores are {value.dtype}", fix="give numbers")
        if value.dtype.kind == "f" and np.isnan(value).any():
            raise InvalidInput(f"query {query}: the score at rank {int(np.isnan(value).argmax()) + 1} is NaN")
    return values


def _shape(shapes: Sequence[tuple[int, ...]]) -> str:
    alike = set(shapes)
    return str((len(shapes), *shapes[0])) if len(alike) == 1 else f"({len(shapes)} lists of different lengths)"


def labels_of(query: int, truth: Mapping[str, Any], n_database: int | None) -> dict[str, Ids]:
    """The ids under each label of one query.

    Raises:
        InvalidInput: an unknown key, an id under two labels, twice, or out of range.
    """
    _refuse_unknown_keys(query, truth)
    labels = {label: _ids(query, label, truth.get(label, ())) for label in LABELS}
    together = np.concatenate(list(labels.values()))
    if len(together) and (together.min() < 0 or (n_database is not None and together.max() >= n_database)):
        limit = "" if n_database is None else f" and below {n_database}"
        wrong = int(together.min() if together.min() < 0 else together.max())
        raise InvalidInput(f"query {query}: id {wrong} is out of range", fix=f"ids are at least 0{limit}")
    unique, counts = np.unique(together, return_counts=True)
    if (counts > 1).any():
        twice = int(unique[counts > 1][0])
        where = [label for label, ids in labels.items() for _ in range(int((ids == twice).sum()))]
        raise InvalidInput(
            f"query {query}: id {twice} is listed in {' and '.join(where)}", fix="give each id one label, once"
        )
    return labels


def _refuse_unknown_keys(query: int, truth: Mapping[str, Any]) -> None:
    if not isinstance(truth, Mapping):
        raise InvalidInput(f"query {query}: its ground truth is a {type(truth).__name__}", fix="{'easy': [ids], ...}")
    unknown = next((key for key in truth if key not in LABELS and key not in IGNORED), None)
    if unknown is None:
        return
    word = str(unknown).lower()
    near = word if word in LABELS else _OTHER_NAMES.get(word)
    meant = f'did you mean "{near}"?' if near else nearest(word, LABELS)
    known = f"labels: {', '.join(LABELS)}; ignored: {', '.join(IGNORED)}"
    raise InvalidInput(f"query {query}: unknown key {unknown!r} of the ground truth", fix=f"{meant} ({known})".strip())


def _ids(query: int, label: str, values: Any) -> Ids:
    ids = np.asarray(values)
    if ids.ndim != 1 or not (np.issubdtype(ids.dtype, np.integer) or ids.size == 0):
        raise InvalidInput(f"query {query}: {label} should be a list of integer ids")
    return ids.astype(np.int64)


def database_size(rows: Sequence[NDArray[Any]], labels: Sequence[Mapping[str, Ids]], n_database: int | None) -> int:
    """The size that is stated, or the smallest that holds every id.

    Raises:
        InvalidInput: a ranking holds an id out of range.
    """
    highest = -1
    for query, row in enumerate(rows):
        if not len(row):
            continue
        low, high = int(row.min()), int(row.max())
        if low < 0 or (n_database is not None and high >= n_database):
            wrong = low if low < 0 else high
            raise InvalidInput(f"query {query}: its ranking holds id {wrong}, which is out of range")
        highest = max(highest, high)
    if n_database is not None:
        return n_database
    return 1 + max([highest, *(int(ids.max()) for parts in labels for ids in parts.values() if len(ids))])


def refuse_twice(seen: NDArray[np.bool_], row: NDArray[Any], query: int) -> None:
    """Raises ``InvalidInput`` for an id that a ranking holds twice; ``seen`` is all False before and after."""
    seen[row] = True
    if np.count_nonzero(seen) != len(row):
        ids, counts = np.unique(row, return_counts=True)
        raise InvalidInput(f"query {query}: id {int(ids[counts > 1][0])} is ranked twice")
    seen[row] = False
