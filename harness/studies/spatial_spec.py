"""Trains what a spec of spatial training describes: any backbone that offers its module (``plugin_api.HasModule``).

name: mine
backbone: {vgg16: {weights: none}}    # default tiny
start: before.pth                     # weights to start from, beside the spec
dataset: sfm120k                      # photographs with matching pairs; without it, images are generated
training: {steps: 100}                # harness.studies.spatial_training.SpatialTraining
checkpoints:                          # files beside the spec, and what is special about each
  tr.pth: {matching: none}
  tsp.pth: {matching: dsm, steps: 200}
"""

from __future__ import annotations

import hashlib
import io
import json
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from harness.core.document import At, Document, read_document
from harness.core.errors import Errors, HarnessError, InvalidInput, SpecError, UnknownName, nearest
from harness.core.files import write_atomically
from harness.core.progress import Progress, SilentProgress
from harness.data.catalogue import catalogue, catalogue_files
from harness.data.folders import data_folders, use
from harness.plugin_api import DataFolders, GuidesTraining, HasCheckpoint, HasModule, RetrievalSet
from harness.plugin_api.datasets import Dataset
from harness.registry import Registry, load_registry, parameters
from harness.studies.spatial_training import Losses, SpatialTraining, train
from harness.studies.training_pairs import TrainingPairs

_KEYS = ("name", "description", "backbone", "start", "dataset", "training", "checkpoints", "plugins")
_SUFFIXES = (".npz", ".pth", ".pt")


@dataclass(frozen=True)
class PlannedCheckpoint:
    """A file of weights to train.

    Attributes:
        path: where it is written.
        training: how.
        backbone: what is trained; its module has the weights to start from.
        identity: name, parameters and source digest of the backbone.
        matcher: says where two images match; None pools whole images.
        matching: name, parameters and source digest of the matcher, or None.
        registry: makes the backbone that reads the file.
        dataset: has the photographs to train on; None generates images.
    """

    path: Path
    training: SpatialTraining
    backbone: Any
    identity: dict[str, Any]
    matcher: GuidesTraining | None
    matching: dict[str, Any] | None
    registry: Registry
    dataset: Dataset | None = None


@dataclass(frozen=True)
class TrainedCheckpoint:
    """A file of trained weights.

    Attributes:
        path: the file; beside it lies a JSON file of how it was trained.
        sha256: of the file.
        losses: how the training went; None where the file was there before.
    """

    path: Path
    sha256: str
    losses: Losses | None


def train_spatial(
    spec: str | Path | Mapping[str, Any],
    *,
    plugins: Sequence[str] = (),
    catalogues: tuple[Path, ...] = (),
    data: str | Path | None = None,
    cache: str | Path | None = None,
    again: bool = False,
    progress: Progress | None = None,
) -> Iterator[TrainedCheckpoint]:
    """Train the checkpoints of a spec one after the other; each comes as soon as it is written.

    Args:
        spec: path of a YAML file, or the same as a mapping, whose files lie in the working folder.
        plugins: files or modules with methods, besides the installed ones.
        catalogues: files with datasets, besides that of the harness.
        data: folder of the user's data (default ``$HARNESS_DATA``).
        cache: folder of the cache (default ``$HARNESS_CACHE``).
        again: train what is already there, too.
        progress: shows how far it is.

    Raises:
        Errors: all mistakes found, each with its place.
        SpecError: the spec cannot be read at all, or the backbone would not read the file of its weights.
        DataMissing, DataDamaged: the weights to start from, or the photographs.
        InvalidInput: the dataset has no matching pairs, or too few images.
    """
    folders = data_folders(data, cache)
    use(folders)
    for planned in read_training(spec, plugins, catalogues):
        if planned.path.exists() and not again:
            yield TrainedCheckpoint(planned.path, hashlib.sha256(planned.path.read_bytes()).hexdigest(), None)
            continue
        network = planned.backbone.module()
        _check_round_trip(planned, network)
        fingerprint, pairs = _photographs(planned.dataset, folders)
        losses = train(planned.training, network, planned.matcher, progress or SilentProgress(), pairs)
        content = checkpoint_bytes(planned.backbone, network, planned.path.suffix, planned.training.pooling, losses.p)
        sha256 = hashlib.sha256(content).hexdigest()
        report = {
            "training": asdict(planned.training),
            "backbone": planned.identity,
            "matching": planned.matching,
            **({"dataset": fingerprint} if fingerprint else {}),
            "sha256": sha256,
            "losses": losses.steps.round(6).tolist(),
            "guided": round(losses.guided, 6),
        }
        write_atomically(planned.path, content)
        write_atomically(planned.path.with_suffix(".json"), json.dumps(report, indent=1).encode() + b"\n")
        yield TrainedCheckpoint(planned.path, sha256, losses)


