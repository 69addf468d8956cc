"""A hundred tampered records in bundles: each is found, by reading, by verification, or by doing the run again."""

from __future__ import annotations

import hashlib
import io
import json
import random
import shutil
import zipfile
from collections import Counter
from dataclasses import dataclass
from typing import Any

import pytest

import harness
from harness.bundles.checking import verify
from harness.bundles.publishing import publish
from harness.core.errors import DataDamaged
from harness.core.signed import signed, unsigned
from harness.metrics.classification import area_under_curve
from harness.runs.identity import protocol_identity, recorded_id
from harness.runs.record import Record

RETRIEVAL = {
    "name": "toy",
    "task": "retrieval",
    "datasets": "toy-images",
    "methods": {"backbone": "colour", "pooling": "gem", "whitening": "pca"},
    "keep_ranks": "all",
}
ACTIVE = {
    "name": "toy",
    "task": "active-learning",
    "datasets": "toy-classes",
    "methods": {
        "network": {"small-cnn": {"width": 4}},
        "learning": {"supervised": {"epochs": 2}},
        "acquisition": "first",
    },
    "protocol": {"initial": 6, "budget": 3, "cycles": 3},
    "seeds": [0],
}
pytestmark = pytest.mark.slow
CHECKSUM, VERIFY, RECOMPUTE, UNSEEN = "checksum", "verify", "recompute", "not found"


@dataclass
class Parts:
    """A bundle that is being changed: its one record, its other files."""

    record: dict[str, Any]
    files: dict[str, bytes]


def put(path, value):
    """Another value at a place of the record; a function gets what was there."""

    def change(parts: Parts) -> None:
        place = parts.record
        *above, last = path.split(".")
        for name in above:
            place = place[name]
        place[last] = value(place[last]) if callable(value) else value

    return change


def both(*changes):
    """Several changes."""

    def change(parts: Parts) -> None:
        for one in changes:
            one(parts)

    return change


def with_its_id(*changes):
    """Changes of what identifies the run, with the ids that follow from them."""

    def change(parts: Parts) -> None:
        both(*changes)(parts)
        record = Record.model_validate(parts.record)
        protocol = protocol_identity(record.task, record.protocol, record.versions)
        parts.record["protocol_id"] = protocol
        parts.record["id"] = recorded_id(record.model_copy(update={"protocol_id": protocol}))

    return change


def precisions(value, *, ranks=True):
    """Other average precisions, and the mean that follows."""

    def change(parts: Parts) -> None:
        details, metrics = parts.record["details"], parts.record["metrics"]
        details["ap_hard"] = [value] * len(details["ap_hard"])
        metrics["map_hard"] = value
        details["ranks"] = details["ranks"] if ranks else []

    return change


def accuracies(share, count=lambda labels: labels):
    """Other accuracies of all cycles, or numbers of labels, and the metrics that follow."""

    def change(parts: Parts) -> None:
        cycles = parts.record["details"]["cycles"]
        for cycle in cycles:
            cycle["accuracy"] = min(1.0, cycle["accuracy"] + share)
            cycle["n_labelled"] = count(cycle["n_labelled"])
        labels, values = ([float(cycle[name]) for cycle in cycles] for name in ("n_labelled", "accuracy"))
        at = {f"accuracy@{label:g}": value for label, value in zip(labels, values, strict=True)}
        parts.record["metrics"] = {**at, "accuracy": values[-1], "area_under_curve": area_under_curve(labels, values)}

    return change


def cost(name, value):
    """Another value of every stage."""

    def change(parts: Parts) -> None:
        for stage in parts.record["cost"].values():
            stage[name] = value

    return change


def plugin(change):
    """Another source of the plugin file."""

    def changed(parts: Parts) -> None:
        name = "plugins/toy/toy.py"
        parts.files[name] = change(parts.files[name])

    return changed


def later(parts: Parts) -> None:
    parts.record["started"], parts.record["finished"] = parts.record["finished"], parts.record["started"]


def swapped(row):
    """The first two of a ranking, the other way round."""
    return [row[1], row[0], *row[2:]]


