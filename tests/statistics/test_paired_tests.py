from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom, binomtest, norm, ttest_1samp, ttest_ind
from scipy.stats import f as f_distribution
from statsmodels.stats.multitest import multipletests

from stability.statistics.paired_tests import (
    FEW_POINTS,
    NO_POINT,
    ONE_POINT_EACH,
    holm,
    hotelling,
    paired_t,
    shuffle,
    sign_flip,
    sign_test,
    welch_t,
)
from stability.statistics.rates import rate

A, B = [0, 0.5, 1, 0.5, 1, 1, 0, 1], [0, 0, 0.5, 0.5, 0, 1, 0.5, 0]


def unseen(points: int, confidence: float = 0.95) -> float:
    """The upper end of Wilson's interval where no point has it."""
    square = norm.ppf((1 + confidence) / 2) ** 2
    return float(square / (points + square))


def test_welch_without_points_says_so() -> None:
    assert welch_t(np.ones(1), np.zeros(4)).reason == ONE_POINT_EACH
    assert welch_t(np.ones(0), np.zeros(4)).reason == NO_POINT


def test_points_that_are_all_alike_have_an_interval() -> None:
    """Recovered from Wilson's two, which end at 0 and 1."""
    end = unseen(64)
    apart, same = (paired_t(np.full(64, value), permuted=0.001) for value in (1.0, 0.0))
    assert (apart.estimate, apart.ci_high, apart.p, apart.reason) == (1, 1, 0.001, "")
    assert apart.ci_low == pytest.approx(1 - 2**0.5 * end)
    assert (same.ci_low, same.ci_high, same.p) == (pytest.approx(-end), pytest.approx(end), 1)
    own = welch_t(np.ones(30), np.zeros(40), permuted=0.001)
    assert (own.ci_low, own.ci_high) == (pytest.approx(1 - np.hypot(unseen(30), unseen(40))), 1)
    assert own.p == 0.001


def test_few_points_that_stand_out_widen_the_interval() -> None:
    """Never narrower than t, nor above than Wilson's interval of the only level that ever has it."""
    shares = np.zeros(64)
    for shown in range(1, FEW_POINTS + 3):
        shares[:shown] = 1
        found, plain = paired_t(shares), ttest_1samp(shares, 0).confidence_interval()
        own = rate(pd.DataFrame({"point": range(64), "adaptive": False, "it": shares > 0}), "it").iloc[0]
        if shown < FEW_POINTS:
            assert found.ci_high >= max(plain.high, own.ci_high)
            assert found.ci_low <= plain.low
        else:
            np.testing.assert_allclose([found.ci_low, found.ci_high], [plain.low, plain.high])
    turned = paired_t(1 - shares), paired_t(-shares)
    assert all(low.ci_low <= low.estimate <= low.ci_high for low in turned)


@pytest.mark.parametrize("n", [8, 12, 16, 24, 32, 64])
@pytest.mark.parametrize("confidence", [0.95, 1 - 0.05 / 24])
def test_points_won_or_lost_are_covered_as_promised(n: int, confidence: float) -> None:
    """Computed, not simulated: each number of points won has one interval and one p-value."""
    rng = np.random.default_rng(0)
    signs = [np.repeat([1.0, -1.0], [won, n - won]) for won in range(n + 1)]
    found = [sign_test(one, confidence, permuted=sign_flip(one, rng)) for one in signs]
    low, high = (np.array([getattr(one, end) for one in found]) for end in ("ci_low", "ci_high"))
    shares = np.linspace(0.5, 0.99, 99)
    holds = (low <= 2 * shares[:, None] - 1 + 1e-12) & (2 * shares[:, None] - 1 <= high + 1e-12)
    covered = (holds * binom.pmf(np.arange(n + 1), n, shares[:, None])).sum(axis=1)
    assert covered.min() >= confidence
    told = np.array([one.p <= 0.05 for one in found])
    assert binom.pmf(np.arange(n + 1), n, 0.5)[told].sum() <= 0.05


def test_what_is_neither_won_nor_lost_counts_against_either_end() -> None:
    signs = np.repeat([1.0, 0.0, -1.0], [14, 4, 2])
    found = sign_test(signs, permuted=sign_flip(signs, np.random.default_rng(0)))
    won, lost = (binomtest(n, 20).proportion_ci().low for n in (14, 2))
    assert (found.ci_low, found.ci_high) == pytest.approx((2 * won - 1, 1 - 2 * lost))
    assert found.p == pytest.approx(binomtest(14, 16).pvalue)
    in_part = signs.copy()
    in_part[0] = 1 / 3
    plain = paired_t(in_part, permuted=0.2)
    assert (sign_test(in_part, permuted=0.2).ci_low, plain.ci_high) == (plain.ci_low, plain.ci_high)