def _photographs(dataset: Dataset | None, folders: DataFolders) -> tuple[str, TrainingPairs | None]:
    """Fingerprint and pairs of the dataset."""
    if dataset is None:
        return "", None
    loaded = dataset.load(folders)
    if not isinstance(loaded, RetrievalSet):
        raise InvalidInput(f"dataset {loaded.name} has no matching pairs", fix="dataset: sfm120k, or one with pairs")
    return dataset.fingerprint(folders), TrainingPairs.of(loaded)


def checkpoint_bytes(backbone: Any, network: nn.Module, suffix: str, pooling: str = "gem", p: float = 3.0) -> bytes:
    """A file of weights that the backbone reads: as ``torch.save`` writes it, or an ``.npz``.

    A file in the form of cirtorch says how its maps were pooled, too: what it holds of GeM is read by ``learned-gem``.

    Raises:
        SpecError: the checkpoint has other values than tensors, which an ``.npz`` cannot hold.
    """
    content = backbone.checkpoint(network) if isinstance(backbone, HasCheckpoint) else network.state_dict()
    if "meta" in content:
        exponent = {"pool.p": torch.tensor([p])} if pooling == "gem" else {}
        content = {"meta": {**content["meta"], "pooling": pooling}, "state_dict": {**content["state_dict"], **exponent}}
    file = io.BytesIO()
    if suffix != ".npz":
        torch.save(content, file)
    elif all(isinstance(value, Tensor) for value in content.values()):
        np.savez(file, **{name: value.detach().numpy() for name, value in content.items()})
    else:
        raise SpecError(f"{type(backbone).__name__} writes no .npz", fix="a file name that ends in .pth")
    return file.getvalue()


def _check_round_trip(planned: PlannedCheckpoint, network: nn.Module) -> None:
    """Raise ``SpecError`` before hours of training if the backbone would not read what is written after them."""
    name, values = planned.identity["name"], dict(planned.identity["parameters"])
    image = torch.rand(3, planned.training.size, planned.training.size, generator=torch.Generator().manual_seed(0))
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, planned.path.name)
        file.write_bytes(checkpoint_bytes(planned.backbone, network, file.suffix))
        if "checksum" in values:  # of the weights to start from
            values["checksum"] = ""
        maps = planned.registry.create("backbone", name, **values | {"weights": str(file)}).maps(image)
    with torch.inference_mode():
        expected = network(image[None])[0]
    # Files may keep fewer digits than the network has.
    tolerance = 0.02 * float(expected.abs().max())
    if maps.shape != expected.shape or not torch.allclose(maps, expected, rtol=0.02, atol=tolerance):
        raise SpecError(
            f'backbone "{name}" reads its own weights as a different network',
            fix="maps() and module() should use the file of the parameter weights (harness.plugin_api.HasModule)",
        )


def read_training(
    spec: str | Path | Mapping[str, Any], plugins: Sequence[str] = (), catalogues: tuple[Path, ...] = ()
) -> list[PlannedCheckpoint]:
    """A spec of spatial training, checked whole.

    Raises:
        Errors: all mistakes found, each with its place.
        SpecError: the spec cannot be read at all.
    """
    document = read_document(spec if isinstance(spec, Mapping) else Path(spec))
    folder = document.file.parent if document.file else Path()
    registry, errors = load_registry(plugins), []
    for key in document.data:
        if key not in _KEYS:
            fix = f"{nearest(str(key), _KEYS)} known: {', '.join(_KEYS)}".strip()
            errors.append(document.error(UnknownName(f'unknown key "{key}"', fix=fix), (str(key),), key=True))
    for name in document.data.get("plugins", []):
        registry.load(str(folder / name) if str(name).endswith(".py") else str(name))
    backbone, identity = _backbone(document, folder, registry, errors)
    dataset = _dataset(document, registry, catalogues, errors)
    checkpoints = document.data.get("checkpoints")
    if not isinstance(checkpoints, dict) or not checkpoints:
        error = SpecError("checkpoints should map files to what is special about them", fix="a.npz: {matching: none}")
        raise Errors([*errors, document.error(error, ("checkpoints",), key=True)])
    planned = []
    for name in checkpoints:
        training, matcher, matching = _checkpoint(document, str(name), registry, errors)
        path = folder / str(name)
        planned.append(PlannedCheckpoint(path, training, backbone, identity, matcher, matching, registry, dataset))
    if errors:
        raise Errors(errors)
    return planned


