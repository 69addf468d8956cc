"""Whitenings learnt once from a training set and stored in a file, for the method ``learned`` (thesis 4.4, 5.3.5)."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np

from harness.cache import Cache
from harness.core.errors import SpecError
from harness.core.files import write_atomically
from harness.core.progress import Progress, SilentProgress
from harness.data.checkpoint import whole_checkpoint
from harness.data.folders import data_folders
from harness.runs.identity import Run
from harness.runs.plan import Plan, make_plan

TRAINING_SET: Final = "retrieval-SfM-120k"
"""Under which the method ``learned`` looks where nothing else is said (cirtorch, test.py)."""


def train_whitening(
    spec: str | Path | Mapping[str, Any],
    out: Path,
    *,
    training_set: str = TRAINING_SET,
    into: bool = False,
    plugins: tuple[str, ...] = (),
    catalogues: tuple[Path, ...] = (),
    data: str | Path | None = None,
    cache: str | Path | None = None,
    progress: Progress | None = None,
) -> str:
    """Learn the whitening of a retrieval spec from its dataset and write it as checkpoints of cirtorch hold it.

    The file has a whitening of descriptors of one scale (``ss``) or of several (``ms``); where the spec sweeps scales,
    both. Descriptors are cached as those of ``harness run`` are.

    Args:
        spec: path of a YAML spec, or the same as a mapping: one dataset with matching pairs, one backbone and pooling.
        out: the file.
        training_set: name of the whitening in the file.
        into: add the whitening to a checkpoint that ``out`` is already, and keep all else in it.
        plugins: files or modules with methods, besides the installed ones.
        catalogues: files with datasets, besides that of the harness.
        data: folder of the user's data (default ``$HARNESS_DATA``).
        cache: folder of the cache (default ``$HARNESS_CACHE``).
        progress: told how far the work is.

    Returns:
        SHA-256 of the file.

    Raises:
        Errors: mistakes in the spec, all at once.
        SpecError: the spec describes no whitening, or several of one kind.
        InvalidInput: the dataset has no pairs, and the whitening needs them.
        DataMissing, DataDamaged: there is no checkpoint to add the whitening to.
    """
    import torch

    checkpoint: dict[str, Any] = {"state_dict": {}, "meta": {}}
    if into:
        checkpoint = whole_checkpoint(str(out.absolute()))
    plan = make_plan(spec, data_folders(data, cache), plugins=plugins, catalogues=catalogues)
    kinds = _kinds(plan)
    learnt = {kind: _learnt(run, plan, progress or SilentProgress()) for kind, run in kinds.items()}
    content = io.BytesIO()
    whitenings = {**checkpoint["meta"].get("Lw", {}), training_set: learnt}
    torch.save({**checkpoint, "meta": {**checkpoint["meta"], "Lw": whitenings}}, content)
    write_atomically(out, content.getvalue())
    return hashlib.sha256(content.getvalue()).hexdigest()


def _kinds(plan: Plan) -> dict[str, Run]:
    """The run that gives the whitening of one scale, and that of several."""
    kinds: dict[str, Run] = {}
    for run in plan.runs:
        if run.task != "retrieval" or "whitening" not in run.methods:
            raise SpecError(f"{run.label} learns no whitening", fix="whitening: supervised")
        kind = "ss" if len(run.protocol.scales) == 1 else "ms"
        if kind in kinds:
            raise SpecError(
                f"{run.label} and {kinds[kind].label} both give the whitening {kind}", fix="one method of each kind"
            )
        kinds[kind] = run
    return kinds


def _learnt(run: Run, plan: Plan, progress: Progress) -> dict[str, Any]:
    """Mean (D, 1) and projection (d, D) float64."""
    from harness.retrieval.extraction import NamedBackbone
    from harness.retrieval.representation import Extraction

    dataset = run.dataset.loader.method.load(plan.folders)
    keys: dict[str, Any] = {kind: method.key for kind, method in run.methods.items()}
    keys["dataset"] = run.dataset.key
    names = {kind: f'{kind} "{method.id.name}"' for kind, method in run.methods.items()}
    source = NamedBackbone(run.methods["backbone"].method, names["backbone"])
    extraction = Extraction(dataset, run.protocol, source, progress)
    pooling, store = run.methods["pooling"].method, Cache(plan.folders.cache / "arrays")
    described = extraction.descriptors(pooling, names["pooling"], keys, store)
    fitted = run.methods["whitening"].method.fit(described.database, dataset.pairs)
    try:
        mean, projection = np.asarray(fitted.mean, np.float64), np.asarray(fitted.projection, np.float64)
    except AttributeError as error:
        raise SpecError(
            f"{names['whitening']} is no linear map that a file can hold", fix="whitening: supervised"
        ) from error
    return {"m": mean.reshape(-1, 1), "P": projection}
