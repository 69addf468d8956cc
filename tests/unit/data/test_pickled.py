"""Pickles: plain data in every protocol; whatever could run a program is refused, and nothing is run."""

from __future__ import annotations

import builtins
import os
import pickle
import subprocess

import numpy as np
import pytest

from harness.core.errors import DataDamaged, DataMissing
from harness.data.pickled import read_pickle

DATA = {
    "gnd": [{"bbx": [136.5, 34.1, 648.5, 955.7], "easy": [1, 2], "hard": [], "junk": (300, 70_000, -5, 1 << 40)}],
    "imlist": ["all_souls_000013", "a"],
    "more": [None, True, False, 1.5, b"\xff\x00", "ü"],
}
ARRAYS = {
    "ids": np.arange(6, dtype=np.int64),
    "box": np.array([[0.5, 1], [2, 3]], dtype=np.float32),
    "fortran": np.asfortranarray(np.arange(6, dtype=np.uint8).reshape(2, 3)),
    "big": np.arange(3, dtype=">i4"),
    "empty": np.zeros((0, 4), dtype=np.uint16),
    "names": np.array(["ab", "c"]),
    "flags": np.array([True, False]),
    "scalar": np.int32(4),
}


@pytest.fixture
def write(tmp_path):
    def write(content):
        path = tmp_path / "gnd.pkl"
        path.write_bytes(content)
        return path

    return write


@pytest.mark.parametrize("protocol", range(6))
def test_plain_data(write, protocol):
    assert read_pickle(write(pickle.dumps(DATA, protocol))) == DATA


@pytest.mark.parametrize("protocol", range(6))
def test_arrays(write, protocol):
    found = read_pickle(write(pickle.dumps(ARRAYS, protocol)))
    for name, array in ARRAYS.items():
        np.testing.assert_array_equal(found[name], array)
        assert np.asarray(found[name]).dtype == array.dtype or name == "scalar"
    assert found["ids"].flags.writeable
    assert found["scalar"] == 4


def test_python_2_wrote_bytes_where_texts_are(write):
    """Protocol 2 of Python 2, as the CIFAR batches: SHORT_BINSTRING, and the array's bytes as a BINSTRING."""
    array = np.arange(4, dtype=np.uint8)
    content = b"".join(
        [
            b"\x80\x02}q\x01(U\x04dataq\x02cnumpy.core.multiarray\n_reconstruct\nq\x03cnumpy\nndarray\nq\x04K\x00\x85",
            b"U\x01b\x87Rq\x05(K\x01K\x04\x85cnumpy\ndtype\nq\x06U\x02u1K\x00K\x01\x87R(K\x03U\x01|NNNJ\xff\xff\xff\xff",
            b"J\xff\xff\xff\xffK\x00tb\x89T\x04\x00\x00\x00" + array.tobytes() + b"tb",
            b"U\x06labelsq\x07]q\x08(K\x03K\x04eu.",
        ]
    )
    found = read_pickle(write(content))
    np.testing.assert_array_equal(found["data"], array)
    assert found["labels"] == [3, 4]


class Calls:
    def __init__(self, function, *arguments):
        self.function, self.arguments = function, arguments

    def __reduce__(self):
        return self.function, self.arguments


class Plain:
    pass


def attacks(mark):
    command = f"touch {mark}"
    deep = Calls(os.system, command)
    for _ in range(5):
        deep = {"a": [deep, (deep,)]}
    array = np.array([Calls(os.system, command), None], dtype=object)
    return {
        "os.system": (Calls(os.system, command), "posix.system"),
        "eval": (Calls(builtins.eval, f"open({str(mark)!r}, 'w')"), "eval"),
        "exec": (Calls(builtins.exec, f"open({str(mark)!r}, 'w')"), "exec"),
        "getattr": (Calls(getattr, "", "join"), "getattr"),
        "subprocess": (Calls(subprocess.check_call, ["touch", str(mark)]), "check_call"),
        "nested": (deep, "posix.system"),
        "inside of the ground truth": ({**DATA, "qimlist": [Calls(os.system, command)]}, "posix.system"),
        "inside of an array": (array, ""),
        "numpy's own loader": (Calls(np.load, str(mark)), "load"),
        "an object": (Plain(), ""),
        "a set": ({1, 2}, ""),
        "a function": (os.system, "posix.system"),
        "a type": (dict, "dict"),
    }


