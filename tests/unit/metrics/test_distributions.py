"""The normal and the t distribution of single numbers, beside those of scipy."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import ndtr, stdtr, stdtrit

from harness.metrics.distributions import normal_cdf, t_quantile, t_tail

FREEDOM = st.one_of(st.integers(1, 300), st.integers(1, 10_000))


@given(FREEDOM, st.one_of(st.floats(1e-9, 1 - 1e-9), st.floats(1e-60, 1e-9)))
def test_quantiles_are_those_of_scipy(freedom, p):
    assert t_quantile(freedom, p) == pytest.approx(stdtrit(freedom, p), rel=1e-12, abs=1e-12)


@pytest.mark.parametrize("freedom", [1, 2, 3, 9, 63, 127, 128, 129, 999, 10_000])
@pytest.mark.parametrize("p", [0.8, 0.975, 0.995, 1 - 0.05 / 55 / 2, 1 - 0.05 / 499_500 / 2, 0.025])
def test_so_are_those_that_boards_ask_for(freedom, p):
    assert t_quantile(freedom, p) == pytest.approx(stdtrit(freedom, p), rel=1e-12)


@given(FREEDOM, st.floats(1e-3, 1e3))
def test_chances_are_those_of_scipy(freedom, t):
    assert t_tail(freedom, t) == pytest.approx(stdtr(freedom, -t), rel=1e-11)


@given(FREEDOM, st.floats(0.001, 0.499))
def test_a_quantile_has_the_chance_that_was_asked_for(freedom, p):
    assert t_tail(freedom, -t_quantile(freedom, p)) == pytest.approx(p, rel=1e-12)


def test_one_and_two_degrees_of_freedom_have_formulas():
    for p in (0.6, 0.9, 0.999):
        assert t_quantile(1, p) == pytest.approx(math.tan(math.pi * (p - 0.5)), rel=1e-12)
        assert t_quantile(2, p) == pytest.approx((2 * p - 1) / math.sqrt(2 * p * (1 - p)), rel=1e-12)
    assert t_quantile(5, 0.5) == 0


@given(st.floats(-38, 38))
def test_the_normal_distribution_is_that_of_scipy(x):
    assert normal_cdf(x) == pytest.approx(ndtr(x), rel=1e-12, abs=1e-300)


@pytest.mark.parametrize(("freedom", "p"), [(0, 0.9), (3, 0.0), (3, 1.0), (3, float("nan"))])
def test_what_has_no_quantile_is_refused(freedom, p):
    with pytest.raises(ValueError, match="no t quantile"):
        t_quantile(freedom, p)