def test_many_equal_differences_have_the_p_value_of_a_coin() -> None:
    """No draw: two pairs of 20 points to 4 are told apart both or neither."""
    first, second = np.random.default_rng(1), np.random.default_rng(2)
    signs = np.repeat([0.5, -0.5], [20, 4])
    assert sign_flip(signs, first) == sign_flip(signs[::-1], second) == binomtest(20, 24).pvalue


def test_wilsons_ends_are_those_of_rates() -> None:
    """Three seeds at a point: where only one level ever has it, nothing is added to its upper end."""
    counts = np.r_[3, 3, 2, 1, np.zeros(36, dtype=int)]
    happened = (np.arange(3) < counts[:, None]).ravel()
    runs = pd.DataFrame({"point": np.repeat(np.arange(40), 3), "adaptive": False, "it": happened})
    for confidence in (0.95, 0.995):
        own = rate(runs, "it", confidence=confidence).iloc[0]
        assert paired_t(counts / 3, confidence, runs=3).ci_high == pytest.approx(own.ci_high)
        assert paired_t(counts / 3, confidence, runs=1).ci_high >= own.ci_high
        assert paired_t(-counts / 3, confidence, runs=3).ci_low == pytest.approx(-own.ci_high)


def test_where_few_points_stand_out_welch_takes_the_larger_p() -> None:
    rare, none = np.r_[1.0, np.zeros(11)], np.zeros(50)
    welch = ttest_ind(rare, none, equal_var=False).pvalue
    assert welch_t(rare, none).p == pytest.approx(welch)
    assert welch_t(rare, none, permuted=0.9).p == 0.9
    assert welch_t(rare, none, permuted=0.1).p == pytest.approx(welch)
    half, third = np.tile([0.0, 1], 20), np.tile([0.0, 0, 1], 20)
    assert welch_t(half, third, permuted=1.0).p == pytest.approx(
        ttest_ind(half, third, equal_var=False).pvalue
    )


def test_hotelling_of_two_levels_is_the_paired_t_test() -> None:
    found = hotelling(np.column_stack([A, B]))
    expected = ttest_1samp(np.array(A) - B, 0)
    assert found.statistic == pytest.approx(expected.statistic**2)
    assert found.p == pytest.approx(expected.pvalue)


def test_hotelling_is_the_same_whatever_the_order_of_levels() -> None:
    shares = np.random.default_rng(0).random((12, 4))
    found, other = hotelling(shares), hotelling(shares[:, [2, 0, 3, 1]])
    assert found.statistic == pytest.approx(other.statistic)
    assert found.df == (3, 9)
    assert found.p == pytest.approx(f_distribution.sf(found.statistic * 9 / (3 * 11), 3, 9))


@pytest.mark.parametrize(
    "shares",
    [
        np.random.default_rng(0).random((3, 4)),
        np.column_stack([A, A, B]),
        np.zeros((20, 3)),
        np.zeros((0, 3)),
    ],
)
def test_hotelling_does_not_invert_what_has_no_inverse(shares: np.ndarray) -> None:
    found = hotelling(shares)
    assert np.isnan([found.statistic, found.f, found.p]).all()
    assert found.reason.startswith("not estimable")


@settings(max_examples=20)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_holm_is_that_of_statsmodels(p: list[float]) -> None:
    np.testing.assert_allclose(holm(np.array(p)), multipletests(p, method="holm")[1], atol=1e-12)


def test_a_missing_p_value_counts_in_the_family() -> None:
    np.testing.assert_allclose(holm(np.array([0.01, np.nan, 0.03])), [0.03, np.nan, 0.06])
    assert holm(np.array([])).size == 0


@given(st.lists(st.sampled_from([-1, -0.5, 0, 0.5, 1]), min_size=2, max_size=20))
def test_an_interval_holds_its_difference_and_leaves_out_zero_where_p_is_small(
    differences: list[float],
) -> None:
    found = paired_t(np.array(differences, dtype=float))
    assert -1 <= found.ci_low <= found.estimate <= found.ci_high <= 1
    stand_out = len(differences) - max(map(differences.count, differences))
    holds_zero = found.ci_low <= 0 <= found.ci_high
    if found.p > 0.05 + 1e-9:
        assert holds_zero
    if found.p < 0.05 - 1e-9 and stand_out >= FEW_POINTS:
        assert not holds_zero


def test_a_single_point_or_difference_cannot_be_flipped() -> None:
    rng = np.random.default_rng(0)
    assert np.isnan(sign_flip(np.array([0.5]), rng))
    assert sign_flip(np.array([0.5, 0.0, 0.0]), rng) == 1
    assert np.isnan(shuffle(np.array([0.5]), np.zeros(4), rng))


def test_many_differences_are_flipped_at_random() -> None:
    """About as the t test says, and the same for the same generator."""
    differences = np.random.default_rng(1).normal(0.2, 1, 100)
    one, same = (sign_flip(differences, np.random.default_rng(2)) for _ in range(2))
    assert one == same
    assert one == pytest.approx(ttest_1samp(differences, 0).pvalue, abs=0.02)
