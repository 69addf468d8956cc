"""The audit before the first run: errors stop, warnings are shown once and stay with the numbers."""

from __future__ import annotations

import json
import warnings

import numpy as np
import pytest
from PIL import Image

import harness
from harness.core.errors import Errors


@pytest.fixture
def photos(tmp_path):
    """Four images of two objects, a query of each, and an image that nobody judged."""
    images = tmp_path / "photos" / "images"
    images.mkdir(parents=True)
    for number, name in enumerate(("a1", "a2", "b1", "b2", "qa", "qb", "forgotten")):
        coarse = np.random.default_rng(number).integers(0, 256, (6, 8, 3), dtype=np.uint8)
        Image.fromarray(coarse).resize((64, 48)).save(images / f"{name}.png")
    write(tmp_path, ["a1.png", "a2.png", "b1.png", "b2.png"])
    return tmp_path


def write(place, imlist):
    queries = [{"image": "qa.png", "positives": [0, 1]}, {"image": "qb.png", "positives": [2, 3]}]
    (place / "photos" / "gnd.json").write_text(json.dumps({"imlist": imlist, "queries": queries}))


def run(place, cache="cache", runs="runs", evaluation="", **options):
    spec = {
        "name": "photos",
        "task": "retrieval",
        "datasets": [{"image-instances": {"path": "photos", **options}}],
        "methods": {"backbone": "tiny", "pooling": "mac"},
        "protocol": {"image_size": 48, "evaluation": evaluation},
    }
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        records = harness.run(spec, data=place, cache=place / cache, runs=place / runs)
    return records, [str(w.message) for w in caught if "audit" in str(w.message)]


def test_warnings_are_shown_once_and_stay_in_record_and_footer(photos):
    (record,), shown = run(photos)
    assert record.status == "done"
    (sentence,) = record.details["audit"]
    assert "forgotten.png" in sentence
    assert len(shown) == 1
    assert sentence in shown[0]
    assert "Audit of image-instances: 1 file is skipped" in str(harness.leaderboard([record]))
    (again,), shown = run(photos, runs="other")
    assert again.details["audit"] == [sentence]
    assert shown == []


def test_nothing_is_said_of_clean_data(photos):
    (photos / "photos" / "images" / "forgotten.png").unlink()
    (record,), shown = run(photos)
    assert "audit" not in record.details
    assert shown == []
    assert "Audit" not in str(harness.leaderboard([record]))


def test_errors_stop_before_anything_runs(photos):
    write(photos, ["a1.png", "a2.png", "b1.png", "b2.png", "qa.png"])
    for options in ({"leave_one_out": False}, {"evaluation": "trec-map"}):
        with pytest.raises(Errors) as caught:
            run(photos, **options)
        assert "counts as a negative of itself" in str(caught.value)
    assert not list((photos / "runs").glob("*.json"))


def test_queries_of_ones_own_photographs_may_be_among_them(photos):
    write(photos, ["a1.png", "a2.png", "b1.png", "b2.png", "qa.png"])
    (record,), shown = run(photos)
    assert record.status == "done"
    assert not [sentence for sentence in shown if "database" in sentence]


def test_a_copy_under_another_name_is_not_left_out_where_descriptors_come_from_files(photos):
    images = photos / "photos" / "images"
    (images / "copy.png").write_bytes((images / "qa.png").read_bytes())
    write(photos, ["a1.png", "a2.png", "b1.png", "b2.png", "copy.png"])
    rows = {"database": 5, "queries": 2}
    for part, count in rows.items():
        np.save(photos / f"{part}.npy", np.eye(5, dtype=np.float32)[:count])
    spec = {
        "name": "photos",
        "task": "retrieval",
        "datasets": [{"image-instances": {"path": "photos"}}],
        "methods": {"descriptors": {"mine": {part: f"{part}.npy" for part in rows}}},
    }
    with pytest.raises(Errors, match="counts as a negative of itself"):
        harness.run(spec, data=photos, cache=photos / "cache", runs=photos / "runs")
