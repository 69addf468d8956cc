"""The original Oxford and Paris: text files as published, names with and without prefix, corrupted files left out."""

from __future__ import annotations

import pytest
from PIL import Image

from harness.core.errors import DataDamaged, DataMissing
from harness.data.catalogue import catalogue
from harness.metrics.ranking import evaluate
from harness.plugin_api import DataFolders
from harness_dataset.buildings import CORRUPTED, Buildings

OXFORD = {
    "all_souls_1_query.txt": "oxc1_all_souls_000013 136.5 34.1 648.5 955.7 \n",
    "all_souls_1_good.txt": "all_souls_000013\nall_souls_000026\n",
    "all_souls_1_ok.txt": "oxford_002904\n",
    "all_souls_1_junk.txt": "oxford_001752\n",
    "radcliffe_camera_5_query.txt": "oxc1_radcliffe_camera_000158 0 0 10 12\n",
    "radcliffe_camera_5_good.txt": "radcliffe_camera_000158\n",
    "radcliffe_camera_5_ok.txt": "",
    "radcliffe_camera_5_junk.txt": "",
}
IMAGES = ["all_souls_000013", "all_souls_000026", "oxford_001752", "oxford_002904", "radcliffe_camera_000158"]


def lay_out(root, texts, images, gt="gt", jpg="jpg"):
    for name, text in texts.items():
        (root / gt).mkdir(parents=True, exist_ok=True)
        (root / gt / name).write_text(text)
    for number, name in enumerate(images):
        path = root / jpg / f"{name}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (12, 12), (number, 0, 0)).save(path)


@pytest.fixture
def folders(tmp_path):
    lay_out(tmp_path / "oxford5k", OXFORD, IMAGES)
    return DataFolders(tmp_path, tmp_path / "cache")


def test_good_and_ok_are_positives_and_the_query_stays_in_the_database(folders):
    data = Buildings("oxford5k").load(folders)
    assert [path.stem for path in data.images] == IMAGES
    assert [path.stem for path in data.queries] == ["all_souls_000013", "radcliffe_camera_000158"]
    assert data.boxes == ((136.5, 34.1, 648.5, 955.7), (0, 0, 10, 12))
    assert data.ground_truth == (
        {"easy": (0, 1, 3), "hard": (), "junk": (2,)},
        {"easy": (4,), "hard": (), "junk": ()},
    )


def test_easy_and_medium_are_the_score_of_the_original_protocol(folders):
    data = Buildings("oxford5k").load(folders)
    ranks = [[0, 2, 4, 1, 3], [4, 0, 1, 2, 3]]
    scores = evaluate(ranks, data.ground_truth, n_database=5)
    # Without junk: positives at 0, 2, 3 of 4. Trapezoids: (1 + 1)/2, (1/2 + 2/3)/2, (2/3 + 3/4)/2.
    first = (1 + (1 / 2 + 2 / 3) / 2 + (2 / 3 + 3 / 4) / 2) / 3
    assert scores["easy"].ap.tolist() == pytest.approx([first, 1])
    assert scores["medium"].map == scores["easy"].map
    assert scores["hard"].map != scores["hard"].map


@pytest.mark.parametrize("gt", ["gt", "groundtruth", "lab", "gt/deeper", "."])
def test_text_files_where_others_put_them(tmp_path, gt):
    lay_out(tmp_path / "oxford5k", OXFORD, IMAGES, gt)
    assert len(Buildings("oxford5k").load(DataFolders(tmp_path, tmp_path / "cache")).queries) == 2


def test_paris_without_prefix_in_folders_without_the_corrupted(tmp_path):
    corrupted = "paris_louvre_000136"
    texts = {
        "defense_1_query.txt": "paris_defense_000605 1 2 3 4",
        "defense_1_good.txt": f"paris_defense_000605\n{corrupted}\n",
        "defense_1_ok.txt": "",
        "defense_1_junk.txt": "",
    }
    images = ["paris/defense/paris_defense_000605", "paris/louvre/paris_louvre_000001"]
    lay_out(tmp_path / "paris6k", texts, images)
    (tmp_path / "paris6k" / "jpg" / "paris" / "louvre" / f"{corrupted}.jpg").write_text("302 Found")
    data = Buildings("paris6k").load(DataFolders(tmp_path, tmp_path / "cache"))
    assert [path.stem for path in data.images] == ["paris_defense_000605", "paris_louvre_000001"]
    assert data.ground_truth[0]["easy"] == (0,)


def test_the_corrupted_are_the_difference_between_archives_and_protocol():
    assert len(CORRUPTED) == 20
    counts = {name: entry.counts for name, entry in catalogue().items()}
    assert counts["paris6k"]["images"] == 6412 - len(CORRUPTED)
    # The revisited sets took their queries out of the database.
    assert counts["paris6k"]["images"] == counts["rparis6k"]["images"] + counts["rparis6k"]["queries"]
    assert counts["oxford5k"]["images"] == counts["roxford5k"]["images"] + counts["roxford5k"]["queries"]


def test_photographs_of_the_revisited_set_are_the_same(folders):
    (folders.root / "oxford5k" / "jpg").rename(folders.root / "there")
    (folders.root / "roxford5k").mkdir()
    (folders.root / "there").rename(folders.root / "roxford5k" / "jpg")
    assert Buildings("oxford5k").load(folders).images[0].parent == folders.root / "roxford5k" / "jpg"


MISTAKES = [
    ("all_souls_1_query.txt", "oxc1_all_souls_000013 1 2 3", "not x0, y0, x1, y1"),
    ("all_souls_1_query.txt", "oxc1_all_souls_000013 1 2 x 4", "a name and four numbers"),
    ("all_souls_1_query.txt", "", "a name and four numbers"),
    ("all_souls_1_query.txt", "oxc1_all_souls_000013 9 9 3 4", "x0 < x1"),
    ("all_souls_1_ok.txt", "all_souls_000026\n", "image 1 is a duplicate in easy"),
    ("all_souls_1_junk.txt", "all_souls_000026\n", "image 1 is in easy and in junk"),
    ("all_souls_1_good.txt", "nowhere_000001\n", "'nowhere_000001' is not in imlist"),
]


@pytest.mark.parametrize(("name", "text", "words"), MISTAKES, ids=[words for *_, words in MISTAKES])
def test_a_mistake_is_named(folders, name, text, words):
    (folders.root / "oxford5k" / "gt" / name).write_text(text)
    with pytest.raises(DataDamaged) as caught:
        Buildings("oxford5k").load(folders)
    assert words in str(caught.value)


def test_what_is_missing(folders):
    (folders.root / "oxford5k" / "gt" / "all_souls_1_junk.txt").unlink()
    with pytest.raises(DataMissing, match=r"all_souls_1_junk\.txt"):
        Buildings("oxford5k").load(folders)
    (folders.root / "oxford5k" / "jpg" / "oxford_002904.jpg").unlink()
    (folders.root / "oxford5k" / "gt" / "all_souls_1_junk.txt").touch()
    with pytest.raises(DataDamaged, match="'oxford_002904' is not in imlist"):
        Buildings("oxford5k").load(folders)
    with pytest.raises(DataMissing, match="text files of the ground truth are missing"):
        Buildings("paris6k").fingerprint(folders)
