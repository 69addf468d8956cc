"""An expansion that works on regions gets those of the pooling: normalised, whitened, stored."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pytest
import torch
from PIL import Image

from harness.cache import Cache
from harness.core.errors import InvalidInput
from harness.core.progress import SilentProgress
from harness.plugin_api import RetrievalSet
from harness.retrieval.canonical import canonical
from harness.retrieval.pipeline import RetrievalMethods, run_retrieval
from harness.retrieval.protocol import RetrievalProtocol
from harness_expansion.regional import RegionalDiffusion
from harness_pooling.rmac import RMAC
from harness_pooling.spoc import SPoC
from harness_whitening.pca import PCA


@dataclass
class Average:
    """Colours averaged over squares; counts how often it ran."""

    stride: int = 4
    calls: list[int] = field(default_factory=list)

    def maps(self, image):
        self.calls.append(1)
        return torch.nn.functional.avg_pool2d(image, self.stride, ceil_mode=True)


@dataclass
class Seeing:
    """Notes the regions that it is given."""

    database: list = field(default_factory=list)
    queries: list = field(default_factory=list)

    def fit(self, database):
        raise AssertionError("an expansion of regions is fitted on regions")

    def fit_regions(self, database):
        self.database[:] = database
        return self

    def expand(self, queries, ranking):
        raise AssertionError("an expansion of regions expands regions")

    def expand_regions(self, queries, ranking):
        self.queries.append(queries)
        return ranking


@pytest.fixture
def dataset(tmp_path):
    """Six images of noise in three sizes; the first two are the queries."""
    rng, images = np.random.default_rng(0), []
    for i in range(6):
        images.append(tmp_path / f"{i}.png")
        Image.fromarray(rng.integers(0, 256, (32, 32 + 16 * (i % 3), 3), dtype=np.uint8)).save(images[-1])
    truth = [{"easy": [i], "hard": [], "junk": []} for i in range(2)]
    return RetrievalSet("drawn", images, images[:2], [None, None], truth)


def run(dataset, cache=None, backbone=None, pooling=None, scales=(1.0,), **methods):
    return run_retrieval(
        dataset,
        RetrievalMethods(backbone or Average(), pooling or RMAC(levels=2), **methods),
        RetrievalProtocol(image_size=64, scales=scales),
        keys={"dataset": {"fingerprint": "f"}, "backbone": {"name": "average"}, "pooling": {"name": "rmac"}},
        cache=Cache(cache),
        progress=SilentProgress(),
    )


def test_regions_of_all_images_and_scales_at_unit_length(dataset):
    one, two = Seeing(), Seeing()
    run(dataset, expansion=one)
    run(dataset, expansion=two, scales=(1.0, 0.5))
    of_image = dict(zip(canonical(dataset, "f", Cache(None)).positions.tolist(), one.database, strict=True))
    counts = [len(rows) for rows in one.database]
    assert len(counts) == 6
    assert len(of_image[0]) < len(of_image[1])  # a wide image has more regions
    assert [len(rows) for rows in two.database] == [2 * count for count in counts]
    for rows in one.database:
        np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-6)
    everything = one.queries[0]
    assert len(everything) == 2
    for query, rows in enumerate(everything):
        np.testing.assert_array_equal(rows, of_image[query])
    # Queries that are timed come alone.
    assert all(len(queries) == 1 for queries in one.queries[1:])


def test_regions_are_whitened_as_descriptors_are(dataset):
    expansion = Seeing()
    run(dataset, expansion=expansion, whitening=PCA(dim=2))
    assert {rows.shape[1] for rows in expansion.database} == {2}


def test_regions_are_computed_once(dataset, tmp_path):
    first, second = Average(), Average()
    found = run(dataset, tmp_path / "cache", first, expansion=RegionalDiffusion(k=5, kq=5))
    again = run(dataset, tmp_path / "cache", second, expansion=RegionalDiffusion(k=5, kq=5))
    assert first.calls
    assert not second.calls
    np.testing.assert_array_equal(found.ranks, again.ranks)
    assert found.ranks[:, 0].tolist() == [0, 1]
    assert found.notes["expansion"]["converged"] > 0
    assert "describe regions of database" in found.costs


def test_a_pooling_without_regions_is_refused(dataset):
    with pytest.raises(InvalidInput, match="gives no regions"):
        run(dataset, pooling=SPoC(), expansion=RegionalDiffusion())
