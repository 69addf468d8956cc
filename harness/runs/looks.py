"""Which seeds were planned when a verdict was first shown: seeds that are added afterwards are disclosed on the board.

Looking again after more seeds is another test: the chance of a false difference grows with every look.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from harness.core.digest import digest
from harness.core.files import write_atomically
from harness.runs.record import Record

LOOKS: Final = "looks.jsonl"
"""The first look at each board, one a line, in a folder of records."""


def board_key(record: Record) -> str:
    """The board in which a record stands: task, data, protocol."""
    return digest([record.task, record.dataset.name, record.dataset.parameters, record.protocol])[:16]


def seen_seeds(folder: Path) -> dict[str, tuple[int, ...]]:
    """Seeds that were planned at the first look, by board; a damaged file counts as not there."""
    try:
        lines = (folder / LOOKS).read_text(encoding="utf-8").splitlines()
        looks = [json.loads(line) for line in lines]
        return {str(look["board"]): tuple(int(seed) for seed in look["seeds"]) for look in looks}
    except (OSError, ValueError, TypeError, KeyError):
        return {}


def keep_looks(folder: Path, planned: Mapping[str, Sequence[int]]) -> None:
    """Remember the first look at each board; nothing is written where all are known, or where nothing can be."""
    seen = seen_seeds(folder)
    if planned.keys() <= seen.keys() or not folder.is_dir():
        return
    looks = {**planned, **seen}
    text = "".join(json.dumps({"board": key, "seeds": list(seeds)}) + "\n" for key, seeds in sorted(looks.items()))
    try:
        write_atomically(folder / LOOKS, text.encode())
    except OSError:
        return  # a folder that cannot be written can still be looked at


def added_sentence(seeds: Sequence[int], planned: Sequence[int]) -> str:
    """What a board says of seeds that were added after a verdict was seen; empty where there are none."""
    added = sorted(set(seeds) - set(planned))
    if not added:
        return ""
    return (
        f"{len(added)} of {len(set(seeds))} seeds were added after a verdict was seen "
        f"({', '.join(map(str, added))}): the level does not hold."
    )
