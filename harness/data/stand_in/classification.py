"""Stand-ins of classification sets: one pattern a class, shifted, lit and disturbed, in the published files."""

from __future__ import annotations

import bz2
import gzip
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from harness.data.stand_in.retrieval import write_mat

Bytes = NDArray[np.uint8]

_MARGIN: Final = 6
"""Pixels by which a pattern is larger than an image, which is cut from it."""
_DIGITS: Final = 10
_UNSIGNED_BYTE: Final = 8


def write_cifar(folder: Path, parameters: Mapping[str, Any], images: int, size: int, seed: int) -> None:
    """CIFAR-10 (five batches, ``test_batch``, ``batches.meta``) or CIFAR-100 (``train``, ``test``, ``meta``)."""
    classes = parameters.get("classes", 10)
    patterns = _textures(classes, seed)
    pictures, labels = _images(patterns, images, [seed, 0])
    test, test_labels = _images(patterns, images // 5, [seed, 1])
    names = [f"stand-in {number}" for number in range(classes)]
    if classes == 10:
        for number, ids in enumerate(np.array_split(np.arange(images), 5), start=1):
            batch = _batch(f"training batch {number} of 5", pictures[ids]) | {"labels": labels[ids].tolist()}
            _pickle(folder / f"data_batch_{number}", batch)
        _pickle(folder / "test_batch", _batch("testing batch 1 of 1", test) | {"labels": test_labels.tolist()})
        _pickle(folder / "batches.meta", {"num_cases_per_batch": images // 5, "label_names": names, "num_vis": 3072})
        return
    for name, part, fine in (("train", pictures, labels), ("test", test, test_labels)):
        coarse = {"fine_labels": fine.tolist(), "coarse_labels": (fine // 5).tolist()}
        _pickle(folder / name, _batch(f"{name}ing batch 1 of 1", part) | coarse)
    _pickle(folder / "meta", {"fine_label_names": names, "coarse_label_names": names[:20]})


def write_svhn(folder: Path, parameters: Mapping[str, Any], images: int, size: int, seed: int) -> None:
    """SVHN: ``train_32x32.mat`` and ``test_32x32.mat``; the digit 0 has the label 10."""
    patterns = _digits(32, 3, seed)
    for part, name, number in ((0, "train", images), (1, "test", images // 5)):
        pictures, labels = _images(patterns, number, [seed, part])
        y = np.where(labels == 0, 10, labels).astype(np.uint8)[:, None]
        write_mat(folder / f"{name}_32x32.mat", {"X": pictures.transpose(2, 3, 1, 0), "y": y})


def write_mnist(folder: Path, parameters: Mapping[str, Any], images: int, size: int, seed: int) -> None:
    """MNIST: the four gzipped idx files."""
    patterns = _digits(28, 1, seed)
    for part, name, number in ((0, "train", images), (1, "t10k", images // 5)):
        pictures, labels = _images(patterns, number, [seed, part])
        for kind, array in (("images-idx3", pictures[:, 0]), ("labels-idx1", labels.astype(np.uint8))):
            header = np.array([_UNSIGNED_BYTE << 8 | array.ndim, *array.shape], ">u4").tobytes()
            (folder / f"{name}-{kind}-ubyte.gz").write_bytes(gzip.compress(header + array.tobytes(), 1, mtime=0))


def write_usps(folder: Path, parameters: Mapping[str, Any], images: int, size: int, seed: int) -> None:
    """USPS: ``usps.bz2`` and ``usps.t.bz2``, a line a digit: its label from 1, and ``number:value`` from -1 to 1."""
    patterns = _digits(16, 1, seed)
    for part, name, number in ((0, "usps", images), (1, "usps.t", images // 5)):
        pictures, labels = _images(patterns, number, [seed, part])
        values = pictures.reshape(number, -1) / np.float32(255) * 2 - 1
        lines = [
            " ".join([str(label + 1), *(f"{place}:{value:.6f}" for place, value in enumerate(row, start=1))])
            for label, row in zip(labels, values, strict=True)
        ]
        (folder / f"{name}.bz2").write_bytes(bz2.compress("\n".join(lines).encode("ascii"), 1))


def _images(patterns: Bytes, number: int, seed: list[int]) -> tuple[Bytes, NDArray[np.int64]]:
    """Images (number, C, S, S) of classes in turn, shuffled; and their labels."""
    rng = np.random.default_rng(seed)
    classes, variants, extent = patterns.shape[:3]
    side = extent - _MARGIN
    labels = rng.permutation(np.arange(number) % classes)
    result = np.empty((number, patterns.shape[-1], side, side), np.uint8)
    for image, label in zip(result, labels, strict=True):
        pattern = patterns[label, rng.integers(variants)].astype(np.float32)
        top, left = rng.integers(0, _MARGIN + 1, 2)
        cut = pattern[top : top + side, left : left + side] * rng.uniform(0.6, 1.2) + rng.uniform(-20, 20)
        noise = rng.standard_normal(cut.shape, np.float32) * np.float32(rng.uniform(5, 40))
        image[:] = np.clip(cut + noise, 0, 255).astype(np.uint8).transpose(2, 0, 1)
    return result, labels


def _textures(classes: int, seed: int) -> Bytes:
    """(classes, 1, S, S, 3): a card of textures each."""
    import cv2

    from harness.data.generators.textures import card

    side = 32 + _MARGIN
    cards = [card(np.random.default_rng([seed, label]), 4 * side)[..., :3] for label in range(classes)]
    return np.stack([cv2.resize(one, (side, side), interpolation=cv2.INTER_AREA)[None] for one in cards])


def _digits(size: int, channels: int, seed: int) -> Bytes:
    """(10, 8, S, S, C): digits of several fonts; in colour where there are three channels."""
    import cv2

    side = size + _MARGIN
    fonts = (cv2.FONT_HERSHEY_SIMPLEX, cv2.FONT_HERSHEY_DUPLEX, cv2.FONT_HERSHEY_TRIPLEX, cv2.FONT_HERSHEY_COMPLEX)
    result = np.zeros((_DIGITS, 2 * len(fonts), side, side, channels), np.uint8)
    for digit in range(_DIGITS):
        for variant in range(2 * len(fonts)):
            rng = np.random.default_rng([seed, digit, variant])
            pattern = result[digit, variant]
            pattern[:] = 0 if channels == 1 else rng.integers(0, 100, 3)
            colour = (255,) if channels == 1 else tuple(map(int, rng.integers(150, 256, 3)))
            place, thickness = (side // 5, side - side // 5), 1 + variant % 2
            cv2.putText(pattern, str(digit), place, fonts[variant // 2], side / 32, colour, thickness, cv2.LINE_AA)
    return result


def _batch(label: str, pictures: Bytes) -> dict[str, Any]:
    names = [f"stand_in_{number:05d}.png" for number in range(len(pictures))]
    return {"batch_label": label, "data": pictures.reshape(len(pictures), -1), "filenames": names}


def _pickle(file: Path, content: Mapping[str, Any]) -> None:
    file.write_bytes(pickle.dumps(dict(content), protocol=2))
