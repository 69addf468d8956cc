"""Runs are made again from their description, wherever they are done: all built-in methods with all their parameters.

By default each goes from plan to job, as text, and back; the slow form does all of them in every executor and by
``reproduce``.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from harness.data.folders import data_folders
from harness.data.stand_in.write import write_stand_in
from harness.plugin_api import KINDS
from harness.registry import load_registry
from harness.runs import run
from harness.runs.executors.choose import Options
from harness.runs.plan import make_plan
from harness.runs.record import Record
from harness.runs.recreate import describe, restored
from harness.studies.reproduce import reproduce

NO_RUN = {("dataset", "sfm120k"), ("dataset", "descriptors"), ("backbone", "timm"), ("backbone", "module")}
"""Without queries, without images, of another package, of the user's own code."""
STAND_INS = ("roxford5k", "oxford5k", "instre", "ilias-mini")
CLASSIFIED = ("cifar10", "svhn", "mnist", "fashion-mnist", "usps")
SCENES = {"synthetic-instances": {"objects": 3, "images": 12, "queries": 3, "size": 64}}
FEW = {"initial": 2, "budget": 2, "cycles": 2}
FITTED = {"epochs": 10, "learning_rate": 0.02}


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    """Data folder and one spec per dataset or kind of data."""
    data = tmp_path_factory.mktemp("data")
    for name in (*STAND_INS, *CLASSIFIED):
        write_stand_in(name, data, images=100 if name in CLASSIFIED else 10, size=48)
    return data, [*retrieval(data), *active(data)]


def retrieval(data) -> list[dict]:
    """Each method once at least, what can be in one run together."""
    network = {"weights": str(checkpoint(data))}
    untrained, registry = {"weights": "none"}, load_registry()
    backbones = [name for name in registry.names("backbone") if registry.entry("backbone", name).check == untrained]
    methods = [
        {"pooling": "gem", "whitening": "supervised", "reranking": {"dsm": {"top": 3}}, "expansion": "diffusion"},
        {"pooling": {"learned-gem": network}, "whitening": {"learned": network}, "expansion": "aqe"},
        {"pooling": "mac", "whitening": {"pca": {"dim": 8}}, "reranking": "sift-ransac", "expansion": "alphaqe"},
        {"pooling": "rmac", "expansion": "regional-diffusion"},
        {"pooling": "spoc", "reranking": {"r-match": {"top": 3}}, "expansion": "dba"},
        {"pooling": "fs-egm"},
        {"pooling": "os-egm"},
        {"pooling": "crow"},
        {"pooling": "rgem"},
        *({"pooling": "mac", "backbone": {name: untrained}} for name in backbones),
    ]
    for kind in ("pooling", "whitening", "reranking", "expansion"):
        named = {next(iter(own[kind])) if isinstance(own[kind], dict) else own[kind] for own in methods if kind in own}
        for name in registry.names(kind):
            tried = registry.entry(kind, name).check
            if name not in named:
                methods.append({"pooling": "mac", kind: {name: dict(tried)} if isinstance(tried, Mapping) else name})
    common = {"task": "retrieval", "protocol": {"image_size": 64, "scales": [1.0, 0.5]}}
    plain = {"backbone": "tiny", "pooling": "mac"}
    images = [
        {name: dict(check)}
        for name in registry.names("dataset")
        if isinstance(check := registry.entry("dataset", name).check, Mapping) and name not in SCENES
    ]
    images.append({"image-instances": example("image-instances", data)})
    return [
        {"name": "retrieval", "datasets": [SCENES], "methods": [{"backbone": "tiny"} | own for own in methods]}
        | common,
        {"name": "datasets", "datasets": [*STAND_INS, *images], "methods": plain} | common,
    ]


