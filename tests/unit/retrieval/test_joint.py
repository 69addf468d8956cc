"""Poolings that share a pass of the network give what each gives in a pass of its own, and cost what each costs."""

from __future__ import annotations

import threading
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from PIL import Image

from harness.cache import Cache
from harness.core import cost as costs
from harness.core.cost import Cost, measured
from harness.core.errors import ContractError
from harness.core.progress import SilentProgress
from harness.core.threads import reproducible
from harness.plugin_api import RetrievalSet
from harness.retrieval import distractors, joint, rows
from harness.retrieval.distractors import ShardBuffer, stored_shards
from harness.retrieval.joint import JointPooling, pooled_jointly
from harness.retrieval.pipeline import RetrievalMethods, RetrievalTask
from harness.retrieval.pooled_dataset import PooledDataset
from harness.retrieval.protocol import RetrievalProtocol
from harness_pooling.gem import GeM
from harness_pooling.mac import MAC
from harness_pooling.rmac import RMAC

IMAGES, MORE, QUERIES = 10, 21, 3
POOLINGS = {"gem": GeM(), "mac": MAC(), "rmac": RMAC()}


class Colours:
    """Colours on a grid; counts images."""

    stride = 4

    def __init__(self):
        self.calls = 0

    def maps(self, image):
        self.calls += 1
        return torch.nn.functional.avg_pool2d(image[None], 4)[0]


class Broken:
    """Fails, or gives what is no descriptor, from some image on."""

    name = "broken"

    def __init__(self, after, error):
        self.left, self.error = after, error

    def pool(self, maps):
        self.left -= 1
        if self.left >= 0:
            return maps.amax((-2, -1))
        if self.error is not None:
            raise self.error
        return maps.amax((-2, -1))[:1]


@pytest.fixture
def dataset(tmp_path):
    rng = np.random.default_rng(0)

    def draw(name, side):
        Image.fromarray(rng.integers(0, 255, (side, 24, 3), dtype=np.uint8)).save(tmp_path / name)
        return tmp_path / name

    images = [draw(f"{i:02}.png", 24 + 4 * (i % 3)) for i in range(IMAGES + MORE)]
    queries = [draw(f"q{i}.png", 28) for i in range(QUERIES)]
    truth = [{"easy": [i], "hard": [i + 3], "junk": [i + 6]} for i in range(QUERIES)]
    boxes = [None, (2.0, 2.0, 20.0, 24.0), None]
    return RetrievalSet("drawn", images, queries, boxes, truth, distractors=MORE)


PROTOCOL = RetrievalProtocol(image_size=28, scales=(1.0, 0.5))


def task(dataset, folder, name, others=(), pooling=None, backbone=None):
    keys = {"dataset": {"f": len(dataset.images)}, "backbone": {"name": "b"}, "pooling": {"name": name}}
    methods = RetrievalMethods(backbone or Colours(), pooling or POOLINGS[name])
    beside = [JointPooling(POOLINGS.get(other, other), {"name": getattr(other, "name", other)}) for other in others]
    return RetrievalTask(dataset, methods, PROTOCOL, keys, Cache(folder), SilentProgress(), joint_poolings=beside)


def portion_keys(of, count):
    """Keys of the first portions of the database."""
    key = PooledDataset(of.extraction, *of.named_pooling, of.keys, of.cache)._key("database")
    return [{**key, "stage": "descriptors", "portion": portion} for portion in range(count)]


@pytest.fixture
def small_portions(monkeypatch):
    monkeypatch.setattr(distractors, "SHARD", 8)
    monkeypatch.setattr(distractors, "PORTION", 4)
    monkeypatch.setattr(rows, "PORTION", 4)


@pytest.mark.usefixtures("small_portions")
def test_descriptors_of_one_pass_are_those_of_a_pass_each(dataset, tmp_path):
    first = task(dataset, tmp_path / "joint", "gem", ("mac", "rmac"))
    own = {"gem": first.described()}
    assert first.methods.backbone.calls == 2 * (IMAGES + MORE + QUERIES)
    for name in ("mac", "rmac"):
        found = task(dataset, tmp_path / "joint", name, [other for other in POOLINGS if other != name])
        own[name] = found.described()
        assert found.methods.backbone.calls == 0
        assert all(cost.cached for cost in own[name].costs.values())
    for name, described in own.items():
        alone = task(dataset, tmp_path / "alone" / name, name).described()
        assert np.array_equal(described.database, alone.database)
        assert np.array_equal(described.queries, alone.queries)
        assert np.array_equal(described.distractors.rows(range(MORE)), alone.distractors.rows(range(MORE)))


