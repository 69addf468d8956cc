"""Whether what a spec puts together can work: mistakes that a run would find after hours."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from harness.core.errors import BadParameter, HarnessError, InvalidInput
from harness.plugin_api import ChangesByCycle, DataFolders, KeepsFeatures, KnowsLabels, RestoresModel
from harness.retrieval.signed import require_signs
from harness.runs.identity import Run


def unfitting(runs: Iterable[Run], folders: DataFolders) -> list[HarnessError]:
    """The mistakes in the runs of a plan, each once: data, first labels, and methods that lack what they need.

    Labels are read where the dataset can give them without its images; nothing else is loaded.
    """
    found: dict[str, HarnessError] = {}
    read: set[tuple[str, str]] = set()
    for run in runs:
        if run.task == "retrieval":
            found |= {error.headline: error for error in (*_of_descriptors(run), *_of_signed_maps(run))}
        if run.task != "active-learning" or run.incomplete:
            continue
        mistakes = list(_of_methods(run))
        if (asked := (run.dataset.label, repr(run.protocol))) not in read:
            read.add(asked)
            mistakes += _of_data(run, folders)
        found |= {error.headline: error for error in reversed(mistakes)}
    return list(found.values())


def _of_descriptors(run: Run) -> Iterator[HarnessError]:
    whitening = run.methods.get("whitening")
    if "descriptors" in run.methods and whitening is not None and whitening.learning_set is not None:
        yield BadParameter(
            f'whitening "{whitening.id.name}" cannot be learnt on {whitening.learning_set.name}: '
            "descriptors from files are those of one set",
            fix="leave out learn_on, or a backbone and a pooling",
        )


def _of_signed_maps(run: Run) -> Iterator[HarnessError]:
    if (backbone := run.methods.get("backbone")) is None:
        return
    used = {kind: run.methods[kind] for kind in ("pooling", "reranking") if kind in run.methods}
    try:
        require_signs(backbone.method, {f'{kind} "{m.id.name}"': m.method for kind, m in used.items()})
    except InvalidInput as error:
        yield BadParameter(error.headline, fix=error.fix)


def _of_methods(run: Run) -> Iterator[HarnessError]:
    protocol = run.protocol
    acquisition, network = run.methods["acquisition"], run.methods["network"]
    choices = [_choice(acquisition.method, number) for number in range(protocol.cycles)]
    # Of a network that says nothing of its dropout the run itself finds out.
    if getattr(network.method, "dropout", None) == 0 and any(getattr(one, "needs_dropout", False) for one in choices):
        yield BadParameter(
            f'acquisition "{acquisition.id.name}" needs dropout, network "{network.id.name}" has none',
            fix=f"{network.id.name}: {{dropout: 0.25}}",
        )
    learning = run.methods["learning"]
    parts = getattr(type(learning.method), "parts", (type(learning.method),))
    if not getattr(parts[-1], "linear_head", True) and any(getattr(one, "needs_head", False) for one in choices):
        yield BadParameter(
            f'acquisition "{acquisition.id.name}" needs a linear last layer, learning "{learning.id.name}" has none',
            fix="learning: logistic or supervised",
        )
    if any(getattr(part, "needs_images", False) for part in parts) and isinstance(network.method, KeepsFeatures):
        yield BadParameter(
            f'learning "{learning.id.name}" needs images, network "{network.id.name}" learns from fixed features',
            fix="learning: propagation, which uses unlabelled features, or a network of images",
        )
    if protocol.first_set == "acquisition" and not getattr(choices[0], "cold_start", False):
        yield BadParameter(
            f'acquisition "{acquisition.id.name}" cannot choose the first labels: it needs some',
            fix="first_set: balanced or random, or an acquisition such as typiclust first (typiclust+margin)",
        )
    if protocol.warm_start and isinstance(run.methods["learning"].method, RestoresModel):
        name = run.methods["learning"].id.name
        yield BadParameter(f'learning "{name}" has no weights to start from', fix="warm_start: false")


def _choice(acquisition: Any, number: int) -> Any:
    return acquisition.at(number) if isinstance(acquisition, ChangesByCycle) else acquisition


def _of_data(run: Run, folders: DataFolders) -> Iterator[HarnessError]:
    loader, protocol = run.dataset.loader.method, run.protocol
    if not isinstance(loader, KnowsLabels):
        return
    try:
        sizes = np.bincount(loader.labels(folders))
    except HarnessError as error:
        yield error
        return
    name = run.dataset.label or run.dataset.name
    if protocol.label_costs and len(protocol.label_costs) != len(sizes):
        yield BadParameter(f"label_costs has {len(protocol.label_costs)} numbers, {name} has {len(sizes)} classes")
    if protocol.initial > sizes.sum():
        yield BadParameter(f"initial is {protocol.initial}, {name} has {sizes.sum()} examples")
    elif protocol.first_set == "balanced" and protocol.imbalance == 1 and sizes.min() < protocol.initial // len(sizes):
        yield BadParameter(
            f"initial {protocol.initial} asks for {protocol.initial // len(sizes)} labels of each class, class "
            f"{int(sizes.argmin())} of {name} has {sizes.min()} examples",
            fix="lower initial, or first_set: random",
        )
