from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from stability.statistics.out_of_fold import (
    FALSE_STOPS,
    TOO_FEW,
    auc,
    auc_gain,
    fitted_risks,
    out_of_fold,
    stop_bar,
)


def spread(n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    failed = np.arange(n) % 3 == 0
    return generator.normal(size=n) + failed, failed, np.arange(n)


def test_in_one_fold_of_single_runs_it_is_the_plain_auc() -> None:
    risks, failed, points = spread(60)
    risks = risks.round(1)  # with ties
    row = auc(risks, failed, points, np.zeros(60, dtype=int)).iloc[0]
    assert row.estimate == pytest.approx(roc_auc_score(failed, risks))
    assert row.ci_low < row.estimate < row.ci_high
    assert (row.n_points, row.n_runs, row.reason) == (60, 60, "")


def test_only_runs_of_one_fold_and_of_different_points_are_compared() -> None:
    failed = np.array([True, False, True, False])
    risks = np.array([1.0, 0.0, -5.0, -9.0])  # across folds the order would be wrong
    folds = np.array([0, 0, 1, 1])
    assert auc(risks, failed, np.array([0, 1, 2, 3]), folds).iloc[0].estimate == 1.0
    alone = auc(risks, failed, np.array([0, 0, 1, 1]), folds).iloc[0]
    assert np.isnan(alone.estimate)
    assert alone.reason == TOO_FEW


@given(st.integers(0, 1000))
def test_reversed_risks_give_the_mirrored_interval(seed: int) -> None:
    risks, failed, points = spread(40, seed)
    folds = points % 5
    row, mirrored = (auc(values, failed, points, folds).iloc[0] for values in (risks, -risks))
    assert row.estimate == pytest.approx(1 - mirrored.estimate)
    assert row.ci_low == pytest.approx(1 - mirrored.ci_high)
    assert 0 <= row.ci_low <= row.estimate <= row.ci_high <= 1


def test_a_perfect_ranking_is_not_certain() -> None:
    _, failed, points = spread(30)
    row = auc(failed.astype(float), failed, points, np.zeros(30, dtype=int)).iloc[0]
    assert row.estimate == 1.0
    assert 0.6 < row.ci_low < 1.0
    assert row.ci_high == pytest.approx(1.0)


def test_the_gain_of_the_same_risks_is_nothing() -> None:
    risks, failed, points = spread(200)
    folds = points % 5
    same = auc_gain(risks, 3 * risks, failed, points, folds).iloc[0]
    assert (same.estimate, same.ci_low, same.ci_high) == (0, 0, 0)
    more = auc_gain(risks + 2 * failed, risks, failed, points, folds).iloc[0]
    assert more.ci_low > 0


def test_a_model_learns_the_direction_and_never_sees_the_held_out_fold() -> None:
    risks, failed, points = spread(100)
    folds = points % 5
    found = out_of_fold(-risks[:, None], failed, folds)
    assert roc_auc_score(failed, found) > 0.6
    held = folds == 2
    changed = np.where(held, ~failed, failed)
    again = out_of_fold(-risks[:, None], changed, folds)
    np.testing.assert_array_equal(found[held], again[held])


def test_what_is_not_finite_is_information_and_no_error() -> None:
    _, failed, _ = spread(60)
    gone = np.where(failed, np.nan, 1.0)[:, None]
    above = np.where(failed, np.inf, 1.0)[:, None]
    mixed = np.hstack([gone, above, np.full((60, 1), np.nan), np.full((60, 1), -np.inf)])
    train = np.arange(60) < 40
    for features in (gone, above, mixed):
        risks = fitted_risks(features, failed, train)
        assert np.isfinite(risks).all()
        assert roc_auc_score(failed[~train], risks[~train]) == 1.0
    nothing = np.full((60, 2), np.nan)
    assert fitted_risks(nothing, failed, train).tolist() == [0.0] * 60
    assert fitted_risks(gone, np.zeros(60, dtype=bool), train).tolist() == [0.0] * 60


def test_the_bar_is_the_order_statistic_that_a_further_run_rarely_passes() -> None:
    assert stop_bar(np.arange(18.0)) == np.inf
    assert stop_bar(np.arange(19.0)) == 18.0
    assert stop_bar(np.arange(99.0)[::-1]) == 94.0
    generator = np.random.default_rng(0)
    passed = [generator.normal() > stop_bar(generator.normal(size=50)) for _ in range(3000)]
    assert np.mean(passed) <= FALSE_STOPS + 0.01