@pytest.mark.usefixtures("small_portions")
def test_parts_pool_for_others_too(dataset, tmp_path):
    for number in (1, 0):
        task(dataset, tmp_path, "gem", ("mac",)).describe_part((number, 2))
    for name, other in (("gem", "mac"), ("mac", "gem")):
        found = task(dataset, tmp_path, name, (other,))
        described = found.described()
        assert found.methods.backbone.calls == (2 * QUERIES if name == "gem" else 0)
        alone = task(dataset, tmp_path / "alone" / name, name).described()
        assert np.array_equal(described.database, alone.database)
        assert np.array_equal(described.distractors.rows(range(MORE)), alone.distractors.rows(range(MORE)))


@pytest.mark.usefixtures("small_portions")
@pytest.mark.parametrize("after", [1, 3, 25])
@pytest.mark.parametrize("error", [None, ValueError("no")])
def test_a_pooling_that_fails_stops_no_run_but_its_own(dataset, tmp_path, after, error):
    broken = Broken(after, error)
    described = task(dataset, tmp_path, "gem", (broken, "mac")).described()
    alone = task(dataset, tmp_path / "alone", "gem").described()
    assert np.array_equal(described.database, alone.database)
    found = task(dataset, tmp_path, "mac", ("gem",))
    found.described()
    assert found.methods.backbone.calls == 0
    with pytest.raises(ContractError if error is None else ValueError):
        task(dataset, tmp_path, "broken", (), Broken(after, error)).described()


def test_new_images_alone_are_shown_again(dataset, tmp_path):
    without = RetrievalSet("fewer", dataset.images[:4], dataset.queries, dataset.boxes, [{"easy": [0]}] * QUERIES)
    task(without, tmp_path, "gem", ("mac",)).described()
    grown = task(dataset, tmp_path, "mac", ("gem",))
    grown.described()
    assert grown.methods.backbone.calls == 2 * (IMAGES - 4 + MORE)


def test_an_image_that_two_portions_hold_costs_once(dataset, tmp_path):
    few = RetrievalSet("fewer", dataset.images[:4], dataset.queries, dataset.boxes, [{"easy": [0]}] * QUERIES)
    task(few, tmp_path, "mac").described()
    task(dataset, tmp_path, "gem", ("mac",)).described()  # gem wants all ten, of which mac has four
    entries = [
        Cache(tmp_path).get_or_compute(key, pytest.fail) for key in portion_keys(task(dataset, tmp_path, "mac"), 2)
    ]
    assert [len(entry.arrays["rows"]) for entry in entries] == [4, IMAGES]
    total = task(dataset, tmp_path, "mac").described().costs["describe database"]
    assert total.wall_s == pytest.approx(entries[0].cost.wall_s + entries[1].cost.wall_s * (IMAGES - 4) / IMAGES)


def test_what_a_portion_holds_is_read_once_in_a_pass(dataset, tmp_path, monkeypatch):
    """However many there are: a million images have a thousand."""
    monkeypatch.setattr(rows, "PORTION", 1)
    read, array = [], Cache.array
    monkeypatch.setattr(Cache, "array", lambda cache, key, name: (read.append(key), array(cache, key, name))[1])
    task(dataset, tmp_path, "gem", ("mac",)).described()
    of_mac = [key["portion"] for key in read if key["pooling"]["name"] == "mac" and key["role"] == "database"]
    assert len(of_mac) <= 2 * IMAGES
    assert max(of_mac) == IMAGES - 1


def test_without_a_cache_nothing_is_pooled_for_others(dataset):
    broken = Broken(0, ValueError("asked"))
    task(dataset, None, "gem", (broken,)).described()
    assert broken.left == 0


@dataclass
class Clock:
    now: float = 0.0

    def perf_counter(self):
        return self.now

    process_time = perf_counter


