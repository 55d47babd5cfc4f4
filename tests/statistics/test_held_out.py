from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from stability.statistics.held_out import brier_scores, point_folds, point_mean, reliability
from stability.statistics.rates import NO_RUNS, ONE_POINT


def test_a_mean_over_points_has_student_s_width() -> None:
    generator = np.random.default_rng(0)
    values = generator.normal(1, 2, size=400)
    row = point_mean(values, np.arange(400), rng=generator)
    assert row["estimate"] == pytest.approx(values.mean())
    half = 1.96 * values.std() / 20
    assert float(row["ci_high"]) - float(row["ci_low"]) == pytest.approx(2 * half, rel=0.1)


def test_runs_that_repeat_their_point_add_no_certainty() -> None:
    values, points = np.random.default_rng(0).normal(size=100), np.arange(100)
    once = point_mean(values, points, rng=np.random.default_rng(1))
    thrice = point_mean(np.repeat(values, 3), np.repeat(points, 3), rng=np.random.default_rng(1))
    assert thrice["ci_low"] == pytest.approx(once["ci_low"])
    assert (thrice["n_points"], thrice["n_runs"]) == (100, 300)


def test_widening_stretches_both_arms() -> None:
    values, points = np.random.default_rng(0).normal(size=50), np.arange(50)
    usual, wide = (point_mean(values, points, rng=np.random.default_rng(1), widen=w) for w in (1.0, 2.0))
    for end in ("ci_low", "ci_high"):
        arms = [float(row[end]) - float(row["estimate"]) for row in (usual, wide)]
        assert arms[1] == pytest.approx(2 * arms[0])


def test_nothing_and_one_point_say_so() -> None:
    rng = np.random.default_rng(0)
    assert point_mean(np.array([]), np.array([], dtype=int), rng=rng)["reason"] == NO_RUNS
    one = point_mean(np.array([1.0, 3.0]), np.array([7, 7]), rng=rng)
    assert (one["estimate"], one["reason"]) == (2.0, ONE_POINT)
    assert np.isnan(float(one["ci_low"]))


def test_folds_keep_points_together_and_are_even() -> None:
    points = np.repeat(np.arange(23), 3)
    fold = point_folds(points, 5, rng=np.random.default_rng(0))
    assert all(len(set(fold[points == point])) == 1 for point in range(23))
    assert sorted(np.bincount(fold) // 3) == [4, 4, 5, 5, 5]


def held_out(predicted: list[float], happened: list[bool]) -> pd.DataFrame:
    n = len(predicted)
    return pd.DataFrame(
        {"point": range(n), "predicted": predicted, "constant": 0.5, "happened": happened}, index=range(n)
    )


def test_brier_scores_are_mean_squares_and_their_difference() -> None:
    scores = brier_scores(held_out([0.9, 0.2, 1.0], [True, False, True]), rng=np.random.default_rng(0))
    estimates = scores.set_index("score")["estimate"]
    assert estimates["map"] == pytest.approx((0.01 + 0.04 + 0) / 3)
    assert estimates["overall rate"] == 0.25
    assert estimates["difference"] == pytest.approx(estimates["map"] - 0.25)


def test_reliability_counts_what_happened_in_each_bin() -> None:
    table = reliability(held_out([0.05, 0.15, 0.5, 1.0, 0.9], [False, False, True, True, False]))
    assert table["bin_low"].tolist() == pytest.approx([0, 0.4, 0.8])
    assert table["predicted"].tolist() == pytest.approx([0.1, 0.5, 0.95])
    assert table["estimate"].tolist() == [0, 1, 0.5]
    assert table["n_runs"].tolist() == [2, 1, 2]
    assert reliability(held_out([], [])).empty
