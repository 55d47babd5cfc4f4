from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.stats import chi2

from stability.questions.cost.estimate import (
    COLUMNS,
    MEASURES,
    NO_EXPOSURE,
    NO_TIME,
    Clusters,
    costs_by,
    events_interval,
    exposures,
    mean_interval,
    success_interval,
)
from stability.statistics.rates import ADAPTIVE, ONE_POINT, rate


def runs_of(points: int = 8, seeds: int = 2, **columns: Any) -> pd.DataFrame:
    """Runs of 1,000 steps and an hour each; every other point succeeds, nearly stable or stable."""
    place = np.arange(points * seeds)
    frame = pd.DataFrame(
        {
            "run": [f"r{number}" for number in place],
            "point": place // seeds,
            "adaptive": False,
            "loss": "hinge",
            "n_dis": 1,
            "step": 1000,
            "seconds": 3600.0,
            "outcome": np.choose(place // seeds % 4, ["nearly-stable", "collapsed", "stable", "collapsed"]),
            "divergence_step": pd.array([pd.NA] * len(place), dtype="Int64"),
        }
    )
    return frame.assign(**columns)


def events_of(*rows: tuple[str, str, int]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["run", "kind", "onset"]).assign(never_good=False)


def costs(runs: pd.DataFrame, events: pd.DataFrame | None = None) -> pd.DataFrame:
    events = events_of() if events is None else events
    return costs_by(runs, events, "loss").set_index("measure")


def test_a_run_is_at_risk_until_its_first_collapse() -> None:
    runs = runs_of(points=2, seeds=2, n_dis=[5, 5, 1, 1])
    happened = events_of(
        ("r0", "collapse", 600), ("r0", "collapse", 250), ("r1", "saturation", 100), ("r3", "collapse", 1000)
    )
    found = exposures(runs, happened)
    assert found.collapses.tolist() == [1, 0, 0, 1]
    assert found.updates.tolist() == [5000, 5000, 1000, 1000]
    assert found.updates_at_risk.tolist() == [1250, 5000, 1000, 1000]
    np.testing.assert_allclose(found.hours_at_risk, [0.25, 1, 1, 1])


def test_a_diverged_run_is_at_risk_until_then() -> None:
    """It may have been trained on; what was spent counts all the same."""
    runs = runs_of(
        points=2, outcome="diverged", divergence_step=pd.array([151, 151, 1000, 700], dtype="Int64")
    )
    found = exposures(runs, events_of(("r1", "collapse", 250), ("r3", "collapse", 500)))
    assert found.updates_at_risk.tolist() == [150, 150, 999, 500]
    assert found.collapses.tolist() == [0, 0, 0, 1]
    np.testing.assert_allclose(found.hours_at_risk, [0.15, 0.15, 0.999, 0.5])
    assert found.updates.tolist() == [1000] * 4


def test_joint_intervals_hold_for_all_levels_at_once() -> None:
    runs = pd.concat([runs_of().assign(loss=loss) for loss in "abc"], ignore_index=True)
    events = events_of(("r0", "collapse", 500), ("r5", "collapse", 500))
    found = costs_by(runs, events, "loss").set_index(["loss", "measure"])
    wide = costs_by(runs_of(loss="a"), events, "loss", confidence=1 - 0.05 / 3).set_index(["loss", "measure"])
    joint = found.loc[["a"], ["joint_low", "joint_high"]]
    np.testing.assert_allclose(joint, wide[["ci_low", "ci_high"]])
    np.testing.assert_allclose(wide["ci_low"], wide["joint_low"])
    assert (found["joint_low"] <= found["ci_low"]).all()


def test_estimates_are_ratios_of_sums() -> None:
    found = costs(runs_of(n_dis=5), events_of(("r0", "collapse", 500), ("r5", "collapse", 500)))
    at_risk = 15 * 5000
    assert found.estimate.to_dict() == pytest.approx(
        {
            "updates_per_run": 5000,
            "seconds_per_run": 3600,
            "collapses_per_10k_updates": 2 / at_risk * 1e4,
            "collapses_per_hour": 2 / 15,
            "successes_per_million_updates": 8 / 80_000 * 1e6,
            "successes_per_hour": 0.5,
        }
    )
    assert found.n_events.dropna().to_dict() == {
        "collapses_per_10k_updates": 2,
        "collapses_per_hour": 2,
        "successes_per_million_updates": 8,
        "successes_per_hour": 8,
    }
    assert (found.n_points == 8).all()
    assert (found.n_runs == 16).all()
    assert (found.ci_low <= found.estimate).all()
    assert (found.estimate <= found.ci_high).all()


def test_levels_stand_in_their_order_of_appearance() -> None:
    runs = runs_of(loss=["minimax"] * 8 + ["hinge"] * 8)
    found = costs_by(runs, events_of(), "loss")
    assert list(found.columns) == ["loss", *COLUMNS]
    assert found.loss.drop_duplicates().tolist() == ["minimax", "hinge"]
    assert found.groupby("loss").measure.apply(list).tolist() == [list(MEASURES)] * 2
    assert costs_by(runs[:0], events_of(), "loss").empty


def test_a_constant_cost_has_no_spread() -> None:
    row = costs(runs_of()).loc["updates_per_run"]
    assert (row.estimate, row.ci_low, row.ci_high) == (1000, 1000, 1000)


def test_without_collapse_the_upper_end_is_poissons_for_points() -> None:
    """Eight points of 1,000 updates, however many seeds they have."""
    for seeds in (1, 2, 5):
        row = costs(runs_of(seeds=seeds)).loc["collapses_per_10k_updates"]
        assert (row.estimate, row.ci_low) == (0, 0)
        assert row.ci_high == pytest.approx(chi2.ppf(0.975, 2) / 2 / 8000 * 1e4)


def test_one_collapse_allows_a_far_lower_rate() -> None:
    """The exact Poisson interval of one event starts at .025 of it."""
    low, high = events_interval(Clusters(np.eye(40)[0], np.full(40, 10.0), np.ones(40)), 0.95)
    assert low == pytest.approx(chi2.ppf(0.025, 2) / 2 / 400, rel=0.05)
    assert high > chi2.ppf(0.975, 4) / 2 / 400


def test_seeds_that_collapse_together_widen_the_interval() -> None:
    exposure, sizes = np.full(20, 4.0), np.full(20, 4.0)
    spread_out, together = np.ones(20), np.where(np.arange(20) % 4 == 0, 4.0, 0.0)
    narrow, wide = (events_interval(Clusters(top, exposure, sizes), 0.95) for top in (spread_out, together))
    assert wide[0] < narrow[0] < 0.25 < narrow[1] < wide[1]
    assert narrow[1] / 0.25 == pytest.approx(np.exp(2.093 / np.sqrt(20)), rel=1e-3)


def test_successes_per_cost_are_wilsons_shares_where_costs_are_equal() -> None:
    runs = runs_of(points=10, seeds=3)
    share, row = rate(runs, "success").iloc[0], costs(runs).loc["successes_per_million_updates"]
    np.testing.assert_allclose(
        [row.estimate, row.ci_low, row.ci_high],
        np.array([share.estimate, share.ci_low, share.ci_high]) * 1000,
    )


@pytest.mark.parametrize("outcome", ["nearly-stable", "collapsed"])
def test_all_or_no_successes_leave_an_interval(outcome: str) -> None:
    runs = runs_of(outcome=outcome)
    share, row = rate(runs, "success").iloc[0], costs(runs).loc["successes_per_hour"]
    np.testing.assert_allclose([row.ci_low, row.ci_high], [share.ci_low, share.ci_high])
    assert row.ci_high > row.ci_low


def test_unequal_costs_widen_the_interval_of_successes() -> None:
    success, sizes = np.tile([1.0, 0.0], 10), np.ones(20)
    level = success_interval(Clusters(success, np.full(20, 2.0), sizes), 0.95)
    uneven = success_interval(Clusters(success, np.tile([1.0, 1.0, 3.0, 3.0], 5), sizes), 0.95)
    opposed = success_interval(Clusters(success, np.where(success > 0, 1.0, 3.0), sizes), 0.95)
    assert opposed[0] < uneven[0] < level[0] < 0.25 < level[1] < uneven[1] < opposed[1]


def test_a_mean_cost_is_students_for_small_spreads() -> None:
    values = np.array([100.0, 101, 99, 100.5, 99.5])
    low, high = mean_interval(Clusters(values, np.ones(5), np.ones(5)), 0.95)
    half = 2.776 * values.std(ddof=1) / np.sqrt(5)
    assert (low, high) == pytest.approx((100 - half, 100 + half), rel=1e-4)
    assert np.isnan(mean_interval(Clusters(np.zeros(5), np.ones(5), np.ones(5)), 0.95)).all()


def test_adaptive_runs_never_count() -> None:
    searched = runs_of(adaptive=True, outcome="stable", point=77)
    searched = searched.assign(run=[f"a{name}" for name in searched["run"]])
    pd.testing.assert_frame_equal(
        costs(pd.concat([runs_of(), searched], ignore_index=True)), costs(runs_of())
    )
    alone = costs(searched)
    assert alone.estimate.isna().all()
    assert (alone.reason == ADAPTIVE).all()


def test_what_is_missing_is_said() -> None:
    one = costs(runs_of(points=1))
    assert one.ci_low.isna().all()
    assert (one.reason == ONE_POINT).all()
    untimed = costs(runs_of(seconds=[np.nan] * 3 + [1.0] * 13))
    assert (
        untimed.reason[["seconds_per_run", "collapses_per_hour", "successes_per_hour"]].tolist()
        == [NO_TIME] * 3
    )
    assert untimed.estimate["updates_per_run"] == 1000
    never = costs(runs_of(step=0, seconds=0.0))
    assert never.reason["collapses_per_hour"] == NO_EXPOSURE
    assert never.reason["successes_per_million_updates"] == NO_EXPOSURE
