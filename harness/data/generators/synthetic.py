"""Synthetic instances: which objects there are, which image shows which, and the ground truth that follows.

Of the database images, 60 % show an object that queries ask for, 30 % one of further objects that no query asks for
(four images each: the material for supervised whitening), 10 % clutter only. Clutter and backgrounds never repeat.
Imports OpenCV: to be imported where work is done.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import cv2
import numpy as np

from harness.data.generators.scenes import Scene, View, scene
from harness.data.generators.stored import GROUND_TRUTH
from harness.data.generators.textures import Bytes, card

_QUERIED_PERCENT: Final = 60
_PAIRED_PERCENT: Final = 30
_IMAGES_PER_PAIRED_OBJECT: Final = 4
_DATABASE_VIEW: Final = View()
_QUERY_VIEW: Final = View(scale=(0.4, 0.7), angle=20.0, tilt=0.1, clutter=(0, 3), occlusion=0.1)

_EASY_VISIBLE, _EASY_SHARE = 0.85, 0.12
_JUNK_VISIBLE, _JUNK_SHARE = 0.5, 0.05

# First number of a seed sequence: what the numbers drawn are for. No two purposes share a generator.
_OBJECT, _DATABASE, _QUERY, _ORDER, _TRAINING_OBJECT, _TRAINING_SCENE = range(6)


@dataclass(frozen=True)
class Contents:
    """How much to draw; see ``harness_dataset.synthetic_instances``."""

    objects: int
    images: int
    queries: int
    size: int
    seed: int


def generate(folder: Path, contents: Contents) -> None:
    """Draw a whole dataset into ``folder``: ``database/``, ``queries/`` and, last, ``ground_truth.json``.

    The JSON holds ``boxes`` and ``ground_truth`` per query, ``image_boxes`` per database image, and ``pairs``.
    """
    shown = _assignment(contents)
    asked = [query % contents.objects for query in range(contents.queries)]
    database = _draw(folder / "database", shown, _DATABASE, _DATABASE_VIEW, contents)
    queries = _draw(folder / "queries", asked, _QUERY, _QUERY_VIEW, contents)
    labels = [_label(drawn) for drawn in database]
    document = {
        "boxes": [drawn.box for drawn in queries],
        "image_boxes": [drawn.box for drawn in database],
        "ground_truth": [relevant(subject, shown, labels) for subject in asked],
        "pairs": pairs_of(shown, labels, contents.objects),
    }
    (folder / GROUND_TRUTH).write_text(json.dumps(document), encoding="utf-8")


def training_object(index: int, seed: int) -> Bytes:
    """A card (h, w, 4) uint8 that no dataset shows, whatever the seeds."""
    return card(_generator(_TRAINING_OBJECT, seed, index))


def training_pair(index: int, seed: int, size: int, database: View, query: View) -> tuple[Scene, Scene]:
    """Two images of a training object, as the database and as a query show it. Nothing else shares the object."""
    subject, rng = training_object(index, seed), _generator(_TRAINING_SCENE, seed, index)
    return scene(rng, size, database, subject), scene(rng, size, query, subject)


def _generator(*purpose: int) -> np.random.Generator:
    return np.random.default_rng(np.random.SeedSequence(purpose))


def _assignment(contents: Contents) -> list[int]:
    """The object that each database image shows, -1 for none; those from ``objects`` on are not asked for."""
    queried, paired = (contents.images * percent // 100 for percent in (_QUERIED_PERCENT, _PAIRED_PERCENT))
    shown = [image % contents.objects for image in range(queried)]
    shown += [contents.objects + image // _IMAGES_PER_PAIRED_OBJECT for image in range(paired)]
    shown += [-1] * (contents.images - len(shown))
    return [int(subject) for subject in _generator(_ORDER, contents.seed).permutation(shown)]


def _draw(folder: Path, shown: Sequence[int], purpose: int, view: View, contents: Contents) -> list[Scene]:
    """Draw and write one image per entry of ``shown``; returns the scenes without their pixels."""
    folder.mkdir(parents=True)
    cards = {subject: card(_generator(_OBJECT, contents.seed, subject)) for subject in set(shown) if subject >= 0}
    drawn = []
    for number, subject in enumerate(shown):
        found = scene(_generator(purpose, contents.seed, number), contents.size, view, cards.get(subject))
        _write(folder / f"{number:05d}.jpg", found.image)
        drawn.append(Scene(found.image[:0], found.box, found.visible, found.share))
    return drawn


def _write(path: Path, image: Bytes) -> None:
    _, content = cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 95])
    path.write_bytes(content.tobytes())


def _label(drawn: Scene) -> str:
    if drawn.visible < _JUNK_VISIBLE or drawn.share < _JUNK_SHARE:
        return "junk"
    return "easy" if drawn.visible >= _EASY_VISIBLE and drawn.share >= _EASY_SHARE else "hard"


def relevant(subject: int, shown: Sequence[int], labels: Sequence[str]) -> dict[str, list[int]]:
    """Images that show an object, by label."""
    images = [image for image, other in enumerate(shown) if other == subject]
    return {kind: [image for image in images if labels[image] == kind] for kind in ("easy", "hard", "junk")}


def pairs_of(shown: Sequence[int], labels: Sequence[str], objects: int) -> list[list[int]]:
    """Pairs of images of one object that no query asks for; junk images pair with nothing."""
    members: dict[int, list[int]] = {}
    for image, subject in enumerate(shown):
        if subject >= objects and labels[image] != "junk":
            members.setdefault(subject, []).append(image)
    groups = [members[subject] for subject in sorted(members)]
    return [[a, b] for group in groups for i, a in enumerate(group) for b in group[i + 1 :]]