def _backbone(
    document: Document, folder: Path, registry: Registry, errors: list[HarnessError]
) -> tuple[Any, dict[str, Any]]:
    """The backbone to train, and what identifies it."""
    try:
        name, values = _method(document.data.get("backbone", "tiny"))
        if start := document.data.get("start"):
            values["weights"] = str(folder / start)
        backbone = registry.create("backbone", name, **values)
        if not isinstance(backbone, HasModule):
            raise SpecError(
                f'backbone "{name}" cannot be trained: it offers no module() or has no parameter "weights"',
                fix="tiny, vgg16, resnet50, resnet101 or one that follows harness.plugin_api.HasModule",
            )
        return backbone, _identity(registry, "backbone", name, backbone)
    except HarnessError as error:
        errors += _placed(document, error, ("backbone",))
        return None, {}


def _dataset(
    document: Document, registry: Registry, catalogues: tuple[Path, ...], errors: list[HarnessError]
) -> Dataset | None:
    """What photographs come from: an entry of the catalogue, whose parameters may be changed, or a loader."""
    if not document.data.get("dataset"):
        return None
    try:
        name, values = _method(document.data["dataset"])
        entry = catalogue(catalogue_files(catalogues)).get(name)
        if entry is not None:
            name, values = entry.loader, {**entry.parameters, **values}
        dataset: Dataset = registry.create("dataset", name, **values)
        return dataset
    except HarnessError as error:
        errors += _placed(document, error, ("dataset",))
        return None


def _checkpoint(
    document: Document, name: str, registry: Registry, errors: list[HarnessError]
) -> tuple[Any, GuidesTraining | None, dict[str, Any] | None]:
    """Training, matcher and what identifies the matcher."""
    at: At = ("checkpoints", name)
    if not name.endswith(_SUFFIXES):
        wrong = SpecError(f"{name} is not a file of weights", fix=f"a name that ends in {', '.join(_SUFFIXES)}")
        errors.append(document.error(wrong, at, key=True))
    own = dict(document.data["checkpoints"][name] or {})
    reranker, training, matcher, matching = own.pop("matching", "none"), None, None, None
    try:
        values = {**document.data.get("training", {}), **own}
        training = parameters.validate("spatial training", SpatialTraining, values)
    except Errors as several:
        for error in several.errors:
            parameter = getattr(error, "parameter", "")
            errors.append(document.error(error, (*at, parameter) if parameter in own else ("training", parameter)))
    try:
        if reranker not in ("none", None):
            matcher, matching = _matcher(reranker, registry)
    except HarnessError as error:
        errors += _placed(document, error, (*at, "matching"))
    return training, matcher, matching


def _matcher(reranker: Any, registry: Registry) -> tuple[GuidesTraining, dict[str, Any]]:
    """A re-ranker that says where two images match, and what identifies it."""
    name, values = _method(reranker)
    matcher: Any = registry.create("reranking", name, **values)
    if not isinstance(matcher, GuidesTraining):
        raise SpecError(f'reranking "{name}" does not say where images match', fix="matching: dsm")
    return matcher, _identity(registry, "reranking", name, matcher)


def _method(value: Any) -> tuple[str, dict[str, Any]]:
    """Name and parameters of ``name`` or ``{name: {parameter: value}}``."""
    if isinstance(value, str):
        return value, {}
    if not isinstance(value, Mapping) or len(value) != 1 or not isinstance(next(iter(value.values())), Mapping | None):
        raise SpecError(f"{value!r} does not name a method", fix="NAME or {NAME: {PARAMETER: VALUE}}")
    ((name, values),) = value.items()
    return str(name), dict(values or {})


def _identity(registry: Registry, kind: str, name: str, method: Any) -> dict[str, Any]:
    identity = registry.identify(kind, name, method)
    return {"name": name, "parameters": dict(identity.parameters), "digest": identity.digest}


def _placed(document: Document, error: HarnessError, at: At) -> list[HarnessError]:
    """An error, or several in one, with their place."""
    errors = error.errors if isinstance(error, Errors) else (error,)
    return [document.error(one, at) for one in errors]
