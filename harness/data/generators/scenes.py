"""Scenes: a card pasted into a background with clutter, seen under some view, light and camera.

Imports OpenCV: to be imported where work is done.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from harness.data.generators.textures import Bytes, Floats, card, clouds, ground, palette

_CLUTTER_PIXELS: Final = 96
"""Longest side of a card that serves as clutter before it is pasted."""


@dataclass(frozen=True)
class View:
    """What may happen to an object; every pair is a range from which each scene draws.

    Attributes:
        scale: side of the object's square root area, as a share of the image's side; drawn evenly in the logarithm.
        angle: largest rotation in degrees, either way.
        tilt: largest shift of a corner by perspective, as a share of the object's side.
        clutter: number of cards behind and beside the object.
        occlusion: probability that a card lies over the object.
        light: 0 for none of the changes of light, 1 for all of them.
        blur: largest standard deviation of the blur in pixels.
        noise: largest standard deviation of the sensor's noise in grey values.
    """

    scale: tuple[float, float] = (0.24, 0.65)
    angle: float = 30.0
    tilt: float = 0.12
    clutter: tuple[int, int] = (0, 4)
    occlusion: float = 0.35
    light: float = 0.5
    blur: float = 1.2
    noise: float = 6.0


@dataclass(frozen=True)
class Scene:
    """A rendered image and what is to be seen of its object.

    Attributes:
        image: (size, size, 3) uint8 RGB.
        box: x0, y0, x1, y1 around the visible pixels of the object, or None where nothing is visible.
        visible: share of the object's own pixels that are visible.
        share: visible pixels as a share of the image.
    """

    image: Bytes
    box: tuple[int, int, int, int] | None = None
    visible: float = 0.0
    share: float = 0.0


class Surroundings(NamedTuple):
    """What stands around objects.

    Attributes:
        background: a generator and a side -> (side, side, 3) float32 in [0, 255].
        clutter: a generator -> a card (h, w, 4) float32.
    """

    background: Callable[[np.random.Generator, int], Floats]
    clutter: Callable[[np.random.Generator], Floats]


def scene(
    rng: np.random.Generator,
    size: int,
    view: View,
    subject: Bytes | None = None,
    surroundings: Surroundings | None = None,
) -> Scene:
    """Draw one image.

    Args:
        rng: decides everything that is not given.
        size: side of the square image in pixels.
        view: the ranges to draw from.
        subject: the object, a card (h, w, 4) uint8; None for clutter only.
        surroundings: of the object; None: drawn textures, which never repeat.
    """
    background, clutter = surroundings or Surroundings(_background, _clutter)
    image = background(rng, size)
    for _ in range(rng.integers(*view.clutter, endpoint=True)):
        _paste_clutter(rng, clutter, image, size, rng.uniform(0, size, 2))
    if subject is None:
        return Scene(_photograph(rng, image, view))
    corners = _corners(rng, size, view, subject)
    shown = paste(image, _lit(rng, subject, view), corners)
    whole = cv2.contourArea(corners) * float(subject[..., 3].mean()) / 255
    if rng.random() < view.occlusion:
        shown *= 1 - _paste_clutter(rng, clutter, image, size, corners[rng.integers(4)] + rng.normal(0, 0.05 * size, 2))
    pixels = float(shown.sum())
    return Scene(_photograph(rng, image, view), _box(shown), min(1.0, pixels / whole), pixels / size**2)


def paste(image: Floats, subject: Floats, corners: Floats) -> Floats:
    """Draw ``subject`` (h, w, 4) over ``image`` (H, W, 3) in place, its corners at ``corners`` (4, 2) in pixels.

    Corners run clockwise from top left. Returns the opacity (H, W) float32 in [0, 1] of what was drawn.
    """
    opacity = np.zeros(image.shape[:2], np.float32)
    x0, y0 = np.maximum(np.floor(corners.min(0)), 0).astype(int)
    x1, y1 = np.minimum(np.ceil(corners.max(0)), image.shape[1::-1]).astype(int)
    if x0 >= x1 or y0 >= y1:
        return opacity
    shrink = np.sqrt(cv2.contourArea(corners) / (subject.shape[0] * subject.shape[1]))
    if shrink < 0.8:  # a perspective warp has no low-pass filter of its own
        subject = cv2.resize(subject, None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA)  # type: ignore[assignment]
    height, width = subject.shape[:2]
    source = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32) - 0.5
    transform = cv2.getPerspectiveTransform(source, corners - np.array([x0, y0], np.float32) - 0.5)
    extent = (int(x1 - x0), int(y1 - y0))
    pixels = np.ascontiguousarray(subject[..., :3])
    colour = cv2.warpPerspective(pixels, transform, extent, borderMode=cv2.BORDER_REPLICATE)
    alpha = cv2.warpPerspective(np.ascontiguousarray(subject[..., 3]), transform, extent) / np.float32(255)
    region = image[y0:y1, x0:x1]
    region += alpha[..., None] * (colour - region)
    opacity[y0:y1, x0:x1] = alpha
    return opacity


def _corners(rng: np.random.Generator, size: int, view: View, subject: NDArray[np.generic]) -> Floats:
    """Where the object's corners come to lie; its centre stays inside, a corner may leave the image."""
    side = size * np.exp(rng.uniform(*np.log(view.scale)))
    margin = min(0.4 * side, 0.49 * size)
    return _quadrilateral(rng, subject, side, rng.uniform(margin, size - margin, 2), view.angle, view.tilt)


