from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest, norm
from scipy.stats import t as student_t

from stability.records import Outcome
from stability.statistics.rates import (
    ADAPTIVE,
    EVENTS,
    NO_RUNS,
    NORMAL_FROM,
    ONE_POINT,
    OUTCOMES,
    counts_by,
    effective_runs,
    interval,
    rate,
    rates_by,
    wilson,
    wilson_breadth,
)

WELL = ("stable", "nearly-stable")


def runs_of(happened: list[list[bool]], **columns: Any) -> pd.DataFrame:
    """One row a run: the outer list is points, the inner one their seeds."""
    rows = [
        {"point": point, "outcome": WELL[point % 2] if yes else "diverged", "loss_spike": yes}
        for point, seeds in enumerate(happened)
        for yes in seeds
    ]
    frame = pd.DataFrame(rows, columns=["point", "outcome", "loss_spike"])
    return frame.assign(**{"adaptive": False, **columns})


def test_the_outcomes_and_events_are_the_ones_of_records() -> None:
    assert list(OUTCOMES) == [outcome.value for outcome in Outcome]
    assert "collapse_ever" in EVENTS


def test_one_seed_is_the_plain_wilson_interval() -> None:
    row = rate(runs_of([[True]] * 7 + [[False]] * 13), "success").iloc[0]
    expected = binomtest(7, 20).proportion_ci(method="wilson")
    assert row.estimate == 0.35
    assert (row.ci_low, row.ci_high) == pytest.approx((expected.low, expected.high))
    assert (row.n_points, row.n_runs, row.reason) == (20, 20, "")


def test_seeds_that_agree_count_as_one_run_a_point() -> None:
    row = rate(runs_of([[True] * 3] * 5 + [[False] * 3] * 15), "success").iloc[0]
    expected = binomtest(5, 20).proportion_ci(method="wilson")
    assert (row.ci_low, row.ci_high) == pytest.approx((expected.low, expected.high))
    assert (row.n_points, row.n_runs) == (20, 60)


def test_seeds_that_differ_evenly_count_in_full() -> None:
    """Ten points tell that they differ, against half a point's worth of doubt that they do not."""
    counts, sizes = np.full(10, 2), np.full(10, 4)
    assert effective_runs(counts, sizes) == pytest.approx(40 / (10 / 10.5 * 1 + 0.5 / 10.5 * 4))


@pytest.mark.parametrize("happened", [True, False])
@pytest.mark.parametrize("points", [2, 4, 30])
def test_a_rate_of_all_or_nothing_is_as_uncertain_as_its_points(points: int, happened: bool) -> None:
    """More runs a point tell no less: 0 events at 4 points are [0, .49] with one run each as with ten."""
    squared = norm.ppf(0.975) ** 2
    for runs in (1, 3, 10):
        row = rate(runs_of([[happened] * runs] * points), "success").iloc[0]
        assert row.ci_high - row.ci_low == pytest.approx(squared / (points + squared))
        assert row.estimate == float(happened)


@settings(deadline=None, max_examples=60)
@given(st.integers(2, 20), st.integers(1, 10), st.sampled_from([0.5, 0.95, 0.995]), st.data())
def test_no_interval_is_wider_than_that_of_one_run_a_point(
    points: int, runs: int, confidence: float, data: st.DataObject
) -> None:
    counts = np.array(data.draw(st.lists(st.integers(0, runs), min_size=points, max_size=points)))
    low, high = interval(counts, np.full(points, runs), confidence)
    breadth = norm.ppf((1 + confidence) / 2) ** 2 / points
    widest = np.subtract(*reversed(wilson(counts.sum() / (points * runs), breadth)))
    assert high - low <= widest + 1e-12


def test_many_studies_at_once_have_the_intervals_of_each() -> None:
    generator = np.random.default_rng(8)
    sizes = generator.integers(1, 5, (50, 9))
    counts = generator.binomial(sizes, 0.3)
    low, high = interval(counts, sizes)
    for row in range(50):
        assert interval(counts[row], sizes[row]) == (low[row], high[row])


@pytest.mark.parametrize("points", [2, 4, NORMAL_FROM - 1, NORMAL_FROM, 20])
def test_the_quantile_is_students_where_points_are_few(points: int) -> None:
    few, worth = points < NORMAL_FROM, 100.0 * points
    quantile = student_t.ppf(0.975, points - 1) if few else norm.ppf(0.975)
    assert wilson_breadth(worth, points, 0.95) == pytest.approx(quantile**2 / worth)
    assert wilson_breadth(points, points, 0.95) == pytest.approx(norm.ppf(0.975) ** 2 / points)


