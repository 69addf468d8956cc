"""What answers at once must load nothing heavy; checked in a fresh process."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

HEAVY = [
    "torch",
    "torchvision",
    "faiss",
    "cv2",
    "sklearn",
    "scipy.stats",
    "matplotlib",
    "numba",
    "igraph",
    "dask",
    "jinja2",
    "mlflow",
]
PROBE = """
import sys, json, contextlib, io
sys.argv = ["harness", *{arguments!r}]
from harness.cli import main
with contextlib.redirect_stdout(io.StringIO()) as out:
    try:
        main()
    except SystemExit as stop:
        assert not stop.code, stop.code
print(json.dumps([name for name in {heavy!r} if name in sys.modules]))
"""


def loaded(*arguments: str) -> list[str]:
    code = PROBE.format(arguments=list(arguments), heavy=HEAVY)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


@pytest.mark.parametrize(
    "arguments", [["--help"], ["methods"], ["methods", "pooling", "gem"], ["methods", "acquisition"], ["datasets"]]
)
def test_listings_load_nothing_heavy(arguments):
    assert loaded(*arguments) == []


@pytest.mark.parametrize("board", ["quick-retrieval", "quick-active"])
def test_planning_and_leaderboards_load_nothing_heavy(root, board):
    spec = str(root / "leaderboards" / board / "spec.yaml")
    assert loaded("leaderboard", spec) == []
    assert loaded("run", spec, "--dry-run") == []


def test_comparing_committed_boards_loads_nothing_heavy(root):
    board = str(root / "leaderboards" / "quick-retrieval")
    assert loaded("compare", board, board) == []
    assert loaded("gate", board, board) == []


def test_the_packages_import_nothing_heavy():
    code = (
        "import sys, harness, harness.active, harness.graph, harness.metrics, harness.plugin_api; print(*sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not set(HEAVY) & set(done.stdout.split())
