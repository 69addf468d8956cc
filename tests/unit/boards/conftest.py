"""Records and tables for the tests of reports."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from harness.runs.record import Record

sys.path.insert(0, str(Path(__file__).parent))  # measurements.py


def make_record(pooling="gem", value=0.5, seed=0, *, parameters=None, status="done", kind="pooling", **changes):
    method = {"plugin": "p", "version": "1", "digest": "d", "origin": "o"}
    failure = {"code": "E", "message": "no memory", "traceback": ""} if status == "failed" else None
    base = {
        "id": f"{pooling}{parameters}{seed}",
        "status": status,
        "failure": failure,
        "task": "retrieval",
        "protocol": {"image_size": 256},
        "protocol_id": "retrieval-1",
        "dataset": {"name": "set", "loader": "l", "parameters": {}, "fingerprint": "f" * 64, "counts": {"images": 3}},
        "methods": {
            "backbone": {"kind": "backbone", "name": "tiny", "parameters": {}, **method},
            kind: {"kind": kind, "name": pooling, "parameters": parameters or {}, **method},
        },
        "seed": seed,
        "metrics": {"map_medium": value} if status == "done" else {},
        "details": {"ap_medium": [value] * 20} if status == "done" else {},
        "started": "",
        "finished": "",
    }
    return Record.model_validate({**base, **changes})


def table_rows(text):
    """Rows of the tables of a board, heading first; those in its details are left out."""
    lines = [line for line in text.partition("<details")[0].splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in [lines[0], *lines[2:]]]


def hostile_records(name):
    """Records in which a plugin's author has put a name wherever one stands."""
    base = make_record(name, figures={"query_s_p50": 0.002, "bytes_per_image": 512.0})
    dataset = base.dataset.model_copy(update={"name": name, "counts": {name: 1}})
    methods = {k: m.model_copy(update={"plugin": name, "version": name}) for k, m in base.methods.items()}
    changed = {"dataset": dataset, "methods": methods, "environment": {"cpu": name}, "protocol": {name: name}}
    failure = {"code": name, "message": name, "traceback": name}
    other = make_record("ok", status="failed", failure=failure).model_copy(
        update=changed | {"methods": make_record("ok").methods}
    )
    return [base.model_copy(update=changed), other]


@pytest.fixture
def record():
    """Makes a record of retrieval."""
    return make_record


@pytest.fixture
def everywhere():
    """Makes records with a hostile name."""
    return hostile_records


@pytest.fixture
def rows():
    """Reads the first markdown tables."""
    return table_rows
