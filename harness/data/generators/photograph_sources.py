"""The photographs that ``photographs`` is made of: where they lie, whose they are, and which parts show what.

All come inside the packages scikit-learn and scikit-image; nothing is downloaded.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from harness.core.errors import DataMissing

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

SOURCES: Final = {
    "astronaut": ("skimage/data/astronaut.png", "public domain (NASA)"),
    "brick": ("skimage/data/brick.png", "CC0 (CC0Textures)"),
    "camera": ("skimage/data/camera.png", "CC0 (Lav Varshney)"),
    "chelsea": ("skimage/data/chelsea.png", "CC0 (Stefan van der Walt)"),
    "china": ("sklearn/datasets/images/china.jpg", "CC BY 2.0 (danielbuechele)"),
    "coffee": ("skimage/data/coffee.png", "CC0 (Rachel Michetti)"),
    "coins": ("skimage/data/coins.png", "no known restrictions (Brooklyn Museum)"),
    "flower": ("sklearn/datasets/images/flower.jpg", "CC BY 2.0 (vultilion)"),
    "grass": ("skimage/data/grass.png", "CC0 (linolafett)"),
    "gravel": ("skimage/data/gravel.png", "CC0 (CC0Textures)"),
    "hubble": ("skimage/data/hubble_deep_field.jpg", "public domain (NASA)"),
    "ihc": ("skimage/data/ihc.png", "no known restrictions (Center for Microscopy and Molecular Imaging)"),
    "moon": ("skimage/data/moon.png", "that of scikit-image (BSD)"),
    "motorcycle": ("skimage/data/motorcycle_left.png", "that of scikit-image (BSD; Middlebury Stereo 2014)"),
    "page": ("skimage/data/page.png", "that of scikit-image (BSD)"),
    "retina": ("skimage/data/retina.jpg", "CC0 (Mikael Häggström)"),
    "rocket": ("skimage/data/rocket.jpg", "public domain (SpaceX)"),
    "text": ("skimage/data/text.png", "public domain"),
}
"""Name -> file, from the folder of its package, and licence as the package states it."""


class Crop(NamedTuple):
    """A part of a photograph: borders in pixels of the file, right and lower border outside."""

    name: str
    x0: int
    y0: int
    x1: int
    y1: int

    def of(self, photographs: Mapping[str, NDArray[Any]]) -> NDArray[np.uint8]:
        """Its pixels (h, w, 3)."""
        return photographs[self.name][self.y0 : self.y1, self.x0 : self.x1]


_ASKED: Final = (
    Crop("china", 90, 20, 370, 200),  # roofs of the pagoda
    Crop("china", 90, 220, 390, 420),  # its lower storeys
    Crop("flower", 165, 75, 455, 360),
    Crop("chelsea", 10, 50, 225, 290),  # one half of a cat's face
    Crop("chelsea", 235, 50, 450, 290),  # the other
    Crop("coffee", 165, 10, 425, 215),  # rim of the cup
    Crop("coffee", 170, 225, 450, 390),  # saucer and spoon
    Crop("rocket", 225, 100, 410, 427),
    Crop("rocket", 30, 60, 215, 427),  # the left tower
    Crop("astronaut", 150, 5, 320, 200),  # the face
    Crop("astronaut", 340, 5, 500, 250),  # a model of the shuttle
    Crop("astronaut", 100, 260, 330, 490),  # badges
    Crop("motorcycle", 500, 230, 700, 470),  # front wheel
    Crop("motorcycle", 250, 200, 490, 440),  # engine
    Crop("motorcycle", 320, 0, 620, 185),  # shelf
    Crop("camera", 120, 60, 350, 270),  # the man
    Crop("camera", 235, 280, 470, 512),  # the tripod
    Crop("coins", 0, 0, 190, 150),
    Crop("coins", 195, 155, 384, 303),
    Crop("page", 0, 0, 384, 92),
    Crop("text", 0, 0, 220, 172),
    Crop("ihc", 0, 0, 256, 256),
    Crop("ihc", 256, 256, 512, 512),
    Crop("hubble", 0, 0, 330, 430),
    Crop("hubble", 340, 440, 660, 872),
    Crop("retina", 40, 420, 500, 900),  # the optic disc
    Crop("moon", 20, 20, 250, 250),
    Crop("moon", 130, 290, 400, 512),
)
_OTHERS: Final = (
    Crop("china", 400, 230, 640, 427),  # trees
    Crop("flower", 310, 375, 480, 427),  # another flower of the same kind
    Crop("rocket", 420, 60, 600, 427),  # the right tower
    Crop("astronaut", 345, 280, 512, 512),  # helmet
    Crop("astronaut", 0, 0, 120, 240),  # flag
    Crop("motorcycle", 70, 255, 245, 440),  # rear wheel
    Crop("motorcycle", 0, 60, 180, 250),  # bench
    Crop("camera", 380, 70, 512, 220),  # skyline
    Crop("coins", 195, 0, 384, 150),
    Crop("coins", 0, 155, 190, 303),
    Crop("page", 0, 97, 384, 191),
    Crop("text", 228, 0, 448, 172),
    Crop("ihc", 256, 0, 512, 256),
    Crop("ihc", 0, 256, 256, 512),
    Crop("hubble", 670, 0, 1000, 430),
    Crop("hubble", 0, 440, 330, 872),
    Crop("retina", 520, 80, 1000, 560),
    Crop("moon", 270, 40, 512, 280),
)
QUERIED: Final = len(_ASKED)
OBJECTS: Final = _ASKED + _OTHERS
"""Objects: first those that queries ask for. No two overlap."""
CLUTTER: Final = (
    Crop("brick", 0, 0, 512, 512),
    Crop("grass", 0, 0, 512, 512),
    Crop("gravel", 0, 0, 512, 512),
    Crop("flower", 0, 0, 160, 427),
    Crop("flower", 470, 0, 640, 360),
    Crop("coffee", 0, 0, 160, 180),
    Crop("coffee", 460, 0, 600, 160),
    Crop("china", 390, 0, 640, 215),
    Crop("camera", 0, 0, 120, 140),
    Crop("motorcycle", 0, 470, 741, 500),
)
"""Parts that show no object: backgrounds and clutter."""


def photograph_files() -> dict[str, Path]:
    """Where each photograph lies.

    Raises:
        DataMissing: a package is not installed, or lacks a file.
    """
    return {name: _installed(file) for name, (file, _) in SOURCES.items()}


def _installed(file: str) -> Path:
    package, _, inside = file.partition("/")
    spec = find_spec(package)
    path = Path(spec.origin).parent / inside if spec is not None and spec.origin else None
    if path is None or not path.is_file():
        raise DataMissing(
            f"the photograph {inside} of the package {package} is not installed",
            fix="pip install 'vision-evaluation-harness[photos]'",
        )
    return path
