"""``harness cache verify --recompute``: a sample of cached arrays is computed again and compared with what is stored.

The run that left an entry is done again in a process of its own, with the code and the plugins of today. What it finds
in the cache it takes from there; the entries of the sample are computed beside, and nothing is changed on the disk.
Entries that no run left, but ``harness view`` or an agreement study, say nothing that could be done again: their bytes
alone are checked.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from harness.cache.inspection import StoredEntry, cache_entries
from harness.plugin_api import DataFolders

if TYPE_CHECKING:
    from harness.cache import Arrays

_TOLERANCE: Final = 1e-4
"""Share of the largest value by which another processor or library may round."""


@dataclass(frozen=True)
class Recomputed:
    """One entry of the sample.

    Attributes:
        entry: as stored.
        outcome: ``equal``, ``close`` (up to rounding), ``differs``, or ``not computed``.
        why: the difference, or why it was not computed; empty where it is equal.
    """

    entry: StoredEntry
    outcome: str
    why: str = ""


def recomputable(folders: DataFolders) -> list[StoredEntry]:
    """Whole entries that say which run computed them, in the order of their names."""
    entries = [entry for entry in cache_entries(folders.cache) if entry.recipe and not entry.damage]
    return sorted(entries, key=lambda entry: entry.name)


def without_a_run(folders: DataFolders) -> int:
    """Number of whole entries that no run left: nothing says how to compute them again."""
    return sum(not entry.recipe and not entry.damage for entry in cache_entries(folders.cache))


def recompute(folders: DataFolders, count: int, seed: int | None = None) -> Iterator[Recomputed]:
    """Compute ``count`` entries, drawn at random, again; yields each as soon as it is compared.

    Args:
        folders: where data and cache live.
        count: how many at most.
        seed: of the draw; None draws others each time.
    """
    entries = recomputable(folders)
    sample = random.Random(seed).sample(entries, min(count, len(entries)))  # noqa: S311  # no secret
    runs: dict[str, list[StoredEntry]] = {}
    for entry in sorted(sample, key=lambda entry: entry.name):
        runs.setdefault(f"{entry.recipe['run']['id']} {entry.foreign}", []).append(entry)
    for group in runs.values():
        # A process per run: what one plugin loads must not be there for the next run.
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
            outcomes = pool.submit(_outcomes, group[0].recipe, group, folders).result()
        for entry in group:
            yield Recomputed(entry, *outcomes[entry.name])


def _outcomes(
    recipe: Mapping[str, Any], entries: Sequence[StoredEntry], folders: DataFolders
) -> dict[str, tuple[str, str]]:
    """Outcome and reason by the name of an entry; runs in a process of its own."""
    from harness.cache.entries import EntryFolder
    from harness.cache.provenance import foreign_names, recomputing

    foreign, wanted = bool(entries[0].foreign), frozenset(entry.name for entry in entries)
    with recomputing(wanted) as results:
        failure = _run_again(recipe, folders, foreign=foreign)
    if not failure and wanted - set(results):  # only asked for while another entry is computed
        with recomputing(frozenset(entry.name for entry in cache_entries(folders.cache))) as results:
            failure = _run_again(recipe, folders, foreign=foreign)
    if [list(code) for code in foreign_names()] != [list(code) for code in entries[0].foreign]:
        return {entry.name: ("not computed", "its plugins have changed or are missing") for entry in entries}
    outcomes = {}
    for entry in entries:
        if entry.name not in results:
            outcomes[entry.name] = (
                "not computed",
                failure or "its run no longer asks for it: code or data have changed",
            )
        else:
            outcomes[entry.name] = compared(EntryFolder(entry.folder).read(entry.name).arrays, results[entry.name])
    return outcomes


def _run_again(recipe: Mapping[str, Any], folders: DataFolders, *, foreign: bool) -> str:
    """Do the run of a recipe; returns why it failed, or nothing."""
    from harness.core.errors import HarnessError
    from harness.core.progress import SilentProgress
    from harness.registry import load_registry
    from harness.runs import single
    from harness.runs.record import Record
    from harness.runs.recreate import restored

    places = [Path(place) for place in recipe["places"]]
    try:
        plugins = recipe["plugins"] if foreign else ()
        registry = load_registry(plugins, built_in_only=not foreign)
        run = restored(Record.model_validate(recipe["run"]), registry, (*places, folders.root), folders)
    except (HarnessError, ValueError) as error:
        return str(error).partition("\n")[0]
    record = single.execute(run, folders, SilentProgress())
    return record.failure.message if record.failure else ""


def compared(stored: Arrays, computed: Arrays) -> tuple[str, str]:
    """Outcome and reason for the arrays of one entry."""
    import numpy as np

    if set(stored) == set(computed) == {"images", "rows"}:  # a portion of descriptors: only images that both have
        stored, computed = _by_image(stored, computed)
        if not stored:
            return "not computed", "its run has other images in its place: parts of a database are stored as they end"
    worst = 0.0
    for name in sorted({*stored, *computed}):
        left, right = stored.get(name), computed.get(name)
        if left is None or right is None or (left.shape, left.dtype) != (right.shape, right.dtype):
            return "differs", f"{name} has another shape or type"
        if np.array_equal(left, right, equal_nan=left.dtype.kind == "f"):
            continue
        if left.dtype.kind != "f" or not np.array_equal(np.isfinite(left), np.isfinite(right)):
            return "differs", f"{name} has other values"
        left, right = (np.nan_to_num(array.astype(np.float64), posinf=0, neginf=0) for array in (left, right))
        share = float(np.abs(left - right).max()) / (float(np.abs(left).max()) or 1.0)
        if share > _TOLERANCE:
            return "differs", f"{name} by {share:.2g} of its largest value"
        worst = max(worst, share)
    return ("close", f"by {worst:.2g} of the largest value") if worst else ("equal", "")


def _by_image(stored: Arrays, computed: Arrays) -> tuple[Arrays, Arrays]:
    """Rows of the images that are in both, by image."""
    tables = [
        {image.tobytes(): row for image, row in zip(arrays["images"], arrays["rows"], strict=True)}
        for arrays in (stored, computed)
    ]
    both = sorted(set(tables[0]) & set(tables[1]))
    left, right = ({image.hex()[:12]: table[image] for image in both} for table in tables)
    return left, right
