"""faiss for the CPU or for cards: which is used where, and what is said of both at once. Needs no card."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from types import SimpleNamespace

import faiss
import numpy as np
import pytest

from harness.core.errors import DataMissing
from harness.search import faiss_library as library
from harness.search.clustering import k_means
from harness.search.neighbours import neighbours


def distributions(*names):
    return lambda: [SimpleNamespace(metadata={"Name": name}, version="1.15") for name in names]


def test_one_faiss_is_right(monkeypatch):
    monkeypatch.setattr(
        library.importlib.metadata, "distributions", distributions("faiss-cpu", "faiss-haystack", "numpy")
    )
    assert library.installed() == ("faiss-cpu 1.15",)
    assert library.mistake() == ""


def test_two_are_named_with_what_repairs_them(monkeypatch):
    monkeypatch.setattr(library.importlib.metadata, "distributions", distributions("faiss-cpu", "faiss-gpu-cu12"))
    assert library.mistake().endswith("pip uninstall -y faiss-cpu faiss-gpu-cu12 && pip install faiss-gpu-cu12")


def test_a_faiss_that_cannot_be_loaded_says_what_to_do(monkeypatch):
    monkeypatch.setitem(sys.modules, "faiss", None)
    with pytest.raises(DataMissing, match="faiss cannot be loaded") as caught:
        k_means(np.eye(3, dtype=np.float32), 2, 0, 3)
    assert caught.value.fix == "pip install faiss-cpu"
    monkeypatch.setattr(library.importlib.metadata, "distributions", distributions("faiss-cpu", "faiss-gpu"))
    with pytest.raises(DataMissing) as caught:
        library.faiss_library()
    assert "pip uninstall -y faiss-cpu faiss-gpu" in caught.value.fix


@pytest.fixture
def cards(monkeypatch):
    """A faiss that believes to have a card, and what it moves there: here it stays on the CPU."""
    there = []
    for name, value in (
        ("StandardGpuResources", object),
        ("get_num_gpus", lambda: 1),
        ("index_cpu_to_gpu", lambda resources, card, index: there.append(type(index).__name__) or index),
        ("index_cpu_to_all_gpus", lambda index, co=None, ngpu=-1: there.append(type(index).__name__) or index),
    ):
        monkeypatch.setattr(faiss, name, value, raising=False)
    monkeypatch.setattr("faiss.extra_wrappers.get_num_gpus", lambda: 1)
    return there


def test_a_run_on_the_gpu_clusters_and_searches_lists_there(cards, monkeypatch):
    x = np.random.default_rng(0).normal(size=(500, 8)).astype(np.float32)
    plain, lists = k_means(x, 5, 1, 10), neighbours(x, 4, method="ivf")
    assert cards == []
    monkeypatch.setattr(library, "default_device", lambda: "cuda")
    there = k_means(x, 5, 1, 10), neighbours(x, 4, method="ivf", device="cpu")
    assert cards == ["IndexFlatL2", "IndexIVFFlat"]
    assert np.array_equal(plain[1], there[0][1])
    assert np.array_equal(lists.indices, there[1].indices)


def test_a_faiss_for_the_cpu_stays_there(monkeypatch):
    monkeypatch.setattr(library, "default_device", lambda: "cuda")
    assert not library.on_gpu(SimpleNamespace(get_num_gpus=lambda: 1))
    assert library.on_gpu(SimpleNamespace(get_num_gpus=lambda: 1, StandardGpuResources=object))
    assert not library.on_gpu(SimpleNamespace(get_num_gpus=lambda: 0, StandardGpuResources=object))


@pytest.mark.slow
def test_the_two_wheels_overwrite_each_other(tmp_path):
    """Why there is no extra that adds the one to the other; skipped where no index of packages has both."""
    for name in ("faiss-cpu", "faiss-gpu-cu12"):
        command = [
            sys.executable,
            "-m",
            "pip",
            "download",
            "-q",
            "--no-deps",
            "--only-binary=:all:",
            "-d",
            str(tmp_path),
            name,
        ]
        if subprocess.run(command, capture_output=True, check=False).returncode:
            pytest.skip(f"{name} cannot be downloaded")
    files = [
        {name for name in zipfile.ZipFile(wheel).namelist() if name.endswith((".py", ".so"))}
        for wheel in tmp_path.glob("*.whl")
    ]
    assert len(files) == 2
    assert "faiss/__init__.py" in files[0] & files[1]
    assert "faiss/swigfaiss.py" in files[0] & files[1]
