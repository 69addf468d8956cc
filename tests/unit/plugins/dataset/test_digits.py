from __future__ import annotations

import subprocess
import sys

import numpy as np

from harness.plugin_api import DataFolders
from harness_dataset.digits import Digits


def folders(tmp_path):
    return DataFolders(root=tmp_path / "data", cache=tmp_path / "cache")


def test_shapes_and_a_balanced_test(tmp_path):
    digits = Digits().load(folders(tmp_path))
    assert digits.train_images.shape == (1297, 1, 8, 8)
    assert digits.test_images.shape == (500, 1, 8, 8)
    assert digits.train_images.dtype == np.uint8
    assert digits.train_images.max() == 255
    assert not digits.flip
    every = np.bincount(np.concatenate([digits.train_labels, digits.test_labels]))
    assert np.abs(np.bincount(digits.test_labels) - every * 500 / 1797).max() < 1


def test_they_are_those_of_scikit_learn(tmp_path):
    from sklearn.datasets import load_digits

    original = load_digits()
    digits = Digits().load(folders(tmp_path))
    ours = np.concatenate([digits.train_images, digits.test_images]).reshape(-1, 64)
    labels = np.concatenate([digits.train_labels, digits.test_labels])
    rows = np.column_stack([original.images.reshape(-1, 64) * 255 // 16, original.target])
    assert sorted(map(bytes, np.column_stack([ours, labels]).astype(np.uint8))) == sorted(
        map(bytes, rows.astype(np.uint8))
    )


def test_the_seed_decides_the_split_and_the_fingerprint(tmp_path):
    place = folders(tmp_path)
    first, again, other = Digits().load(place), Digits().load(place), Digits(split_seed=1).load(place)
    assert np.array_equal(first.test_images, again.test_images)
    assert not np.array_equal(first.test_images, other.test_images)
    assert Digits().fingerprint(place) == Digits().fingerprint(place) != Digits(split_seed=1).fingerprint(place)


def test_scikit_learn_is_not_imported(tmp_path):
    code = (
        "import sys; from pathlib import Path; from harness.plugin_api import DataFolders; "
        "from harness_dataset.digits import Digits; "
        f"folders = DataFolders(Path({str(tmp_path)!r}), Path({str(tmp_path)!r})); "
        "Digits().fingerprint(folders); Digits().load(folders); "
        "print({'sklearn', 'torch'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
