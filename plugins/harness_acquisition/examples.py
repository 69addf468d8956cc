"""Records for ``replay`` to be tried on by ``harness check``."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def records_to_replay(folder: Path) -> Mapping[str, Any]:
    """Records of runs that start from the odd positions (1, 3, 5, ...) or from everything, and pick the rest in order.

    The pools of ``harness check`` have their labels there.
    """
    for labels in range(21):
        start = list(range(1, 2 * labels, 2))
        _write(folder / f"{labels}-labels.json", start, sorted(set(range(200)) - set(start)))
    _write(folder / "all.json", [0, 1], [])
    return {"runs": str(folder), "acquisition": "entropy"}


def _write(path: Path, start: list[int], picks: list[int]) -> None:
    names = {"acquisition": "entropy", "learning": "supervised", "network": "small-cnn"}
    methods = {kind: {"name": name} for kind, name in names.items()}
    cycles = [{"labelled": start}, {"labelled": picks}]
    path.write_text(json.dumps({"methods": methods, "details": {"cycles": cycles}}), encoding="utf-8")
