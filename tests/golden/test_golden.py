"""Numbers move only with their result version, and a result version only with new golden values."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))  # tests are no package: golden and engines lie beside this file

import golden

ALL = {entry.name: entry for entry in golden.all_golden()}
SLOW = {"backbone:resnet101"}
"""Those that take more than a few seconds."""


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow) if name in SLOW else name for name in sorted(ALL)]
)
def test_numbers_are_those_of_their_result_version(name):
    assert not (problem := ALL[name].problem()), problem


def test_no_golden_values_are_left_of_what_is_gone():
    files = {path for path in golden.FOLDER.glob("*.json")}
    assert files == {entry.file for entry in ALL.values()}


@pytest.fixture
def search(tmp_path, monkeypatch):
    """The golden values of ``search``, in a folder of the test."""
    shutil.copy(ALL["search"].file, tmp_path)
    monkeypatch.setattr(golden, "FOLDER", tmp_path)

    def of(version: int) -> golden.Golden:
        return golden.Golden("search", version, ALL["search"].compute)

    return of


def test_another_tie_rule_is_red_until_the_version_is_raised(search, monkeypatch):
    from harness.search import exact

    version = ALL["search"].version
    assert search(version).problem() == ""
    # The highest index first.
    monkeypatch.setattr(exact, "keys_of", _keys_of_highest)
    monkeypatch.setattr(exact, "decoded", _decoded_of_highest)
    assert "raise result_version of search, then run `make golden`" in search(version).problem()
    raised = search(version + 1)
    assert f"is {version + 1}, its golden values are of version {version}: run `make golden`" in raised.problem()
    monkeypatch.setattr(golden, "all_golden", lambda: [raised])
    assert golden.write() == []
    assert search(version + 1).problem() == ""


def test_make_golden_writes_nothing_over_values_that_moved(search, monkeypatch):
    moved = golden.Golden("search", ALL["search"].version, lambda: {"x": {"shape": [1], "length": 1.0, "some": [1.0]}})
    before = moved.file.read_text()
    monkeypatch.setattr(golden, "all_golden", lambda: [moved])
    (problem,) = golden.write()
    assert "raise result_version of search" in problem
    assert golden.json.loads(moved.file.read_text())["search"] == golden.json.loads(before)["search"]


def _keys_of_highest(scores, indices):
    ids = np.arange(indices, indices + scores.shape[-1]) if isinstance(indices, int) else indices
    bits = (scores + np.float32(0)).view(np.uint32)
    upper = np.where(bits >> 31, ~bits, bits | np.uint32(1 << 31)).astype(np.uint64)
    return (upper << np.uint64(32)) | ids.astype(np.uint64)


def _decoded_of_highest(keys):
    upper = (keys >> np.uint64(32)).astype(np.uint32)
    scores = np.where(upper >> 31, upper ^ np.uint32(1 << 31), ~upper).view(np.float32)
    return (keys & np.uint64(2**32 - 1)).astype(np.int64), scores


PLAN = """
import sys
from harness.data.folders import data_folders
from harness.runs.plan import make_plan
import harness
assert harness.__file__.startswith(sys.argv[1]), harness.__file__
print(*[run.id for run in make_plan(sys.argv[2], data_folders(sys.argv[3], sys.argv[3])).runs])
"""


def test_a_renamed_variable_changes_no_run_id(tmp_path, root, monkeypatch):
    """A copy of the harness in which a local variable of ``search.top_k`` has another name plans the same runs."""
    for folder in ("harness", "plugins"):
        shutil.copytree(root / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(root / "datasets.yaml", tmp_path)
    spec = root / "leaderboards" / "quick-retrieval" / "spec.yaml"

    def ids() -> str:
        monkeypatch.setenv("PYTHONPATH", f"{tmp_path}:{tmp_path / 'plugins'}")
        command = [sys.executable, "-c", PLAN, str(tmp_path), str(spec), str(tmp_path / "data")]
        return subprocess.run(command, capture_output=True, text=True, check=True, cwd=tmp_path).stdout

    before = ids()
    assert len(before.split()) > 50
    file = tmp_path / "harness" / "search" / "exact.py"
    text = file.read_text()
    renamed = re.sub(r"(?<=[ (])itself(?= =| and)", "same_set", text)
    assert renamed != text
    file.write_text(renamed)
    assert ids() == before
