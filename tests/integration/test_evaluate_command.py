"""``harness evaluate`` and ``harness explain`` on files: tables, values of queries, exit codes, mistakes."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest
from typer.testing import CliRunner

from harness.cli.app import app
from harness.core.errors import BAD_DATA, DONE, UNEXPLAINED, HarnessError
from harness.metrics.protocols import PROTOCOLS


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Six kinds of things, ten images each; three queries that are not in the database."""
    place = tmp_path_factory.mktemp("files")
    rng = np.random.default_rng(0)
    kinds = np.arange(60) % 6
    database = rng.normal(size=(60, 8)) + 1.5 * np.eye(8)[kinds]
    queries = rng.normal(size=(3, 8)) + 1.5 * np.eye(8)[[0, 1, 2]]
    images = [f"{i}.jpg" for i in range(60)]
    truth = [
        {
            "image": f"q{q}.jpg",
            "easy": [i for i in range(60) if kinds[i] == q and i < 36],
            "hard": [i for i in range(60) if kinds[i] == q and 36 <= i < 54],
            "junk": [i for i in range(54, 60) if kinds[i] == q],
        }
        for q in range(3)
    ]
    (place / "gnd.json").write_text(json.dumps({"imlist": images, "queries": truth}))
    np.save(place / "db.npy", database.astype(np.float32))
    np.save(place / "q.npy", queries.astype(np.float32))
    np.savez(place / "both.npz", database=database, queries=queries)
    unit = database / np.linalg.norm(database, axis=1, keepdims=True)
    np.save(place / "ranks.npy", np.argsort(-queries @ unit.T, axis=1, kind="stable"))
    return place


def harness(*arguments):
    return CliRunner().invoke(app, list(map(str, arguments)))


def table(output):
    return json.loads(output)


def test_rankings_and_descriptors_give_the_same_table(folder):
    truth = ("--ground-truth", folder / "gnd.json")
    ranked = harness("evaluate", folder / "ranks.npy", *truth, "--json", "--protocol", "revisited")
    assert ranked.exit_code == 0, ranked.output
    values = {entry["key"]: entry["value"] for entry in table(ranked.output)}
    assert list(values) == ["revisited_easy", "revisited_medium", "revisited_hard"]
    described = harness(
        *("evaluate", "--descriptors", folder / "db.npy", "--query-descriptors", folder / "q.npy", *truth),
        *("--json", "--protocol", "revisited"),
    )
    assert {e["key"]: e["value"] for e in table(described.output)} == pytest.approx(values, abs=1e-12)
    both = harness("evaluate", "--descriptors", folder / "both.npz", *truth, "--json", "--protocol", "revisited")
    assert both.exit_code == 0


def test_all_protocols_are_one_table_and_queries_another(folder, tmp_path):
    done = harness(
        *("evaluate", folder / "ranks.npy", "--ground-truth", folder / "gnd.json", "--protocol", "all"),
        *("--per-query", tmp_path / "queries.csv"),
    )
    assert done.exit_code == 0
    lines = done.output.splitlines()
    assert lines[0].split() == ["metric", "Easy", "Medium", "Hard", "queries", "definition"]
    assert any(line.startswith("mAP@100(gldv2)") for line in lines)
    assert any("filipradenovic/revisitop" in line for line in lines)
    rows = list(csv.DictReader((tmp_path / "queries.csv").read_text().splitlines()))
    assert [row["query"] for row in rows] == ["q0.jpg", "q1.jpg", "q2.jpg"]
    assert 0 < float(rows[0]["revisited_hard"]) <= 1
    usual = harness("evaluate", folder / "ranks.npy", "--ground-truth", folder / "gnd.json").output
    rows, size = usual.split("\n\n")
    assert [line.split()[0] for line in rows.splitlines()] == ["metric", "mAP", "mP@1", "mP@5", "mP@10"]
    assert size == "3 queries, 60 images in the database\n"
    listed = harness("evaluate", "--list").output.splitlines()
    assert len(listed) == 1 + len(PROTOCOLS)


