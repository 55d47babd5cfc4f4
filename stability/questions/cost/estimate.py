"""What stability costs: collapses and successes for the training that was spent. Frame in, frame out.

Recipes take a different number of discriminator updates a step and a different time, so a rate per
run does not compare them. Every estimate is a ratio of two sums over points, both random, and the point is
the unit of its interval. Imports no torch and no optuna.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import gammaincinv, stdtrit

from stability.reading.run_ends import last_seen
from stability.records import EventKind
from stability.statistics.rates import ADAPTIVE, ONE_POINT, SUCCESS, designed, indicator, rate

Floats = NDArray[np.float64]
Interval = tuple[float, float]

NO_EXPOSURE = "not estimable: no training to count by"
NO_TIME = "not estimable: runs without a training time"

COLUMNS = (
    "measure",
    "estimate",
    "ci_low",
    "ci_high",
    "joint_low",
    "joint_high",
    "n_points",
    "n_runs",
    "n_events",
    "reason",
)


@dataclass(frozen=True, slots=True)
class Clusters:
    """Two sums a point, and its number of runs; all of shape [points]."""

    top: Floats
    bottom: Floats
    sizes: Floats

    @property
    def ratio(self) -> float:
        """The estimate: one sum over the other."""
        return float(self.top.sum() / self.bottom.sum())

    @property
    def spread(self) -> float:
        """Standard error of the ratio's logarithm, linearised (Cochran 1977, 6.4), points as clusters."""
        n, residuals = len(self.top), self.top - self.ratio * self.bottom
        return float(np.sqrt(n / (n - 1) * (residuals**2).sum()) / self.top.sum())


def mean_interval(sums: Clusters, confidence: float) -> Interval:
    """Student's interval of a mean cost, on the log scale."""
    if not sums.top.sum():
        return np.nan, np.nan
    factor = float(np.exp(_quantile(sums, confidence) * sums.spread))
    return sums.ratio / factor, sums.ratio * factor


def events_interval(sums: Clusters, confidence: float) -> Interval:
    """Interval of events per exposure, on the log scale.

    Never narrower than for independent events at a constant rate, and downwards never shorter than the
    exact Poisson interval for as many events as the clustered ones are worth: after one event the rate may
    be a fortieth of the estimate. Without any event the upper end is the exact Poisson bound, a point as one
    run.
    """
    tail, n_events = (1 - confidence) / 2, float(sums.top.sum())
    if not n_events:
        return 0.0, float(-np.log(tail) / (sums.bottom / sums.sizes).sum())
    spread = max(sums.spread, n_events**-0.5)
    worth = spread**-2
    factor = float(np.exp(_quantile(sums, confidence) * spread))
    exact = float(gammaincinv(worth, tail)) / worth
    return sums.ratio * min(1 / factor, exact), sums.ratio * factor


def success_interval(sums: Clusters, confidence: float) -> Interval:
    """Interval of successes per cost: that of their share over that of the mean cost.

    Both logarithmic distances are combined (MOVER; Donner and Zou 2012) with their correlation over points
    where that widens the interval; where it would narrow it, it rests on the few runs that failed and is
    left out. Where every run costs the same this is Wilson's interval of the share, divided by the cost.
    """
    share = float(sums.top.sum() / sums.sizes.sum())
    low, high = _share_interval(sums, confidence)
    costs = Clusters(sums.bottom, sums.sizes, sums.sizes)
    cheap, dear = mean_interval(costs, confidence)
    if share == 0:
        return 0.0, high / cheap
    ahead = sums.top - share * sums.sizes
    spent = sums.bottom - costs.ratio * sums.sizes
    norm = float(np.sqrt((ahead**2).sum() * (spent**2).sum()))
    opposed = max(0.0, -float((ahead * spent).sum()) / norm) if norm > 0 else 0.0
    down = _combined(np.log(share / low), np.log(dear / costs.ratio), opposed)
    up = _combined(np.log(high / share), np.log(costs.ratio / cheap), opposed)
    return sums.ratio * float(np.exp(-down)), sums.ratio * float(np.exp(up))


@dataclass(frozen=True, slots=True)
class Measure:
    """A ratio of two columns of the exposures, times `scale`, and the way to its interval."""

    top: str
    bottom: str
    scale: float
    interval: Callable[[Clusters, float], Interval]


MEASURES: dict[str, Measure] = {
    "updates_per_run": Measure("updates", "one", 1, mean_interval),
    "seconds_per_run": Measure("hours", "one", 3600, mean_interval),
    "collapses_per_10k_updates": Measure("collapses", "updates_at_risk", 1e4, events_interval),
    "collapses_per_hour": Measure("collapses", "hours_at_risk", 1, events_interval),
    "successes_per_million_updates": Measure("success", "updates", 1e6, success_interval),
    "successes_per_hour": Measure("success", "hours", 1, success_interval),
}
"""`updates` are those of the discriminator: steps times `n_dis`. Risk ends with a run's first collapse, and
before the step at which it diverged even where it was trained on."""


