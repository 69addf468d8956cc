"""Whether what a spec puts together can work: mistakes that a run would find after hours."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final

import numpy as np

from harness.core.document import At
from harness.core.errors import BadParameter, HarnessError, InvalidInput
from harness.plugin_api import ChangesByCycle, DataFolders, KeepsFeatures, KnowsLabels, RestoresModel
from harness.retrieval.signed import require_signs
from harness.runs.identity import Run
from harness.runs.spec import PROTOCOL, Spec

DATASETS: Final = "datasets"


About = tuple[str, str]
"""What a mistake is about: a kind and the name of its method, ``protocol`` and an option, or ``datasets``."""
Mistake = tuple[HarnessError, About]


def unfitting(spec: Spec, runs: Iterable[Run], folders: DataFolders) -> list[HarnessError]:
    """The mistakes in the runs of a spec, each once with its place: data, first labels, methods without what they need.

    Labels are read where the dataset can give them without its images; nothing else is loaded.
    """
    found: dict[str, Mistake] = {}
    read: set[tuple[str, str]] = set()
    for run in runs:
        if run.task == "retrieval":
            found |= {mistake[0].headline: mistake for mistake in (*_of_descriptors(run), *_of_signed_maps(run))}
        if run.task != "active-learning" or run.incomplete:
            continue
        mistakes = list(_of_methods(run))
        if (asked := (run.dataset.label, repr(run.protocol))) not in read:
            read.add(asked)
            mistakes += _of_data(run, folders)
        found |= {mistake[0].headline: mistake for mistake in reversed(mistakes)}
    return [spec.document.error(error, _place(spec, *about)) for error, about in found.values()]


def _place(spec: Spec, kind: str, name: str) -> At:
    """Where a spec has what a mistake is about; the nearest that it has, where that is a default."""
    if kind == PROTOCOL:
        own = [(combination.protocol, (*combination.at, PROTOCOL)) for combination in spec.combinations]
        own += [(options, ("protocols", dataset)) for dataset, options in spec.protocols.items()]
        places = [(*at, name) for options, at in own if name in options]
        return places[0] if places else (PROTOCOL, name)
    choices = [choice for combination in spec.combinations for choice in combination.kinds.get(kind, ()) if choice]
    return next((choice.at for choice in choices if choice.name == name), choices[0].at if choices else (kind,))


def _of_descriptors(run: Run) -> Iterator[Mistake]:
    whitening = run.methods.get("whitening")
    if "descriptors" in run.methods and whitening is not None and whitening.learning_set is not None:
        error = BadParameter(
            f'whitening "{whitening.id.name}" cannot be learnt on {whitening.learning_set.name}: '
            "descriptors from files are those of one set",
            fix="leave out learn_on, or a backbone and a pooling",
        )
        yield error, ("whitening", whitening.id.name)


def _of_signed_maps(run: Run) -> Iterator[Mistake]:
    if (backbone := run.methods.get("backbone")) is None:
        return
    used = {kind: run.methods[kind] for kind in ("pooling", "reranking") if kind in run.methods}
    try:
        require_signs(backbone.method, {f'{kind} "{m.id.name}"': m.method for kind, m in used.items()})
    except InvalidInput as error:
        yield BadParameter(error.headline, fix=error.fix), ("backbone", backbone.id.name)


def _of_methods(run: Run) -> Iterator[Mistake]:
    protocol = run.protocol
    acquisition, network = run.methods["acquisition"], run.methods["network"]
    asking, learning = ("acquisition", acquisition.id.name), run.methods["learning"]
    choices = [_choice(acquisition.method, number) for number in range(protocol.cycles)]
    # Of a network that says nothing of its dropout the run itself finds out.
    if getattr(network.method, "dropout", None) == 0 and any(getattr(one, "needs_dropout", False) for one in choices):
        error = BadParameter(
            f'acquisition "{acquisition.id.name}" needs dropout, network "{network.id.name}" has none',
            fix=f"{network.id.name}: {{dropout: 0.25}}",
        )
        yield error, asking
    parts = getattr(type(learning.method), "parts", (type(learning.method),))
    if not getattr(parts[-1], "linear_head", True) and any(getattr(one, "needs_head", False) for one in choices):
        error = BadParameter(
            f'acquisition "{acquisition.id.name}" needs a linear last layer, learning "{learning.id.name}" has none',
            fix="learning: logistic or supervised",
        )
        yield error, asking
    if any(getattr(part, "needs_images", False) for part in parts) and isinstance(network.method, KeepsFeatures):
        error = BadParameter(
            f'learning "{learning.id.name}" needs images, network "{network.id.name}" learns from fixed features',
            fix="learning: propagation, which uses unlabelled features, or a network of images",
        )
        yield error, ("learning", learning.id.name)
    if protocol.first_set == "acquisition" and not getattr(choices[0], "cold_start", False):
        error = BadParameter(
            f'acquisition "{acquisition.id.name}" cannot choose the first labels: it needs some',
            fix="first_set: balanced or random, or an acquisition such as typiclust first (typiclust+margin)",
        )
        yield error, asking
    if protocol.warm_start and isinstance(learning.method, RestoresModel):
        reason = f'learning "{learning.id.name}" has no weights to start from'
        yield BadParameter(reason, fix="warm_start: false"), (PROTOCOL, "warm_start")


def _choice(acquisition: Any, number: int) -> Any:
    return acquisition.at(number) if isinstance(acquisition, ChangesByCycle) else acquisition


def _of_data(run: Run, folders: DataFolders) -> Iterator[Mistake]:
    loader, protocol = run.dataset.loader.method, run.protocol
    if not isinstance(loader, KnowsLabels):
        return
    try:
        sizes = np.bincount(loader.labels(folders))
    except HarnessError as error:
        yield error, (DATASETS, "")
        return
    name = run.dataset.label or run.dataset.name
    if protocol.label_costs and len(protocol.label_costs) != len(sizes):
        reason = f"label_costs has {len(protocol.label_costs)} numbers, {name} has {len(sizes)} classes"
        yield BadParameter(reason), (PROTOCOL, "label_costs")
    if protocol.initial > sizes.sum():
        reason = f"initial is {protocol.initial}, {name} has {sizes.sum()} examples"
        yield BadParameter(reason), (PROTOCOL, "initial")
    elif protocol.first_set == "balanced" and protocol.imbalance == 1 and sizes.min() < protocol.initial // len(sizes):
        reason = (
            f"initial {protocol.initial} asks for {protocol.initial // len(sizes)} labels of each class, class "
            f"{int(sizes.argmin())} of {name} has {sizes.min()} examples"
        )
        yield BadParameter(reason, fix="lower initial, or first_set: random"), (PROTOCOL, "initial")