def test_diverged_runs_stay_in_the_denominator() -> None:
    row = rate(runs_of([[True], [False], [False], [False]]), "success").iloc[0]
    assert (row.estimate, row.n_runs) == (0.25, 4)


def test_adaptive_runs_never_enter() -> None:
    runs = runs_of([[True], [True], [False], [False]], adaptive=[True, True, False, False])
    row = rate(runs, "success").iloc[0]
    assert (row.estimate, row.n_points, row.n_runs) == (0.0, 2, 2)


def test_a_study_of_adaptive_runs_is_not_estimable_and_says_why() -> None:
    row = rate(runs_of([[True], [False]], adaptive=True), "success").iloc[0]
    assert np.isnan([row.estimate, row.ci_low, row.ci_high]).all()
    assert (row.n_points, row.n_runs, row.reason) == (0, 0, ADAPTIVE)


def test_no_runs_are_not_estimable() -> None:
    assert rate(runs_of([]), "success").iloc[0].reason == NO_RUNS


def test_one_point_with_seeds_has_an_estimate_and_no_interval() -> None:
    row = rate(runs_of([[True, False, True, True]]), "success").iloc[0]
    assert row.estimate == 0.75
    assert np.isnan(row.ci_low)
    assert row.reason == ONE_POINT


def test_an_event_may_be_a_column_or_a_series() -> None:
    runs = runs_of([[True, False], [True, True]])
    by_name, by_series = rate(runs, "loss_spike"), rate(runs, runs["outcome"].ne("diverged"))
    pd.testing.assert_frame_equal(by_name, by_series)


def test_an_unknown_event_and_a_missing_value_are_refused() -> None:
    runs = runs_of([[True], [False]])
    with pytest.raises(KeyError):
        rate(runs, "no_such_event")
    with pytest.raises(ValueError, match="loss_spike: 1 runs have no value"):
        rate(runs.assign(loss_spike=pd.array([True, None], dtype="boolean")), "loss_spike")


def test_rates_by_lists_every_level_and_event() -> None:
    runs = pd.concat([runs_of([[True]] * 4, loss="hinge"), runs_of([[False]] * 4, loss="minimax")])
    rates = rates_by(
        runs.reset_index(drop=True), "loss", ["success", "stable", "nearly-stable", "diverged", "loss_spike"]
    )
    assert list(rates.columns[:2]) == ["loss", "event"]
    assert rates.set_index(["loss", "event"]).estimate.to_dict() == {
        ("hinge", "success"): 1.0,
        ("hinge", "stable"): 0.5,
        ("hinge", "nearly-stable"): 0.5,
        ("hinge", "diverged"): 0.0,
        ("hinge", "loss_spike"): 1.0,
        ("minimax", "success"): 0.0,
        ("minimax", "stable"): 0.0,
        ("minimax", "nearly-stable"): 0.0,
        ("minimax", "diverged"): 1.0,
        ("minimax", "loss_spike"): 0.0,
    }
    assert (rates.n_points == 4).all()


def test_rates_by_of_no_runs_has_the_columns() -> None:
    empty = rates_by(runs_of([], loss="hinge"), "loss", ["stable"])
    assert empty.empty
    assert {"loss", "event", "estimate", "n_points", "n_runs"} <= set(empty.columns)


def test_runs_without_a_level_are_a_level_of_their_own() -> None:
    runs = pd.concat([runs_of([[True]] * 3, penalty="r1"), runs_of([[False]] * 2, penalty=None)])
    rates = rates_by(runs.reset_index(drop=True), "penalty", ["success"])
    assert list(rates["penalty"].isna()) == [False, True]
    assert list(zip(rates["estimate"], rates["n_runs"], strict=True)) == [(1.0, 3), (0.0, 2)]


def test_counts_include_adaptive_runs() -> None:
    runs = runs_of([[True], [False], [True]], loss="hinge", adaptive=True)
    assert counts_by(runs, "loss").set_index("outcome").runs.to_dict() == {"stable": 2, "diverged": 1}


@settings(deadline=None, max_examples=60)
@given(st.lists(st.lists(st.booleans(), min_size=1, max_size=4), min_size=2, max_size=12))
def test_an_interval_holds_its_estimate_and_widens_with_confidence(happened: list[list[bool]]) -> None:
    runs = runs_of(happened)
    usual, wide = rate(runs, "success").iloc[0], rate(runs, "success", confidence=0.99).iloc[0]
    assert 0 <= usual.ci_low <= usual.estimate + 1e-12
    assert usual.estimate - 1e-12 <= usual.ci_high <= 1
    assert wide.ci_low <= usual.ci_low
    assert usual.ci_high <= wide.ci_high
