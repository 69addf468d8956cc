"""The page of claims: pairs of rows that differ in the method alone, tested as boards are, said in words."""

from __future__ import annotations

import importlib
import json
import re
import sys
from pathlib import Path

import numpy as np
import pytest

import harness
from harness.runs.record import Record

TOOLS = Path(__file__).parents[2] / "tools" / "site"


@pytest.fixture
def claims(monkeypatch):
    monkeypatch.syspath_prepend(str(TOOLS))
    yield importlib.import_module("claims_page")
    sys.modules.pop("claims_page", None)


def run_of(methods, values):
    rest = {"plugin": "p", "version": "1", "origin": "o", "digest": "d"}
    made = {kind: {"kind": kind, "name": n, "parameters": p, **rest} for kind, (n, p) in methods.items()}
    return Record(
        id=json.dumps(methods),
        status="done",
        task="retrieval",
        protocol={},
        protocol_id="a",
        dataset={"name": "photos", "loader": "l", "parameters": {}, "fingerprint": "f"},
        methods={"backbone": {"kind": "backbone", "name": "tiny", "parameters": {}, **rest}, **made},
        seed=0,
        metrics={"map_medium": float(np.mean(values))},
        details={"ap_medium": list(values), "groups": list(range(len(values)))},
        figures={"bytes_per_image": 512.0},
        started="",
        finished="",
    )


def test_a_claim_holds_where_the_difference_is_significant(claims, tmp_path):
    base = np.linspace(0.3, 0.7, 20)
    gem, pca = ("gem", {}), ("pca", {"preset": "recommended"})
    noise = np.tile([0.04, -0.04], 10)
    records = [
        run_of({"pooling": gem}, base),
        run_of({"pooling": ("os-egm", {})}, base + 0.1 + noise / 8),
        run_of({"pooling": ("fs-egm", {})}, base - 0.1 + noise / 8),
        run_of({"pooling": gem, "whitening": pca}, base + noise),
        run_of({"pooling": gem, "whitening": ("pca", {"preset": "thesis"})}, base),
    ]
    folder = tmp_path / "leaderboards" / "covers"
    folder.mkdir(parents=True)
    (folder / "results.json").write_text(harness.leaderboard(records, format="json"))
    boards = claims.committed_boards(tmp_path)
    page = claims.page(boards)
    found = {(f.row.labels["pooling"], f.row.labels["whitening"]): f.verdict for f in claims.findings(boards)}
    assert found["os-egm", "none"] == "holds"
    assert found["fs-egm", "none"] == "does not hold"
    assert {value for (_, whitening), value in found.items() if whitening != "none"} == {"inconclusive"}
    assert "Not measured yet: photographs, rparis-subset, quick-retrieval." in page
    assert re.search(r"os-egm \| 50\.0 \| 60\.0 \| \+10\.0 \(\+9\.\d to \+10\.\d\) \| holds \| 0\.00\d \|", page)


def test_nothing_measured_is_said(claims, tmp_path):
    assert "No committed board has both rows." in claims.page(claims.committed_boards(tmp_path))
