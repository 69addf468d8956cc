"""``harness cache verify --recompute``: cached arrays are computed again by the run that left them."""

from __future__ import annotations

import numpy as np
import pytest
import typer

import harness
from harness.cache import Cache
from harness.cache.entries import CacheEntry, EntryFolder, Provenance
from harness.core.cost import Cost
from harness.data.folders import data_folders
from harness.runs.executors.choose import Options
from harness.studies.recompute import compared, recomputable, recompute

SPEC = {
    "name": "digits",
    "task": "active-learning",
    "datasets": ["digits"],
    "methods": {
        "network": ["linear-head"],
        "learning": [{"supervised": {"epochs": 8}}],
        "acquisition": ["random"],
    },
    "seeds": [0],
    "protocol": {"initial": 10, "budget": 10, "cycles": 2},
}


def forge(entry):
    """Other features under the same key, whole and signed."""
    folder = EntryFolder(entry.folder)
    stored = folder.read(entry.name).arrays
    arrays = {name: array * 1.5 if array.dtype.kind == "f" else array for name, array in stored.items()}
    foreign = tuple(tuple(code) for code in entry.foreign)
    assert folder.write(entry.key, CacheEntry(arrays, Cost()), Provenance(foreign, entry.recipe)) == entry.name


def test_a_forged_entry_is_found_and_the_others_are_equal(tmp_path, clean_process):
    (record,) = harness.run(
        SPEC, data=tmp_path, cache=tmp_path / "cache", runs=tmp_path / "runs", options=Options("inline")
    )
    assert record.status == "done"
    folders = data_folders(tmp_path, tmp_path / "cache")
    entries = recomputable(folders)
    assert {entry.stage for entry in entries} >= {"cycle", "extract", "acquire"}
    assert all(not entry.foreign for entry in entries)
    forged = next(entry for entry in entries if entry.stage == "extract")
    forge(forged)
    outcomes = {result.entry.name: result for result in recompute(folders, 100)}
    assert outcomes[forged.name].outcome == "differs"
    assert "of its largest value" in outcomes[forged.name].why
    others = [result for name, result in outcomes.items() if name != forged.name]
    assert [(result.outcome, result.why) for result in others] == [("equal", "")] * len(others)


def test_of_what_no_run_left_it_says_that_only_the_bytes_are_checked(tmp_path, capsys):
    from harness.cli.cache import verify

    Cache(tmp_path / "cache" / "arrays").get_or_compute({"stage": "views"}, lambda: {"x": np.ones(3)})
    with pytest.raises(typer.Exit) as ending:
        verify(folder=tmp_path / "cache", data=tmp_path, recompute=5)
    assert ending.value.exit_code == 0
    said = capsys.readouterr().out
    assert "only the bytes are checked: 1" in said
    assert "recomputed: 0 equal" in said


@pytest.mark.parametrize(
    ("stored", "computed", "outcome"),
    [
        ({"x": [1.0, 2.0]}, {"x": [1.0, 2.0]}, "equal"),
        ({"x": [1.0, 2.0]}, {"x": [1.0, 2.0001]}, "close"),
        ({"x": [1.0, 2.0]}, {"x": [1.0, 2.1]}, "differs"),
        ({"x": [1.0, 2.0]}, {"x": [1.0, np.nan]}, "differs"),
        ({"x": [1.0]}, {"x": [1.0, 2.0]}, "differs"),
        ({"x": [1, 2]}, {"x": [1, 3]}, "differs"),
        ({"x": [1.0]}, {}, "differs"),
        ({"x": []}, {"x": []}, "equal"),
    ],
)
def test_arrays_are_compared_up_to_rounding(stored, computed, outcome):
    arrays = [{name: np.array(values) for name, values in side.items()} for side in (stored, computed)]
    assert compared(*arrays)[0] == outcome


def test_portions_of_descriptors_are_compared_by_image():
    def portion(*images, factor=1.0):
        rows = np.array(images, np.float32).reshape(-1, 1, 1) * np.float32(factor)
        return {"images": np.array(images, np.uint8).reshape(-1, 1), "rows": rows}

    assert compared(portion(1, 2, 3), portion(3, 2, 4))[0] == "equal"
    assert compared(portion(1, 2, 3), portion(3, 2, 4, factor=2))[0] == "differs"
    assert compared(portion(1, 2), portion(3, 4))[0] == "not computed"
