"""``harness datasets`` as a user types it, and a run on data in the layout of the published sets."""

from __future__ import annotations

import importlib.util
import io
import json
import pickle
import shlex
import tarfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from harness.plugin_api import DataFolders
from harness_dataset.revisited import Revisited

_spec = importlib.util.spec_from_file_location("mirror", Path(__file__).parents[1] / "unit" / "data" / "server.py")
_server = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_server)

DATABASE = [f"oxford_{number:06}" for number in range(6)]
QUERIES = ["all_souls_000013", "ashmolean_000058"]
GND = [
    {"bbx": [4, 4, 60, 44], "easy": [0], "hard": [1], "junk": [2]},
    {"bbx": [0, 0, 64, 48], "easy": [], "hard": [3, 4], "junk": []},
]


@pytest.fixture
def harness(command):
    """``harness("datasets", path, ...)``: what the command left."""
    return lambda *arguments: command(shlex.join(["harness", *map(str, arguments)]))


def picture(name):
    """Images of one query look alike."""
    group = {"all_souls_000013": 0, "ashmolean_000058": 1}.get(name)
    number = DATABASE.index(name) if group is None else 10 + group
    group = (0 if number < 2 else 1 if number in (3, 4) else 2 + number) if group is None else group
    rng = np.random.default_rng(group)
    pixels = rng.integers(0, 256, (6, 8, 3)).repeat(8, 0).repeat(8, 1) + np.random.default_rng(number).integers(0, 9)
    buffer = io.BytesIO()
    Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8)).save(buffer, "JPEG")
    return buffer.getvalue()


@pytest.fixture
def archive():
    """All photographs as the official archive has them."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name in (*DATABASE, *QUERIES):
            info = tarfile.TarInfo(f"{name}.jpg")
            info.size = len(content := picture(name))
            tar.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


@pytest.fixture
def truth():
    return pickle.dumps({"gnd": GND, "imlist": DATABASE, "qimlist": QUERIES}, protocol=2)


def test_fetch_verify_show(harness, archive, truth, tmp_path):
    mine, data = tmp_path / "mine.yaml", tmp_path / "data"
    with _server.served() as mirror:
        mirror.files = {"images.tgz": archive, "gnd.pkl": truth}
        mine.write_text(f"""\
buildings-of-mine:
  loader: revisited
  task: retrieval
  parameters: {{path: mine, ground_truth: gnd.pkl}}
  description: my buildings
  protocol: revisited
  source: put gnd.pkl into mine and the photographs into mine/jpg
  licence: mine
  counts: {{images: 6, queries: 2, easy: 1, hard: 3, junk: 1}}
  files:
    - {{name: gnd.pkl, to: mine, urls: ["{mirror.url("missing", "gnd.pkl")}", "{mirror.url("good", "gnd.pkl")}"]}}
    - {{name: images.tgz, to: mine/jpg, unpack: flat, urls: ["{mirror.url("cut", "images.tgz")}"]}}
""")
        options = ("buildings-of-mine", "--catalogue", mine, "--data", data)
        fetched = harness("datasets", "fetch", *options)
        assert fetched.code == 0, fetched.err
        assert "downloaded  gnd.pkl  from" in fetched.out
        assert "6 images, 2 queries, 1 easy, 3 hard, 1 junk" in fetched.out
        assert "no checksum is published: this one is recorded" in fetched.out
        assert "8 images decoded" in fetched.out
        assert "\x1b" not in fetched.err
    again = harness("datasets", "fetch", *options)
    assert "exists already" in again.out
    assert "verified" in harness("datasets", "--catalogue", mine, "--data", data).out
    out = tmp_path / "gnd.json"
    assert "6 images, 2 queries" in harness("datasets", "show", *options, "--ground-truth", out).out
    assert json.loads(out.read_text())["queries"][0]["hard"] == [1]
    (data / "mine" / "jpg" / f"{DATABASE[3]}.jpg").write_bytes(picture(DATABASE[3])[:-200])
    wrong = harness("datasets", "verify", *options)
    assert wrong.code == 4
    assert f"wrong: image {data / 'mine' / 'jpg' / DATABASE[3]}.jpg cannot be read" in wrong.out
    assert json.loads(harness("datasets", "verify", *options, "--json").out)["problems"]


def test_without_a_network_and_without_data(harness, tmp_path):
    mine = tmp_path / "mine.yaml"
    mine.write_text("""\
far:
  loader: mnist
  task: active-learning
  parameters: {path: far}
  description: d
  protocol: p
  source: put the four idx files into far
  licence: l
  files: [{name: a.gz, to: far, size: 9912422, urls: ["http://127.0.0.1:9/a.gz"]}]
