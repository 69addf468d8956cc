"""Maps on disk: every bit of them, within a limit, one process at a time."""

from __future__ import annotations

import time
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from drawn import draw_dataset

from harness.core.cost import measured
from harness.core.progress import SilentProgress
from harness.retrieval.extraction import ImageList, NamedBackbone
from harness.retrieval.map_store import MapStore, clear_maps, maps_folder


class Counted:
    stride = 4

    def __init__(self):
        self.seen = 0

    def maps(self, image):
        self.seen += 1
        return torch.nn.functional.max_pool2d((image - 0.4).clamp(min=0), 4, ceil_mode=True)


def bits(maps):
    return np.asarray(maps).view(np.uint32).tolist()


def test_every_bit_comes_back(tmp_path):
    store = MapStore(tmp_path)
    maps = np.random.default_rng(0).standard_normal((5, 3, 7)).astype(np.float32).clip(0)
    maps[0, 0, :3] = [-0.0, 1e-45, np.inf]
    store.write("a", 0.5, maps)
    assert bits(store.read("a", 0.5)) == bits(maps)
    assert store.read("a", 1.0) is None
    assert store.read("b", 0.5) is None


def test_a_file_that_is_cut_off_or_changed_does_not_count(tmp_path):
    store = MapStore(tmp_path)
    store.write("a", 1.0, np.ones((4, 5, 5), np.float32))
    (file,) = tmp_path.glob("*.maps")
    whole = file.read_bytes()
    for damaged in (b"", whole[: len(whole) // 2], whole.replace(b"\x00\x00\x80?", b"\x00\x00\x00?")):
        file.write_bytes(damaged)
        assert store.read("a", 1.0) is None


def test_a_file_of_another_shape_than_its_content_does_not_count(tmp_path):
    """However large: nothing is allocated for it."""
    store = MapStore(tmp_path)
    store.write("a", 1.0, np.ones((4, 5, 5), np.float32))
    (file,) = tmp_path.glob("*.maps")
    for shape in ((2**31, 2**10, 2**10), (2**20, 2**10, 2**10), (4, 5, 6), (4, 5, 4)):
        content = bytearray(file.read_bytes())
        content[8:20] = np.array(shape, "<u4").tobytes()
        content[4:8] = zlib.crc32(content[8:]).to_bytes(4, "little")
        (tmp_path / "b-1.0.maps").write_bytes(content)
        assert store.read("b", 1.0) is None


def test_beyond_the_limit_nothing_is_stored(tmp_path, monkeypatch):
    maps = np.ones((4, 10, 10), np.float32)
    store = MapStore(tmp_path / "small", limit=4000)
    for name in "abcde":
        store.write(name, 1.0, maps)
    assert [store.read(name, 1.0) is not None for name in "abcde"] == [True, True, False, False, False]
    assert sum(file.stat().st_size for file in (tmp_path / "small").iterdir()) <= 4000
    monkeypatch.setenv("HARNESS_MAPS_LIMIT", "1K")
    MapStore(tmp_path / "none").write("a", 1.0, maps)
    assert not list((tmp_path / "none").iterdir())


@pytest.mark.parametrize("limit", [None, 1, 60_000])
def test_maps_are_the_same_with_a_store(tmp_path, limit):
    dataset = draw_dataset(tmp_path)
    images = ImageList([*dataset.images, *dataset.images[:2]], [None] * (len(dataset.images) + 2), 64, (1.0, 0.5))
    plain = [[bits(m) for m in maps] for maps in NamedBackbone(Counted(), "c").maps(images, "", SilentProgress())]
    counted = Counted()
    for _ in range(2):
        named = NamedBackbone(counted, "c", MapStore(tmp_path / "maps", limit))
        assert [[bits(m) for m in maps] for maps in named.maps(images, "", SilentProgress())] == plain
    if limit is None:
        assert counted.seen == 2 * len(dataset.images)
        one = ImageList(images.paths, images.boxes, 64, (0.5,))
        list(named.maps(one, "", SilentProgress()))
        assert counted.seen == 2 * len(dataset.images)


def test_a_run_that_reads_what_another_stored_has_the_networks_cost_once(tmp_path):
    class Slow(Counted):
        def maps(self, image):
            time.sleep(0.01)
            return super().maps(image)

    dataset, costs = draw_dataset(tmp_path), []
    images = ImageList(dataset.images, [None] * len(dataset.images), 64, (1.0, 0.5))
    charged = [MapStore(tmp_path / "maps", charged=True) for _ in range(2)]
    for store in (charged[0], charged[1], charged[1], charged[0], MapStore(tmp_path / "maps")):
        with measured() as outer, measured() as cost:
            list(NamedBackbone(Slow(), "c", store).maps(images, "", SilentProgress()))
        assert outer.cached == cost.cached
        costs.append(cost)
    passes = 2 * len(images)
    assert [cost.cached for cost in costs] == [False, True, False, False, False]
    assert min(cost.wall_s for cost in costs[:2]) > passes * 0.01


def test_what_the_network_is_and_sees_decides_the_folder():
    keys = {"backbone": {"name": "a"}, "dataset": {"fingerprint": "f"}, "pooling": {"name": "gem"}}
    folders = {
        maps_folder(Path("c"), changed, size)
        for changed in (keys, keys | {"backbone": {"name": "b"}}, keys | {"dataset": {"fingerprint": "g"}})
        for size in (64, 128)
    }
    assert len(folders) == 6
    assert maps_folder(Path("c"), keys, 64) == maps_folder(Path("c"), keys | {"pooling": {}}, 64)


@pytest.mark.parametrize("limit", [None, 1], ids=["stored", "no room"])
def test_who_writes_into_maps_damages_them_for_nobody_else(tmp_path, limit):
    """Each reader has arrays of its own, also the one whose network saw the image."""
    dataset = draw_dataset(tmp_path)
    backbone = NamedBackbone(Counted(), "counted", MapStore(tmp_path / "maps", limit))
    images = ImageList(dataset.images[:3], [None] * 3, 64, (1.0, 0.5))

    def read(write=False):
        found = []
        for scales in backbone.maps(images, "maps", SilentProgress()):
            found.append([bits(maps) for maps in scales])
            with torch.inference_mode():  # as poolings and re-rankers get them
                for maps in scales if write else ():
                    maps.fill_(7)
        return found

    first = read(write=True)
    assert read(write=True) == first
    assert read() == first


def test_clearing_leaves_a_plan_at_work_its_folders(tmp_path):
    folder = tmp_path / "maps" / "network" / "plain"
    store, maps = MapStore(folder), np.ones((2, 3, 3), np.float32)
    store.write("a", 1.0, maps)
    (tmp_path / "arrays").mkdir()
    (tmp_path / "arrays" / "kept.npz").touch()
    (folder / "of-an-earlier-version.npz").touch()
    (folder / ".b-1.0.maps.x1y2z3.tmp").touch()  # of a killed process
    assert clear_maps(tmp_path) == 3
    assert not list(folder.iterdir())
    assert store.read("a", 1.0) is None
    with store.locked("a"):
        store.write("a", 1.0, maps)
    assert clear_maps(tmp_path) == 1
    assert (tmp_path / "arrays" / "kept.npz").exists()
    assert clear_maps(tmp_path / "nowhere") == 0
