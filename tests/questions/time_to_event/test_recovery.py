from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from statsmodels.duration.survfunc import CumIncidenceRight

from stability.questions.time_to_event.estimate import UNSEEN
from stability.questions.time_to_event.recovery import (
    AFTER,
    DIVERGED,
    HALTED,
    RECOVERED,
    aftermath,
    median_wait,
    waits,
)
from stability.statistics.rates import COLUMNS, ONE_POINT, rate

VISITS = np.arange(100, 1601, 100)


def met_of(*rows: tuple[int, str, float]) -> pd.DataFrame:
    return pd.DataFrame(list(rows), columns=["point", "end", "wait"])


def shares(met: pd.DataFrame, since: int, name: str = "estimate") -> dict[str, Any]:
    rows = pd.DataFrame(list(aftermath(met, VISITS)))
    here = rows[rows["since"] == since].set_index("end")
    return {end: here.loc[end, name] for end in AFTER}


def lost_runs(**columns: Any) -> pd.DataFrame:
    n = len(columns["outcome"])
    defaults = {"run": [f"r{k}" for k in range(n)], "point": range(n), "stopped": False, "step": 1600}
    bad = {"divergence_step": pd.array([None] * n, dtype="Int64")}
    return pd.DataFrame(defaults | bad | columns, index=range(n))


def test_a_run_meets_a_recovery_a_stop_a_divergence_or_the_horizon() -> None:
    lost = lost_runs(
        outcome=["stable", "collapsed", "diverged", "collapsed", "saturated"],
        stopped=[False, True, True, False, True],
        step=[1600, 600, 750, 1600, 900],
        divergence_step=pd.array([None, None, 750, None, None], dtype="Int64"),
    )
    recovery = pd.array([500, None, None, None, 700], dtype="Int64")
    first = pd.DataFrame({"onset": 400, "recovery": recovery}, index=lost["run"])
    met = waits(lost, first)
    assert met["end"].tolist() == [RECOVERED, HALTED, DIVERGED, "", RECOVERED]
    assert met["wait"].tolist() == [100, 200, 350, 1200, 300]


def test_a_stop_competes_and_does_not_censor() -> None:
    """Two of four are stopped at once and one recovers: a quarter does, not the half of those that stay."""
    met = met_of((0, HALTED, 100), (1, HALTED, 100), (2, RECOVERED, 300), (3, "", 1500))
    assert shares(met, 500) == pytest.approx({RECOVERED: 0.25, HALTED: 0.5, DIVERGED: 0.0})
    assert shares(met, 500, "runs") == {RECOVERED: 1, HALTED: 2, DIVERGED: 0}
    assert shares(met, 500, "at_risk") == dict.fromkeys(AFTER, 1)
    assert np.isnan(median_wait(met, VISITS))
    assert median_wait(met.assign(end=[RECOVERED, "", RECOVERED, ""]), VISITS) == 300


@pytest.mark.filterwarnings("ignore:(divide by zero|invalid value):RuntimeWarning")
@pytest.mark.parametrize("seed", range(4))
def test_shares_are_statsmodels_cumulative_incidence(seed: int) -> None:
    rng = np.random.default_rng(seed)
    met = pd.DataFrame(
        {
            "point": np.arange(60) // 3,
            "end": rng.choice([*AFTER, ""], size=60),
            "wait": 100.0 * rng.integers(0, 12, 60),
        }
    )
    status = np.array([AFTER.index(end) + 1 if end else 0 for end in met["end"]])
    reference = CumIncidenceRight(met["wait"].to_numpy(), status)
    rows = pd.DataFrame(list(aftermath(met, VISITS)))
    for place, end in enumerate(AFTER):
        mine = rows[rows["end"] == end].set_index("since")["estimate"]
        np.testing.assert_allclose(mine.loc[reference.times], reference.cinc[place], atol=1e-12)
    known = rows.dropna(subset=["ci_low"])
    assert (known["ci_low"] <= known["estimate"]).all()
    assert (known["estimate"] <= known["ci_high"]).all()


def test_without_the_horizon_in_between_a_share_is_a_rate_with_its_interval() -> None:
    ends = [RECOVERED, RECOVERED, HALTED, "", RECOVERED, HALTED, "", "", RECOVERED, RECOVERED, "", DIVERGED]
    met = met_of(*((place // 2, end, 200.0 if end else 1500.0) for place, end in enumerate(ends)))
    rows = pd.DataFrame(list(aftermath(met, VISITS)))
    runs = met.assign(adaptive=False)
    for end in (RECOVERED, HALTED):
        row = rows[(rows["since"] == 500) & (rows["end"] == end)].iloc[0]
        expected = rate(runs, met["end"] == end).iloc[0]
        numbers = ["estimate", "ci_low", "ci_high", "n_points", "n_runs"]
        assert row[numbers].tolist() == pytest.approx(expected[numbers].tolist())


def test_what_is_not_known_says_why() -> None:
    alone = pd.DataFrame(list(aftermath(met_of((0, RECOVERED, 100), (0, "", 500)), VISITS)))
    seen = alone[alone["since"] <= 500]
    assert (seen["reason"] == ONE_POINT).all()
    after = pd.DataFrame(list(aftermath(met_of((0, RECOVERED, 100), (1, "", 500)), VISITS)))
    assert (after.loc[after["since"] > 500, "reason"] == UNSEEN).all()
    assert after.loc[after["since"] > 500, list(COLUMNS[:3])].isna().all(axis=None)
    assert list(aftermath(met_of(), VISITS)) == []


def ended(rng: np.random.Generator, points: int, seeds: int) -> pd.DataFrame:
    """Points differ in how fast their runs recover; stops and divergences compete. Nothing is cut off."""
    speed = np.repeat(rng.gamma(2, 0.5, points), seeds)
    recovery, stop = (
        100 * np.ceil(rng.exponential(scale) / 100) for scale in (500 / speed, np.full(len(speed), 700))
    )
    times = np.stack([recovery, stop, rng.exponential(2500, len(speed))])
    point = np.repeat(np.arange(points), seeds)
    return pd.DataFrame(
        {"point": point, "end": np.array(AFTER)[times.argmin(axis=0)], "wait": times.min(axis=0)}
    )


def cut_off(rng: np.random.Generator, met: pd.DataFrame) -> pd.DataFrame:
    horizon = 1600.0 - 100 * rng.integers(1, 11, len(met))
    late = met["wait"] > horizon
    return met.assign(end=met["end"].where(~late, ""), wait=met["wait"].where(~late, horizon))


@pytest.mark.parametrize(("points", "seeds"), [(64, 2), (22, 3)])
def test_intervals_cover_the_truth(points: int, seeds: int) -> None:
    rng = np.random.default_rng(3)
    many = ended(rng, 400_000, 1)
    truth = {end: float(((many["end"] == end) & (many["wait"] <= 500)).mean()) for end in AFTER}
    hits = dict.fromkeys(AFTER, 0)
    for _ in range(200):
        met = cut_off(rng, ended(rng, points, seeds))
        low, high = (shares(met, 500, name) for name in ("ci_low", "ci_high"))
        hits = {end: hits[end] + int(low[end] <= truth[end] <= high[end]) for end in AFTER}
    assert all(count / 200 >= 0.91 for count in hits.values()), hits
