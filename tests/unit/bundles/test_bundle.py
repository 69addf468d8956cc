"""Bundles from anybody: what is refused; and what of a user does not get into one."""

from __future__ import annotations

import getpass
import io
import json
import stat
import zipfile
from pathlib import Path

import pytest
from people import PLUGIN, bundle, record, store

from harness.bundles.bundle import Manifest, open_bundle
from harness.bundles.publishing import publish
from harness.core.errors import DataDamaged, DataMissing, Errors, PluginError, SpecError
from harness.core.places import without_places
from harness.core.signed import signed, unsigned
from harness.runs.identity import recorded_id

ALICE = "/home/alice/secret"


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The members of a bundle that nobody changed."""
    with zipfile.ZipFile(bundle(tmp_path_factory.mktemp("whole"), record(), record("mac"))) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def written(path, members):
    """An archive of (name or ``ZipInfo``, content)."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return path


def link(name):
    info = zipfile.ZipInfo(name)
    info.create_system, info.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
    return info


def manifest(whole, **changes):
    """The members with another manifest, signed again."""
    content = unsigned(whole["manifest.json"]) | changes
    return {**whole, "manifest.json": signed(content)}


def with_part(whole, name, content=b"x"):
    """The members and one more, which the manifest knows."""
    import hashlib

    files = unsigned(whole["manifest.json"])["files"] | {name: hashlib.sha256(content).hexdigest()}
    return {**manifest(whole, files=files), name: content}


RUN = "runs/" + "0" * 24 + ".json"
HOSTILE = {
    "a name outside": lambda w: [*w.items(), ("../outside", b"x")],
    "an absolute name": lambda w: [*w.items(), ("/tmp/outside", b"x")],
    "a drive": lambda w: [*w.items(), ("C:/outside", b"x")],
    "a link": lambda w: [*w.items(), (link("spec.yaml"), b"/etc/passwd")],
    "a file twice": lambda w: [*w.items(), ("Manifest.json", b"x")],
    "a bomb": lambda w: [*w.items(), ("spec.yaml", bytes(80 << 20))],
    "a part that nobody knows": lambda w: [*w.items(), ("spec.yaml", b"x")],
    "another kind of part": lambda w: with_part(w, "setup.py").items(),
    "a hidden part": lambda w: with_part(w, "plugins/mine/.git").items(),
    "a part that is gone": lambda w: list(w.items())[:-1],
    "a part with other bytes": lambda w: [*list(w.items())[:-1], (list(w)[-1], b"{}")],
    "a record that is none": lambda w: with_part(w, RUN, b"{}").items(),
    "rankings of no record": lambda w: with_part(w, RUN.replace(".json", ".ranks.npy")).items(),
    "no manifest": lambda w: [item for item in w.items() if item[0] != "manifest.json"],
    "a manifest that is damaged": lambda w: {**w, "manifest.json": w["manifest.json"][:-3]}.items(),
    "a manifest without end": lambda w: {**w, "manifest.json": b"[" * 100_000}.items(),
    "a manifest with more": lambda w: manifest(w, surprise=1).items(),
    "a manifest of tomorrow": lambda w: manifest(w, format=2).items(),
    "a manifest without name": lambda w: manifest(w, measured_by=" \t").items(),
    "a manifest that is another": lambda w: manifest(w, files=3).items(),
    "no records": lambda w: manifest({"manifest.json": w["manifest.json"]}, files={}).items(),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_bundles_that_are_not_what_they_say_are_refused(tmp_path, whole, kind):
    path = written(tmp_path / "bundle.zip", HOSTILE[kind](whole))
    with pytest.raises(DataDamaged, match=r"bundle\.zip"):
        open_bundle(path)
    assert [file.name for file in tmp_path.iterdir()] == ["bundle.zip"]


def test_no_archive_and_another_name_are_refused(tmp_path, whole):
    (tmp_path / "text.zip").write_text("no archive")
    with pytest.raises(DataDamaged, match="text.zip is no bundle"):
        open_bundle(tmp_path / "text.zip")
    with pytest.raises(DataDamaged, match="is not the bundle of this name"):
        open_bundle(written(tmp_path / f"{'0' * 24}.zip", whole.items()))
    with pytest.raises(DataMissing, match="there is no bundle"):
        open_bundle(tmp_path / "none.zip")


def test_names_cannot_break_lines_or_terminals(whole, tmp_path):
    opened = open_bundle(written(tmp_path / "x.zip", manifest(whole, measured_by="A\n\x1b[31m| B").items()))
    assert opened.manifest.measured_by == "A \\x1b[31m| B"


def test_compression_does_not_change_what_a_bundle_is(tmp_path, whole):
    opened = open_bundle(written(tmp_path / "again.zip", reversed(whole.items())))
    with zipfile.ZipFile(io.BytesIO(opened.content)) as archive:
        assert archive.namelist() == sorted(whole)
        assert {info.date_time[0] for info in archive.infolist()} == {1980}
        assert {info.compress_type for info in archive.infolist()} == {zipfile.ZIP_STORED}


def test_records_that_verify_refuses_are_named(tmp_path):
    runs = store(tmp_path / "runs", record(), record("mac"), record("spoc"))
    for number, name in enumerate(("gem", "mac")):
        path = runs / f"{record(name).id}.json"
        content = unsigned(path.read_bytes())
        content["metrics"]["map_medium"] = 0.6 + number / 10
        path.write_bytes(signed(content))
    with pytest.raises(Errors) as caught:
        publish(runs, tmp_path / "out", measured_by="A", licence="CC0")
    assert {name for name in ("gem", "mac", "spoc") if record(name).id in str(caught.value)} == {"gem", "mac"}
    assert not (tmp_path / "out").exists()


def test_who_and_licence_must_be_said(tmp_path):
    runs = store(tmp_path / "runs", record())
    with pytest.raises(SpecError, match="--measured-by is empty"):
        publish(runs, tmp_path / "out", measured_by=" ", licence="CC0")
    with pytest.raises(SpecError, match="--licence is empty"):
        publish(runs, tmp_path / "out", measured_by="A", licence="")


def test_imported_records_are_left_out(tmp_path):
    imported = record("mac", measured_by="B")
    done = publish(store(tmp_path / "runs", record(), imported), tmp_path, measured_by="A", licence="CC0")
    assert (done.runs, done.left_out) == (1, 1)
    with pytest.raises(SpecError, match="records of others alone"):
        publish(store(tmp_path / "others", imported), tmp_path, measured_by="A", licence="CC0")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"harness run {ALICE}/spec.yaml --data={ALICE}", "harness run spec.yaml --data=secret"),
        (f'File "{ALICE}/mine.py", line 3', 'File "mine.py", line 3'),
        (f"file://{ALICE}/x.png", "x.png"),
        ("see https://example.org/home/alice/x", "see https://example.org/home/alice/x"),
        (r"C:\Users\alice\x.png", "x.png"),
        ("~/secret/x.png", "x.png"),
        ("and/or, 1/2, 4 / 5, a/b.py", "and/or, 1/2, 4 / 5, a/b.py"),
        (f"{Path.home()}/my files/x", "my files/x"),
    ],
)
def test_of_a_path_the_last_name_is_left(text, expected):
    assert without_places(text) == expected


