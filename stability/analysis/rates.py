"""How often something happens, per run and per level of a factor, with intervals. Frame in, frame out.

The unit of inference is the point: its seeds and crossed levels are not independent runs, so an
interval is Wilson's at an effective number of runs. Adaptive runs (chosen in the light of earlier
results) never enter a rate; diverged runs always stay in the denominator. Imports no torch and no optuna.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import binomtest
from scipy.stats import t as student_t

from stability.records import Outcome

OUTCOMES: tuple[str, ...] = tuple(outcome.value for outcome in Outcome)

EVENTS: tuple[str, ...] = (
    "collapse_ever",
    "collapse_never_good",
    "collapse_at_horizon",
    "saturation_ever",
    "domination_ever",
    "oscillation_ever",
    "explosion_ever",
    "discriminator_fooled",
    "loss_spike",
    "mode_dropping",
    "latent_ignored",
)
"""The boolean columns of a frame of runs; unlike outcomes they do not exclude each other."""

ADAPTIVE = "not estimable: the points were chosen in the light of earlier results"
NO_RUNS = "not estimable: no finished runs"
ONE_POINT = "no interval: a single point says nothing about other points"

TELLING_POINTS = 0.5
"""How many points with the event, or without it, the widest design effect weighs as much as."""

COLUMNS = ("estimate", "ci_low", "ci_high", "n_points", "n_runs", "reason")


def rate(runs: pd.DataFrame, event: str | pd.Series, *, confidence: float = 0.95) -> pd.DataFrame:
    """Share of the runs that have an event, as one row.

    `event` is an outcome (`"stable"`), the name of a boolean column, or booleans aligned with `runs`.
    The row holds `estimate, ci_low, ci_high` in [0, 1], `n_points`, `n_runs` (both without adaptive
    runs), and `reason`: empty, or why something is NaN. With several runs at a point: Wilson's interval at
    n_runs / design effect, with Student's quantile at n_points - 1; at one run a point: Wilson's.
    Raises ValueError where the event is missing for a run, KeyError where it is no column.
    """
    happened = indicator(runs, event)
    fixed = ~runs["adaptive"].astype(bool)
    points = happened[fixed].groupby(runs.loc[fixed, "point"]).agg(["sum", "size"])
    counts = points["sum"].to_numpy(dtype=np.int64)
    sizes = points["size"].to_numpy(dtype=np.int64)
    n_runs = int(sizes.sum())
    if n_runs == 0:
        reason = NO_RUNS if runs.empty else ADAPTIVE
        return _row(np.nan, (np.nan, np.nan), 0, 0, reason)
    estimate = float(counts.sum() / n_runs)
    if sizes.max() == 1:
        interval = binomtest(int(counts.sum()), n_runs).proportion_ci(confidence, method="wilson")
        return _row(estimate, (float(interval.low), float(interval.high)), len(sizes), n_runs, "")
    if len(sizes) == 1:
        return _row(estimate, (np.nan, np.nan), 1, n_runs, ONE_POINT)
    bounds = wilson(estimate, effective_runs(counts, sizes), _quantile(confidence, len(sizes)))
    return _row(estimate, bounds, len(sizes), n_runs, "")


def rates_by(
    runs: pd.DataFrame, factor: str, events: Iterable[str], *, confidence: float = 0.95
) -> pd.DataFrame:
    """`rate` of every event at every level of a factor, one row each, levels in their order of appearance.

    The columns are the factor's name, `event`, and those of `rate`.
    """
    names = tuple(events)
    rows = [
        rate(group, event, confidence=confidence).assign(**{factor: [level], "event": event})
        for level, group in runs.groupby(factor, sort=False, dropna=False)
        for event in names
    ]
    columns = [factor, "event", *COLUMNS]
    return pd.concat(rows, ignore_index=True)[columns] if rows else pd.DataFrame(columns=columns)


def counts_by(runs: pd.DataFrame, factor: str) -> pd.DataFrame:
    """Number of runs by level of a factor and outcome: what happened, adaptive runs included, no estimate."""
    counts = runs.groupby([factor, "outcome"], sort=False, dropna=False).size()
    return counts.rename("runs").reset_index()


def effective_runs(counts: NDArray[np.int64], sizes: NDArray[np.int64]) -> float:
    """How many independent runs a clustered sample is worth: runs / design effect.

    `counts` and `sizes` are the runs with the event and all runs of each point. The design effect is the
    ratio of the between-point variance of the mean to the binomial one, clipped to [1, the value where
    all runs of a point agree], which is the number of seeds when all points have as many. Where no or
    every run has the event it cannot be estimated, and a point counts as one run. Where few points have the
    event (or few are without) the estimate is mostly noise, and is drawn towards that value: k such points
    weigh k against a half. Measured over 64 points with three seeds, shares of .02 to .97 and correlations of
    0 to .95 between the seeds: 94 to 97.4% of 95% intervals cover, against 70 to 96% without it.
    """
    n_points, n_runs = len(sizes), int(sizes.sum())
    share = counts.sum() / n_runs
    if share in (0.0, 1.0):
        return float(n_points)
    residuals = counts - share * sizes
    clustered = n_points / (n_points - 1) * float((residuals**2).sum()) / n_runs**2
    independent = share * (1 - share) / n_runs
    most = float((sizes**2).sum()) / n_runs
    telling = min(int((counts > 0).sum()), int((counts < sizes).sum()))
    weight = telling / (telling + TELLING_POINTS)
    return n_runs / (weight * float(np.clip(clustered / independent, 1.0, most)) + (1 - weight) * most)


def wilson(estimate: float, n: float, quantile: float) -> tuple[float, float]:
    """Wilson's score interval at a number of runs that need not be whole."""
    scale = 1 + quantile**2 / n
    centre = (estimate + quantile**2 / (2 * n)) / scale
    half = quantile / scale * np.sqrt(estimate * (1 - estimate) / n + quantile**2 / (4 * n**2))
    low, high = max(0.0, centre - half), min(1.0, centre + half)
    return float(min(low, estimate)), float(max(high, estimate))  # an end at 0 or 1 is missed by rounding


def indicator(runs: pd.DataFrame, event: str | pd.Series) -> pd.Series:
    """1 for the runs that have an event, 0 for the others; `event` and errors as `rate` has them."""
    if isinstance(event, pd.Series):
        column = event
    else:
        column = runs["outcome"] == event if event in OUTCOMES else runs[event]
    if column.isna().any():
        raise ValueError(f"{column.name}: {int(column.isna().sum())} runs have no value")
    return column.astype(bool).astype(int)


def _quantile(confidence: float, n_points: int) -> float:
    return float(student_t.ppf((1 + confidence) / 2, n_points - 1))


def _row(
    estimate: float, interval: tuple[float, float], n_points: int, n_runs: int, reason: str
) -> pd.DataFrame:
    values = (estimate, *interval, n_points, n_runs, reason)
    return pd.DataFrame([dict(zip(COLUMNS, values, strict=True))])