def _quadrilateral(
    rng: np.random.Generator,
    subject: NDArray[np.generic],
    side: float,
    centre: NDArray[np.float64],
    angle: float,
    tilt: float,
) -> Floats:
    height, width = subject.shape[:2]
    half = np.array([width, height]) / np.sqrt(width * height) * side / 2
    corners = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * half + rng.uniform(-tilt, tilt, (4, 2)) * side
    turn = np.deg2rad(rng.uniform(-angle, angle))
    rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    return (corners @ rotation.T + centre).astype(np.float32)  # type: ignore[no-any-return]


def _background(rng: np.random.Generator, size: int) -> Floats:
    """A ground of faded colours and low contrast, with slowly changing light: objects should stand out from it."""
    picture = _faded(ground(rng, size, size, palette(rng)).astype(np.float32), 0.25)
    mean = picture.mean((0, 1))
    light = cv2.resize(clouds(rng, size // 4, size // 4, 0.4), (size, size))
    return (mean + np.float32(rng.uniform(0.1, 0.5)) * (picture - mean)) * (0.7 + 0.6 * light[..., None])  # type: ignore[no-any-return]


def _faded(picture: Floats, colour: float) -> Floats:
    """The picture with this share of its colourfulness; the opacity (a fourth channel), if any, stays."""
    grey = picture[..., :3].mean(-1, keepdims=True)
    picture[..., :3] = grey + np.float32(colour) * (picture[..., :3] - grey)
    return picture


def _clutter(rng: np.random.Generator) -> Floats:
    """One card that no other scene shows."""
    return _faded(card(rng, _CLUTTER_PIXELS).astype(np.float32), rng.uniform(0.2, 0.8))


def _paste_clutter(
    rng: np.random.Generator,
    clutter: Callable[[np.random.Generator], Floats],
    image: Floats,
    size: int,
    centre: NDArray[np.float64],
) -> Floats:
    other = clutter(rng)
    side = size * rng.uniform(0.08, 0.3)
    return paste(image, other, _quadrilateral(rng, other, side, centre, 45.0, 0.15))


def _lit(rng: np.random.Generator, subject: Bytes, view: View) -> Floats:
    """The object in its own light: brighter or darker, with a gradient or a gloss over it."""
    lit = subject.astype(np.float32)
    gain = 1 + view.light * rng.uniform(-0.35, 0.3)
    shade = 1 + view.light * rng.uniform(0, 0.6) * (clouds(rng, subject.shape[0], subject.shape[1], 0.2) - 0.5)
    lit[..., :3] *= (gain * shade)[..., None]
    return lit


def _photograph(rng: np.random.Generator, image: Floats, view: View) -> Bytes:
    """Exposure, colour of the light, contrast, blur, noise."""
    gain = (1 + view.light * rng.uniform(-0.12, 0.12, 3)) * (1 + view.light * rng.uniform(-0.25, 0.25))
    gamma = np.exp(view.light * rng.uniform(-0.35, 0.35))
    levels = np.clip(np.arange(256)[:, None] / 255 * gain, 0, 1) ** gamma * 255
    exposed = cv2.LUT(np.clip(image, 0, 255).astype(np.uint8), levels[None].astype(np.float32))
    sigma = rng.uniform(0, view.blur)
    if sigma > 0.3:
        exposed = cv2.GaussianBlur(exposed, (0, 0), sigma)
    exposed += rng.standard_normal(image.shape, np.float32) * np.float32(rng.uniform(0, view.noise))  # type: ignore[arg-type]
    return np.clip(exposed, 0, 255).astype(np.uint8)


def _box(shown: Floats) -> tuple[int, int, int, int] | None:
    """Smallest box around the pixels of which at least half is shown."""
    rows, columns = (np.flatnonzero((shown >= 0.5).any(axis)) for axis in (1, 0))
    if not len(rows):
        return None
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1
