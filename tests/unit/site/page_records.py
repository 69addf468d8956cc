"""Records for tests of the page: made up, but of the shape that real runs have."""

from __future__ import annotations

import numpy as np

import harness
from harness.runs.identity import protocol_identity, recorded_id
from harness.runs.record import Record

HOSTILE = "<script>alert(1)</script>|**x**"


def _method(kind, name, **parameters):
    plugin = {"plugin": "some-plugin", "version": "1.2"}
    if name == "gem":
        plugin = {"plugin": "vision-evaluation-harness", "version": harness.__version__}
    origin = {**plugin, "digest": "0123456789abcdef", "origin": f"module {kind}"}
    return {"kind": kind, "name": name, "parameters": parameters, **origin}


def _record(task, dataset, methods, seed, value, **changes):
    base = {
        "id": "-".join(
            [dataset, *(m["name"] for m in methods), *map(str, methods[-1]["parameters"].values()), str(seed)]
        ),
        "status": "done",
        "task": task,
        "protocol": {"image_size": 256, "scales": [1.0]} if task == "retrieval" else {"initial": 10, "cycles": 3},
        "protocol_id": f"{task}-0123456789ab",
        "dataset": {
            "name": dataset,
            "loader": dataset,
            "parameters": {},
            "fingerprint": "f" * 64,
            "counts": {"images": 600, "queries": 70},
        },
        "methods": {method["kind"]: method for method in methods},
        "seed": seed,
        "environment": {"python": "3.11", "packages": {"numpy": "2.0"}, "cpu": "a processor", "git": {"dirty": False}},
        "started": "2026-01-02T03:04:05.000+00:00",
        "finished": "2026-01-02T03:04:07.500+00:00",
    }
    cost = {"wall_s": 0.5 + value, "cpu_s": 0.4, "peak_bytes": 2_000_000, "cached": seed > 0}
    if task == "retrieval":
        aps = np.clip(value + np.random.default_rng(1).normal(0, 0.1, 30), 0, 1)
        base["metrics"] = {"map_medium": float(aps.mean()), "map_hard": value / 2}
        base["details"] = {"ap_medium": aps.tolist(), "ranks": [[q, 2, 1] for q in range(30)], "notes": {}}
        base["figures"] = {"query_s_p50": 0.001 + value / 100, "bytes_per_image": 512.0}
        base["cost"] = {"search": cost}
    else:
        base["metrics"] = {f"accuracy@{n}": value + n / 200 for n in (10, 20, 30)}
        base["cost"] = {"train": cost, "acquire": cost}
        base["figures"] = {"acquire_s": value}
    return Record.model_validate({**base, **changes})


def retrieval(pooling="gem", value=0.6, seed=0, *, dataset="synthetic-instances", parameters=None, **changes):
    methods = [_method("backbone", "tiny"), _method("pooling", pooling, **(parameters or {}))]
    return _record("retrieval", dataset, methods, seed, value, **changes)


def active(acquisition="random", value=0.5, seed=0, *, dataset="digits", **changes):
    methods = [_method("network", "small-cnn"), _method("learning", "supervised"), _method("acquisition", acquisition)]
    return _record("active-learning", dataset, methods, seed, value, **changes)


def plausible(record: Record) -> Record:
    """The record as a store takes it back: with the id and the details that follow from it."""
    base = record.model_dump(by_alias=True)
    if record.task == "retrieval":
        base["dataset"]["counts"]["queries"] = 30
        base["details"]["ap_hard"] = [record.metrics["map_hard"]] * 30
        base["details"]["ranks"] = [[query, 40, 41] for query in range(30)]
    else:
        cycles = [(int(name.partition("@")[2]), value) for name, value in record.metrics.items()]
        base["details"]["cycles"] = [{"n_labelled": count, "accuracy": value} for count, value in cycles]
    base["protocol_id"] = protocol_identity(record.task, record.protocol, record.versions)
    made = Record.model_validate(base)
    return made.model_copy(update={"id": recorded_id(made)})


def failed(record: Record, code="MemoryError", message="no memory", traceback="Traceback:\n  line\nMemoryError"):
    failure = {"code": code, "message": message, "traceback": traceback}
    nothing = {"metrics": {}, "details": {}, "cost": {}, "figures": {}}
    return Record.model_validate(
        {**record.model_dump(by_alias=True), **nothing, "status": "failed", "failure": failure}
    )


def missing(record: Record):
    nothing = {"metrics": {}, "details": {}, "cost": {}, "figures": {}, "started": ""}
    return Record.model_validate({**record.model_dump(by_alias=True), **nothing, "status": "missing"})


def some():
    """Two boards: eight poolings, one of them hostile, one failed, one not run; three acquisitions with six seeds."""
    poolings = ["mac", "spoc", HOSTILE, "rmac", "crow"]
    made = [retrieval(name, 0.4 + 0.05 * place) for place, name in enumerate(poolings)]
    made += [retrieval("gem", 0.5 + p / 20, parameters={"p": p, "eps": 1e-6}) for p in (2.0, 3.0, 4.0)]
    made += [failed(retrieval("os-egm")), missing(retrieval("fs-egm"))]
    values = {"random": 0.5, "entropy": 0.55, "coreset": 0.7}
    made += [active(name, value + seed % 3 / 50, seed) for name, value in values.items() for seed in range(6)]
    return made


def on_toy_images(record: Record, fingerprint=f"{12:064d}"):
    """As if it had been measured on the twelve images and four queries of the toy plugin; query 0 is the hardest."""
    toy = {"loader": "toy-images", "parameters": {"count": 12}, "fingerprint": fingerprint}
    value = record.metrics.get("map_medium") or 0.0
    details = {"ap_medium": [value + q / 100 for q in range(4)], "ranks": [[q, 5, 2] for q in range(4)]}
    base = record.model_dump(by_alias=True)
    base["dataset"] |= toy
    return Record.model_validate(base | ({"details": details} if record.status == "done" else {}))
