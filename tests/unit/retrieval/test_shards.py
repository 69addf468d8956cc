from __future__ import annotations

import json

import numpy as np
import pytest

from harness.core.errors import DataDamaged, DataMissing, InvalidInput
from harness.retrieval.shards import SIDECAR, ShardWriter, read_shards


def rows(n, seed=0):
    return np.random.default_rng(seed).standard_normal((n, 3)).astype(np.float32)


@pytest.mark.parametrize("dtype", ["float16", "float32"])
@pytest.mark.parametrize("portions", [[10], [3, 3, 4], [1] * 10, [0, 8, 2]])
def test_what_is_written_is_read(tmp_path, dtype, portions):
    data = rows(10)
    with ShardWriter(tmp_path, 3, dtype, rows=4) as writer:
        for end, size in zip(np.cumsum(portions), portions, strict=True):
            writer.append(data[end - size : end])
    shards = read_shards(tmp_path)
    assert [len(array) for array in shards.arrays] == [4, 4, 2]
    assert len(shards) == 10
    assert {array.dtype.name for array in shards.arrays} == {dtype}
    np.testing.assert_array_equal(np.concatenate(shards.arrays), data.astype(dtype))
    assert all(isinstance(array, np.memmap) for array in shards.arrays)


def test_nothing_is_a_collection_too(tmp_path):
    ShardWriter(tmp_path, 3).close()
    assert len(read_shards(tmp_path)) == 0


def test_an_interrupted_writer_goes_on_after_its_last_whole_shard(tmp_path):
    data = rows(10)
    writer = ShardWriter(tmp_path, 3, "float32", rows=4)
    writer.append(data[:9])
    with pytest.raises(DataMissing):
        read_shards(tmp_path)
    with ShardWriter(tmp_path, 3, "float32", rows=4) as again:
        assert again.done == 8
        again.append(data[again.done :])
    np.testing.assert_array_equal(np.concatenate(read_shards(tmp_path).arrays), data)


def test_an_error_while_writing_leaves_it_unfinished(tmp_path):
    with pytest.raises(RuntimeError), ShardWriter(tmp_path, 3) as writer:  # noqa: PT012  # what is tested is the exit
        writer.append(rows(2))
        raise RuntimeError
    assert not (tmp_path / SIDECAR).exists()


def test_shards_of_another_kind_are_not_gone_on_with(tmp_path):
    ShardWriter(tmp_path, 3, "float32", rows=4).append(rows(4))
    assert ShardWriter(tmp_path, 3, "float16", rows=4).done == 0
    assert ShardWriter(tmp_path, 2, "float32", rows=4).done == 0


@pytest.mark.parametrize(
    "bad", [np.zeros((2, 4)), np.zeros(3), np.full((1, 3), np.nan), np.full((1, 3), 1e6, np.float32)]
)
def test_rows_that_cannot_be_kept_are_refused(tmp_path, bad):
    with pytest.raises(InvalidInput):
        ShardWriter(tmp_path, 3).append(bad)


def _cut(folder):
    (folder / "00000.npy").write_bytes((folder / "00000.npy").read_bytes()[:-5])


def _other(folder):
    np.save(folder / "00000.npy", np.zeros((4, 3)))


def _objects(folder):
    np.save(folder / "00000.npy", np.array([[{}]] * 4), allow_pickle=True)


def _sidecar(folder):
    (folder / SIDECAR).write_text("{")


def _schema(folder):
    described = json.loads((folder / SIDECAR).read_text())
    (folder / SIDECAR).write_text(json.dumps({**described, "dtype": "float64"}))


def _gone(folder):
    (folder / "00001.npy").unlink()


@pytest.mark.parametrize("damage", [_cut, _other, _objects, _sidecar, _schema, _gone])
def test_damage_is_named(tmp_path, damage):
    with ShardWriter(tmp_path, 3, rows=4) as writer:
        writer.append(rows(6))
    damage(tmp_path)
    with pytest.raises(DataDamaged, match=r"00000|00001|shards\.json"):
        read_shards(tmp_path)