""")
    done = harness("datasets", "fetch", "far", "--catalogue", mine, "--data", tmp_path / "d")
    assert done.code == 4
    assert f"put a.gz (9.9 MB) into {tmp_path / 'd' / 'far'}" in done.err
    assert "Traceback" not in done.err
    missing = harness("datasets", "verify", "far", "--catalogue", mine, "--data", tmp_path / "d")
    assert missing.code == 4
    assert "harness datasets fetch far; or put the four idx files into far" in missing.err


def test_show_names_source_checksum_protocol_licence_and_citation(harness):
    card = harness("datasets", "show", "roxford5k").out
    for words in (
        "gnd_roxford5k.pkl, 150 kB, no checksum published",
        "revisitop",
        "licence",
        "CVPR, 2018",
        "4,993 images",
    ):
        assert words in card
    assert harness("datasets", "roxford5k").out == card
    assert json.loads(harness("datasets", "mnist", "--json").out)["files"][0]["checksum"].startswith("md5:")
    listed = json.loads(harness("datasets", "--json").out)
    assert {"instre", "paris6k"} <= {entry["name"] for entry in listed["catalogue"]}
    assert harness("datasets", "show", "image-clases").code == 2


SPEC = """\
name: buildings
task: retrieval
datasets: roxford5k
methods: {backbone: tiny, pooling: [mac, gem]}
protocol: {image_size: 64}
"""


def test_a_run_on_data_in_the_layout_of_roxford5k(harness, archive, truth, tmp_path):
    (tmp_path / "spec.yaml").write_text(SPEC)
    missing = harness("run", tmp_path / "spec.yaml", "--data", tmp_path)
    assert missing.code == 4
    assert "harness datasets fetch roxford5k; or put gnd_roxford5k.pkl into roxford5k" in missing.err
    assert "Traceback" not in missing.err
    folder = tmp_path / "roxford5k"
    (folder / "jpg").mkdir(parents=True)
    (folder / "gnd_roxford5k.pkl").write_bytes(truth)
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        tar.extractall(folder / "jpg", filter="data")
    done = harness("run", tmp_path / "spec.yaml", "--data", tmp_path, "--executor", "inline")
    assert done.code == 0, done.err
    assert "2 runs executed" in done.out
    record = json.loads(next((tmp_path / "runs").rglob("*.json")).read_text())
    fingerprint = Revisited("roxford5k", "gnd_roxford5k.pkl").fingerprint(DataFolders(tmp_path, tmp_path / "cache"))
    assert fingerprint in json.dumps(record)
    board = harness("leaderboard", tmp_path / "spec.yaml", "--data", tmp_path)
    assert "mAP Hard" in board.out


def test_audit_of_a_name_and_of_a_spec(harness, tmp_path):
    images = tmp_path / "data" / "mine" / "images"
    images.mkdir(parents=True)
    for number, name in enumerate(("a", "b", "c", "q")):
        coarse = np.random.default_rng(number).integers(0, 256, (6, 8, 3), dtype=np.uint8)
        Image.fromarray(coarse).resize((32, 24)).save(images / f"{name}.png")
    truth = {"imlist": ["a.png", "b.png"], "queries": [{"image": "q.png", "easy": [0]}]}
    (images.parent / "gnd.json").write_text(json.dumps(truth))
    entry = "mine: {loader: image-instances, task: retrieval, parameters: {path: mine, leave_one_out: false},"
    (tmp_path / "datasets.yaml").write_text(f"{entry} description: d, protocol: p, source: s, licence: l}}\n")
    spec = "name: s\ntask: retrieval\ndatasets: [mine]\nmethods: {backbone: tiny, pooling: mac}\n"
    (tmp_path / "spec.yaml").write_text(spec)
    options = ("--data", tmp_path / "data", "--cache", tmp_path / "cache")
    page = tmp_path / "audit.html"
    found = harness("datasets", "audit", tmp_path / "spec.yaml", *options, "--page", page)
    assert found.code == 0
    assert page.read_text().count('<img src="data:image/jpeg;base64,') == 1
    assert "skipped-files" in page.read_text()
    assert "mine: 2 images, 1 queries" in found.out
    assert "warning: 1 file is skipped (not in the ground truth)" in found.out
    assert "OK" not in found.out
    (images / "c.png").unlink()
    named = ("datasets", "audit", "mine", "--catalogue", tmp_path / "datasets.yaml", *options)
    assert harness(*named).out.endswith("OK\n")
    truth["imlist"].append("q.png")
    (images.parent / "gnd.json").write_text(json.dumps(truth))
    wrong = harness(*named, "--json")
    assert wrong.code == 4
    assert json.loads(wrong.out)[0]["findings"][0]["code"] == "query-in-database"
