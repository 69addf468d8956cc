"""Rankings that another system computed: arrays, TREC run files, JSON of ids or names.

    ranks.npy     (queries, k) integers, best first; -1 fills up short lists
    ranks.npz     such an array as ``rankings``, and ``scores`` of the same shape
    run.json      a list of lists in the order of the queries, or an object: query -> list, or query -> {image: score}
    anything else a TREC run: query, Q0, image, rank, score, tag; the order is that of the scores

Images and queries are names of the ground truth, with or without suffix, or 0-based positions in it.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.core.errors import DataDamaged, DataMissing
from harness.data.array_files import ARRAY_ERRORS
from harness.data.instances import unique_keys

Ids = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Rankings:
    """Lists of database ids, one a query in the order of the ground truth; empty where a query has none.

    Attributes:
        rows: per query the ids, best first.
        scores: of the same images; None where the file has none.
    """

    rows: list[Ids]
    scores: list[Floats] | None = None


def read_rankings(path: Path, images: Sequence[str], queries: Sequence[str]) -> Rankings:
    """Read a file of rankings.

    Args:
        path: the file.
        images: names of the database images; position = id.
        queries: names of the queries.

    Raises:
        DataMissing: there is no such file.
        DataDamaged: it is not a file of rankings, or names an image or a query that the ground truth does not have.
    """
    reader = _Reader(path, images, queries)
    try:
        if path.suffix in (".npy", ".npz"):
            return reader.arrays(np.load(path, allow_pickle=False))
        text = path.read_text(encoding="utf-8-sig")
        return (
            reader.json(json.loads(text, object_pairs_hook=unique_keys))
            if path.suffix == ".json"
            else reader.trec(text)
        )
    except FileNotFoundError as error:
        raise DataMissing(f"there is no file {path}") from error
    except ARRAY_ERRORS as error:
        if isinstance(error, DataDamaged):
            raise
        raise DataDamaged(f"rankings {path} cannot be read: {error}") from error


def _positions(names: Sequence[str]) -> dict[str, int]:
    """Positions by name, and by name without folder or suffix where that is enough."""
    paths, positions = list(map(PurePosixPath, names)), dict[str, int]()
    for short in ([path.stem for path in paths], [path.name for path in paths], names):
        often = Counter(short)
        positions |= {name: i for i, name in enumerate(short) if often[name] == 1}
    return positions


class _Reader:
    def __init__(self, path: Path, images: Sequence[str], queries: Sequence[str]) -> None:
        self._path, self._n_images, self._n_queries = path, len(images), len(queries)
        self._images, self._queries = _positions(images), _positions(queries)

    def arrays(self, content: Any) -> Rankings:
        """One array, or arrays by name."""
        if isinstance(content, np.ndarray):
            return Rankings(self._padded(content))
        names = list(content.files)
        ranks = next((name for name in ("rankings", "ranks", "indices") if name in names), None)
        if ranks is None:
            raise self._damaged(f"holds {', '.join(names)}", "an array named rankings, and optionally scores")
        table = content[ranks]
        rows = self._padded(table)
        if "scores" not in names:
            return Rankings(rows)
        scores = content["scores"]
        if scores.shape != table.shape or scores.dtype.kind not in "iuf":
            raise self._damaged(f"has scores {scores.dtype} {scores.shape}", f"numbers of shape {table.shape}")
        values = [np.asarray(line[: len(row)], np.float64) for line, row in zip(scores, rows, strict=True)]
        return Rankings(rows, values)

    def _padded(self, table: NDArray[Any]) -> list[Ids]:
        if table.ndim != 2 or table.dtype.kind not in "iu":
            raise self._damaged(f"holds {table.dtype} {table.shape}", "integers of shape (queries, k)")
        if len(table) != self._n_queries:
            turned = "; it seems to be transposed: save ranks.T" if table.shape[1] == self._n_queries else ""
            raise self._damaged(f"has {len(table)} rows", f"one for each of the {self._n_queries} queries{turned}")
        rows = []
        for query, line in enumerate(table):
            row = np.asarray(line, np.int64)
            filled = int((row >= 0).cumprod().sum())
            if (row[filled:] != -1).any():
                raise self._damaged(f"has {int(row[filled])} in row {query}", "ids from 0; -1 only fills up the end")
            rows.append(self._checked(row[:filled], query))
        return rows

    def _checked(self, row: Ids, query: int) -> Ids:
        if len(row) and row.max() >= self._n_images:
            raise self._damaged(f"has id {int(row.max())} in row {query}", f"ids up to {self._n_images - 1}")
        return row

    def json(self, content: Any) -> Rankings:
        """Lists in the order of the queries, or an object by query."""
        if isinstance(content, list):
            if len(content) != self._n_queries:
                raise self._damaged(f"has {len(content)} lists", f"one for each of the {self._n_queries} queries")
            return self._of_queries(dict(enumerate(content)))
        if not isinstance(content, Mapping):
            raise self._damaged(f"holds a {type(content).__name__}", "a list of lists, or an object by query")
        answers: dict[int, Any] = {}
        for name, answer in content.items():
            if (query := self._query(name)) in answers:
                raise self._damaged(f"has the query {name!r} under another name too", "every query once")
            answers[query] = answer
        return self._of_queries(answers)

    def _of_queries(self, answers: Mapping[int, Any]) -> Rankings:
        rows: list[Ids] = [np.zeros(0, np.int64)] * self._n_queries
        scores: list[Floats] = [np.zeros(0)] * self._n_queries
        for query, answer in answers.items():
            pairs = list(answer.items()) if isinstance(answer, Mapping) else None
            if pairs is None and not isinstance(answer, list):
                raise self._damaged(f"has {answer!r} for query {query}", "a list of images, or an object image: score")
            ids = [self._image(image) for image in (answer if pairs is None else [image for image, _ in pairs])]
            rows[query] = np.array(ids, np.int64)
            if pairs is not None:
                order, scores[query] = self._falling([value for _, value in pairs], query)
                rows[query] = rows[query][order]
        scored = [isinstance(answer, Mapping) for answer in answers.values()]
        if any(scored) and not all(scored):
            raise self._damaged("has scores of some queries only", "scores of all, or of none")
        return Rankings(rows, scores if scored and all(scored) else None)

    def _falling(self, values: Sequence[Any], query: int) -> tuple[Ids, Floats]:
        """The order of falling scores, equal ones as they stand in the file."""
        if not all(isinstance(value, int | float) for value in values):
            raise self._damaged(f"has a score of query {query} that is not a number", "numbers")
        try:
            numbers = np.array(values, np.float64)
        except OverflowError as error:
            raise self._damaged(f"has a score of query {query} that is too large", "numbers") from error
        if np.isnan(numbers).any():
            raise self._damaged(f"has a score of query {query} that is NaN", "numbers")
        order = np.argsort(-numbers, kind="stable")
        return order, numbers[order]

    def trec(self, text: str) -> Rankings:
        """Lines of six columns."""
        answers: dict[int, dict[Any, float]] = {}
        for number, line in enumerate(text.splitlines(), start=1):
            if not line.strip():
                continue
            columns = line.split()
            if len(columns) != 6:
                raise self._damaged(f"has {len(columns)} columns in line {number}", "query Q0 image rank score tag")
            query, _, image, _, score, _ = columns
            images = answers.setdefault(self._query(query), {})
            if image in images:
                raise self._damaged(f"ranks {image} twice for query {query} (line {number})", "every image once")
            try:
                images[image] = float(score)
            except ValueError as error:
                raise self._damaged(f"has the score {score!r} in line {number}", "a number") from error
        return self._of_queries(answers)

    def _image(self, image: Any) -> int:
        return self._number(image, self._images, self._n_images, "image")

    def _query(self, query: Any) -> int:
        return self._number(query, self._queries, self._n_queries, "query")

    def _number(self, name: Any, names: Mapping[str, int], count: int, what: str) -> int:
        if isinstance(name, str) and name in names:
            return names[name]
        is_number = isinstance(name, int) and not isinstance(name, bool)
        number = int(name) if is_number or (isinstance(name, str) and name.isdecimal()) else -1
        if not 0 <= number < count:
            raise self._damaged(f"names the {what} {name!r}", f"a name of the ground truth, or 0 to {count - 1}")
        return number

    def _damaged(self, what: str, right: str) -> DataDamaged:
        return DataDamaged(f"rankings {self._path} {what}", fix=right)
