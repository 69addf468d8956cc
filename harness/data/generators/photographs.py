"""Instances from photographs that packages bring: their objects under new views, among other photographs.

Of the database images, 60 % show an object that queries ask for, 30 % one that no query asks for (often another part of
the same photograph), 10 % none. Backgrounds and clutter are parts of photographs that show no object.
Imports OpenCV: to be imported where work is done.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import cv2
import numpy as np

from harness.data.decode import decode_image
from harness.data.generators.photograph_sources import CLUTTER, OBJECTS, Crop
from harness.data.generators.scenes import Scene, Surroundings, View, scene
from harness.data.generators.stored import GROUND_TRUTH
from harness.data.generators.synthetic import Contents, pairs_of, relevant
from harness.data.generators.textures import Bytes, Floats

_DATABASE_VIEW: Final = View(
    scale=(0.16, 0.75), angle=50.0, tilt=0.15, clutter=(1, 4), occlusion=0.35, light=1.0, blur=1.6, noise=8.0
)
_QUERY_VIEW: Final = View(scale=(0.45, 0.8), angle=15.0, tilt=0.08, clutter=(0, 2), occlusion=0.0, light=0.6)
_QUALITY: Final = (35, 95)
"""Of JPEG: each image is compressed on its own."""

_EASY_VISIBLE, _EASY_SHARE = 0.85, 0.15
_JUNK_VISIBLE, _JUNK_SHARE = 0.5, 0.02
_QUERIED_PERCENT, _OTHER_PERCENT = 60, 30
_DATABASE, _QUERY, _ORDER = range(3)


def generate(folder: Path, contents: Contents, files: Mapping[str, Path]) -> None:
    """Make a whole dataset in ``folder``: ``database/``, ``queries/`` and, last, ``ground_truth.json``.

    Args:
        folder: where to.
        contents: how much, and the seed; the first ``objects`` of ``OBJECTS`` are asked for.
        files: where the photographs lie.
    """
    photographs = {name: np.asarray(decode_image(path)) for name, path in files.items()}
    cards = [_card(photographs, crop) for crop in OBJECTS]
    surroundings = _surroundings([crop.of(photographs) for crop in CLUTTER])
    shown = _assignment(contents)
    asked = [query % contents.objects for query in range(contents.queries)]
    database, queries = (
        _draw(folder / name, objects, (purpose, contents.seed), view, contents.size, cards, surroundings)
        for name, objects, purpose, view in (
            ("database", shown, _DATABASE, _DATABASE_VIEW),
            ("queries", asked, _QUERY, _QUERY_VIEW),
        )
    )
    labels = [_label(drawn) for drawn in database]
    document = {
        "boxes": [drawn.box for drawn in queries],
        "image_boxes": [drawn.box for drawn in database],
        "ground_truth": [relevant(subject, shown, labels) for subject in asked],
        "pairs": pairs_of(shown, labels, contents.objects),
    }
    (folder / GROUND_TRUTH).write_text(json.dumps(document), encoding="utf-8")


def _assignment(contents: Contents) -> list[int]:
    """The object that each database image shows, -1 for none; those from ``objects`` on are not asked for."""
    queried, others = (contents.images * percent // 100 for percent in (_QUERIED_PERCENT, _OTHER_PERCENT))
    shown = [image % contents.objects for image in range(queried)]
    shown += [contents.objects + image % (len(OBJECTS) - contents.objects) for image in range(others)]
    shown += [-1] * (contents.images - len(shown))
    return [int(subject) for subject in np.random.default_rng([_ORDER, contents.seed]).permutation(shown)]


def _draw(
    folder: Path,
    shown: Sequence[int],
    purpose: tuple[int, int],
    view: View,
    size: int,
    cards: Sequence[Bytes],
    surroundings: Surroundings,
) -> list[Scene]:
    """Make and write one image per entry of ``shown``; returns the scenes without their pixels."""
    folder.mkdir(parents=True)
    drawn = []
    for number, subject in enumerate(shown):
        rng = np.random.default_rng([*purpose, number])
        made = scene(rng, size, view, None if subject < 0 else cards[subject], surroundings)
        quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(*_QUALITY, endpoint=True))]
        _, content = cv2.imencode(".jpg", cv2.cvtColor(made.image, cv2.COLOR_RGB2BGR), quality)
        (folder / f"{number:05d}.jpg").write_bytes(content.tobytes())
        drawn.append(Scene(made.image[:0], made.box, made.visible, made.share))
    return drawn


def _card(photographs: Mapping[str, Bytes], crop: Crop) -> Bytes:
    """An object (h, w, 4), opaque."""
    pixels = crop.of(photographs)
    return np.dstack([pixels, np.full(pixels.shape[:2], 255, np.uint8)])


def _surroundings(pictures: Sequence[Bytes]) -> Surroundings:
    """Parts of photographs, each time another piece, turned, and in another colour where they are grey."""

    def piece(rng: np.random.Generator, side: int, share: tuple[float, float]) -> Floats:
        picture = pictures[int(rng.integers(len(pictures)))]
        height, width = picture.shape[:2]
        edge = int(min(height, width) * rng.uniform(*share))
        y, x = rng.integers(height - edge + 1), rng.integers(width - edge + 1)
        part = np.rot90(picture[y : y + edge, x : x + edge], int(rng.integers(4)))
        smooth = cv2.INTER_AREA if edge > side else cv2.INTER_LINEAR
        scaled = cv2.resize(np.ascontiguousarray(part), (side, side), interpolation=smooth).astype(np.float32)
        return scaled * rng.uniform(0.85, 1.15, 3).astype(np.float32)

    def background(rng: np.random.Generator, size: int) -> Floats:
        return piece(rng, size, (0.6, 1.0))

    def clutter(rng: np.random.Generator) -> Floats:
        pixels = piece(rng, 96, (0.3, 0.9))
        return np.dstack([pixels, np.full(pixels.shape[:2], 255, np.float32)])

    return Surroundings(background, clutter)


def _label(drawn: Scene) -> str:
    if drawn.visible < _JUNK_VISIBLE or drawn.share < _JUNK_SHARE:
        return "junk"
    return "easy" if drawn.visible >= _EASY_VISIBLE and drawn.share >= _EASY_SHARE else "hard"
