"""Which runs of a plan read the same maps: a network sees each image once, whatever pools, fits or re-ranks its maps.

Those maps are kept on disk until the plan is done. Imports nothing slow.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from harness.core.devices import CPU, FP32, numerics_key
from harness.core.digest import digest
from harness.plugin_api import DescribesImages, ExpandsRegions, LearnsFromMaps, MayLearn
from harness.retrieval.map_store import maps_folder
from harness.runs.identity import Run


def with_shared_maps(runs: Iterable[Run]) -> tuple[Run, ...]:
    """The runs, marked where maps are read more than once, by the run itself or by another."""
    planned = tuple(runs)
    readers: dict[str, set[str]] = {}
    for run in planned:
        if "backbone" in run.methods:
            readers.setdefault(_source(run), set()).update(_readers(run))
    return tuple(replace(run, shares_maps=True) if len(readers.get(_source(run), ())) > 1 else run for run in planned)


def kept_maps(run: Run, cache: Path) -> Path | None:
    """Folder of the maps that a run shares; None where it shares none."""
    return maps_folder(cache, _keys(run), run.protocol.image_size) if run.shares_maps else None


def remove_maps(runs: Iterable[Run], cache: Path) -> None:
    """Remove the maps of runs that are done."""
    for folder in {kept for run in runs if (kept := kept_maps(run, cache))}:
        shutil.rmtree(folder, ignore_errors=True)


def _readers(run: Run) -> set[str]:
    """What reads the maps of this run: each once."""
    scales = list(run.protocol.scales)
    pooling, reranking, expansion = (run.methods.get(kind) for kind in ("pooling", "reranking", "expansion"))
    return {digest([reader, scales, *key]) for reader, key in _readings(pooling, reranking, expansion)}


def _readings(pooling: Any, reranking: Any, expansion: Any) -> Iterable[tuple[str, list[Any]]]:
    if pooling is not None:
        yield "pool", [pooling.key]
        method = pooling.method
        if isinstance(method, LearnsFromMaps) and (not isinstance(method, MayLearn) or method.learns):
            yield "fit", [pooling.key]
    if reranking is not None and not isinstance(reranking.method, DescribesImages):
        yield "re-rank", [reranking.key]
    if expansion is not None and isinstance(expansion.method, ExpandsRegions):
        yield "regions", [pooling.key]


def _source(run: Run) -> str:
    """What the maps are of."""
    return digest([_keys(run), run.protocol.image_size]) if "backbone" in run.methods else ""


def _keys(run: Run) -> dict[str, Any]:
    """Identity of the network, of the data, and of the arithmetic where it is another than float32 on the CPU."""
    keys = {"backbone": run.methods["backbone"].key, "dataset": {"fingerprint": run.dataset.fingerprint}}
    device, numerics = run.protocol.device, run.protocol.numerics
    return keys if (device, numerics) == (CPU, FP32) else {**keys, "numerics": numerics_key(device, numerics)}