def test_no_place_and_no_user_gets_into_a_bundle(tmp_path):
    where = {"command": f"harness run {ALICE}/spec.yaml", "cores": 2}
    failure = {"code": "E", "message": f"no {ALICE}/x", "traceback": f'File "{ALICE}/mine.py"', "place": "mine.py:3"}
    failed = record("mac", status="failed", failure=failure, metrics={}, details={}, environment=where)
    data = {"name": "set", "loader": "l", "parameters": {"folder": f"{ALICE}/images"}, "digest": "v1"}
    data |= {"fingerprint": "f" * 64, "counts": {"queries": 8}}
    path = bundle(tmp_path, record(environment=where, dataset=data), failed)
    user = getpass.getuser()
    for text in (
        path.read_bytes().decode("latin-1"),
        json.dumps(unsigned(zipfile.ZipFile(path).read("manifest.json"))),
    ):
        assert "alice" not in text
        assert f"/{user}/" not in text
        assert str(tmp_path) not in text
    opened = open_bundle(path)
    assert opened.record(failed.id).failure.traceback == 'File "mine.py"'


def test_a_place_that_identifies_a_run_is_refused(tmp_path):
    made = record()
    method = made.methods["pooling"].model_copy(update={"parameters": {"words": f"{ALICE}/words"}})
    placed = made.model_copy(update={"methods": {"pooling": method}})
    placed = placed.model_copy(update={"id": recorded_id(placed)})
    with pytest.raises(SpecError, match=f"pooling gem has words: {ALICE}/words"):
        bundle(tmp_path, placed)


def test_plugins_are_published_as_they_ran(tmp_path):
    from harness.registry import load_registry

    plugin = tmp_path / "mine.py"
    plugin.write_text(PLUGIN.format(number=77))
    registry = load_registry([plugin])
    code = registry.identify("pooling", "own-77", registry.create("pooling", "own-77")).digest
    made = record("own-77", digest=code, plugin="mine.py")
    with pytest.raises(PluginError, match="is not there"):
        bundle(tmp_path / "a", made)
    opened = open_bundle(bundle(tmp_path / "b", made, plugins=[plugin]))
    assert (opened.folder / "plugins" / "mine" / "mine.py").read_bytes() == plugin.read_bytes()
    with pytest.raises(PluginError, match="is not the one that ran"):
        bundle(tmp_path / "c", record("own-77", digest="0" * 16, plugin="mine.py"), plugins=[plugin])
    plugin.write_text(f"# {Path.home()}/notes\n{PLUGIN.format(number=77)}")
    with pytest.raises(PluginError, match="it names"):
        bundle(tmp_path / "d", made, plugins=[plugin])


def test_the_manifest_says_where_runs_happened_and_what_the_audit_found(tmp_path):
    one = record(environment={"cores": 2, "command": "x"}, details={"ap_medium": [0.5] * 8, "audit": ["two are alike"]})
    other = record("mac", environment={"cores": 2, "command": "y"})
    about: Manifest = open_bundle(bundle(tmp_path, one, other)).manifest
    assert about.environments == [{"cores": 2}]
    assert [audit["warnings"] for audit in about.audits] == [["two are alike"]]
    assert (about.measured_by, about.licence) == ("A. Example", "CC0")


def test_a_spec_is_not_refused_for_records_of_another_beside_them(tmp_path):
    runs = store(tmp_path / "runs", record())
    (tmp_path / "spec.yaml").write_text(
        "{name: mine, task: retrieval, datasets: synthetic-instances, methods: {backbone: tiny, pooling: gem}}"
    )
    path = runs / f"{record().id}.json"
    path.write_bytes(signed({**unsigned(path.read_bytes()), "metrics": {"map_medium": 0.9}}))
    with pytest.raises(SpecError) as caught:  # its own runs are missing
        publish(tmp_path / "spec.yaml", tmp_path / "out", measured_by="A", licence="CC0")
    assert record().id not in str(caught.value)
