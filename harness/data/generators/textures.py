"""Procedural textures: flat cards that look a little like posters, covers and labels, each distinct, from a generator.

Nothing here knows of images, objects or ground truth. Imports OpenCV: to be imported where work is done.
"""

from __future__ import annotations

import string
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]
Floats = NDArray[np.float32]

_LETTERS: Final = string.ascii_letters + string.digits + "&?!#%"
_FONTS: Final = (cv2.FONT_HERSHEY_SIMPLEX, cv2.FONT_HERSHEY_DUPLEX, cv2.FONT_HERSHEY_TRIPLEX, cv2.FONT_HERSHEY_COMPLEX)


def card(rng: np.random.Generator, longest: int = 160) -> Bytes:
    """A textured planar object: (h, w, 4) uint8 RGB with opacity; its longest side is ``longest`` pixels."""
    shortest = int(longest * rng.uniform(0.55, 1.0))
    height, width = (longest, shortest) if rng.random() < 0.6 else (shortest, longest)
    colours = palette(rng)
    picture = ground(rng, height, width, colours)
    for _ in range(rng.integers(0, 4)):
        _panel(rng, picture, colours)
    for _ in range(rng.integers(3, 11)):
        _mark(rng, picture, colours)
    for _ in range(rng.integers(0, 4)):
        _word(rng, picture, colours)
    return np.dstack([picture, _outline(rng, height, width)])


def palette(rng: np.random.Generator) -> Bytes:
    """(6, 3) uint8 RGB: related hues, from dull to vivid, with something dark and something bright among them."""
    hues = (rng.uniform(0, 180) + rng.choice([0, 0, 12, 90, 60]) * rng.integers(0, 3, 6) + rng.normal(0, 8, 6)) % 180
    saturation = np.clip(rng.uniform(10, 230) + rng.normal(0, 50, 6), 0, 255)
    value = np.clip([rng.uniform(10, 90), rng.uniform(190, 255), *rng.uniform(40, 245, 4)], 0, 255)
    hsv = np.stack([hues, saturation, value], axis=1).astype(np.uint8)
    return rng.permutation(cv2.cvtColor(hsv[None], cv2.COLOR_HSV2RGB)[0])


def ground(rng: np.random.Generator, height: int, width: int, colours: Bytes) -> Bytes:
    """Two colours mixed by a pattern: (height, width, 3) uint8."""
    first, second = colours[rng.choice(len(colours), 2, replace=False)].astype(np.float32)
    mixed: Bytes = (first + _pattern(rng, height, width)[..., None] * (second - first)).astype(np.uint8)
    return mixed


def clouds(rng: np.random.Generator, height: int, width: int, roughness: float = 0.5) -> Floats:
    """Fractal noise in [0, 1], (height, width) float32; ``roughness`` is the gain from octave to octave."""
    total = np.zeros((height, width), np.float32)
    cells, weight = int(rng.integers(2, 5)), 1.0
    while cells < max(height, width):
        noise = rng.random((cells, cells), np.float32)
        total += weight * cv2.resize(noise, (width, height), interpolation=cv2.INTER_CUBIC)
        cells, weight = cells * 2, weight * roughness
    return cv2.normalize(total, None, 0, 1, cv2.NORM_MINMAX)  # type: ignore[call-overload, no-any-return]


def _pattern(rng: np.random.Generator, height: int, width: int) -> Floats:
    """How much of the second colour is where: (height, width) float32 in [0, 1]."""
    y, x = (np.arange(n, dtype=np.float32) / max(height, width) for n in (height, width))
    angle, frequency, phase = rng.uniform(0, np.pi), rng.uniform(2, 12), rng.uniform(0, 2 * np.pi)
    cosine, sine = np.float32(np.cos(angle)), np.float32(np.sin(angle))
    along, across = cosine * x + sine * y[:, None], cosine * y[:, None] - sine * x
    match rng.integers(0, 7):
        case 0:
            return np.full((height, width), rng.uniform(0, 0.3), np.float32)
        case 1:
            return cv2.normalize(along, None, 0, 1, cv2.NORM_MINMAX)  # type: ignore[call-overload, no-any-return]
        case 2:
            return clouds(rng, height, width, float(rng.uniform(0.3, 0.9)))
        case 3:
            wave = np.sin(np.float32(2 * np.pi * frequency) * along + np.float32(phase))
            return np.clip(0.5 + np.float32(rng.uniform(0.5, 6)) * wave, 0, 1)  # type: ignore[no-any-return]
        case 4:
            turns = np.float32(2 * np.pi * frequency)
            product = np.sin(turns * along + np.float32(phase)) * np.sin(turns * across)
            return np.clip(0.5 + np.float32(rng.uniform(1, 8)) * product, 0, 1)  # type: ignore[no-any-return]
        case 5:
            return np.clip(0.5 + 12 * (clouds(rng, height, width) - 0.5), 0, 1)  # type: ignore[no-any-return]
        case _:
            return np.float32(rng.uniform(0.3, 1)) * rng.random((height, width), np.float32)