BOTH = {
    "numbers: a metric that is none": put("metrics", lambda metrics: {**metrics, "accuracy@7": 0.99, "map_x": 0.99}),
    "numbers: above 1": put("metrics", lambda metrics: {name: 1.5 for name in metrics}),
    "parameters: another one": put(
        "methods", lambda methods: {k: {**m, "parameters": {"p": 9}} for k, m in methods.items()}
    ),
    "parameters: of the loader": put("dataset.parameters", {"count": 20}),
    "parameters: of the protocol": put("protocol", lambda options: {**options, next(iter(options)): 7}),
    "ids: of the run": put("id", "0" * 24),
    "ids: of the protocol": put("protocol_id", lambda text: text[:-1] + "0"),
    "ids: the seed": put("seed", 5),
    "ids: the data": put("dataset.fingerprint", "7" * 64),
    "ids: the data, with its id": with_its_id(put("dataset.fingerprint", "7" * 64)),
    "ids: the name of the data": put("dataset.name", "mnist"),
    "ids: measured by others": put("measured_by", "somebody"),
    "sources: of a loader": put("dataset.digest", "0" * 16),
    "sources: the version of an engine": put("versions", lambda versions: dict.fromkeys(versions, 9)),
    "sources: an engine, with its id": with_its_id(put("versions", lambda versions: dict.fromkeys(versions, 9))),
    "sources: no engine, with its id": with_its_id(put("versions", {})),
    "details: none": put("details", {}),
    "details: one more": put("details", lambda details: {**details, "surprise": [1, 2]}),
    "details: other counts": put("dataset.counts", lambda counts: {name: n + 1 for name, n in counts.items()}),
    "costs: negative": cost("wall_s", -1.0),
    "costs: none": cost("wall_s", 0.0),
    "costs: more than the run took": cost("wall_s", 1e4),
    "costs: more processors than there are": cost("cpu_s", 1e4),
    "costs: backwards": later,
}
OF_RETRIEVAL = {
    "numbers: a metric alone": put("metrics.map_medium", 0.31),
    "numbers: with what it follows from": precisions(0.123),
    "numbers: and without rankings": precisions(0.123, ranks=False),
    "sources: of a method": put("methods.backbone.digest", "0" * 16),
    "sources: of a method, with its id": with_its_id(put("methods.backbone.digest", "0" * 16)),
    "sources: a later method, with its id": with_its_id(put("methods.pooling.digest", "v9")),
    "sources: the plugin file": plugin(lambda text: text.replace(b"200 + rng", b"199 + rng")),
    "sources: no plugin file": lambda parts: parts.files.pop("plugins/toy/toy.py"),
    "parameters: with its id": with_its_id(put("methods.whitening.parameters.components", 1)),
    "details: rankings": put("details.ranks", lambda rows: [row[::-1] for row in rows]),
    "details: two of a ranking": put("details.ranks", lambda rows: [swapped(row) for row in rows]),
    "details: an image twice": put("details.ranks", lambda rows: [[0, 0, *row[2:]] for row in rows]),
    "details: health": put("details.health", {}),
    "details: stored rankings": put("details.kept_ranks.sha256", "0" * 64),
    "costs: bytes": put("figures.bytes_per_image", 1.0),
    "costs: time of queries": put("figures.query_s_p95", 1e-9),
}
OF_ACTIVE_LEARNING = {
    "numbers: a metric alone": put("metrics.accuracy", 0.31),
    "numbers: all accuracies": accuracies(0.05),
    "numbers: fewer labels": accuracies(0.0, lambda labels: labels - 1),
    "sources: of a method, with its id": with_its_id(put("methods.acquisition.digest", "0" * 16)),
    "parameters: with its id": with_its_id(put("methods.acquisition.parameters.skip", 9)),
    "parameters: epochs, with its id": with_its_id(put("methods.learning.parameters.epochs", 3)),
    "ids: the seed, with its id": with_its_id(put("seed", 5)),
    "details: labels that fall": put("details.cycles", lambda cycles: cycles[::-1]),
    "details: other picks": put("details.cycles", lambda cycles: [{**cycle, "acquired": [1, 2]} for cycle in cycles]),
    "costs: time of picks": put("figures.acquire_s", 1e16),
}
TAMPERED = [
    *(("retrieval", name, change) for name, change in {**BOTH, **OF_RETRIEVAL}.items()),
    *(("active learning", name, change) for name, change in {**BOTH, **OF_ACTIVE_LEARNING}.items()),
]