def active(data) -> list[dict]:
    """Likewise; ``replay`` will replay what ``random`` picks."""
    (data / "replay").mkdir()
    supervised = {"learning": {"supervised": FITTED}}
    plain = {**supervised, "acquisition": "random"}
    common = {"task": "active-learning", "protocol": {"initial": 10, "budget": 5, "cycles": 2}, "seeds": [0]}
    registry = load_registry()
    acquisitions = [name for name in registry.names("acquisition") if name != "replay"]
    few = {"pretrain": {"pre_epochs": 1}, "semi": {"semi_epochs": 1}, "ceal": {}, "flexmatch": {}}
    replay = {"replay": {"runs": str(data / "replay"), "acquisition": "random"}}
    methods = [
        {**supervised, "acquisition": [*acquisitions, replay]},
        *({"learning": {name: FITTED | own}, "acquisition": "random"} for name, own in few.items()),
        {"network": "cnn13", **plain},
    ]  # fmt: skip
    rng, labels = np.random.default_rng(0), np.arange(60) % 3
    features = (np.eye(3)[labels] * 4 + rng.normal(size=(60, 3))).astype(np.float32)
    parts = {"train": features[:40], "train_labels": labels[:40], "test": features[40:], "test_labels": labels[40:]}
    np.savez(data / "features.npz", **parts)
    embeddings = [{"embeddings": {"path": "features.npz"}}]
    classes = [{"image-classes": example("image-classes", data)}]
    others = [name for name in registry.names("learning") if name not in few]
    learning = [{name: FITTED} if name == "supervised" else name for name in others]
    on_features = {"network": "linear-head", "learning": learning, "acquisition": "random"}
    specs: list[dict[str, Any]] = [
        {"name": "active", "datasets": "digits", "methods": methods},
        {"name": "features", "datasets": embeddings, "methods": on_features},
        {"name": "images", "datasets": list(CLASSIFIED), "methods": plain},
        {"name": "classes", "datasets": classes, "methods": plain, "protocol": FEW},
    ]
    return [common | spec for spec in specs]


def checkpoint(data):
    """What ``learned-gem`` and ``learned`` read, for the 128 maps of ``tiny``."""
    import torch

    whitening = {"m": np.zeros((128, 1)), "P": np.eye(128)}
    content = {"state_dict": {"pool.p": torch.tensor([2.5])}, "meta": {"Lw": {"retrieval-SfM-120k": {"ms": whitening}}}}
    torch.save(content, data / "network.pth")
    return data / "network.pth"


def example(loader, data) -> dict:
    """The example that a dataset registers for its check, written into the data folder."""
    module, _, function = load_registry().entry("dataset", loader).check.partition(":")
    return dict(getattr(importlib.import_module(module), function)(data))


def recorded(prepared, folder, executor, **more) -> list[Record]:
    """The records of all specs, done in an executor."""
    data, specs = prepared
    options = Options(executor=executor, threads=1, **more)
    folders = {"data": data, "runs": folder / "runs", "cache": folder / "cache"}
    return [record for spec in specs for record in run(spec, **folders, options=options)]


@pytest.fixture(scope="module")
def inline(prepared, tmp_path_factory):
    data, (*_, spec) = prepared
    digits = {"name": "random", "datasets": "digits", "protocol": {"initial": 10, "budget": 5, "cycles": 2}}
    run(spec | digits, runs=data / "replay", cache=data / "cache")
    return recorded(prepared, tmp_path_factory.mktemp("inline"), "inline")


def test_every_built_in_method_goes_from_plan_to_job_and_back(prepared, tmp_path):
    data, specs = prepared
    registry, folders = load_registry(), data_folders(data, tmp_path)
    done = set()
    for planned in (planned for spec in specs for planned in make_plan(spec, folders).runs):
        description = Record.model_validate_json(describe(planned).model_dump_json(by_alias=True))
        again = restored(description, registry, (), folders)
        assert again.id == planned.id
        assert again.protocol == planned.protocol
        for kind, configured in (*planned.methods.items(), ("dataset", planned.dataset.loader)):
            there = again.dataset.loader if kind == "dataset" else again.methods[kind]
            assert there == configured, planned.label
            done.add((kind, configured.id.name))
    assert done | NO_RUN >= {(kind, name) for kind in KINDS for name in registry.names(kind)}


@pytest.mark.slow
@pytest.mark.parametrize("executor", ["processes", "dask", "slurm"])
def test_restored_runs_give_the_records_of_one_process(executor, prepared, inline, tmp_path, request, without_costs):
    failed = [record for record in inline if record.failure]
    assert {record.methods["network"].name for record in failed} <= {"cnn13"}  # learns nothing from so few labels
    more = {"workers": 2}
    if executor == "dask":
        more = {"scheduler": request.getfixturevalue("cluster")[0]}
    elif executor == "slurm":
        pytest.importorskip("submitit")
        more["slurm"] = (("cluster", "local"),)
    records = recorded(prepared, tmp_path, executor, **more)
    for record, expected in zip(records, inline, strict=True):
        assert without_costs(record) == without_costs(expected)


@pytest.mark.slow
def test_reproduced_runs_give_the_records_of_one_process(prepared, inline):
    data, _ = prepared
    done = {(kind, method.name) for record in inline for kind, method in record.methods.items()}
    done |= {("dataset", record.dataset.loader) for record in inline}
    assert done | NO_RUN >= {(kind, name) for kind in KINDS for name in load_registry().names(kind)}
    for record in inline:
        result = reproduce(record, data=data)
        assert result.same, (record.methods, result.details)
