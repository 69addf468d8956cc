"""Records for tests of comparisons, with numbers that the test chooses."""

from __future__ import annotations

import numpy as np

from harness.runs.record import Record


def retrieval(pooling="gem", aps=(0.5,) * 20, *, parameters=None, digest="d1", status="done", name="", **changes):
    """One record with an average precision per query."""
    aps = [float(ap) for ap in aps]
    common = {"plugin": "p", "version": "1", "origin": "o"}
    failure = {"code": "E", "message": "no memory", "traceback": ""} if status == "failed" else None
    done = status == "done"
    base = {
        "id": f"{name}{pooling}{parameters}{digest}",
        "status": status,
        "failure": failure,
        "task": "retrieval",
        "protocol": {"image_size": 256},
        "protocol_id": "retrieval-1",
        "dataset": {"name": "set", "loader": "l", "parameters": {}, "fingerprint": "f" * 64, "counts": {}},
        "methods": {
            "backbone": {"kind": "backbone", "name": "tiny", "parameters": {}, "digest": "b", **common},
            "pooling": {
                "kind": "pooling",
                "name": pooling,
                "parameters": parameters or {},
                "digest": digest,
                **common,
            },
        },
        "seed": 0,
        "metrics": {"map_medium": float(np.mean(aps)), "mp@10_medium": float(np.mean(aps)) / 2} if done else {},
        "details": {"ap_medium": aps} if done else {},
        "started": "",
        "finished": "2026-01-01T00:00:00+00:00",
    }
    return Record.model_validate({**base, **changes})


def active(accuracies, acquisition="random", digest="d1", **changes):
    """One record a seed."""
    method = {"plugin": "p", "version": "1", "origin": "o", "parameters": {}, "digest": digest}
    return [
        Record.model_validate(
            {
                "id": f"{acquisition}{digest}{seed}",
                "status": "done",
                "task": "active-learning",
                "protocol": {"budget": 10},
                "protocol_id": "active-learning-1",
                "dataset": {"name": "digits", "loader": "l", "parameters": {}, "fingerprint": "e" * 64},
                "methods": {"acquisition": {"kind": "acquisition", "name": acquisition, **method}},
                "seed": seed,
                "metrics": {"accuracy": float(value), "labels_to@0.8": 20.0 + seed},
                "started": "",
                "finished": "",
                **changes,
            }
        )
        for seed, value in enumerate(accuracies)
    ]