@pytest.fixture(scope="module")
def published(tmp_path_factory, toy):
    """A bundle of one record of each task, with the plugin file in it."""
    folder, bundles = tmp_path_factory.mktemp("published"), {}
    shutil.copy(toy, folder / "toy.py")
    for task, spec in (("retrieval", RETRIEVAL), ("active learning", ACTIVE)):
        place = folder / task
        (record,) = harness.run(spec, plugins=(folder / "toy.py",), runs=place / "runs", cache=folder / "cache")
        assert record.status == "done", record.failure
        done = publish(place / "runs", place, measured_by="A", licence="CC0", plugins=[folder / "toy.py"])
        with zipfile.ZipFile(done.file) as archive:
            bundles[task] = {name: archive.read(name) for name in archive.namelist()}
    return bundles


def packed(files) -> bytes:
    """An archive of files."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name, part in files.items():
            archive.writestr(name, part)
    return content.getvalue()


def tampered(bundle, change, *, signed_again) -> bytes:
    """The bundle with a changed record that has its checksum again, and where asked for the manifest too."""
    files = dict(bundle)
    (name,) = (name for name in files if name.startswith("runs/") and name.endswith(".json"))
    parts = Parts(unsigned(files[name]), files)
    before = parts.record["id"]
    change(parts)
    del files[name]
    files = {key.replace(before, parts.record["id"]): content for key, content in files.items()}
    files[f"runs/{parts.record['id']}.json"] = signed(parts.record)
    if signed_again:
        manifest = unsigned(files.pop("manifest.json"))
        manifest["files"] = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
        files["manifest.json"] = signed(manifest)
    return packed(files)


def found_by(path, *, run_sources=True) -> str:
    """Which check finds that something is wrong with a bundle."""
    try:
        plain = verify([path], run_sources=run_sources)
    except DataDamaged as error:
        own = any(words in error.headline for words in ("checksum", "is missing", "is in no"))
        return CHECKSUM if own else VERIFY
    if any(check.problem for check in plain):
        return VERIFY
    again = verify([path], run_sources=run_sources, recompute=1)
    return RECOMPUTE if any(check.problem for check in again) else UNSEEN


def test_what_is_not_signed_again_is_found_by_a_checksum(tmp_path, published):
    path = tmp_path / "bundle.zip"
    for task, name, change in TAMPERED[::6]:
        path.write_bytes(tampered(published[task], change, signed_again=False))
        assert found_by(path) == CHECKSUM, (task, name)


def test_what_follows_from_a_record_is_verified_and_the_rest_found_by_running_it_again(tmp_path, published):
    path = tmp_path / "bundle.zip"
    for task, name, expected in (
        ("retrieval", "costs: bytes", RECOMPUTE),
        ("retrieval", "details: rankings", VERIFY),
        ("active learning", "ids: measured by others", VERIFY),
    ):
        changes = {kind: change for of, kind, change in TAMPERED if of == task}
        path.write_bytes(tampered(published[task], changes[name], signed_again=True))
        assert found_by(path) == expected, name
    path.write_bytes(packed(published["retrieval"]))
    assert found_by(path) == UNSEEN


def test_a_hundred_tampered_records_are_all_found(tmp_path, published, capsys):
    rng, path = random.Random(0), tmp_path / "bundle.zip"
    victims = [(*one, True) for one in TAMPERED]
    victims += [(*rng.choice(TAMPERED), False) for _ in range(100 - len(victims))]
    table: dict[str, Counter] = {}
    unseen = []
    for task, name, change, signed_again in victims:
        path.write_bytes(tampered(published[task], change, signed_again=signed_again))
        found = found_by(path)
        table.setdefault(name.partition(":")[0], Counter())[found] += 1
        unseen += [(task, name)] if found == UNSEEN else []
    with capsys.disabled():
        print(f"\n{'':<12}" + "".join(f"{by:>12}" for by in (CHECKSUM, VERIFY, RECOMPUTE, UNSEEN)))
        for what, counts in table.items():
            print(f"{what:<12}" + "".join(f"{counts[by]:>12}" for by in (CHECKSUM, VERIFY, RECOMPUTE, UNSEEN)))
    assert sum(counts.total() for counts in table.values()) == 100
    assert not unseen, json.dumps(unseen, indent=1)
