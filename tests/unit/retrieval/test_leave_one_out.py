"""Queries that stand in the database do not find themselves, and nothing that is done for them sees their image."""

from __future__ import annotations

import dataclasses
import shutil
from dataclasses import dataclass

import numpy as np
import pytest
from drawn import run

from harness.retrieval.protocol import RetrievalProtocol
from harness_expansion.alphaqe import AlphaQE
from harness_expansion.dba import DBA
from harness_expansion.diffusion import Diffusion
from harness_expansion.regional import RegionalDiffusion
from harness_pooling.rmac import RMAC
from harness_pooling.spoc import SPoC

OWN = [0, 5, 9]


@dataclass
class Brightness:
    """Re-ranks by how alike mean values of maps are: the query's own image before all others."""

    top: int = 12

    def describe(self, maps, role):
        return np.array([scale.mean() for scale in maps])

    def score(self, query, candidates):
        return np.array([-abs(query - candidate).sum() for candidate in candidates], np.float32)


@pytest.fixture
def own_queries(dataset, tmp_path):
    """Three images as queries: one as it is, one under another name, one of which the database holds a copy."""
    renamed, copy = tmp_path / "asked.png", tmp_path / "zcopy.png"
    shutil.copy(dataset.images[OWN[1]], renamed)
    shutil.copy(dataset.images[OWN[2]], copy)
    truth = [{"easy": [4], "hard": [8]}, {"easy": [1, 9]}, {"easy": [1, 5, 9], "junk": [0]}]
    queries = [dataset.images[OWN[0]], renamed, dataset.images[OWN[2]]]
    images = [*dataset.images, copy]
    return dataclasses.replace(
        dataset,
        images=images,
        queries=queries,
        boxes=[None] * 3,
        ground_truth=truth,
        pairs=None,
        leave_one_out=True,
    )


def ids_of_own(query):
    return [OWN[query]] if query < 2 else [OWN[2], 12]


def alone(dataset, query):
    """The query with a database that its own images are not in, and the ids of what is left."""
    kept = [i for i in range(len(dataset.images)) if i not in ids_of_own(query)]
    parts = {name: [getattr(dataset, name)[query]] for name in ("queries", "boxes")}
    images = [dataset.images[i] for i in kept]
    return dataclasses.replace(dataset, images=images, ground_truth=[{"easy": [0]}], **parts), np.array(kept)


@pytest.mark.parametrize(
    "methods",
    [
        {},
        {"reranking": Brightness()},
        {"expansion": AlphaQE(k=3)},
        {"expansion": DBA(k=2, alpha=0.0)},
        {"expansion": Diffusion(k=4)},
        {"expansion": Diffusion(k=4, transductive=True)},
        {"reranking": Brightness(), "expansion": Diffusion(k=4)},
        {"pooling": RMAC(), "expansion": RegionalDiffusion(k=5, kq=5)},
    ],
    ids=str,
)
def test_the_answer_is_that_of_a_database_without_the_image(own_queries, methods):
    found = run(own_queries, **methods)
    for query in range(3):
        smaller, kept = alone(own_queries, query)
        expected = kept[run(smaller, **methods).ranks[0]]
        assert sorted(found.ranks[query, len(kept) :]) == ids_of_own(query)
        np.testing.assert_array_equal(found.ranks[query, : len(kept)], expected)
    assert found.notes["queries_in_database"] == {"queries": 3, "left_out": True}


def test_the_time_of_a_query_needs_no_features_of_its_own_image(own_queries):
    found = run(own_queries, reranking=Brightness(top=2))  # its own image would be among its first two
    assert len(found.query_seconds) == 3


def test_own_images_are_junk_whatever_the_ground_truth_says(own_queries):
    found = run(own_queries)
    without = [*own_queries.ground_truth[:2], {"easy": [1, 5], "junk": [0, 9, 12]}]
    expected = run(dataclasses.replace(own_queries, ground_truth=without))
    np.testing.assert_array_equal(found.scores["medium"].ap, expected.scores["medium"].ap)


def test_a_cut_ranking_is_as_long_and_scores_alike(own_queries):
    ranks = run(own_queries).ranks
    reached = dataclasses.replace(own_queries, ground_truth=[{"easy": row[[1, 4]].tolist()} for row in ranks])
    whole, cut = run(reached), run(reached, protocol=RetrievalProtocol(image_size=48, depth=6))
    np.testing.assert_array_equal(cut.ranks, ranks[:, :6])
    np.testing.assert_allclose(cut.scores["easy"].ap, whole.scores["easy"].ap)


def test_published_protocols_keep_the_query_where_they_count_it(own_queries):
    ground_truth = [{"easy": [0, 4, 8]}, {"easy": [1, 5, 9]}, {"easy": [1, 5, 9]}]
    counted = dataclasses.replace(own_queries, ground_truth=ground_truth)
    found = run(counted, protocol=RetrievalProtocol(image_size=48, evaluation="oxford"))
    assert [row[0] for row in found.ranks[:2]] == OWN[:2]
    assert found.notes["queries_in_database"] == {"queries": 3, "left_out": False}


def test_other_data_leave_nothing_out(own_queries):
    found = run(dataclasses.replace(own_queries, leave_one_out=False), pooling=SPoC())
    assert found.ranks[0, 0] == OWN[0]
    assert found.notes["queries_in_database"] == {"queries": 2, "left_out": False}  # by name alone


def test_diffusion_without_images_is_that_of_a_graph_without_them():
    rng = np.random.default_rng(0)
    points = rng.normal(size=(6, 8))[rng.integers(0, 6, 43)] + 0.4 * rng.normal(size=(43, 8))
    points = (points / np.linalg.norm(points, axis=1, keepdims=True)).astype(np.float32)
    database, queries, gone = points[:40], points[40:], np.array([3, 17])
    kept = np.delete(np.arange(40), gone)

    def ranked(images, depth):
        order = kept[np.argsort(-(queries @ database[kept].T), axis=1, kind="stable")][:, :depth]
        return type(empty)(order, np.take_along_axis(queries @ database.T, order, axis=1))

    from harness.plugin_api import Ranking

    empty = Ranking(np.zeros((0, 0), np.int64), np.zeros((0, 0), np.float32))
    for depth in (38, 10):
        before = ranked(kept, depth)
        method = Diffusion(k=5)
        found = method.fit(database).without(gone).expand(queries, before)
        again = method.fit(database[kept]).expand(
            queries, Ranking(np.searchsorted(kept, before.indices), before.scores)
        )
        np.testing.assert_allclose(found.scores, again.scores, rtol=1e-4, atol=1e-6)
        assert not np.isin(found.indices, gone).any()
        reached = found.scores > 1e-6
        assert (found.indices[reached] == kept[again.indices][reached]).mean() > 0.95
