"""Small data for the loaders of a user's own files, to be tried on by ``harness check``."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np


def embeddings(folder: Path) -> Mapping[str, Any]:
    """Features of three classes in one .npz file."""
    rng = np.random.default_rng(0)
    train, test = (rng.normal(size=(n, 4)).astype(np.float32) for n in (12, 6))
    labels = {"train_labels": np.arange(12) % 3, "test_labels": np.arange(6) % 3}
    np.savez(folder / "features.npz", allow_pickle=False, train=train, test=test, **labels)
    return {"path": "features.npz"}


def descriptors(folder: Path) -> Mapping[str, Any]:
    """A ground truth of three images and one query, without any image."""
    truth = {"imlist": ["a", "b", "c"], "queries": [{"image": "q", "easy": ["a"], "hard": [1], "junk": []}]}
    (folder / "descriptors.json").write_text(json.dumps(truth), encoding="utf-8")
    return {"ground_truth": str(folder / "descriptors.json")}


def image_classes(folder: Path) -> Mapping[str, Any]:
    """Noise of two classes."""
    for part, seeds in (("train", range(3)), ("test", range(3, 5))):
        for name in ("one", "two"):
            for seed in seeds:
                _noise(folder / "classes" / part / name / f"{seed}.png", [seed, len(part), len(name)])
    return {"path": "classes", "size": 8}


def image_instances(folder: Path) -> Mapping[str, Any]:
    """Four images, two queries, a ground truth."""
    for seed, name in enumerate(("a", "b", "c", "d", "q", "r")):
        _noise(folder / "instances" / "images" / f"{name}.png", [seed])
    truth = {
        "imlist": [f"{name}.png" for name in "abcd"],
        "queries": [
            {"image": "q.png", "easy": ["a.png"], "hard": [1], "junk": []},
            {"image": "r.png", "positives": ["c.png"], "box": [1, 1, 8, 8]},
        ],
    }
    (folder / "instances" / "gnd.json").write_text(json.dumps(truth), encoding="utf-8")
    return {"path": "instances"}


def revisited(folder: Path) -> Mapping[str, Any]:
    """The structure of ROxford5k with three photographs and a query."""
    for seed, name in enumerate(("a", "b", "c", "q")):
        _noise(folder / "rtoy" / "jpg" / f"{name}.jpg", [seed])
    truth = {"imlist": ["a", "b", "c"], "queries": [{"image": "q", "easy": [0], "hard": [1], "junk": [2]}]}
    (folder / "rtoy" / "gnd.json").write_text(json.dumps(truth), encoding="utf-8")
    return {"path": "rtoy", "ground_truth": "gnd.json"}


def buildings(folder: Path) -> Mapping[str, Any]:
    """The text files of Oxford5k for one query among three photographs."""
    for seed, name in enumerate(("a", "b", "c")):
        _noise(folder / "toy" / "jpg" / f"{name}.jpg", [seed])
    (folder / "toy" / "gt").mkdir()
    lists = {"query": "oxc1_a 1 1 8 8", "good": "b", "ok": "", "junk": "c"}
    for label, text in lists.items():
        (folder / "toy" / "gt" / f"tower_1_{label}.txt").write_text(text, encoding="utf-8")
    return {"path": "toy"}


def ilias(folder: Path) -> Mapping[str, Any]:
    """Two objects of ILIAS with their queries and positives, and a distractor."""
    core = folder / "ilias" / "ilias_core"
    for seed, name in enumerate(
        ("a_000/query/Q000_00", "a_000/pos/P000_00", "b_001/query/Q001_00", "b_001/pos/P001_00")
    ):
        _noise(core / f"{name}.jpg", [seed])
    _noise(folder / "ilias" / "yfcc100m" / "00000" / "d.jpg", [9])
    return {"path": "ilias", "database": "full"}


def _noise(path: Path, seed: list[int]) -> None:
    from PIL import Image

    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 255, (12, 12, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path)
