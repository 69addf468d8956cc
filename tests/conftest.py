"""Fixtures of all tests."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TOY = str(ROOT / "tests" / "fixtures" / "toy.py")


@pytest.fixture
def root() -> Path:
    """The project's folder."""
    return ROOT


@pytest.fixture(scope="session")
def toy() -> str:
    """The plugin file with cheap methods."""
    return TOY


@pytest.fixture(autouse=True)
def _own_folders(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test reads or writes the user's data and cache."""
    monkeypatch.setenv("HARNESS_DATA", str(tmp_path_factory.getbasetemp() / "data"))
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))


@pytest.fixture
def realdata() -> Path:
    """The folder of real data; the test is skipped with a reason when it is not there."""
    folder = Path(os.environ.get("HARNESS_TEST_DATA") or ROOT.parent / "shared" / "data")
    if not folder.is_dir():
        pytest.skip(f"no real data at {folder}: set HARNESS_TEST_DATA")
    return folder
