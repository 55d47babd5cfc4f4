from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.stats import CensoredData, ecdf

from stability.statistics.life_tables import (
    Courses,
    LifeTable,
    greenwood,
    influence,
    life_table,
    restricted_mean,
    survival,
)

VISITS = np.array([100, 200, 300, 400])


def table_of(
    onset: list[float], last: list[float], point: list[int] | None = None, stopped: list[bool] | None = None
) -> LifeTable:
    places = np.arange(len(onset)) if point is None else np.array(point)
    halted = np.zeros(len(onset), dtype=bool) if stopped is None else np.array(stopped)
    runs = Courses(places, np.array(onset, dtype=float), np.array(last, dtype=float), halted)
    return life_table(runs, VISITS, int(places.max()) + 1)


RUNS = st.lists(
    st.tuples(st.sampled_from([np.nan, 100.0, 200.0, 300.0, 400.0]), st.sampled_from([250.0, 400.0])),
    min_size=1,
    max_size=15,
)


def drawn(runs: list[tuple[float, float]]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    onset, last = (np.array(column) for column in zip(*runs, strict=True))
    return np.where(onset > last, np.nan, onset), last


def test_a_run_is_at_risk_up_to_its_event_or_its_last_visit() -> None:
    table = table_of([200, np.nan, np.nan], [400, 400, 250])
    np.testing.assert_array_equal(table.at_risk, [[1, 1, 0, 0], [1, 1, 1, 1], [1, 1, 0, 0]])
    np.testing.assert_array_equal(table.events, [[0, 1, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]])


def test_an_event_between_visits_counts_at_the_later_one_and_after_the_last_not_at_all() -> None:
    table = table_of([101, 401], [400, 450])
    np.testing.assert_array_equal(table.events, [[0, 1, 0, 0], [0, 0, 0, 0]])
    assert table.at_risk[1].tolist() == [1, 1, 1, 1]


def test_no_visits_make_an_empty_table() -> None:
    runs = Courses(np.array([0]), np.array([np.nan]), np.array([50.0]), np.array([True]))
    table = life_table(runs, np.array([], dtype=np.int64), 1)
    assert survival(table).shape == (0,)


@given(RUNS)
def test_survival_is_scipys_kaplan_meier(runs: list[tuple[float, float]]) -> None:
    onset, last = drawn(runs)
    seen = np.isfinite(onset)
    curve = survival(table_of(onset.tolist(), last.tolist()))
    reference = ecdf(CensoredData(uncensored=onset[seen], right=last[~seen])).sf
    known = np.isfinite(curve)
    np.testing.assert_allclose(curve[known], reference.evaluate(VISITS)[known], atol=1e-12)
    assert known[np.where(seen, onset, last).max() >= VISITS].all()


def test_survival_is_unknown_once_no_run_is_left_and_zero_where_all_had_it() -> None:
    assert np.isnan(survival(table_of([np.nan], [250]))).tolist() == [False, False, True, True]
    assert survival(table_of([200, 200], [400, 400])).tolist() == [1, 0, 0, 0]


def test_weights_are_copies_of_points() -> None:
    table = table_of([200, np.nan, 300], [400, 400, 250], point=[0, 1, 1])
    copied = table_of([200, 200, np.nan, 300], [400, 400, 400, 250], point=[0, 1, 2, 2])
    np.testing.assert_allclose(survival(table, np.array([[2.0, 1.0], [1.0, 1.0]]))[0], survival(copied))


def test_influence_is_the_derivative_by_the_weight_of_a_point() -> None:
    table = table_of([200, np.nan, 300, np.nan], [400, 400, 400, 250], point=[0, 0, 1, 1])
    step = 1e-6
    moved = survival(table, np.array([1 + step, 1.0]))
    np.testing.assert_allclose(
        (np.log(moved) - np.log(survival(table))) / step, influence(table)[0], atol=1e-5
    )


def test_independent_runs_without_censoring_have_greenwoods_variance() -> None:
    table = table_of([100, 200, 200, 300, np.nan, np.nan], [400] * 6)
    np.testing.assert_allclose((influence(table) ** 2).sum(axis=0), greenwood(table))


@pytest.mark.filterwarnings("ignore:The confidence interval is undefined:RuntimeWarning")
def test_greenwoods_variance_is_the_one_of_scipys_interval() -> None:
    onset = np.array([100.0, 200, 300, 300])
    table = table_of([*onset, np.nan, np.nan, np.nan], [400] * 4 + [250, 400, 400])
    reference = ecdf(CensoredData(uncensored=onset, right=np.array([250.0, 400, 400]))).sf
    high = reference.confidence_interval(0.95).high.evaluate(VISITS[:3])
    expected = np.clip(survival(table) * (1 + 1.959964 * np.sqrt(greenwood(table))), 0, 1)
    np.testing.assert_allclose(high, expected[:3], atol=1e-6)


def test_the_restricted_mean_is_the_area_under_the_steps() -> None:
    assert restricted_mean(np.array([0.5, 0.5, 0.25, 0.0]), VISITS) == 100 + 50 + 50 + 25


@given(RUNS)
def test_without_censoring_the_restricted_mean_is_the_mean_time(runs: list[tuple[float, float]]) -> None:
    onset = np.array([run[0] for run in runs])
    curve = survival(table_of(onset.tolist(), [400.0] * len(runs)))
    assert restricted_mean(curve, VISITS) == pytest.approx(np.where(np.isnan(onset), 400, onset).mean())


def test_a_stop_counts_at_the_last_visit_and_an_event_before_it_wins() -> None:
    table = table_of([np.nan, 200, np.nan], [250, 200, 400], stopped=[True, True, False])
    np.testing.assert_array_equal(table.stops, [[0, 1, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]])
    np.testing.assert_array_equal(table.events, [[0, 0, 0, 0], [0, 1, 0, 0], [0, 0, 0, 0]])
    np.testing.assert_array_equal(table.at_risk, [[1, 1, 0, 0], [1, 1, 0, 0], [1, 1, 1, 1]])


def test_a_stop_competes_where_a_loss_from_sight_does_not() -> None:
    """Of four runs two leave at 100 and one of the others has the event: one of four, or one of two."""
    onset, last = [np.nan, np.nan, 200, np.nan], [100, 100, 400, 400]
    assert survival(table_of(onset, last)).tolist() == [1, 0.5, 0.5, 0.5]
    stopped = [True, True, False, False]
    assert survival(table_of(onset, last, stopped=stopped)).tolist() == [1, 0.75, 0.75, 0.75]
    every = survival(table_of([np.nan, 100], [100, 400], stopped=[True, False]))
    assert every.tolist() == [0.5, 0.5, 0.5, 0.5]


@given(RUNS, st.data())
def test_where_only_stops_take_runs_away_survival_is_the_plain_share(
    runs: list[tuple[float, float]], data: st.DataObject
) -> None:
    onset, _ = drawn(runs)
    stopped = data.draw(st.lists(st.booleans(), min_size=len(runs), max_size=len(runs)))
    last = np.where(stopped, 250.0, 400.0)
    met = onset <= last
    curve = survival(table_of(np.where(met, onset, np.nan).tolist(), last.tolist(), stopped=stopped))
    shares = [1 - (met & (onset <= visit)).mean() for visit in VISITS]
    np.testing.assert_allclose(curve, shares, atol=1e-12)


def test_with_stops_influence_is_the_derivative_as_well() -> None:
    table = table_of(
        [200, np.nan, 300, np.nan, 400, np.nan],
        [400, 200, 400, 250, 400, 400],
        point=[0, 0, 1, 1, 2, 2],
        stopped=[False, True, False, False, False, False],
    )
    assert table.stops.sum() == 1
    step = 1e-6
    for place in range(3):
        moved = survival(table, 1 + step * np.eye(3)[place])
        slope = (np.log(moved) - np.log(survival(table))) / step
        np.testing.assert_allclose(slope, influence(table)[place], atol=1e-5)
