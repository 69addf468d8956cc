"""Re-ranking inside a run: what a re-ranker sees, what is kept of it, and what an expansion gets of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest
from drawn import Average, keys, run

from harness.core.errors import InvalidInput
from harness.metrics.ranking import SETUPS, evaluate
from harness.plugin_api import Verification
from harness.retrieval.protocol import RetrievalProtocol
from harness.retrieval.reranking import packed, unpacked
from harness_expansion.diffusion import Diffusion
from harness_reranking.dsm.reranker import DSM
from harness_reranking.sift_ransac import SiftRansac


@dataclass(frozen=True)
class Backwards:
    """Scores that turn the top around; equal scores for two images."""

    top: int = 4

    def describe(self, maps, role):
        return {"mean": maps[0].mean((-2, -1)), "role": role}

    def score(self, query, candidates):
        assert query["role"] == "query"
        assert all(candidate["role"] == "database" for candidate in candidates)
        return np.array([0, 1, 1, 2], np.float32)[: len(candidates)]


def test_an_expansion_starts_from_the_verified_images(dataset):
    """Thesis 4.4.1: of the first verified images those with the most inliers times similarity start the diffusion."""
    seeds = []

    class Spy(Diffusion):
        def fit(self, database):
            fitted = super().fit(database)
            plain = fitted.seed

            def seed(query, ranking, row):
                images, values = plain(query, ranking, row)
                seeds.append((database, query, ranking.indices[row], ranking.verified[row], images, values))
                return images, values

            fitted.seed = seed
            return fitted

    expansion = Spy(k=4, verified_top=3, verified_kq=2)
    plain, result = run(dataset), run(dataset, reranking=Backwards(), expansion=expansion)
    reranked = run(dataset, reranking=Backwards())
    for query in range(4):
        database, vector, ranked, verified, images, values = seeds[query]
        np.testing.assert_array_equal(ranked, reranked.ranks[query])
        np.testing.assert_array_equal(verified, [2, 1, 1, 0] + [0] * 8)  # inliers, none below the top
        expected = verified[:3] / 2 * (database[ranked[:3]] @ vector)
        best = np.argsort(-expected, kind="stable")[:2]
        np.testing.assert_array_equal(images, ranked[best])
        np.testing.assert_allclose(values, expected[best], rtol=1e-6)
        assert set(images) <= set(plain.ranks[query, :4])
    assert result.notes["expansion"]["unverified"] == 0
    unverified = run(dataset, reranking=Nothing(), expansion=Diffusion(k=4))
    assert unverified.notes["expansion"]["unverified"] >= 4
    np.testing.assert_array_equal(unverified.ranks, run(dataset, expansion=Diffusion(k=4)).ranks)


@dataclass(frozen=True)
class Nothing(Backwards):
    """A re-ranker that verifies no image."""

    def score(self, query, candidates):
        return np.zeros(len(candidates), np.float32)


@dataclass(frozen=True)
class Looking:
    """A re-ranker that looks at images: how red they are."""

    top: int = 4

    def describe(self, maps, role):
        raise AssertionError("it looks at images")

    def describe_image(self, image, role):
        assert image.shape == ((32, 48, 3) if role == "database" else (16, 16, 3))
        assert image.dtype == np.uint8
        return image[..., 0].mean()

    def score(self, query, candidates):
        return np.array([candidate >= query for candidate in candidates], np.float32)


def test_reranking_by_images_runs_no_network(dataset, tmp_path):
    backbone = Average()
    plain = run(dataset, tmp_path, backbone)
    after = run(dataset, tmp_path, backbone, reranking=Looking())
    assert len(backbone.calls) == 16  # descriptors only
    assert [set(row) for row in after.ranks[:, :4]] == [set(row) for row in plain.ranks[:, :4]]


class Packing(Backwards):
    """A re-ranker whose features can be kept; counts what it described."""

    described: list = []  # noqa: RUF012  # shared on purpose

    def describe(self, maps, role):
        self.described.append(role)
        return {"mean": maps[0].mean((-2, -1)).numpy(), "more": np.arange(len(self.described)), "role": role}

    def pack(self, features):
        return {"mean": features["mean"], "more": features["more"], "role": np.array([features["role"] == "query"])}

    def unpack(self, arrays):
        return {**arrays, "role": "query" if arrays["role"][0] else "database"}


def test_features_that_can_be_packed_are_kept(dataset, tmp_path):
    Packing.described.clear()
    identified = keys(reranking={"name": "packing", "parameters": {}})
    first = run(dataset, tmp_path, reranking=Packing(), its_keys=identified)
    count = len(Packing.described)
    assert (Packing.described.count("query"), count > 4) == (4, True)
    assert not first.costs["describe for re-ranking"].cached
    again = run(dataset, tmp_path, reranking=Packing(), its_keys=identified)
    assert len(Packing.described) == count
    assert again.costs["describe for re-ranking"].cached
    assert again.costs["describe for re-ranking"].wall_s == first.costs["describe for re-ranking"].wall_s
    np.testing.assert_array_equal(again.ranks, first.ranks)
    assert again.bytes_per_image == first.bytes_per_image
    for changed in (
        {"its_keys": identified | {"reranking": {"name": "other"}}},
        {"its_keys": identified | {"backbone": {"name": "other"}}},
        {"its_keys": identified | {"dataset": {"fingerprint": "g"}}},
        {"its_keys": keys()},  # a re-ranker without an identity
    ):
        Packing.described.clear()
        run(dataset, tmp_path, reranking=Packing(), **{"its_keys": identified, **changed})
        assert Packing.described.count("query") == 4, changed


@dataclass(frozen=True)
class Counting(Verification):
    """The images seen last have the most inliers; counts the pairs that it scored."""

    pairs: ClassVar[list] = []
    top: int = 4
    detail: int = 1

    def describe(self, maps, role):
        return None

    def score(self, query, candidates):
        self.pairs.append(len(candidates))
        return np.arange(len(candidates), dtype=np.float32)


def counting(**options):
    """It, and its identity as a run has it."""
    method = Counting(**options)
    return {"reranking": method, "its_keys": keys(reranking={"name": "counting", "parameters": vars(method)})}


def test_pairs_are_scored_once_for_all_expansions_and_orders(dataset, tmp_path):
    Counting.pairs.clear()
    first = run(dataset, tmp_path, **counting())
    once = len(Counting.pairs)
    timed = 5  # one query to warm up and each alone: seconds are those of the method
    assert once == 4 + timed
    for more in ({"expansion": Diffusion(k=4)}, {}):
        again = run(dataset, tmp_path, **more, **counting(order_by="product", min_inliers=2))
        assert again.costs["rerank"].cached
    assert len(Counting.pairs) == once + 2 * timed
    np.testing.assert_array_equal(run(dataset, **counting()).ranks, first.ranks)
    for changed in ({"detail": 2}, {"top": 3}):
        Counting.pairs.clear()
        assert not run(dataset, tmp_path, **counting(**changed)).costs["rerank"].cached
        assert len(Counting.pairs) == 4 + timed, changed


def test_a_ranking_is_ordered_by_inliers_and_similarity(dataset):
    plain = run(dataset).ranks
    assert (run(dataset, **counting()).ranks[:, :4] == plain[:, 3::-1]).all()
    least = run(dataset, **counting(min_inliers=2)).ranks
    np.testing.assert_array_equal(least, plain[:, [3, 2, 0, 1, *range(4, 12)]])
    similar = run(dataset, **counting(order_by="mix", mix_weight=1.0)).ranks
    np.testing.assert_array_equal(similar, plain)


def test_a_shortlist_may_be_free_of_images_that_do_not_count(dataset):
    protocol = RetrievalProtocol(image_size=48, shortlist="delg")
    plain, result = run(dataset).ranks, run(dataset, protocol=protocol, **counting())
    for setup, (_, removed) in SETUPS.items():
        rows = []
        for ids, truth in zip(plain, dataset.ground_truth, strict=True):
            last = np.isin(ids, [i for level in removed for i in truth[level]])
            listed = ids[~last]
            rows.append([*listed[3::-1], *listed[4:], *ids[last]])
        expected = evaluate(np.array(rows), dataset.ground_truth, ks=(1,))[setup]
        np.testing.assert_allclose(result.scores[setup].ap, expected.ap, err_msg=setup)
        if setup == "medium":
            np.testing.assert_array_equal(result.ranks, rows)
    with pytest.raises(InvalidInput, match="whole database"):
        run(dataset, protocol=RetrievalProtocol(image_size=48, shortlist="delg", depth=6), **counting())


def test_inliers_of_related_and_unrelated_pairs_are_recorded(dataset):
    health = run(dataset, **counting(top=12, min_inliers=5)).health["verification"]
    assert (health["related"]["pairs"], health["unrelated"]["pairs"]) == (8, 36)  # without four of junk
    assert 0 <= health["related"]["quartiles"][0] < health["unrelated"]["quartiles"][1] < 11
    assert "verification" not in run(dataset).health


def test_packing_gives_back_what_was_packed():
    rng = np.random.default_rng(0)
    images = [{"a": rng.random((n, 2)), "b": np.arange(n % 2)} for n in (3, 0, 4, 1)]
    for image, back in zip(images, unpacked(packed(images), 4), strict=True):
        for name in image:
            np.testing.assert_array_equal(back[name], image[name])
    assert packed([]) == {}
    assert unpacked({}, 0) == []


@pytest.mark.parametrize("scales", [(1.0,), (1.0, 2**-0.5, 0.5)])
@pytest.mark.parametrize("method", [DSM(top=6), SiftRansac(top=6)], ids=["dsm", "sift-ransac"])
def test_the_rerankers_of_this_project(dataset, tmp_path, method, scales):
    protocol = RetrievalProtocol(image_size=48, scales=scales)
    identified = keys(reranking={"name": "some"})
    plain = run(dataset, protocol=protocol)
    results = [
        run(dataset, tmp_path, reranking=method, protocol=protocol, its_keys=identified, expansion=Diffusion(k=4))
        for _ in range(2)
    ]
    np.testing.assert_array_equal(results[0].ranks, results[1].ranks)
    assert results[1].costs["describe for re-ranking"].cached
    reranked = run(dataset, reranking=method, protocol=protocol)
    assert [set(row) for row in reranked.ranks[:, :6]] == [set(row) for row in plain.ranks[:, :6]]
    assert results[0].bytes_per_image == results[1].bytes_per_image >= 12


def test_scales_of_the_protocol_reach_the_reranker(dataset):
    seen = []

    class Scales(Backwards):
        def describe(self, maps, role):
            seen.append([tuple(m.shape) for m in maps])
            return {"role": role}

    run(dataset, reranking=Scales(), protocol=RetrievalProtocol(image_size=48, scales=(1.0, 0.5)))
    assert seen.count([(3, 4, 4), (3, 2, 2)]) == 4
    assert seen.count([(3, 8, 12), (3, 4, 6)]) == len(seen) - 4


def test_a_reranker_learns_from_all_images_of_the_database(dataset):
    from harness_reranking.r_match import RMatch

    seen = []

    class Watched(RMatch):
        def fit(self, features):
            seen.extend(features)
            return super().fit(iter(seen))

    found = run(dataset, reranking=Watched(top=2))
    assert len(seen) == len(dataset.images)
    assert found.notes["reranking_learnt"]["regions"] == "whitened"
    plain = run(dataset, reranking=RMatch(top=2, preset="thesis"))
    assert "reranking_learnt" not in plain.notes
    np.testing.assert_array_equal(np.sort(found.ranks[:, :2]), np.sort(plain.ranks[:, :2]))