def costs_by(
    runs: pd.DataFrame, events: pd.DataFrame, factor: str, *, confidence: float = 0.95
) -> pd.DataFrame:
    """Every measure at every level of a factor, one row each, levels in their order of appearance.

    The columns are the factor's name, `measure`, `estimate, ci_low, ci_high`, `joint_low, joint_high` (an
    interval that holds for all levels at once: Bonferroni), `n_points`, `n_runs`, `n_events` (collapses or
    successes; missing for mean costs) and `reason`. `events` as in the frames of a study. Adaptive runs
    never count.
    """
    spent = exposures(runs, events).assign(**{factor: runs[factor]})
    n_levels = spent[factor].nunique(dropna=False)
    rows = [
        cost_of(group, name, confidence=confidence, n_levels=n_levels).assign(**{factor: [level]})
        for level, group in spent.groupby(factor, sort=False, dropna=False)
        for name in MEASURES
    ]
    columns = [factor, *COLUMNS]
    return pd.concat(rows, ignore_index=True)[columns] if rows else pd.DataFrame(columns=columns)


def exposures(runs: pd.DataFrame, events: pd.DataFrame) -> pd.DataFrame:
    """What every run spent, in discriminator updates and hours, in all and while at risk of a first collapse.

    A run that diverged is at risk up to the step before; a collapse that is seen after that does not count.
    """
    collapses = events[events["kind"] == EventKind.COLLAPSE.value]
    onset = runs["run"].map(collapses.groupby("run")["onset"].min()).astype("float64")
    steps = runs["step"].astype("float64")
    end = np.minimum(steps, last_seen(runs))
    collapsed = onset <= end
    at_risk = onset.where(collapsed, end)
    hours = runs["seconds"].astype("float64") / 3600
    return runs[["point", "adaptive"]].assign(
        one=1.0,
        updates=steps * runs["n_dis"],
        hours=hours,
        collapses=collapsed.astype(float),
        updates_at_risk=at_risk * runs["n_dis"],
        hours_at_risk=hours * (at_risk / steps.where(steps > 0)).fillna(0.0),
        success=indicator(runs, SUCCESS).astype(float),
    )


def cost_of(spent: pd.DataFrame, name: str, *, confidence: float = 0.95, n_levels: int = 1) -> pd.DataFrame:
    """One measure over these runs, as one row of COLUMNS; `spent` as `exposures` gives it.

    The joint interval holds for `n_levels` such measures at once.
    """
    measure, fixed = MEASURES[name], designed(spent)
    used = fixed[["point", measure.top, measure.bottom, "one"]].to_numpy(dtype=np.float64)
    _, points = np.unique(used[:, 0], return_inverse=True)
    sums = Clusters(*(np.bincount(points, weights=column).astype(np.float64) for column in used[:, 1:].T))
    estimate, reason = _estimate(sums, measure)
    known = not reason
    each = (confidence, 1 - (1 - confidence) / n_levels)
    bounds = [end for level in each for end in (_bounds(sums, measure, level) if known else (np.nan, np.nan))]
    n_events = None if measure.interval is mean_interval else int(sums.top.sum())
    row = (name, estimate, *bounds, len(sums.sizes), len(fixed), n_events)
    reason = ADAPTIVE if fixed.empty and len(spent) else reason
    frame = pd.DataFrame([dict(zip(COLUMNS, (*row, reason), strict=True))])
    return frame.astype({"n_events": "Int64"})


def _estimate(sums: Clusters, measure: Measure) -> tuple[float, str]:
    """The ratio, and why it or its interval is not there."""
    if not np.isfinite(sums.bottom).all() or not np.isfinite(sums.top).all():
        return np.nan, NO_TIME
    if not sums.bottom.sum():
        return np.nan, NO_EXPOSURE
    return sums.ratio * measure.scale, ONE_POINT if len(sums.sizes) == 1 else ""


def _bounds(sums: Clusters, measure: Measure, confidence: float) -> Interval:
    low, high = measure.interval(sums, confidence)
    return low * measure.scale, high * measure.scale


def _share_interval(sums: Clusters, confidence: float) -> Interval:
    sizes, counts = sums.sizes.astype(int), sums.top.astype(int)
    happened = np.repeat(
        np.tile([True, False], len(sizes)), np.column_stack([counts, sizes - counts]).ravel()
    )
    runs = pd.DataFrame(
        {"point": np.repeat(np.arange(len(sizes)), sizes), "adaptive": False, "success": happened}
    )
    row = rate(runs, runs["success"], confidence=confidence).iloc[0]
    return float(row["ci_low"]), float(row["ci_high"])


def _combined(one: float, other: float, opposed: float) -> float:
    """`opposed` is how far the two go against each other, 0 to 1."""
    return float(np.sqrt(one**2 + other**2 + 2 * opposed * one * other))


def _quantile(sums: Clusters, confidence: float) -> float:
    return float(stdtrit(len(sums.sizes) - 1, (1 + confidence) / 2))
