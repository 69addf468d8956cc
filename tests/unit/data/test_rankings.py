"""Files of rankings of other systems: the same lists from every format, and one sentence for each mistake."""

from __future__ import annotations

import json

import numpy as np
import pytest

from harness.core.errors import DataDamaged, DataMissing
from harness.data.rankings import read_rankings

IMAGES, QUERIES = ["a.jpg", "b.jpg", "c.jpg"], ["q.jpg", "r.jpg"]
ROWS, SCORES = [[2, 0], [1]], [[0.9, 0.5], [0.7]]
TREC = "r.jpg Q0 b.jpg 1 0.7 x\nq.jpg Q0 a.jpg 1 0.5 x\n\nq.jpg Q0 c.jpg 2 0.9 x\n"


def written(path, content):
    if path.suffix == ".npy":
        np.save(path, content)
    elif path.suffix == ".npz":
        np.savez(path, **content)
    else:
        path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


TABLE = np.array([[2, 0], [1, -1]])


@pytest.mark.parametrize(
    ("name", "content", "scored"),
    [
        ("r.npy", TABLE, False),
        ("r.npz", {"rankings": TABLE, "scores": np.array([[0.9, 0.5], [0.7, 0]])}, True),
        ("r.npz", {"ranks": TABLE}, False),
        ("r.json", [[2, "a.jpg"], ["b.jpg"]], False),
        ("r.json", {"r.jpg": [1], "0": ["c.jpg", 0]}, False),
        ("r.json", {"q.jpg": {"a.jpg": 0.5, "c.jpg": 0.9}, "r.jpg": {"1": 0.7}}, True),
        ("run.txt", TREC, True),
        ("run.txt", "\ufeff" + TREC, True),
        ("r.json", '\ufeff[[2, "a.jpg"], ["b.jpg"]]', False),
        ("run.trec", TREC.replace("c.jpg", "2").replace("r.jpg", "1"), True),
    ],
)
def test_every_format_holds_the_same_lists(tmp_path, name, content, scored):
    found = read_rankings(written(tmp_path / name, content), IMAGES, QUERIES)
    assert [row.tolist() for row in found.rows] == ROWS
    assert (found.scores is not None) == scored
    if scored:
        assert [row.tolist() for row in found.scores] == SCORES


def test_a_query_without_a_list_has_an_empty_one(tmp_path):
    found = read_rankings(written(tmp_path / "run.txt", "r.jpg Q0 b.jpg 1 0.7 x"), IMAGES, QUERIES)
    assert [row.tolist() for row in found.rows] == [[], [1]]


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("r.npy", np.zeros((3, 2), int), "has 3 rows"),
        ("r.npy", np.zeros((3, 2), int), "save ranks.T"),
        ("r.npy", np.zeros((2, 2)), "holds float64 (2, 2)"),
        ("r.npy", np.array([[0, 9], [1, 2]]), "id 9 in row 0"),
        ("r.npy", np.array([[-1, 0], [1, 2]]), "-1 only fills up"),
        ("r.npz", {"x": TABLE}, "holds x"),
        ("r.npz", {"ranks": TABLE, "scores": np.zeros((2, 3))}, "has scores float64 (2, 3)"),
        ("r.json", [[0]], "has 1 lists"),
        ("r.json", '{"q.jpg": [0], "q.jpg": [1]}', "duplicate key 'q.jpg'"),
        ("r.json", {"q.jpg": [0], "0": [1]}, "has the query '0' under another name too"),
        ("r.json", {"q.jpg": {"a.jpg": 10**400}}, "a score of query 0 that is too large"),
        ("r.json", 3, "holds a int"),
        ("r.json", "{", "cannot be read"),
        ("r.json", {"x.jpg": [0]}, "names the query 'x.jpg'"),
        ("r.json", [["x.jpg"], []], "names the image 'x.jpg'"),
        ("r.json", [[True], []], "names the image True"),
        ("r.json", [0, []], "has 0 for query 0"),
        ("r.json", {"q.jpg": {"0": 1}, "r.jpg": [0]}, "scores of some queries only"),
        ("r.json", {"q.jpg": {"0": "x"}}, "not a number"),
        ("r.json", '{"q.jpg": {"0": NaN}}', "that is NaN"),
        ("run.txt", "q.jpg Q0 a.jpg 1 0.5", "has 5 columns in line 1"),
        ("run.txt", "q.jpg Q0 a.jpg 1 x x", "has the score 'x' in line 1"),
        ("run.txt", "q.jpg Q0 a.jpg 1 1 x\nq.jpg Q0 a.jpg 2 0 x", "ranks a.jpg twice for query q.jpg (line 2)"),
    ],
)
def test_what_is_wrong_is_said_in_a_sentence(tmp_path, name, content, words):
    with pytest.raises(DataDamaged) as caught:
        read_rankings(written(tmp_path / name, content), IMAGES, QUERIES)
    assert words in str(caught.value)


def test_files_that_are_missing_or_hold_objects(tmp_path):
    with pytest.raises(DataMissing):
        read_rankings(tmp_path / "none.npy", IMAGES, QUERIES)
    np.save(tmp_path / "objects.npy", np.array([[{}], [0]], dtype=object), allow_pickle=True)
    with pytest.raises(DataDamaged, match="cannot be read"):
        read_rankings(tmp_path / "objects.npy", IMAGES, QUERIES)
    (tmp_path / "bad.npz").write_bytes(b"PK\x03\x04broken")
    with pytest.raises(DataDamaged, match="cannot be read"):
        read_rankings(tmp_path / "bad.npz", IMAGES, QUERIES)
    np.savez_compressed(tmp_path / "flipped.npz", rankings=np.arange(2000).reshape(2, 1000))
    content = bytearray((tmp_path / "flipped.npz").read_bytes())
    content[150:190] = b"\xff" * 40
    (tmp_path / "flipped.npz").write_bytes(content)
    with pytest.raises(DataDamaged, match="cannot be read"):
        read_rankings(tmp_path / "flipped.npz", IMAGES, QUERIES)
    header = b"{'descr': '<i8', 'fortran_order': False, 'shape': (2, 10000000000000000), }".ljust(117) + b"\n"
    (tmp_path / "huge.npy").write_bytes(b"\x93NUMPY\x01\x00v\x00" + header)
    with pytest.raises(DataDamaged, match="cannot be read"):
        read_rankings(tmp_path / "huge.npy", IMAGES, QUERIES)


def test_names_are_found_without_folder_and_suffix_where_that_is_enough(tmp_path):
    path = tmp_path / "run.json"
    path.write_text('{"q": ["a", "b.png", "x/c.jpg", "y/c.jpg"]}')
    found = read_rankings(path, ["x/a.jpg", "b.png", "x/c.jpg", "y/c.jpg"], ["q.jpg"])
    assert found.rows[0].tolist() == [0, 1, 2, 3]
    path.write_text('{"q": ["c"]}')
    with pytest.raises(DataDamaged, match="names the image 'c'"):
        read_rankings(path, ["x/a.jpg", "b.png", "x/c.jpg", "y/c.jpg"], ["q.jpg"])
