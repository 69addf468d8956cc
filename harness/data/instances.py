"""The ground truth of a folder of images for retrieval: a JSON file, read and checked as a whole.

    {"imlist": ["a.jpg", "b.jpg", "c.jpg"],
     "queries": [{"image": "q.jpg", "easy": ["a.jpg"], "hard": [1], "junk": [], "box": [10, 20, 110, 140]}]}

Relevant images are names of ``imlist`` or 0-based positions in it. ``positives`` instead of ``easy`` and ``hard`` makes
all of them easy: the board shows mAP, mAP@k and R@k. A ``box`` counts pixels of the full
image, x0, y0, x1, y1; null or none is the whole image. A ``group``, a name or number, says what a query shows: queries
of one group are no independent evidence. Without it queries that share their relevant images are a group. An optional
``pairs`` lists images of ``imlist`` that show the same object, two by two, for supervised whitening. The structure of
the published files (``imlist``, ``qimlist``, ``gnd``), as JSON or as their pickle, is read too.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Final

from harness.core.errors import DataDamaged, DataMissing, nearest
from harness.core.text import sentence
from harness.data.pickled import read_pickle
from harness.data.published import is_published, published_content
from harness.plugin_api import Box

_SHOWN: Final = 10
_CHARACTERS: Final = 300
_KEYS: Final = frozenset({"image", "positives", "easy", "hard", "junk", "box", "group"})


@dataclass(frozen=True)
class Instances:
    """A checked ground truth.

    Attributes:
        images: names of the database images; position = id.
        queries: names of the query images.
        boxes: per query its box, or None.
        ground_truth: per query ``easy``, ``hard``, ``junk``: ids.
        pairs: ids that show the same object, two by two.
        groups: per query its group or None; None where no query states one.
    """

    images: tuple[str, ...]
    queries: tuple[str, ...]
    boxes: tuple[Box | None, ...]
    ground_truth: tuple[Mapping[str, tuple[int, ...]], ...]
    pairs: tuple[tuple[int, int], ...] = ()
    groups: tuple[str | int | None, ...] | None = None


def read_instances(
    path: Path, exists: Callable[[str], bool], suggestion: Callable[[str], str] = lambda name: ""
) -> Instances:
    """Read and check a ground truth.

    Args:
        path: the JSON file, or the pickle as published.
        exists: whether there is an image of this name.
        suggestion: what to add to the message where there is none.

    Raises:
        DataMissing: there is no such file.
        DataDamaged: it is not JSON, or contradicts itself; the first ten problems are listed.
    """
    content = read_pickle(path) if path.suffix == ".pkl" else _content(path)
    if path.suffix == ".pkl" or is_published(content):
        content = published_content(content, path)
    return checked_instances(content, path, exists, suggestion)


def checked_instances(
    content: Mapping[str, Any],
    path: Path,
    exists: Callable[[str], bool] = lambda name: True,
    suggestion: Callable[[str], str] = lambda name: "",
) -> Instances:
    """What a ground truth of any format says, in the keys of the JSON form, checked as a whole.

    Args:
        content: ``imlist``, ``queries`` and optional ``pairs``.
        path: the file it was read from, for messages.
        exists: whether there is an image of this name.
        suggestion: what to add to the message where there is none.

    Raises:
        DataDamaged: it contradicts itself; the first ten problems are listed.
    """
    reader = _Reader(content.get("imlist"), exists, suggestion)
    try:
        images = reader.images()
        items = reader.items(content, "queries")
        queries = [reader.query(f"queries[{i}]", query) for i, query in enumerate(items)]
        groups = tuple(reader.group(f"queries[{i}]", query) for i, query in enumerate(items))
        pairs = reader.pairs(content.get("pairs", []))
    except RecursionError as error:
        raise _too_deep(path) from error
    if reader.problems:
        raise _damaged(path, reader.problems)
    return Instances(
        images,
        tuple(name for name, _, _ in queries),
        tuple(box for _, box, _ in queries),
        tuple(labels for _, _, labels in queries),
        pairs,
        None if set(groups) <= {None} else groups,
    )


def instances_json(truth: Instances, suffix: str = ".jpg") -> str:
    """The ground truth in the JSON form, one query a line, for ``image-instances`` and for other programs.

    Args:
        truth: a checked ground truth.
        suffix: what names without suffix get.
    """

    def name(image: str) -> str:
        return image if Path(image).suffix else image + suffix

    queries = [
        {
            "image": name(query),
            **{label: list(ids) for label, ids in labels.items()},
            "box": box and list(box),
            **({} if group is None else {"group": group}),
        }
        for query, box, labels, group in zip(
            truth.queries, truth.boxes, truth.ground_truth, truth.groups or [None] * len(truth.queries), strict=True
        )
    ]
    parts = [
        f'"imlist": {json.dumps([name(image) for image in truth.images])}',
        '"queries": [\n' + ",\n".join(json.dumps(query) for query in queries) + "\n]",
        *([f'"pairs": {json.dumps(truth.pairs)}'] if truth.pairs else []),
    ]
    return "{" + ",\n".join(parts) + "}\n"


def _content(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"), object_pairs_hook=unique_keys)
    except FileNotFoundError as error:
        raise DataMissing(f"there is no ground truth {path}", fix="a JSON file with imlist and queries") from error
    except _DuplicateKey as error:
        raise DataDamaged(f"ground truth {path} has the {error}", fix="keep one of the two") from error
    except UnicodeDecodeError as error:
        raise DataDamaged(f"ground truth {path} is not JSON: {error}", fix="save it as UTF-8") from error
    except (ValueError, OSError) as error:
        raise DataDamaged(f"ground truth {path} is not JSON: {error}") from error
    except RecursionError as error:
        raise _too_deep(path) from error
    if not isinstance(content, dict):
        raise DataDamaged(f"ground truth {path} holds a {type(content).__name__}", fix="an object with imlist, queries")
    return content


class _DuplicateKey(ValueError):
    """JSON allows a key twice and keeps the last: half of a ground truth would be gone."""


def unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """For ``json.loads``: refuses a key that is there twice. Raises ``ValueError``."""
    content = dict(pairs)
    if len(content) < len(pairs):
        keys = [key for key, _ in pairs]
        raise _DuplicateKey(f"duplicate key {next(key for key in content if keys.count(key) > 1)!r}")
    return content


def _too_deep(path: Path) -> DataDamaged:
    return DataDamaged(f"ground truth {path} is nested too deep", fix="an object with imlist, queries")


def _damaged(path: Path, problems: list[str]) -> DataDamaged:
    rest = len(problems) - _SHOWN
    shown = [*problems[:_SHOWN], *([f"and {rest} more"] if rest > 0 else [])]
    return DataDamaged(
        f"ground truth {path} has {len(problems)} problems:\n"
        + "\n".join(f"  - {sentence(p, _CHARACTERS)}" for p in shown)
    )


class _Reader:
    """Reads the parts and gathers what is wrong with them; what is wrong is left out of the result."""

    def __init__(self, imlist: object, exists: Callable[[str], bool], suggestion: Callable[[str], str]) -> None:
        self.problems: list[str] = []
        self._imlist = imlist
        self._exists, self._suggestion = exists, suggestion
        names = imlist if isinstance(imlist, list) else []
        self._ids = {name: position for position, name in enumerate(names) if isinstance(name, str)}
        self._n = len(names)

    def images(self) -> tuple[str, ...]:
        """The database; every name once, every file there."""
        if not isinstance(self._imlist, list) or not self._imlist:
            self.problems.append("imlist is not a list of file names, or is empty")
            return ()
        for position, name in enumerate(self._imlist):
            where = f"imlist[{position}]"
            if self._file(where, name) and self._ids[name] != position:
                self.problems.append(f"{where}: {name!r} is a duplicate of imlist[{self._ids[name]}]")
        return tuple(str(name) for name in self._imlist)

    def query(self, where: str, query: object) -> tuple[str, Box | None, dict[str, tuple[int, ...]]]:
        """Name, box and relevant images of one query."""
        if not isinstance(query, dict):
            self.problems.append(f"{where} is {query!r}, not an object with image, easy, hard, junk")
            return "", None, {}
        name = query.get("image")
        self._file(where, name)
        where = f"{where} ({name})"
        for key in sorted(query.keys() - _KEYS):
            self.problems.append(f"{where}: unknown key {key!r} {nearest(key, _KEYS)}".rstrip())
        if "positives" in query and query.keys() & {"easy", "hard"}:
            self.problems.append(f"{where}: has positives and also easy or hard")
        if not query.keys() & {"positives", "easy", "hard"}:
            self.problems.append(f"{where}: has neither positives nor easy or hard")
        easy = [*self._relevant(where, query, "positives"), *self._relevant(where, query, "easy")]
        labels = {
            "easy": easy,
            "hard": self._relevant(where, query, "hard"),
            "junk": self._relevant(where, query, "junk"),
        }
        self._refuse_duplicates(where, labels)
        return str(name), self._box(where, query.get("box")), {key: tuple(ids) for key, ids in labels.items()}

    def group(self, where: str, query: object) -> str | int | None:
        """What a query shows, None where it does not say."""
        group = query.get("group") if isinstance(query, dict) else None
        if group is None or (isinstance(group, str | int) and not isinstance(group, bool)):
            return group
        self.problems.append(f"{where}: group {group!r} is no name and no number")
        return None

    def items(self, query: Mapping[str, Any], key: str) -> list[Any]:
        """A list of the file, empty if it is none."""
        value = query.get(key)
        if isinstance(value, list) and value:
            return value
        self.problems.append(f"{key} is not a list, or is empty")
        return []

    def pairs(self, pairs: object) -> tuple[tuple[int, int], ...]:
        """Matching pairs of ids."""
        ids: list[tuple[int, int]] = []
        for position, pair in enumerate(pairs if isinstance(pairs, list) else [pairs]):
            where = f"pairs[{position}]"
            if not isinstance(pair, list) or len(pair) != 2:
                self.problems.append(f"{where}: {pair!r} is not a pair of images")
                continue
            first, second = (self._id(where, image) for image in pair)
            if first is not None and first == second:
                self.problems.append(f"{where}: {pair!r} pairs an image with itself")
            elif first is not None and second is not None:
                ids.append((first, second))
        return tuple(ids)

    def _file(self, where: str, name: object) -> bool:
        if not isinstance(name, str):
            self.problems.append(f"{where}: {name!r} is not a file name")
            return False
        if _leads_out(name):
            self.problems.append(f"{where}: {name!r} leads out of the folder of the images{self._suggestion(name)}")
            return False
        if not self._exists(name):
            self.problems.append(f"{where}: there is no image {name!r}{self._suggestion(name)}")
        return True

    def _relevant(self, where: str, query: Mapping[str, Any], key: str) -> list[int]:
        value = query.get(key, [])
        if not isinstance(value, list):
            self.problems.append(f"{where}: {key} is {value!r}, not a list")
            return []
        ids = (self._id(f"{where}: {key}", image) for image in value)
        return [number for number in ids if number is not None]

    def _id(self, where: str, image: object) -> int | None:
        if isinstance(image, str) and image in self._ids:
            return self._ids[image]
        if isinstance(image, int) and not isinstance(image, bool) and 0 <= image < self._n:
            return image
        right = f"0 to {self._n - 1}" if isinstance(image, int) else "a name of imlist"
        self.problems.append(f"{where}: {image!r} is not in imlist ({right})")
        return None

    def _refuse_duplicates(self, where: str, labels: Mapping[str, list[int]]) -> None:
        seen: dict[int, str] = {}
        for key, ids in labels.items():
            for image in ids:
                if image in seen:
                    both = f"a duplicate in {key}" if seen[image] == key else f"in {seen[image]} and in {key}"
                    self.problems.append(f"{where}: image {image} is {both}")
                seen[image] = key

    def _box(self, where: str, box: object) -> Box | None:
        if box is None:
            return None
        if isinstance(box, list) and len(box) == 4 and all(_is_number(value) for value in box):
            x0, y0, x1, y1 = (float(value) for value in box)
            if x0 < x1 and y0 < y1:
                return x0, y0, x1, y1
        self.problems.append(f"{where}: box {box!r} is not x0, y0, x1, y1 with x0 < x1 and y0 < y1")
        return None


def _leads_out(name: str) -> bool:
    """Whether a name may be of a file that is not below the folder it is looked up in."""
    path = PurePosixPath(name.replace("\\", "/"))
    return path.is_absolute() or ".." in path.parts or "\0" in name


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
