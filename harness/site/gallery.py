"""Ranked results of some queries as thumbnails: what a board's numbers look like.

Needs the data of a board. Where they are not there, or are not those that were measured, there is no gallery and a
sentence says why. Pillow is imported when thumbnails are written.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np

from harness.core.errors import HarnessError
from harness.plugin_api import DataFolders, RetrievalSet
from harness.registry import Registry
from harness.runs.record import Record
from harness.site.view import BoardView

if TYPE_CHECKING:
    from harness.plugin_api import Box, Orientation

Kind = Literal["positive", "negative", "junk"]

RESULTS: Final = 10
"""Results shown of a query."""
_SIDE: Final = 112
_QUALITY: Final = 80


@dataclass(frozen=True)
class Result:
    """An image of the ranking; ``picture`` is a file of the page's folder."""

    kind: Kind
    name: str
    picture: str


@dataclass(frozen=True)
class Strip:
    """The first results of one method for one query, in one run; ``score`` is its average precision as text."""

    seed: int
    score: str
    results: tuple[Result, ...]


@dataclass(frozen=True)
class Query:
    """A query, and per row of the board (by its page) the results."""

    name: str
    picture: str
    strips: Mapping[str, Strip]


@dataclass(frozen=True)
class Gallery:
    """Queries from the hardest to the easiest; or none, and the reason."""

    queries: tuple[Query, ...] = ()
    reason: str = ""

    @property
    def rows(self) -> frozenset[str]:
        """The rows (by their page) that have results of the queries: of each of them."""
        return frozenset(self.queries[0].strips) if self.queries else frozenset()


def gallery(board: BoardView, count: int, registry: Registry, data: DataFolders, folder: Path) -> Gallery:
    """The gallery of a retrieval board.

    Args:
        board: its first record says which data were measured.
        count: number of queries, chosen evenly from the hardest to the easiest.
        registry: has the loader of the data.
        data: where the data lie.
        folder: of the page; pictures go into ``images``.
    """
    shown = {row.href: record for row in board.rows if (record := _ranked(row.records)) is not None}
    if not shown:
        return Gallery(reason="No record of this board holds rankings." if board.task == "retrieval" else "")
    try:
        dataset = _load(next(iter(shown.values())), registry, data)
        number = len(dataset.queries)
        _check(shown.values(), number, len(dataset.images))
        album = _Album(folder / "images", dataset.orientation)
        chosen = _spread(_difficulty(list(shown.values()), number), count)
        return Gallery(tuple(_query(dataset, place, shown, album) for place in chosen))
    except HarnessError as error:
        return Gallery(reason=f"No pictures: {error.headline}.")
    # A loader is a plugin, and the data are not what they were: whatever it raises must not cost the page.
    except Exception as error:
        return Gallery(reason=f"No pictures: the data cannot be read ({type(error).__name__}: {error}).")


def _ranked(records: Sequence[Record]) -> Record | None:
    return next((r for r in records if r.status == "done" and isinstance(r.details.get("ranks"), list)), None)


def _load(record: Record, registry: Registry, data: DataFolders) -> RetrievalSet:
    loader: Any = registry.create("dataset", record.dataset.loader, **record.dataset.parameters)
    if loader.fingerprint(data) != record.dataset.fingerprint:
        raise HarnessError(f"the data of {record.dataset.name} are not those that were measured")
    loaded: RetrievalSet = loader.load(data)
    return loaded


def _check(records: Any, queries: int, images: int) -> None:
    for record in records:
        ranks = record.details["ranks"]
        inside = all(type(image) is int and 0 <= image < images for ranking in ranks for image in ranking[:RESULTS])
        if len(ranks) != queries or not inside:
            raise HarnessError(f"the rankings of record {record.id} do not fit the data")


def _difficulty(records: Sequence[Record], queries: int) -> list[int]:
    """The queries from the hardest to the easiest by their mean average precision over the methods."""
    scores = np.full((len(records), queries), np.nan)
    for row, record in zip(scores, records, strict=True):
        row[:] = [np.nan if ap is None else ap for ap in _precisions(record, queries)]
    defined = ~np.isnan(scores)
    mean = np.where(defined.any(0), np.where(defined, scores, 0).sum(0) / np.maximum(defined.sum(0), 1), np.inf)
    return [int(place) for place in np.argsort(mean, kind="stable") if np.isfinite(mean[place])] or list(range(queries))


def _precisions(record: Record, queries: int) -> list[float | None]:
    for setup in ("medium", "easy", "hard"):
        precisions = record.details.get(f"ap_{setup}")
        if isinstance(precisions, list) and len(precisions) == queries and any(ap is not None for ap in precisions):
            return precisions
    return [None] * queries


def _spread(order: Sequence[int], count: int) -> list[int]:
    places = np.linspace(0, len(order) - 1, min(count, len(order)))
    return [order[int(place)] for place in np.rint(places)]


def _query(dataset: RetrievalSet, place: int, shown: Mapping[str, Record], album: _Album) -> Query:
    truth = dataset.ground_truth[place]
    positive, junk = {*truth["easy"], *truth["hard"]}, set(truth["junk"])

    def result(image: int) -> Result:
        kind: Kind = "positive" if image in positive else "junk" if image in junk else "negative"
        return Result(kind, dataset.images[image].name, album.picture(dataset.images[image]))

    strips = {}
    for href, record in shown.items():
        precision = _precisions(record, len(dataset.queries))[place]
        results = tuple(result(image) for image in record.details["ranks"][place][:RESULTS])
        strips[href] = Strip(record.seed, "–" if precision is None else f"{100 * precision:.1f}", results)
    query = dataset.queries[place]
    return Query(query.name, album.picture(query, dataset.boxes[place]), strips)


class _Album:
    """Small pictures in a folder, each once, named by what they hold."""

    def __init__(self, folder: Path, orientation: Orientation) -> None:
        self._folder, self._orientation = folder, orientation
        self._known: dict[tuple[Path, Box | None], str] = {}

    def picture(self, file: Path, box: Box | None = None) -> str:
        """Path of the thumbnail of an image, with a frame around ``box``."""
        if (file, box) not in self._known:
            content = _thumbnail(file, box, self._orientation)
            name = hashlib.sha256(content).hexdigest()[:16] + ".jpg"
            self._folder.mkdir(exist_ok=True)
            (self._folder / name).write_bytes(content)
            self._known[file, box] = f"{self._folder.name}/{name}"
        return self._known[file, box]


def _thumbnail(file: Path, box: Box | None, orientation: Orientation) -> bytes:
    from PIL import Image, ImageDraw

    from harness.data.decode import image_size
    from harness.retrieval.images import read_image

    image = Image.fromarray(read_image(file, _SIDE, None, orientation))
    if box is not None:
        factor = image.width / image_size(file, orientation)[0]
        x0, y0, x1, y1 = (round(bound * factor) for bound in box)
        frame = (x0, y0, max(x1 - 1, x0), max(y1 - 1, y0))
        ImageDraw.Draw(image).rectangle(frame, outline="white", width=2)
    out = io.BytesIO()
    image.save(out, "JPEG", quality=_QUALITY)
    return out.getvalue()
