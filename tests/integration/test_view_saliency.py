"""``harness view saliency`` and ``harness view results``: from a record to pictures."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

import harness
from harness.cli.view import view as app
from harness.core.errors import InvalidInput, SpecError, UnknownName
from harness.runs.store import Store
from harness.studies.pictures.gallery import Result, draw_gallery
from harness.studies.pictures.saliency import Panel, draw_panels, draw_precision
from harness.studies.view import open_run
from harness.studies.view_results import scaled_box, view_results

SPEC = {
    "name": "small",
    "task": "retrieval",
    "datasets": {"synthetic-instances": {"objects": 4, "images": 12, "queries": 4, "size": 96}},
    "methods": {"backbone": "tiny", "pooling": ["gem", "fs-egm", "os-egm"]},
    "protocol": {"image_size": 96, "scales": [1.0, 0.5]},
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("view")
    harness.run(SPEC, runs=folder / "runs", cache=folder / "cache")
    return folder


def record_of(folder, name):
    return next(r for r in Store(folder / "runs").read_all() if r.methods["pooling"].name == name)


def view(folder, command, name, *arguments):
    given = [record_of(folder, name).id, *arguments, "--runs", folder / "runs", "--cache", folder / "cache"]
    return CliRunner().invoke(app, [command, *map(str, given)])


def colours(path):
    with Image.open(path) as picture:
        return np.asarray(picture.convert("RGB")).reshape(-1, 3)


@pytest.mark.parametrize(("name", "columns"), [("fs-egm", 2), ("os-egm", 3)])
def test_maps_and_regions(folder, tmp_path, name, columns):
    out = tmp_path / "saliency.png"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        done = view(folder, "saliency", name, "0", "00003.jpg", "--out", out)
    assert done.exit_code == 0, done.output + repr(done.exception)
    with Image.open(out) as picture:
        assert picture.width == pytest.approx(columns * 2.2 * 120, abs=2)
    assert (np.abs(colours(out).astype(int) - (255, 32, 32)).max(1) < 40).any()  # the frame of a region
    again = tmp_path / "again.png"
    view(folder, "saliency", name, "0", "00003.jpg", "--out", again)
    assert again.read_bytes() == out.read_bytes()


@pytest.mark.parametrize("name", ["fs-egm", "os-egm"])
def test_turns_of_the_mixture(folder, tmp_path, name):
    out = tmp_path / "turns.svg"
    done = view(folder, "saliency", name, "1", "--iterations", "--out", out)
    assert done.exit_code == 0, done.output + repr(done.exception)
    assert b"</svg>" in out.read_bytes()


def test_results_are_those_of_the_record(folder, tmp_path):
    out = tmp_path / "results.png"
    done = view(folder, "results", "gem", "1", "--top", "7", "--out", out)
    assert done.exit_code == 0, done.output + repr(done.exception)
    record = record_of(folder, "gem")
    opened = open_run(record.id, runs=folder / "runs", cache=folder / "cache")
    truth = opened.dataset.ground_truth[1]
    right = sum(image in {*truth["easy"], *truth["hard"]} for image in record.details["ranks"][1][:7])
    assert f"{right} of the first 7" in done.output
    assert view_results(opened, 1, top=7).picture == out.read_bytes()
    found = {tuple(colour) for colour in colours(out).tolist()}
    assert ((0, 158, 115) in found) == (right > 0)


@pytest.mark.parametrize(
    ("command", "name", "arguments", "error", "message"),
    [
        ("saliency", "gem", ("0", "--out", "a.png"), SpecError, "looks for no regions"),
        ("saliency", "fs-egm", ("99", "--out", "a.png"), UnknownName, 'unknown image "99"'),
        ("saliency", "fs-egm", ("0", "--out", "a.gif"), InvalidInput, "not a picture"),
        ("results", "gem", ("nobody", "--out", "a.png"), UnknownName, 'unknown query "nobody"'),
    ],
)
def test_what_cannot_be_drawn(folder, tmp_path, monkeypatch, command, name, arguments, error, message):
    monkeypatch.chdir(tmp_path)
    done = view(folder, command, name, *arguments)
    assert isinstance(done.exception, error)
    assert message in str(done.exception)
    assert not list(tmp_path.iterdir())


PLUGIN = """
from dataclasses import dataclass
from harness.plugin_api import hookimpl

@dataclass(frozen=True)
class Blind:
    'Mean of each map; a region without a saliency map.'
    def pool(self, maps):
        return maps.mean((-2, -1))
    def detect(self, saliency):
        return [(0, 0, 1, 1)]

@dataclass(frozen=True)
class Own(Blind):
    'The same with a saliency map.'
    def saliency(self, maps):
        return maps.sum(-3)

@hookimpl
def harness_register(registry):
    registry.pooling("blind", Blind)
    registry.pooling("own", Own)
"""


def test_a_pooling_of_a_plugin_is_drawn_as_far_as_it_offers_hooks(tmp_path):
    plugin, out = tmp_path / "own.py", tmp_path / "own.png"
    plugin.write_text(PLUGIN)
    spec = {**SPEC, "methods": {"backbone": "tiny", "pooling": ["own", "blind"]}}
    harness.run(spec, plugins=[str(plugin)], runs=tmp_path / "runs", cache=tmp_path / "cache")
    given = ("--plugin", plugin, "--out", out)
    assert view(tmp_path, "saliency", "own", "0", *given).exit_code == 0
    assert out.exists()
    refused = view(tmp_path, "saliency", "own", "0", "--iterations", *given).exception
    assert "does not show how it detects" in str(refused)
    refused = view(tmp_path, "saliency", "blind", "0", *given).exception
    assert 'pooling "blind" has no saliency maps' in str(refused)


def test_panels_need_rows_of_one_length():
    panel = Panel("a", np.zeros((4, 5, 3), np.uint8), np.zeros((2, 2)), [(0, 0, 1, 1)], 2.0, (0.0, 0.0, 2.0, 2.0))
    assert draw_panels([[panel], [panel]], "empty map").startswith(b"\x89PNG")
    for rows in ([], [[]], [[panel], [panel, panel]]):
        with pytest.raises(InvalidInput):
            draw_panels(rows)


def test_galleries_and_curves_are_deterministic():
    image = np.zeros((6, 4, 3), np.uint8)
    found = [Result(image, answer, "name") for answer in ("positive", "negative", "junk")]
    assert draw_gallery(image, found, (1, 1, 2, 2), "$x_$") == draw_gallery(image, found, (1, 1, 2, 2), "$x_$")
    with pytest.raises(InvalidInput):
        draw_gallery(image, [])
    values = {"FS": np.array([0.1, np.nan, 0.7]), "OS": np.array([0.5, 0.6, 0.9])}
    assert draw_precision(values, 0.2) == draw_precision(values, 0.2)


def test_boxes_follow_the_image():
    assert scaled_box((2.0, 4.0, 6.0, 8.0), 0.5) == (1.0, 2.0, 3.0, 4.0)
    assert scaled_box(None, 0.5) is None