def test_means_of_categories(folder, tmp_path):
    (tmp_path / "categories.json").write_text(json.dumps({"q0.jpg": "toys", "q1.jpg": "toys"}))
    arguments = (
        "evaluate",
        folder / "ranks.npy",
        "--ground-truth",
        folder / "gnd.json",
        "--protocol",
        "ilias-map@1k_hard",
    )
    done = harness(*arguments, "--categories", tmp_path / "categories.json", "--json")
    assert done.exit_code == 0, done.output
    values = table(done.output)["metrics"][0]["values"]
    mean = table(done.output)["categories"]["ilias-map@1000_hard"]["toys"]
    assert mean == pytest.approx((values[0] + values[1]) / 2)
    shown = harness(*arguments, "--categories", tmp_path / "categories.json").output
    assert shown.splitlines()[-3].split() == ["toys", f"{100 * mean:.2f}"]


@pytest.mark.parametrize(
    ("content", "words"),
    [("[]", "not an object of categories"), ('{"x": "toys"}', '"x" is not a query'), ("{", "cannot be read")],
)
def test_wrong_categories_are_said(folder, tmp_path, content, words):
    (tmp_path / "categories.json").write_text(content)
    truth = ("--ground-truth", folder / "gnd.json", "--categories", tmp_path / "categories.json")
    done = harness("evaluate", folder / "ranks.npy", *truth)
    assert isinstance(done.exception, HarnessError)
    assert words in str(done.exception)


def test_a_number_is_explained_or_not(folder):
    files = ("--rankings", folder / "ranks.npy", "--ground-truth", folder / "gnd.json")
    entries = table(harness("evaluate", *files[1:], "--protocol", "revisited", "--json").output)
    row = [f"{100 * entry['value']:.2f}" for entry in entries]
    explained = harness("explain", *row, *files)
    assert explained.exit_code == DONE
    assert "mAP(revisited)" in explained.output
    none = harness("explain", "99.99", "0.01", *files)
    assert none.exit_code == UNEXPLAINED
    assert none.output.startswith("Not from these rankings under any known protocol.")
    alone = harness("explain", "P@1=98.18", "--json")
    assert alone.exit_code == DONE
    assert json.loads(alone.output)["findings"][0]["about"] == "old Oxford or Paris"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("evaluate", "ranks.npy"), "name the relevance judgements"),
        (("evaluate", "--ground-truth", "gnd.json"), "name what to evaluate"),
        (("evaluate", "ranks.npy", "--ground-truth", "none.json"), "there is no ground truth"),
        (("evaluate", "none.npy", "--ground-truth", "gnd.json"), "there is no file"),
        (("evaluate", "ranks.npy", "--ground-truth", "gnd.json", "--protocol", "gldv2-mpa"), "unknown protocol"),
        (("evaluate", "ranks.npy", "--ground-truth", "gnd.json", "--protocol", "isc-muap"), "needs scores"),
        (("evaluate", "ranks.npy", "--dataset", "digits"), "not relevance judgements"),
        (("evaluate", "--descriptors", "db.npy", "--ground-truth", "gnd.json"), "no descriptors of the queries"),
        (("evaluate", "--descriptors", "q.npy", "--ground-truth", "gnd.json"), "floats of shape (60, d)"),
        (("evaluate", "--descriptors", "gnd.json", "--ground-truth", "gnd.json"), "not a file of descriptors"),
        (("explain", "x", "--rankings", "ranks.npy", "--ground-truth", "gnd.json"), '"x" is not a number'),
        (("explain", "1.0", "--uncropped", "q.npy"), "needs the descriptors of the database"),
    ],
)
def test_mistakes_are_said_in_a_sentence(folder, monkeypatch, arguments, words):
    monkeypatch.chdir(folder)
    done = harness(*arguments)
    assert isinstance(done.exception, HarnessError), done.output
    assert words in str(done.exception)
    assert done.exception.exit_code in (2, BAD_DATA)


@pytest.mark.realdata
def test_published_ground_truth_is_read_as_it_is(realdata, tmp_path):
    pickle = realdata / "retrieval" / "revisited" / "gnd_roxford5k.pkl"
    queries = json.loads((realdata / "retrieval" / "revisited" / "roxford5k.json").read_text())["queries"]
    perfect = [[*q["easy"], *q["hard"]][:40] for q in queries]
    np.save(tmp_path / "ranks.npy", [row + [-1] * (40 - len(row)) for row in perfect])
    done = harness("evaluate", tmp_path / "ranks.npy", "--ground-truth", pickle, "--protocol", "mp@1", "--json")
    assert [entry["queries"] for entry in table(done.output)] == [68, 70, 70]
