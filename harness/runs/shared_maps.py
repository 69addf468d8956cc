"""Which runs of a plan read the same maps: a network sees each image once, whatever pools, fits or re-ranks its maps.

Built-in poolings that learn nothing pool them in one pass. Where that is not all, maps are kept on disk until the plan
is done. Imports nothing slow.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from harness.core.devices import CPU, FP32, numerics_key
from harness.core.digest import digest
from harness.plugin_api import DescribesImages, ExpandsRegions
from harness.plugin_api.pooling import learns_from_maps
from harness.retrieval.map_store import maps_folder
from harness.runs.identity import Configured, Run


def with_shared_maps(runs: Iterable[Run], *, jointly: bool = True) -> tuple[Run, ...]:
    """The runs with the poolings of their pass, marked where maps are read more than once, by a run or by others.

    Args:
        runs: those that are to be done.
        jointly: whether a run pools for others; if not, maps are kept for them.
    """
    planned = tuple(runs)
    together = {run.id for run in planned if jointly and _pools_jointly(run)}
    readers: dict[str, set[str]] = {}
    passes: dict[str, dict[str, Configured]] = {}
    for run in planned:
        if "backbone" in run.methods:
            readers.setdefault(_source(run), set()).update(_readers(run, run.id in together))
            if run.id in together:
                pooling = run.methods["pooling"]
                passes.setdefault(pass_of(run), {}).setdefault(digest(pooling.key), pooling)

    def marked(run: Run) -> Run:
        shares, joint = len(readers.get(_source(run), ())) > 1, dict[str, Configured]()
        if run.id in together:
            own = digest(run.methods["pooling"].key)
            joint = {key: pooling for key, pooling in passes[pass_of(run)].items() if key != own}
        return replace(run, shares_maps=shares, joint_poolings=tuple(joint.values()))

    return tuple(map(marked, planned))


def pass_of(run: Run) -> str:
    """What a pass of the network is, for the poolings of all runs that share it."""
    return digest([_source(run), run.dataset.key, list(run.protocol.scales)])


def kept_maps(run: Run, cache: Path) -> Path | None:
    """Folder of the maps that a run shares; None where it shares none."""
    return maps_folder(cache, _keys(run), run.protocol.image_size) if run.shares_maps else None


def remove_maps(runs: Iterable[Run], cache: Path) -> None:
    """Remove the maps of runs that are done."""
    for folder in {kept for run in runs if (kept := kept_maps(run, cache))}:
        shutil.rmtree(folder, ignore_errors=True)


def _readers(run: Run, jointly: bool) -> set[str]:
    """What reads the maps of this run: each once; poolings of one pass together."""
    scales = list(run.protocol.scales)
    return {digest([reader, scales, *key]) for reader, key in _readings(run, jointly)}


def _readings(run: Run, jointly: bool) -> Iterable[tuple[str, list[Any]]]:
    pooling, reranking, expansion = (run.methods.get(kind) for kind in ("pooling", "reranking", "expansion"))
    if pooling is not None:
        yield "pool", [run.dataset.key] if jointly else [pooling.key]
        if learns_from_maps(pooling.method):
            yield "fit", [pooling.key]
    if reranking is not None and not isinstance(reranking.method, DescribesImages):
        yield "re-rank", [reranking.key]
    if pooling is not None and expansion is not None and isinstance(expansion.method, ExpandsRegions):
        yield "regions", [pooling.key]


def _pools_jointly(run: Run) -> bool:
    """Whether its maps are pooled for others in the same pass: what came with a plugin stays in its own runs."""
    pooling = run.methods.get("pooling")
    if pooling is None or "backbone" not in run.methods or not pooling.built_in or pooling.id.files:
        return False
    return not learns_from_maps(pooling.method)


def _source(run: Run) -> str:
    """What the maps are of."""
    return digest([_keys(run), run.protocol.image_size]) if "backbone" in run.methods else ""


def _keys(run: Run) -> dict[str, Any]:
    """Identity of the network, of the data, and of the arithmetic where it is another than float32 on the CPU."""
    keys = {"backbone": run.methods["backbone"].key, "dataset": {"fingerprint": run.dataset.fingerprint}}
    device, numerics = run.protocol.device, run.protocol.numerics
    return keys if (device, numerics) == (CPU, FP32) else {**keys, "numerics": numerics_key(device, numerics)}