@pytest.mark.parametrize("protocol", [0, 2, 4, 5])
@pytest.mark.parametrize("attack", sorted(attacks("x")))
def test_what_could_run_a_program_is_refused_by_name(write, tmp_path, attack, protocol):
    mark = tmp_path / "ran"
    value, name = attacks(mark)[attack]
    with pytest.raises(DataDamaged) as caught:
        read_pickle(write(pickle.dumps(value, protocol)))
    assert name in str(caught.value)
    assert not mark.exists()


@pytest.mark.parametrize(
    "content",
    [
        b"cos\nsystem\n(S'touch x'\ntR.",
        b"(S'touch x'\nios\nsystem\n.",
        b"(cos\nsystem\nS'touch x'\no.",
        b"\x80\x02P1\n.",
        b"\x80\x02\x82\x01.",
        b"\x80\x04\x8c\x02os\x8c\x06system\x93\x8c\x01x\x85R.",
        b"cnumpy\ndtype\n(S'O8'\ntR.",
        b"cnumpy\nndarray\n(I1\ntR.",
        b"cnumpy\ndtype\n}(S'__class__'\nI1\nsb.",
        b"cnumpy.core.multiarray\n_reconstruct\n(NN}S'__doc__'\nS'x'\nstb.",
        b"cnumpy.core.multiarray\n_reconstruct\n(S'list'\n(I0\ntS'b'\ntR.",
        b"c_codecs\nencode\n(S'x'\nS'zip'\ntR.",
    ],
)
def test_opcodes_by_hand(write, tmp_path, content, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataDamaged):
        read_pickle(write(content))
    assert [path.name for path in tmp_path.iterdir()] == ["gnd.pkl"]


def test_a_memo_that_would_fill_the_memory(write):
    with pytest.raises(DataDamaged, match="remembers place 4294967295"):
        read_pickle(write(b"\x80\x02]r\xff\xff\xff\xff."))


def test_lists_that_contain_themselves_and_each_other(write):
    loop: list[object] = []
    loop.append(loop)
    with pytest.raises(DataDamaged, match="contains itself"):
        read_pickle(write(pickle.dumps(loop)))
    laughs: list[object] = ["ha"]
    for _ in range(25):
        laughs = [laughs, laughs]
    found = read_pickle(write(pickle.dumps(laughs)))  # 2 ** 25 laughs, looked at once each
    assert found[0] is found[1]


@pytest.mark.parametrize("content", [b"", b"<html>404</html>", b"\x80\x02]q", b"(lp0\n", b"N", b"\x80\xff."])
def test_what_is_no_pickle(write, content):
    with pytest.raises(DataDamaged, match="not a readable pickle|opcode"):
        read_pickle(write(content))


def test_every_cut_of_a_pickle_is_an_error_and_no_crash(write):
    content = pickle.dumps(ARRAYS, 2)
    for end in range(0, len(content) - 1, 7):
        with pytest.raises(DataDamaged):
            read_pickle(write(content[:end]))


def test_no_file(tmp_path):
    with pytest.raises(DataMissing):
        read_pickle(tmp_path / "gone.pkl")


SHARED = b")" + b"".join(b"q\x01h\x01\x86" for _ in range(64))
"""A tuple of twice the tuple before, 64 times: few bytes, and 2^64 values to hash."""


@pytest.mark.parametrize("key", [b")" + b"\x85" * 200_000, SHARED], ids=["deep", "shared"])
@pytest.mark.parametrize(
    "made", [b"}%sK\x01s.", b"}(K\x02K\x01%sK\x01u.", b"(%sK\x01d."], ids=["SETITEM", "SETITEMS", "DICT"]
)
def test_keys_that_would_be_hashed_for_ever_are_refused(write, key, made):
    with pytest.raises(DataDamaged, match="a key of more than 1,000 values"):
        read_pickle(write(b"\x80\x02" + made % key))


@pytest.mark.parametrize("protocol", range(6))
def test_keys_may_be_tuples_and_values_large_ones(write, protocol):
    shared = tuple(range(1200))
    content = {(1, ("a", 2)): [shared, (shared, shared)], 3: {"b": ()}, (): ((), ((), ()))}
    assert read_pickle(write(pickle.dumps(content, protocol))) == content
