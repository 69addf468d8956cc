"""The whole task on images that the test draws: order of stages, cache, costs, what a fit may see."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np
import pytest
from drawn import Average, keys, run
from PIL import Image

from harness.core.errors import ContractError, Errors, InvalidInput
from harness.plugin_api import Ranking, RetrievalSet
from harness.registry.parameters import resolved, validate
from harness.retrieval import rows
from harness.retrieval.health import doubts
from harness.retrieval.protocol import RetrievalProtocol
from harness_pooling.crow import CroW
from harness_pooling.gem import GeM
from harness_pooling.mac import MAC
from harness_pooling.rmac import RMAC
from harness_pooling.spoc import SPoC
from harness_whitening.pca import PCA
from harness_whitening.supervised import Supervised


@pytest.mark.parametrize("pooling", [SPoC(), MAC(), GeM(), RMAC(), CroW()], ids=repr)
def test_finds_the_colours(dataset, pooling):
    result = run(dataset, pooling=pooling)
    assert result.scores["medium"].map > 0.6
    assert result.ranks.shape == (4, 12)
    assert result.ranks.dtype == np.int64
    assert (result.n_database, result.n_queries, result.dimension) == (12, 4, 3)
    assert result.bytes_per_image == 12
    assert result.query_seconds.shape == (4,)
    assert 0 < result.query_seconds_p50 <= result.query_seconds_p95
    assert set(result.costs) == {"describe database", "describe queries", "search"}
    assert result.notes == {}


def test_descriptors_are_made_once(dataset, tmp_path):
    backbone = Average()
    first = run(dataset, tmp_path / "cache", backbone)
    assert len(backbone.calls) == 16
    assert not first.costs["describe database"].cached
    second = run(dataset, tmp_path / "cache", backbone, whitening=PCA(dim=2))
    assert len(backbone.calls) == 16
    assert second.costs["describe database"].cached
    assert second.costs["describe database"].wall_s == first.costs["describe database"].wall_s
    third = run(dataset, tmp_path / "cache", backbone)
    np.testing.assert_array_equal(third.ranks, first.ranks)


@pytest.mark.parametrize(
    "change",
    [
        {"its_keys": keys(backbone={"name": "other"})},
        {"its_keys": keys(pooling={"name": "some", "parameters": {"p": 2}})},
        {"protocol": RetrievalProtocol(image_size=40)},
        {"protocol": RetrievalProtocol(image_size=48, scales=(1.0, 0.5))},
    ],
    ids=str,
)
def test_what_descriptors_depend_on_makes_them_new(dataset, tmp_path, change):
    backbone = Average()
    run(dataset, tmp_path / "cache", backbone)
    run(dataset, tmp_path / "cache", backbone, **change)
    assert len(backbone.calls) >= 32


def larger(dataset, tmp_path, n=2):
    """The same collection with images more, in another order, and the key of its fingerprint."""
    for i in range(n):
        Image.fromarray(np.full((32, 48, 3), 20 * i, np.uint8)).save(tmp_path / f"more{i}.png")
    images = [*(tmp_path / f"more{i}.png" for i in range(n)), *dataset.images]
    truth = [{level: [i + n for i in ids] for level, ids in answers.items()} for answers in dataset.ground_truth]
    return dataclasses.replace(dataset, images=images, ground_truth=truth), keys(dataset={"fingerprint": "g"})


def test_of_a_larger_collection_only_new_images_are_described(dataset, tmp_path):
    backbone = Average()
    run(dataset, tmp_path / "cache", backbone)
    more, its_keys = larger(dataset, tmp_path)
    found = run(more, tmp_path / "cache", backbone, its_keys=its_keys)
    assert len(backbone.calls) == 16 + 2
    np.testing.assert_array_equal(found.ranks, run(more).ranks)
    smaller = run(dataset, tmp_path / "cache", backbone)
    assert len(backbone.calls) == 16 + 2
    assert smaller.costs["describe database"].cached


def test_a_pooling_that_learns_describes_a_larger_collection_anew(dataset, tmp_path):
    backbone, pooling = Average(), RMAC(whiten=True)
    run(dataset, tmp_path / "cache", backbone, pooling)
    more, its_keys = larger(dataset, tmp_path)
    found = run(more, tmp_path / "cache", backbone, pooling, its_keys=its_keys)
    assert len(backbone.calls) == (2 * 12 + 4) + (2 * 14 + 4)
    np.testing.assert_array_equal(found.ranks, run(more, pooling=pooling).ranks)


def test_a_stopped_extraction_goes_on_where_it_was(dataset, tmp_path, monkeypatch):
    class Stopping(Average):
        def maps(self, image):
            if len(self.calls) == 10:
                raise KeyboardInterrupt
            return super().maps(image)

    monkeypatch.setattr(rows, "PORTION", 4)
    with pytest.raises(KeyboardInterrupt):
        run(dataset, tmp_path / "cache", Stopping())
    backbone = Average()
    found = run(dataset, tmp_path / "cache", backbone)
    assert len(backbone.calls) == 16 - 8
    np.testing.assert_array_equal(found.ranks, run(dataset).ranks)


def test_a_changed_image_of_the_same_name_is_described_again(dataset, tmp_path):
    backbone = Average()
    run(dataset, tmp_path / "cache", backbone)
    Image.fromarray(np.zeros((32, 48, 3), np.uint8)).save(dataset.images[3])
    run(dataset, tmp_path / "cache", backbone, its_keys=keys(dataset={"fingerprint": "g"}))
    assert len(backbone.calls) == 17


def test_what_descriptors_do_not_depend_on_keeps_them(dataset, tmp_path):
    backbone = Average()
    run(dataset, tmp_path / "cache", backbone)
    run(dataset, tmp_path / "cache", backbone, protocol=RetrievalProtocol(image_size=48, ks=(1,), depth=3))
    assert len(backbone.calls) == 16


def test_queries_are_cropped(dataset):
    seen = []

    class Looking(Average):
        def maps(self, image):
            seen.append(tuple(image.shape[1:]))
            return super().maps(image)

    run(dataset, backbone=Looking())
    assert seen == [(32, 48)] * 12 + [(16, 16)] * 4


def test_whitening_learns_from_the_database_only(dataset):
    learnt = []

    class Spy(PCA):
        def fit(self, descriptors, pairs=None):
            learnt.append((descriptors, pairs))
            return super().fit(descriptors, pairs)

    result = run(dataset, whitening=Spy(dim=2))
    (descriptors, pairs), plain = learnt[0], run(dataset)
    assert len(learnt) == 1
    assert descriptors.shape == (12, plain.dimension)
    np.testing.assert_array_equal(pairs, dataset.pairs)
    assert result.dimension == 2
    assert result.notes["whitening_rank"] == 3
    assert "whiten" in result.costs


def test_a_whitening_of_deficient_rank_is_a_doubt(dataset):
    """``eps`` makes small variances count as none."""
    plain = run(dataset, whitening=PCA(preset="thesis", eps=0.999))
    assert plain.notes["whitening"]["missing"] == 2
    assert "whitening without shrinkage from descriptors that vary in 1 of 3 directions" in doubts(plain.health)
    assert "whitening" not in run(dataset, whitening=PCA(eps=0.999)).health


def test_supervised_whitening(dataset):
    result = run(dataset, whitening=Supervised(dim=2, shrink=0.5))
    assert result.dimension == 2
    assert result.notes["whitening_rank"] == 3
    without = RetrievalSet("drawn", dataset.images, dataset.queries, dataset.boxes, dataset.ground_truth)
    with pytest.raises(InvalidInput, match="this dataset has none"):
        run(without, whitening=Supervised())


def test_pooling_with_fit_reads_the_database(dataset, tmp_path):
    class Fitted(SPoC):
        report = {"images": 12}

        def pool(self, maps):
            return super().pool(maps) + 1

    class Learning(SPoC):
        def fit(self, maps):
            shapes.append([tuple(m.shape) for m in maps])
            shapes.append([tuple(m.shape) for m in maps])
            return Fitted()

        def pool(self, maps):
            raise AssertionError("the fitted pooling pools")

    shapes = []
    first = run(dataset, tmp_path / "cache", pooling=Learning())
    assert shapes == [[(3, 8, 12)] * 12] * 2
    again = run(dataset, tmp_path / "cache", pooling=Learning())
    assert len(shapes) == 2
    assert first.notes == again.notes == {"pooling": {"images": 12}}


def test_depth_cuts_the_ranking(dataset):
    full, cut = run(dataset), run(dataset, protocol=RetrievalProtocol(image_size=48, depth=5))
    np.testing.assert_array_equal(cut.ranks, full.ranks[:, :5])


def test_an_image_without_activation_is_noted(dataset):
    Image.new("RGB", (48, 32)).save(dataset.images[3])
    assert run(dataset).notes == {"empty_descriptors": 1}


@dataclass(frozen=True)
class Backwards:
    """Scores that turn the top around; equal scores for two images."""

    top: int = 4

    def describe(self, maps, role):
        assert [tuple(m.shape) for m in maps] == [(3, 8, 12)] if role == "database" else [(3, 4, 4)]
        return {"mean": maps[0].mean((-2, -1)), "role": role}

    def score(self, query, candidates):
        assert query["role"] == "query"
        assert all(candidate["role"] == "database" for candidate in candidates)
        return np.array([0, 1, 1, 2], np.float32)[: len(candidates)]


def test_reranking_moves_the_top_only_and_keeps_ties(dataset):
    before, after = run(dataset), run(dataset, reranking=Backwards())
    np.testing.assert_array_equal(after.ranks[:, :4], before.ranks[:, [3, 1, 2, 0]])
    np.testing.assert_array_equal(after.ranks[:, 4:], before.ranks[:, 4:])
    assert after.bytes_per_image == 12 + 12 + len("database")
    assert {"describe for re-ranking", "rerank"} <= set(after.costs)


@pytest.mark.parametrize("top", [0, 1, 12, 50])
def test_reranking_of_none_or_all(dataset, top):
    class Same(Backwards):
        def score(self, query, candidates):
            return np.zeros(len(candidates), np.float32)

    np.testing.assert_array_equal(run(dataset, reranking=Same(top=top)).ranks, run(dataset).ranks)


def test_expansion_gets_the_reranked_list(dataset):
    seen = []

    class Reverse:
        def fit(self, database):
            seen.append(database.shape)
            return self

        def expand(self, queries, ranking):
            seen.append((queries.shape, ranking.indices.shape, ranking.verified[0].tolist()))
            assert (np.diff(ranking.scores, axis=1) <= 0).all()
            return Ranking(ranking.indices[:, ::-1].copy(), ranking.scores)

    before = run(dataset, reranking=Backwards())
    after = run(dataset, reranking=Backwards(), expansion=Reverse())
    np.testing.assert_array_equal(after.ranks, before.ranks[:, ::-1])
    assert seen[0] == (12, 3)
    assert seen[1] == ((4, 3), (4, 12), [2, 1, 1, 0] + [0] * 8)
    assert seen[2][0] == (1, 3)  # timed alone


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda r: Ranking(r.indices.astype(np.int32), r.scores), "int32"),
        (lambda r: Ranking(r.indices[:2], r.scores[:2]), "shape"),
        (lambda r: Ranking(r.indices + 1, r.scores), "out of range"),
        (lambda r: Ranking(r.indices * 0, r.scores), "twice"),
        (lambda r: Ranking(r.indices, r.scores[:, ::-1].copy()), "rise"),
        (lambda r: Ranking(r.indices, r.scores * np.float32("nan")), "NaN"),
        (lambda r: (r.indices, r.scores), "tuple"),
    ],
)
def test_what_an_expansion_may_not_return(dataset, change, message):
    class Wrong:
        def fit(self, database):
            return self

        def expand(self, queries, ranking):
            return change(ranking)

    with pytest.raises(ContractError, match=f'expansion "wrong".*{message}'):
        run(dataset, expansion=Wrong(), its_keys=keys(expansion={"name": "wrong"}))


def test_what_others_may_not_return(dataset):
    class Scores(Backwards):
        def score(self, query, candidates):
            return np.zeros(len(candidates) + 1, np.float32)

    class Whitening:
        def fit(self, descriptors, pairs=None):
            return self

        def apply(self, descriptors):
            return descriptors[:3]

    with pytest.raises(ContractError, match='reranking "Scores".*shape'):
        run(dataset, reranking=Scores())
    with pytest.raises(ContractError, match='whitening "Whitening".*shape'):
        run(dataset, whitening=Whitening())


def test_no_images_is_said(dataset):
    with pytest.raises(InvalidInput, match="0 images"):
        run(RetrievalSet("none", [], dataset.queries, dataset.boxes, dataset.ground_truth))


@pytest.mark.parametrize(
    "wrong",
    [
        {"image_size": 0},
        {"scales": ()},
        {"scales": (1.0, -1.0)},
        {"scales": (1.0, 1.0)},
        {"scales": (float("inf"),)},
        {"scale_power": 0.0},
        {"ks": (0,)},
        {"ks": (5, 5)},
        {"depth": -1},
    ],
    ids=str,
)
def test_wrong_protocols_are_refused(wrong):
    with pytest.raises(InvalidInput, match=next(iter(wrong))):
        RetrievalProtocol(**wrong)


def test_a_spec_may_ask_for_the_largest_entry_over_scales():
    protocol = validate("protocol", RetrievalProtocol, {"scales": [1.0, 0.5], "scale_power": "inf"})
    assert resolved(protocol)["scale_power"] == "inf"
    with pytest.raises(Errors, match="scale_power"):
        validate("protocol", RetrievalProtocol, {"scale_power": "max"})
