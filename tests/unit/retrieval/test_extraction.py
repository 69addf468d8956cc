"""Maps to descriptors, scales, reading ahead, and what methods may return."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from PIL import Image

from harness.cache import Cache
from harness.core.errors import ContractError, DataDamaged, InvalidInput
from harness.core.progress import SilentProgress
from harness.plugin_api import RetrievalSet
from harness.retrieval import extraction
from harness.retrieval.extraction import ImageList, MapStream, NamedBackbone, prefetched
from harness.retrieval.pipeline import RetrievalMethods, run_retrieval
from harness.retrieval.pooled import describe, pooled_scales
from harness.retrieval.protocol import RetrievalProtocol
from harness_pooling.gem import GeM
from harness_pooling.mac import MAC
from harness_pooling.spoc import SPoC
from harness_whitening.pca import PCA
from harness_whitening.supervised import Supervised


@dataclass(frozen=True)
class Average:
    """Colours averaged over squares: a backbone without weights."""

    stride: int = 4

    def maps(self, image):
        return torch.nn.functional.avg_pool2d(image, self.stride, ceil_mode=True)


class Notes:
    def __init__(self):
        self.calls = []

    def update(self, label, done, total):
        self.calls.append((label, done, total))


@pytest.fixture
def paths(tmp_path):
    rng = np.random.default_rng(0)
    found = []
    for i in range(12):
        found.append(tmp_path / f"{i:02}.png")
        Image.fromarray(rng.integers(0, 256, (20 + i, 30, 3), dtype=np.uint8)).save(found[-1])
    return found


def unit(x):
    return x / np.linalg.norm(x)


def test_maps_of_every_scale(paths):
    pictures = ImageList(paths, [None] * 12, 100, (1.0, 0.5))
    progress = Notes()
    maps = list(NamedBackbone(Average(), "average").maps(pictures, "read", progress))
    assert [tuple(m.shape) for m in maps[3]] == [(3, 6, 8), (3, 3, 4)]
    exact = np.asarray(Image.open(paths[3]), np.float64).transpose(2, 0, 1) / 255
    np.testing.assert_allclose(maps[3][0][:, 0, 0], exact[:, :4, :4].mean((1, 2)), atol=1e-6)
    assert progress.calls[0] == ("read", 0, 12)
    assert progress.calls[-1] == ("read", 12, 12)


def test_tiny_images_keep_a_pixel(tmp_path):
    Image.new("RGB", (30, 1)).save(tmp_path / "line.png")
    pictures = ImageList([tmp_path / "line.png"], [None], 100, (0.25,))
    assert next(NamedBackbone(Average(1), "a").maps(pictures, "", SilentProgress()))[0].shape == (3, 1, 7)


def test_describe_is_the_mean_over_scales():
    rng = np.random.default_rng(1)
    maps = [[torch.from_numpy(rng.random((5, 4, k)).astype(np.float32)) for k in (3, 6, 2)] for _ in range(4)]
    for power in (1.0, 3.0):
        found = describe(maps, SPoC(), "spoc", power)
        assert found.dtype == np.float32
        for row, scales in zip(found, maps, strict=True):
            pooled = np.stack([unit(scale.double().numpy().mean((1, 2))) for scale in scales])
            np.testing.assert_allclose(row, unit((pooled**power).mean(0) ** (1 / power)), atol=1e-6)


def test_an_infinite_power_takes_the_largest_entry_of_all_scales_whatever_their_sign():
    rng = np.random.default_rng(2)
    maps = [[torch.from_numpy(rng.normal(size=(5, 4, k)).astype(np.float32)) for k in (3, 6, 2)] for _ in range(4)]
    for row, scales in zip(describe(maps, SPoC(), "spoc", float("inf")), maps, strict=True):
        pooled = np.stack([unit(scale.double().numpy().mean((1, 2))) for scale in scales])
        np.testing.assert_allclose(row, unit(pooled.max(0)), atol=1e-6)


def test_an_empty_image_gets_zeros():
    found = describe([[torch.zeros(3, 2, 2), torch.zeros(3, 1, 1)]], GeM(), "gem")
    assert not found.any()


def test_huge_and_tiny_activations_are_normalised():
    maps = [[torch.full((4, 2, 2), 1e30)], [torch.full((4, 2, 2), 1e-30)]]
    np.testing.assert_allclose(describe(maps, SPoC(), "spoc"), 0.5, atol=1e-6)


def test_power_needs_non_negative_descriptors():
    class Minus:
        def pool(self, maps):
            return -maps.mean((-2, -1))

    maps = [[torch.ones(3, 2, 2), torch.ones(3, 1, 1)]]
    assert (describe(maps, Minus(), "minus") < 0).all()
    with pytest.raises(InvalidInput, match="scale_power"):
        describe(maps, Minus(), "minus", 2.0)


@pytest.mark.parametrize(
    ("result", "message"),
    [
        (lambda m: m.mean((-2, -1)).double(), "float64"),
        (lambda m: m.mean((-2, -1)).numpy(), "ndarray"),
        (lambda m: m.mean((-2, -1))[None], "shape"),
        (lambda m: m.mean((-2, -1))[:0], "shape"),
        (lambda m: m.mean((-2, -1)) * float("nan"), "NaN"),
        (lambda m: m.mean((-2, -1)) / 0, "infinity"),
    ],
)
def test_what_a_pooling_may_not_return(result, message):
    class Wrong:
        def pool(self, maps):
            return result(maps)

    with pytest.raises(ContractError, match=f'pooling "wrong".*{message}'):
        describe([[torch.rand(3, 2, 2)]], Wrong(), 'pooling "wrong"')


class Halves:
    """Pools queries by the mean and the database by the maximum."""

    def pool(self, maps):
        return maps.amax((-2, -1))

    def pool_query(self, maps):
        return maps.mean((-2, -1))


def test_queries_are_pooled_by_pool_query_where_there_is_one():
    maps = [[torch.rand(3, 4, 5), torch.rand(3, 2, 2)] for _ in range(4)]
    for role, same in (("query", SPoC()), ("database", MAC())):
        np.testing.assert_array_equal(describe(maps, Halves(), "h", 1.0, role), describe(maps, same, "s", 1.0, role))


class Thirds(Halves):
    """Pools queries without a box by the maximum, too."""

    def pool_uncropped_query(self, maps):
        return maps.amax((-2, -1))


def test_queries_without_a_box_may_be_pooled_otherwise():
    maps, boxes = [[torch.rand(3, 4, 5)] for _ in range(3)], [(0, 0, 2, 2), None, (0, 0, 1, 1)]
    mean, most = (pooled_scales(maps, method, "m", "database") for method in (SPoC(), MAC()))
    rows = pooled_scales(maps, Thirds(), "t", "query", boxes)
    np.testing.assert_array_equal(rows, np.stack([mean[0], most[1], mean[2]]))
    np.testing.assert_array_equal(pooled_scales(maps, Halves(), "h", "query", boxes), mean)
    np.testing.assert_array_equal(pooled_scales(maps, Thirds(), "t", "database", boxes), most)


@dataclass
class Counted:
    """A backbone that counts the images it saw."""

    seen: int = 0
    stride: int = 4

    def maps(self, image):
        self.seen += 1
        return Average().maps(image)


@dataclass(frozen=True)
class Learns:
    """A pooling that reads the database twice and remembers how many maps there were."""

    def fit(self, maps):
        first, second = sum(1 for _ in maps), sum(1 for _ in maps)
        assert first == second
        return SPoC()


def small_set(paths):
    truth = [{"easy": [0], "hard": [1], "junk": []}] * 2
    pairs = np.array([[0, 1], [2, 3], [4, 5]])
    return RetrievalSet("small", paths[:10], paths[10:], [None, None], truth, pairs)


def answered(dataset, backbone, cache, pooling=SPoC(), whitening=None, keys=None, scales=(1.0, 0.5)):  # noqa: B008
    methods = RetrievalMethods(backbone, pooling, whitening)
    named = {kind: {"name": kind} for kind in ("dataset", "backbone", "pooling")} | (keys or {})
    protocol = RetrievalProtocol(image_size=64, scales=scales)
    return run_retrieval(dataset, methods, protocol, keys=named, cache=cache, progress=SilentProgress())


def test_another_whitening_does_not_run_the_network_again(paths, tmp_path):
    backbone, cache = Counted(), Cache(tmp_path / "cache")
    plain = answered(small_set(paths), backbone, cache)
    assert backbone.seen == 24
    for whitening in (PCA(), PCA(dim=2), Supervised(shrink=0.5)):
        whitened = answered(small_set(paths), backbone, cache, whitening=whitening)
        assert whitened.costs["describe database"].cached
        assert whitened.costs["describe database"].wall_s == plain.costs["describe database"].wall_s
    assert backbone.seen == 24
    answered(small_set(paths), backbone, cache, keys={"pooling": {"name": "other"}})
    assert backbone.seen == 48


def test_a_pooling_that_learns_sees_the_database_only(paths, tmp_path):
    backbone, cache = Counted(), Cache(tmp_path / "cache")
    first = answered(small_set(paths), backbone, cache, Learns(), scales=(1.0,))
    assert backbone.seen == 10 + 10 + 12
    again = answered(small_set(paths), backbone, cache, Learns(), scales=(1.0,))
    assert backbone.seen == 32
    np.testing.assert_array_equal(first.ranks, again.ranks)


def test_descriptors_of_different_lengths_are_refused():
    class Wrong:
        def pool(self, maps):
            return maps[:, 0, 0]

    with pytest.raises(ContractError, match="different lengths"):
        describe([[torch.rand(3, 2, 2)], [torch.rand(4, 2, 2)]], Wrong(), "wrong")


@pytest.mark.parametrize(
    ("result", "message"), [(lambda m: m - 1, "negative"), (lambda m: m[None], "shape"), (lambda m: m[:, :0], "shape")]
)
def test_what_a_backbone_may_not_return(paths, result, message):
    class Wrong:
        stride = 1

        def maps(self, image):
            return result(image)

    with pytest.raises(ContractError, match=f'backbone "wrong".*{message}'):
        list(NamedBackbone(Wrong(), 'backbone "wrong"').maps(ImageList(paths, [None] * 12, 64), "", SilentProgress()))


def test_a_damaged_image_stops_with_its_name(paths):
    paths[7].write_bytes(b"gone")
    maps = NamedBackbone(Average(), "a").maps(ImageList(paths, [None] * 12, 64), "", SilentProgress())
    for _ in range(7):
        next(maps)
    with pytest.raises(DataDamaged, match=r"07\.png"):
        next(maps)


def test_map_stream_begins_again(paths):
    starts = []

    def start():
        starts.append(1)
        return NamedBackbone(Average(), "a").maps(ImageList(paths, [None] * 12, 64, (1.0, 0.5)), "", SilentProgress())

    stream = MapStream(start)
    first, second = list(stream), list(stream)
    assert len(first) == len(second) == 24
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))
    assert torch.equal(next(stream), first[0])
    assert torch.equal(next(stream), first[1])
    assert len(starts) == 3


def test_as_many_threads_decode_as_there_are_processors(monkeypatch, tmp_path):
    paths = [tmp_path / f"{i}.png" for i in range(40)]
    for path in paths:
        Image.new("RGB", (4, 4)).save(path)
    asked = []
    kept = extraction.prefetched
    monkeypatch.setattr(extraction, "prefetched", lambda *a: asked.append(a[2:]) or kept(*a))
    for processors, expected in ((1, (8, 2)), (12, (24, 12)), (200, (32, 16))):
        monkeypatch.setattr(extraction, "threads_here", lambda n=processors: n)
        assert len(list(ImageList(paths, [None] * 40, 4).read(np.array))) == 40
        assert asked.pop() == expected


def test_prefetched_is_map_that_works_ahead():
    assert list(prefetched(lambda x: x * x, range(50))) == [x * x for x in range(50)]
    running = []
    results = prefetched(running.append, range(1000))
    next(results)
    until = time.monotonic() + 60
    while len(running) < 2 and time.monotonic() < until:
        time.sleep(0.01)
    time.sleep(0.05)
    assert 2 <= len(running) <= 12  # ahead, but not without bound
    results.close()
    time.sleep(0.05)
    assert len(running) <= 12
    assert not [t for t in threading.enumerate() if t.name.startswith("ThreadPoolExecutor") and t.is_alive()]
