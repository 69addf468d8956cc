from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import page_records as made
import pytest
from PIL import Image

import harness
from harness.site.gallery import _difficulty, _spread


@pytest.fixture
def write(tmp_path, toy):
    """Writes a page of records with galleries; returns what was written and the folder."""

    def written(*records, galleries=2, plugins=(toy,)):
        done = harness.write_page(
            records, tmp_path / "site", galleries=galleries, plugins=plugins, cache=tmp_path / "cache"
        )
        return done, tmp_path / "site"

    return written


def strips(page):
    return [re.findall(r'<li class="(\w+)"><img src="([^"]+)"', part) for part in page.split('<ol class="strip"')[1:]]


def test_results_are_framed_and_their_thumbnails_are_there(write):
    done, site = write(made.on_toy_images(made.retrieval("gem")), made.on_toy_images(made.retrieval("mac")))
    assert done.notes == ()
    index = (site / "index.html").read_text()
    found = strips(index)
    # Queries 0 (the hardest) and 3 (the easiest); of each two methods. Query q has the results i with i % 4 = q.
    assert [[kind for kind, _ in strip] for strip in found] == [["positive", "negative", "negative"]] * 4
    for _, picture in found[0]:
        with Image.open(site / picture) as image:
            assert image.size == (48, 32)
            assert image.format == "JPEG"
    assert index.count("<summary>Query") == 2
    page = next(path.read_text() for path in (site / "methods").iterdir() if "gem" in path.name)
    assert [[kind for kind, _ in strip] for strip in strips(page)] == [["positive", "negative", "negative"]] * 2
    assert all((site / "methods" / picture).is_file() for strip in strips(page) for _, picture in strip)


def test_junk_is_neither_right_nor_wrong(write, tmp_path):
    truth = [{"easy": [0], "hard": [2], "junk": [5]}] * 4
    plugin = tmp_path / "junk.py"
    toy = Path(__file__).parents[2] / "fixtures" / "toy.py"
    plugin.write_text(toy.read_text().replace("[None] * 4, truth)", f"[(1, 2, 30, 20)] * 4, {truth!r})"))
    _, site = write(made.on_toy_images(made.retrieval("gem")), galleries=1, plugins=(str(plugin),))
    (strip,) = strips((site / "index.html").read_text())
    assert [kind for kind, _ in strip] == ["positive", "junk", "positive"]


def test_without_galleries_no_data_are_touched(write):
    _, site = write(made.on_toy_images(made.retrieval("gem")), galleries=0, plugins=())
    assert not (site / "images").exists()
    assert "Results of queries" not in (site / "index.html").read_text()


def changed(**details):
    record = made.on_toy_images(made.retrieval("gem"))
    return record.model_copy(update={"details": {**record.details, **details}})


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        (made.retrieval("gem", dataset="nowhere"), 'unknown dataset "nowhere"'),
        (made.on_toy_images(made.retrieval("gem"), fingerprint="0" * 64), "are not those that were measured"),
        (changed(ranks=[[0]]), "do not fit the data"),
        (changed(ranks=[[99], [0], [0], [0]]), "do not fit the data"),
        (changed(ranks=[["0"], [0], [0], [0]]), "do not fit the data"),
        (changed(ranks=None), "holds rankings"),
    ],
)
def test_a_sentence_says_why_there_are_no_pictures(write, record, reason):
    done, site = write(record)
    assert reason in done.notes[0]
    text = (site / "index.html").read_text()
    assert reason.replace('"', "&#34;") in text
    assert not strips(text)


def test_a_loader_that_breaks_does_not_cost_the_page(write, tmp_path):
    plugin = tmp_path / "breaking.py"
    toy = Path(__file__).parents[2] / "fixtures" / "toy.py"
    plugin.write_text(toy.read_text().replace("from PIL import Image", "raise KeyError('gone')"))
    done, _ = write(made.on_toy_images(made.retrieval("gem")), plugins=(str(plugin),))
    assert done.notes == ("synthetic-instances: No pictures: the data cannot be read (KeyError: 'gone').",)


def test_active_learning_has_no_gallery_and_needs_no_sentence(write):
    done, site = write(made.active("random"))
    assert done.notes == ()
    assert "Results of queries" not in (site / "index.html").read_text()


def test_queries_are_chosen_from_the_hardest_to_the_easiest():
    one, two = changed(ap_medium=[0.9, 0.2, None, 0.6]), changed(ap_medium=[0.7, 0.4, None, 0.1])
    assert _difficulty([one, two], 4) == [1, 3, 0]  # no setup defines query 2
    assert _spread([5, 6, 7, 8, 9], 3) == [5, 7, 9]
    assert _spread([5, 6], 9) == [5, 6]
    assert _spread([5, 6], 1) == [5]


def test_a_page_without_pictures_of_data_loads_no_torch(tmp_path):
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); import page_records, harness;"
        "harness.write_page(page_records.some(), sys.argv[2]); print(*sys.modules)"
    )
    arguments = [sys.executable, "-c", code, str(Path(__file__).parent), str(tmp_path / "site")]
    done = subprocess.run(arguments, capture_output=True, text=True, check=True)
    assert not {"torch", "torchvision", "faiss", "cv2", "sklearn"} & set(done.stdout.split())


def test_rankings_of_others_are_shown_beside_own_ones_whatever_their_length(write):
    own = made.on_toy_images(made.retrieval("gem"))
    base = made.on_toy_images(made.retrieval("gem")).model_dump(by_alias=True)
    base |= {"id": "b" * 64, "measured_by": "Another lab"}
    base["methods"] = {"ranking": base["methods"]["pooling"] | {"kind": "ranking", "name": "theirs", "parameters": {}}}
    base["details"] = base["details"] | {"ranks": [[4], [1, 5, 2], [], [0]]}
    done, site = write(own, type(own).model_validate(base))
    assert done.notes == ()
    found = strips((site / "index.html").read_text())
    assert [len(strip) for strip in found] == [3, 1, 3, 1]  # queries 0 and 3, own and theirs
    assert [kind for kind, _ in found[1]] == ["positive"]
    assert [kind for kind, _ in found[3]] == ["negative"]