def _panel(rng: np.random.Generator, picture: Bytes, colours: Bytes) -> None:
    """A rectangle with a ground of its own."""
    height, width = picture.shape[:2]
    h, w = int(height * rng.uniform(0.2, 0.6)), int(width * rng.uniform(0.2, 0.8))
    top, left = rng.integers(0, height - h), rng.integers(0, width - w)
    picture[top : top + h, left : left + w] = ground(rng, h, w, colours)


def _mark(rng: np.random.Generator, picture: Bytes, colours: Bytes) -> None:
    """A polygon, ellipse, ring, stroke or large letter."""
    height, width = picture.shape[:2]
    longest = max(height, width)
    colour = _colour(rng, colours)
    x, y = float(rng.uniform(0, width)), float(rng.uniform(0, height))
    radius = longest * float(rng.uniform(0.04, 0.2))
    centre = (int(x), int(y))
    match rng.integers(0, 5):
        case 0:
            turns = np.sort(rng.uniform(0, 2 * np.pi, rng.integers(3, 8)))
            reach = radius * rng.uniform(0.4, 1.4, len(turns))
            points = np.stack([x + reach * np.cos(turns), y + reach * np.sin(turns)], axis=1)
            cv2.fillPoly(picture, [points.astype(np.int32)], colour, cv2.LINE_AA)
        case 1:
            axes = (int(radius) + 1, int(radius * rng.uniform(0.4, 1)) + 1)
            cv2.ellipse(picture, centre, axes, float(rng.uniform(0, 180)), 0, 360, colour, -1, cv2.LINE_AA)
        case 2:
            cv2.circle(picture, centre, int(radius) + 1, colour, max(1, int(radius / rng.uniform(2, 6))), cv2.LINE_AA)
        case 3:
            end = (int(x + rng.normal(0, 2) * radius), int(y + rng.normal(0, 2) * radius))
            cv2.line(picture, centre, end, colour, max(1, int(longest * rng.uniform(0.01, 0.06))), cv2.LINE_AA)
        case _:
            letter = str(rng.choice(list(_LETTERS)))
            _write(rng, picture, letter, centre, radius / 12, colour)


def _word(rng: np.random.Generator, picture: Bytes, colours: Bytes) -> None:
    """A few letters in a row."""
    height, width = picture.shape[:2]
    text = "".join(rng.choice(list(_LETTERS), rng.integers(3, 9)))
    origin = (int(rng.uniform(0, width * 0.4)), int(rng.uniform(height * 0.15, height)))
    _write(rng, picture, text, origin, max(height, width) / 160 * rng.uniform(0.5, 1.3), _colour(rng, colours))


def _write(
    rng: np.random.Generator, picture: Bytes, text: str, origin: tuple[int, int], scale: float, colour: tuple[int, ...]
) -> None:
    font = _FONTS[rng.integers(len(_FONTS))]
    cv2.putText(picture, text, origin, font, float(scale), colour, max(1, int(scale * rng.uniform(1, 4))), cv2.LINE_AA)


def _colour(rng: np.random.Generator, colours: Bytes) -> tuple[int, ...]:
    return tuple(int(value) for value in colours[rng.integers(len(colours))])


def _outline(rng: np.random.Generator, height: int, width: int) -> Bytes:
    """Opacity of a rectangle (mostly), ellipse or convex polygon."""
    opacity = np.zeros((height, width), np.uint8)
    centre: Any = (width // 2, height // 2)
    match rng.integers(0, 6):
        case 0:
            cv2.ellipse(opacity, centre, centre, 0, 0, 360, 255, -1, cv2.LINE_AA)
        case 1:
            turns = np.linspace(0, 2 * np.pi, rng.integers(5, 9), endpoint=False) + rng.uniform(0, 1)
            points = np.array(centre) * (1 + np.stack([np.cos(turns), np.sin(turns)], axis=1))
            cv2.fillConvexPoly(opacity, points.astype(np.int32), 255, cv2.LINE_AA)
        case _:
            opacity[:] = 255
    return opacity
