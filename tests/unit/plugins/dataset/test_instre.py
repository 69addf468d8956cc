"""INSTRE: a .mat file (v5) as published, ids from 1, boxes as corners."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat

from harness.core.errors import DataDamaged, DataMissing
from harness.plugin_api import DataFolders
from harness_dataset.instre import Instre

IMAGES = ["INSTRE-S1/01a/001.jpg", "INSTRE-S2/01a/001.jpg", "INSTRE-M/01a/001.jpg"]
QUERIES = ["INSTRE-S1/01a/002.jpg", "INSTRE-M/01a/002.jpg"]


def cells(values):
    found = np.empty((1, len(values)), dtype=object)
    found[0] = values
    return found


def write(folder, ids=((1, 3), (3,)), box=(4, 5, 20, 15), dtype=np.uint16, fields=("ok", "bbx"), **options):
    gnd = np.empty((1, len(ids)), dtype=[(field, object) for field in fields])
    for number, answers in enumerate(ids):
        gnd[0, number] = (np.array([answers], dtype=dtype), np.array([box], dtype=np.float64))
    content = {"imlist": cells(IMAGES), "qimlist": cells(QUERIES), "gnd": gnd}
    folder.mkdir(parents=True, exist_ok=True)
    savemat(folder / "gnd_instre.mat", content, format="5", **options)


@pytest.fixture
def folders(tmp_path):
    write(tmp_path / "instre")
    for number, name in enumerate((*IMAGES, *QUERIES)):
        path = tmp_path / "instre" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (32, 24), (number, 0, 0)).save(path)
    return DataFolders(tmp_path, tmp_path / "cache")


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int32, np.float64])
@pytest.mark.parametrize("compressed", [False, True])
def test_ids_from_1_become_ids_from_0(folders, dtype, compressed):
    write(folders.root / "instre", dtype=dtype, do_compression=compressed)
    data = Instre().load(folders)
    assert data.ground_truth == ({"easy": (0, 2), "hard": (), "junk": ()}, {"easy": (2,), "hard": (), "junk": ()})
    assert [path.relative_to(folders.root / "instre").as_posix() for path in data.images] == IMAGES
    assert [path.relative_to(folders.root / "instre").as_posix() for path in data.queries] == QUERIES


def test_boxes_are_corners(folders):
    """x0, y0, x1, y1: as x, y, w, h this one would end at (24, 20)."""
    assert Instre().load(folders).boxes[0] == (4, 5, 20, 15)


def test_the_fields_are_taken_by_their_order(folders):
    write(folders.root / "instre", fields=("ok", "bbox"))
    assert Instre().load(folders).boxes[0] == (4, 5, 20, 15)


def test_the_last_image_and_one_beyond(folders):
    write(folders.root / "instre", ids=((1, 2, 3), (3,)))
    assert Instre().load(folders).ground_truth[0]["easy"] == (0, 1, 2)
    write(folders.root / "instre", ids=((1, 4), (3,)))
    with pytest.raises(DataDamaged, match=r"3 is not in imlist \(0 to 2\)"):
        Instre().load(folders)


def test_an_id_of_0_was_never_counted_from_1(folders):
    write(folders.root / "instre", ids=((0, 1), (3,)))
    with pytest.raises(DataDamaged, match=r"-1 is not in imlist"):
        Instre().load(folders)


def test_a_box_of_width_and_height_is_refused_where_it_shows(folders):
    write(folders.root / "instre", box=(40, 50, 20, 15))
    with pytest.raises(DataDamaged, match="x0 < x1"):
        Instre().load(folders)


@pytest.mark.parametrize("name", ["../../secret.jpg", "/etc/passwd"])
def test_a_name_that_leaves_the_folder(folders, monkeypatch, name):
    monkeypatch.setitem(globals(), "IMAGES", [name, *IMAGES[1:]])
    write(folders.root / "instre")
    with pytest.raises(DataDamaged, match="leads out of the folder"):
        Instre().load(folders)


def test_photographs_one_folder_below(folders):
    before = Instre().fingerprint(folders)
    inner = folders.root / "instre" / "instre"
    inner.mkdir()
    for name in ("INSTRE-S1", "INSTRE-S2", "INSTRE-M"):
        (folders.root / "instre" / name).rename(inner / name)
    assert Instre().fingerprint(folders) == before


def test_what_is_missing_or_damaged(folders):
    (folders.root / "instre" / IMAGES[1]).unlink()
    with pytest.raises(DataMissing, match="1 of 5 images"):
        Instre().load(folders)
    (folders.root / "instre" / "gnd_instre.mat").write_bytes(b"<html>404</html>" * 20)
    with pytest.raises(DataDamaged, match="not the published file"):
        Instre().fingerprint(folders)
    savemat(folders.root / "instre" / "gnd_instre.mat", {"imlist": cells(IMAGES)})
    with pytest.raises(DataDamaged, match="not the published file"):
        Instre().fingerprint(folders)
    (folders.root / "instre" / "gnd_instre.mat").unlink()
    with pytest.raises(DataMissing, match=r"gnd_instre\.mat"):
        Instre().fingerprint(folders)
