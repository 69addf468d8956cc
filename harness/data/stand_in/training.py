"""Stand-in of retrieval-SfM-120k: pairs of drawn scenes in the published files and folders."""

from __future__ import annotations

import hashlib
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def write_sfm120k(folder: Path, parameters: Mapping[str, Any], images: int, size: int, seed: int) -> None:
    """``images // 2`` pairs to train on and to whiten with, a fifth as many to validate; JPEG in ``ims``."""
    parts = {}
    for part, pairs in (("train", images // 2), ("val", max(2, images // 10))):
        names = _draw(folder / "ims", pairs, size, seed, part)
        queries = list(range(0, 2 * pairs, 2))
        clusters = [number // 2 for number in range(2 * pairs)]
        positives = [query + 1 for query in queries]
        parts[part] = {"cids": names, "cluster": clusters, "qidxs": queries, "pidxs": positives}
    (folder / "retrieval-SfM-120k.pkl").write_bytes(pickle.dumps(parts, protocol=2))
    whiten = {key: parts["train"][key] for key in ("cids", "qidxs", "pidxs")}
    (folder / "retrieval-SfM-120k-whiten.pkl").write_bytes(pickle.dumps(whiten, protocol=2))


def _draw(folder: Path, pairs: int, size: int, seed: int, part: str) -> list[str]:
    """Write the images of the pairs, two after the other; returns their names, made as the published ones."""
    import cv2

    from harness.data.generators.scenes import View
    from harness.data.generators.synthetic import training_pair

    names = []
    for number in range(pairs):
        index = number + (1 << 20 if part == "val" else 0)
        for side, scene in enumerate(training_pair(index, seed, size, View(), View(scale=(0.4, 0.7), angle=20.0))):
            name = hashlib.md5(f"{seed} {part} {number} {side}".encode()).hexdigest()
            place = folder / name[-2:] / name[-4:-2] / name[-6:-4]
            place.mkdir(parents=True, exist_ok=True)
            _, content = cv2.imencode(".jpg", cv2.cvtColor(scene.image, cv2.COLOR_RGB2BGR))
            (place / name).write_bytes(content.tobytes())
            names.append(name)
    return names
