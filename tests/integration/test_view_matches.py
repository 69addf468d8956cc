"""``harness view matches``: from a record to a picture of what was matched."""

from __future__ import annotations

import io
import warnings

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

import harness
from harness.cli.view import view as app
from harness.core.errors import InvalidInput, SpecError, UnknownName
from harness.retrieval.health import pair_statistics, split_pairs
from harness.runs.store import Store
from harness.runs.targets import Resolver
from harness.studies.pictures.matches import draw_inliers, draw_matches
from harness.studies.view import open_run, position
from harness.studies.view_matches import view_matches

SPEC = {
    "name": "small",
    "task": "retrieval",
    "datasets": {"synthetic-instances": {"objects": 4, "images": 24, "queries": 4, "size": 128}},
    "methods": {"backbone": "tiny", "pooling": "gem", "reranking": ["none", {"dsm": {"top": 8}}, "sift-ransac"]},
    "protocol": {"image_size": 128, "scales": [1.0, 0.5]},
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Records of three runs in ``runs``, and their cache."""
    folder = tmp_path_factory.mktemp("view")
    harness.run(SPEC, runs=folder / "runs", cache=folder / "cache")
    return folder


def record_of(folder, name):
    records = Store(folder / "runs").read_all()
    return next(r for r in records if (r.methods["reranking"].name if "reranking" in r.methods else "none") == name)


def view(folder, *arguments):
    return CliRunner().invoke(app, ["matches", *map(str, arguments), "--cache", str(folder / "cache")])


@pytest.mark.parametrize("name", ["dsm", "sift-ransac"])
def test_a_picture_and_a_histogram(folder, tmp_path, name):
    record = record_of(folder, name)
    first = record.details["ranks"][0][0]
    out, counts = tmp_path / "matches.png", tmp_path / "counts.svg"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        done = view(folder, record.id, 0, first, "--runs", folder / "runs", "--out", out, "--histogram", counts)
    assert done.exit_code == 0, done.output + repr(done.exception)
    assert int(done.output.split()[0]) >= 3
    with Image.open(out) as picture:
        pixels = np.asarray(picture.convert("RGB")).reshape(-1, 3)
    assert len(np.unique(pixels, axis=0)) > 100
    assert b"</svg>" in counts.read_bytes()
    lines = counts.with_suffix(".csv").read_text().splitlines()
    assert lines[0] == "inliers,positive pairs,negative pairs"
    assert all(len(line.split(",")) == 3 for line in lines)
    again = tmp_path / "again.png"
    view(folder, folder / "runs" / f"{record.id}.json", "00000", f"{first:05d}.jpg", "--out", again)
    assert again.read_bytes() == out.read_bytes()
    matched = view_matches(open_run(record, cache=folder / "cache"), 0, first)
    assert matched.picture == out.read_bytes()
    assert done.output.startswith(f"{matched.inliers} inliers between query 00000.jpg and {first:05d}.jpg")


@pytest.mark.parametrize(
    ("name", "arguments", "error", "message"),
    [
        ("none", (0, 0, "--out", "a.png"), SpecError, "re-ranks nothing"),
        ("dsm", (4, 0, "--out", "a.png"), UnknownName, 'unknown query "4"'),
        ("dsm", (0, "0.jpg", "--out", "a.png"), UnknownName, 'unknown image "0.jpg"'),
        ("dsm", (0, 0, "--out", "a.gif"), InvalidInput, "not a picture"),
    ],
)
def test_what_cannot_be_drawn(folder, name, arguments, error, message):
    done = view(folder, record_of(folder, name).id, *arguments, "--runs", folder / "runs")
    assert isinstance(done.exception, error)
    assert message in str(done.exception)


def test_records_are_found_beside_a_spec(folder, tmp_path):
    (folder / "spec.yaml").write_text("name: small\n")
    record = record_of(folder, "dsm")
    assert Resolver().record(record.id, folder / "spec.yaml") == record
    with pytest.raises(SpecError, match="no record nowhere"):
        Resolver().record("nowhere", folder / "runs")
    with pytest.raises(SpecError, match="--runs FOLDER"):
        Resolver().record("nowhere", None)


def test_positions_are_names_or_numbers(tmp_path):
    files = [tmp_path / "b.jpg", tmp_path / "0.jpg", tmp_path / "2.png"]
    assert [position(text, files, "image") for text in ("b.jpg", "b", "0", "2.png", "1")] == [0, 0, 1, 2, 1]
    with pytest.raises(UnknownName, match='unknown image "3"'):
        position("3", files, "image")


def test_inliers_of_positives_and_negatives():
    truth = [{"easy": [1], "hard": [3], "junk": [0]}, {"easy": [], "hard": [2], "junk": []}]
    indices = [np.array([0, 1, 2, 3]), np.array([4, 3, 2, 1])]
    scores = [np.array([9, 8, 7, 6], np.float32), np.array([5, 4, 3, 0], np.float32)]
    positives, negatives = split_pairs(indices, scores, truth)
    assert positives.tolist() == [8, 6, 3]
    assert negatives.tolist() == [7, 5, 4, 0]
    assert pair_statistics(indices, scores, truth) == {
        "related": {"pairs": 3, "quartiles": [4.5, 6.0, 7.0]},
        "unrelated": {"pairs": 4, "quartiles": [3.0, 4.5, 5.5]},
    }
    assert pair_statistics(indices[:1], [scores[0][:1]], truth[:1]) == {
        "related": {"pairs": 0},
        "unrelated": {"pairs": 0},
    }


def test_pictures_at_the_edge():
    black, none = np.zeros((40, 60, 3), np.uint8), np.empty((0, 2))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for shapes in (None, np.empty((0, 3))):
            empty = draw_matches(black, black[:20], none, none, shapes, shapes)
            with Image.open(io.BytesIO(empty)) as picture:
                assert picture.format == "PNG"
        flat = np.array([[4.0, 0, 0]])
        assert draw_matches(black, black, none[:0], none[:0]) == draw_matches(black, black, none, none)
        draw_matches(black, black, np.ones((1, 2)), np.ones((1, 2)), flat, flat, np.array([7]))
        for counts in (np.empty(0), np.zeros(3), np.array([0, 400])):
            assert draw_inliers(counts, np.empty(0), format="svg").endswith(b"</svg>\n")
    with pytest.raises(InvalidInput, match="positions of shapes"):
        draw_matches(black, black, none, np.ones((1, 2)))