def test_each_has_the_seconds_of_the_network_and_its_own(monkeypatch):
    clock, stored = Clock(), {}
    monkeypatch.setattr(costs, "time", clock)

    def pool(others):
        clock.now += 100 + 1 + 2 + 3  # the network and three poolings
        others.own_cpu_s, others.cpu_s = 1, [2, 3]
        others.rows = [np.zeros((1, 1, 2), np.float32), None]
        return np.ones((1, 1, 2), np.float32)

    def store(pooling, rows, cost):
        stored[pooling] = cost

    poolings = [JointPooling(MAC(), {"name": "mac"}), JointPooling(MAC(), {"name": "broken"})]
    with measured() as own:
        pooled_jointly(poolings, pool, store)
    assert own.cpu_s == 101
    assert [(cost.cpu_s, cost.wall_s) for cost in stored.values()] == [(102, 106)]
    assert [*stored] == poolings[:1]


def test_what_was_computed_for_a_pooling_says_which_run_has_it(dataset, tmp_path, monkeypatch):
    said = []
    monkeypatch.setattr(joint, "recipe", lambda run, saved=joint.recipe: said.append(run) or saved(run))
    beside = [JointPooling(MAC(), {"name": "mac"}, {"run": {"id": "of mac"}})]
    base = task(dataset, tmp_path, "gem")
    keys = {"dataset": {"f": "f"}, "backbone": {"name": "b"}, "pooling": {"name": "gem"}}
    RetrievalTask(
        dataset, base.methods, base.protocol, keys, Cache(tmp_path), SilentProgress(), joint_poolings=beside
    ).described()
    assert {run["run"]["id"] for run in said} == {"of mac"}


def test_an_entry_is_put_once_and_a_damaged_one_again(tmp_path):
    cache, key = Cache(tmp_path), {"stage": "s"}
    entry = rows.CacheEntry({"x": np.arange(3)}, Cost(1, 2, 3))
    assert cache.put(key, entry)
    assert not cache.put(key, rows.CacheEntry({"x": np.arange(9)}, Cost()))
    found = cache.get_or_compute(key, pytest.fail)
    assert (found.arrays["x"].tolist(), found.cost) == ([0, 1, 2], Cost(1, 2, 3, cached=True))
    file = next(tmp_path.glob("*.npz"))
    file.write_bytes(file.read_bytes()[:-9])
    with pytest.warns(UserWarning, match="computed again"):
        assert cache.put(key, entry)


class Together(Colours):
    """Begins when another one begins."""

    def __init__(self, barrier):
        super().__init__()
        self.barrier = barrier

    def maps(self, image):
        if not self.calls:
            self.barrier.wait(30)
        return super().maps(image)


def in_threads(*works):
    threads = [threading.Thread(target=work, daemon=True) for work in works]
    with reproducible():  # what threads would each set and set back
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
    assert not any(thread.is_alive() for thread in threads)


def test_two_passes_that_pool_for_each_other_do_not_wait_for_each_other(dataset, tmp_path):
    """Descriptors lie under no dataset, so that passes of two datasets ask for the same numbers of portions."""
    barrier, halves = threading.Barrier(2), []
    for images, name, other in ((dataset.images[:5], "gem", "mac"), (dataset.images[5:9], "mac", "gem")):
        half = RetrievalSet("half", images, dataset.queries[:1], [None], [{"easy": [0]}])
        halves.append(task(half, tmp_path, name, (other,), backbone=Together(barrier)))
    in_threads(*(half.described for half in halves))
    for half in halves:
        for name in ("gem", "mac"):
            found = task(half.dataset, tmp_path, name)
            alone = task(half.dataset, tmp_path / "alone" / name, name).described()
            assert np.array_equal(found.described().database, alone.database)
            assert found.methods.backbone.calls == 0


@pytest.mark.usefixtures("small_portions")
def test_two_parts_that_pool_for_each_other_do_not_wait_for_each_other(dataset, tmp_path):
    """Distractors of two datasets may be the same: their shards lie under none of both."""
    barrier = threading.Barrier(2)

    def part(own, other):
        buffer = ShardBuffer({"of": other}, Cache(tmp_path), 8)

        def compute(positions):
            if positions.start == 0:
                barrier.wait(30)
            pooled = np.ones((len(positions), 2), np.float32)
            buffer.add(positions, pooled, Cost())
            return pooled

        distractors.store_part({"of": own}, Cache(tmp_path), 8, (0, 1), compute)

    in_threads(lambda: part("a", "b"), lambda: part("b", "a"))
    for own in "ab":
        shards, _ = stored_shards({"of": own}, Cache(tmp_path), (8, 2), pytest.fail)
        assert len(shards) == 8
