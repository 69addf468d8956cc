"""What answers at once must load nothing heavy; checked in a fresh process."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest

from harness.runs.identity import protocol_identity, recorded_id
from harness.runs.record import Record
from harness.runs.store import Store

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


def loaded(*arguments: str, heavy: list[str] = HEAVY) -> list[str]:
    code = PROBE.format(arguments=list(arguments), heavy=heavy)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


@pytest.mark.parametrize(
    "arguments", [["--help"], ["methods"], ["methods", "pooling", "gem"], ["methods", "acquisition"], ["datasets"]]
)
def test_listings_load_nothing_heavy(arguments):
    assert loaded(*arguments) == []


OF_OTHER_COMMANDS = [
    *("harness.cli.run", "harness.cli.listing", "harness.runs.runner", "harness.metrics.protocols"),
    *("concurrent.futures", "psutil", "tabulate", "tarfile", "wcwidth"),
]
"""What runs methods, lists them or reads commits: together a quarter of the time of a small board."""


@pytest.mark.parametrize("board", ["quick-retrieval", "quick-active"])
def test_planning_and_leaderboards_load_nothing_heavy(root, board, tmp_path):
    # Without the records that somebody has of the board: comparing them loads more.
    spec, runs = str(root / "leaderboards" / board / "spec.yaml"), ["--runs", str(tmp_path)]
    assert loaded("leaderboard", spec, *runs, heavy=[*HEAVY, *OF_OTHER_COMMANDS]) == []
    assert loaded("run", spec, "--dry-run", *runs) == []


OF_OTHER_BOARDS = ["scipy", "numpy.f2py", "rich", "harness.boards.plots", "harness.boards.render.latex"]
"""What takes a board of a few runs longer to load than to make."""


def test_a_board_of_retrieval_loads_what_it_shows(tmp_path):
    """Twelve records with queries in groups: intervals and joint flips, and what they could find."""
    store, rng = Store(tmp_path), np.random.default_rng(0)
    method = {"kind": "pooling", "name": "gem", "plugin": "p", "version": "1", "digest": "d", "origin": "o"}
    for p in range(12):
        aps = rng.random(40).tolist()
        record = Record(
            **{"id": "", "status": "done", "task": "retrieval", "seed": 0, "started": "", "finished": ""},
            protocol={},
            protocol_id=protocol_identity("retrieval", {}, {}),
            dataset={"name": "set", "loader": "l", "parameters": {}, "fingerprint": "f" * 64},
            methods={"pooling": {"parameters": {"p": p}, **method}},
            metrics={"map_medium": float(np.mean(aps))},
            details={"ap_medium": aps, "groups": [q // 2 for q in range(40)]},
        )
        store.write(record.model_copy(update={"id": recorded_id(record)}))
    assert loaded("leaderboard", str(tmp_path), heavy=[*HEAVY, *OF_OTHER_COMMANDS, *OF_OTHER_BOARDS]) == []


def test_planning_reads_no_source_of_built_in_methods(root, tmp_path):
    """The exact source is for records that are written: digests of eighty files take longer than a board of a spec."""
    code = (
        "from pathlib import Path; from harness.plugin_api import DataFolders; from harness.registry import source;"
        "from harness.runs.plan import make_plan; from harness.runs.planned import planned_records, runs_store;"
        "digested = []; own = source._own_digest;"
        "source._own_digest = lambda name: (digested.append(name), own(name))[1];"
        "source.source_digest.cache_clear();"
        f"plan = make_plan(Path({str(root / 'leaderboards' / 'first-look' / 'spec.yaml')!r}),"
        " DataFolders(Path('.'), Path('.')), incomplete=True);"
        f"shown = planned_records(plan, runs_store(plan, {str(tmp_path)!r}));"
        "print(len(digested), *{record.status for record in shown})"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["0", "missing"]


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
