"""Where the diffusion of one query starts: images of the database and their values y."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harness.plugin_api import Floats, Ids

    Seed = tuple[Ids, NDArray[np.float64]]


def similarity_seed(query: Floats, database: Floats, ranked: Ids, kq: int, gamma: float) -> Seed:
    """``max(similarity, 0) ** gamma`` of the first ``kq`` images of the ranking (Iscen et al. 2017, eq. 9)."""
    images = ranked[:kq]
    return images, np.maximum(_similarities(query, database, images), 0) ** gamma


def verified_seed(
    query: Floats, database: Floats, ranked: Ids, inliers: NDArray[Any], top: int, keep: int
) -> Seed | None:
    """Inliers times similarity of the ``keep`` best among the first ``top`` images (thesis 4.4.1).

    Inliers are divided by their maximum, which changes no ranking; gamma has no part in it. As in the released code the
    inliers alone count if all similarities are 0, and a negative value stays only in a database too small to fill its
    place. None if nothing is left: no image was verified.

    Args:
        query: (d,).
        database: (n, d).
        ranked: (k,) ids, best first.
        inliers: (k,) weights from spatial verification in the same order.
        top: how many images are looked at.
        keep: how many of them stay.
    """
    images, weights = ranked[:top], inliers[:top].astype(np.float64)
    if not weights.max(initial=0) > 0:
        return None
    weights /= weights.max()
    values = weights * _similarities(query, database, images)
    values = values if values.any() else weights
    order = np.argsort(-values, kind="stable")
    negative = values[order] < 0
    # The zeros of all other images of the database come before a negative value and take places as well.
    places = max(0, keep - (len(database) - int(negative.sum())))
    best = np.concatenate([order[~negative][:keep], order[negative][:places]])
    return (images[best], values[best]) if values[best].any() else None


def _similarities(query: Floats, database: Floats, images: Ids) -> NDArray[np.float64]:
    return np.asarray(database[images].astype(np.float64) @ query.astype(np.float64))
