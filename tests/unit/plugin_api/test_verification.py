"""What inliers and similarity of a geometric re-ranker order a ranking by."""

from __future__ import annotations

import numpy as np
import pytest

from harness.core.errors import HarnessError
from harness.plugin_api import OrderDefaults, Verification
from harness.registry import load_registry
from harness.registry.parameters import resolved
from harness_reranking.dsm.reranker import DSM
from harness_reranking.sift_ransac import SiftRansac

SIMILARITIES = np.array([0.9, 0.5, 0.4, -0.2], np.float32)
INLIERS = np.array([4, 30, 9, 60], np.float32)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, [4, 30, 9, 60]),
        ({"order_by": "inliers", "min_inliers": 9}, [0, 30, 9, 60]),
        ({"order_by": "product"}, [3.6, 15, 3.6, 0]),
        ({"order_by": "product", "min_inliers": 5}, [0, 15, 3.6, 0]),
        ({"order_by": "mix", "min_inliers": 5}, [0.45, 0.5, 0.2 + 4.5 / 39, 0.2333333]),
        ({"order_by": "mix", "mix_weight": 0.0, "mix_scale": 10.0}, [4 / 14, 0.75, 9 / 19, 60 / 70]),
        ({"order_by": "mix", "mix_weight": 1.0}, SIMILARITIES),
    ],
)
def test_what_a_top_is_ordered_by(options, expected):
    values = Verification(**options).order(SIMILARITIES, INLIERS)
    np.testing.assert_allclose(values, expected, rtol=1e-5)
    assert values.dtype == np.float32


def test_few_inliers_are_no_weight():
    np.testing.assert_array_equal(Verification(min_inliers=9).verified(INLIERS), [0, 30, 9, 60])
    np.testing.assert_array_equal(Verification().verified(INLIERS), INLIERS)


@pytest.mark.parametrize("plain", [DSM(preset="thesis"), DSM(preset="released-code"), SiftRansac()])
def test_the_thesis_and_sift_ransac_order_by_plain_inliers(plain):
    assert plain.order_defaults == OrderDefaults("inliers", 0)
    np.testing.assert_array_equal(plain.order(SIMILARITIES, INLIERS), INLIERS)
    np.testing.assert_array_equal(plain.verified(INLIERS), INLIERS)


def test_options_at_their_default_are_no_part_of_an_identity():
    assert not {"order_by", "min_inliers", "mix_weight", "mix_scale"} & set(resolved(SiftRansac()))
    assert resolved(SiftRansac(min_inliers=8))["min_inliers"] == 8


def test_options_count_before_the_preset():
    np.testing.assert_allclose(
        DSM(preset="thesis", order_by="product", min_inliers=5).order(SIMILARITIES, INLIERS), [0, 15, 3.6, 0], rtol=1e-5
    )
    np.testing.assert_array_equal(DSM(order_by="inliers", min_inliers=0).order(SIMILARITIES, INLIERS), INLIERS)


@pytest.mark.parametrize("options", [{"order_by": "sum"}, {"min_inliers": -1}, {"mix_weight": 2}, {"mix_scale": 0}])
def test_options_are_validated(options):
    with pytest.raises(HarnessError, match=next(iter(options))):
        load_registry().create("reranking", "sift-ransac", **options)
