"""How good predictions of runs are that a model did not see, with intervals over points."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from stability.statistics.rates import COLUMNS, NO_RUNS, ONE_POINT, rate, unknown

RESAMPLES = 2000
"""Draws of points for a bootstrap interval."""


def point_mean(
    values: NDArray[np.float64], points: NDArray[np.int64], *, rng: np.random.Generator, widen: float = 1.0
) -> dict[str, float | int | str]:
    """The mean of a number that every run has, with its 95% bootstrap interval over points: `rate`'s columns.

    Points are drawn with all their runs; `widen` stretches the interval about the mean. NaN with a reason
    where there is no run, no interval at one point.
    """
    if len(values) == 0:
        return unknown(NO_RUNS)
    _, owner = np.unique(points, return_inverse=True)
    sums, sizes = np.bincount(owner, weights=values), np.bincount(owner)
    estimate, n_points = float(sums.sum() / sizes.sum()), len(sums)
    if n_points == 1:
        return dict(zip(COLUMNS, (estimate, np.nan, np.nan, 1, len(values), ONE_POINT), strict=True))
    times = rng.multinomial(n_points, np.full(n_points, 1 / n_points), size=RESAMPLES)
    low, high = np.quantile((times @ sums) / (times @ sizes), [0.025, 0.975])
    below, above = max(0.0, estimate - float(low)), max(0.0, float(high) - estimate)
    bounds = (estimate - widen * below, estimate + widen * above)
    return dict(zip(COLUMNS, (estimate, *bounds, n_points, len(values), ""), strict=True))


def assign_folds(points: NDArray[np.int64], folds: int, *, rng: np.random.Generator) -> dict[int, int]:
    """The fold of every point, 0 to folds - 1, drawn at random, as even as can be."""
    names = np.unique(points)
    return dict(zip(names.tolist(), (rng.permutation(len(names)) % folds).tolist(), strict=True))


def point_folds(points: NDArray[np.int64], folds: int, *, rng: np.random.Generator) -> NDArray[np.int64]:
    """The fold of every run: all runs of a point share one."""
    fold_of = assign_folds(points, folds, rng=rng)
    return np.array([fold_of[point] for point in points.tolist()], dtype=np.int64)


def brier_scores(held_out: pd.DataFrame, *, rng: np.random.Generator) -> pd.DataFrame:
    """Mean squared error of the probability, of the constant one beside it, and their difference.

    `held_out` has `point, predicted, constant, happened`. One row each: `score` and the columns of `rate`;
    lower is better.
    """
    happened = held_out["happened"].to_numpy(dtype=np.float64)
    points = held_out["point"].to_numpy()
    errors = {
        "map": (held_out["predicted"].to_numpy(dtype=np.float64) - happened) ** 2,
        "overall rate": (held_out["constant"].to_numpy(dtype=np.float64) - happened) ** 2,
    }
    errors["difference"] = errors["map"] - errors["overall rate"]
    rows = [{"score": name, **point_mean(values, points, rng=rng)} for name, values in errors.items()]
    return pd.DataFrame(rows, columns=["score", *COLUMNS])


def reliability(held_out: pd.DataFrame, bins: int = 5) -> pd.DataFrame:
    """How often it happened where a probability of about so much was predicted.

    One row for each of `bins` equally wide bins that is not empty: `bin_low, bin_high, predicted` (its mean)
    and the rate of what happened, as `rate` gives it.
    """
    place = np.minimum((held_out["predicted"].to_numpy(dtype=np.float64) * bins).astype(int), bins - 1)
    rows = [
        rate(group.assign(adaptive=False), "happened").assign(
            bin_low=number / bins, bin_high=(number + 1) / bins, predicted=group["predicted"].mean()
        )
        for number, group in held_out.groupby(place)
    ]
    columns = ["bin_low", "bin_high", "predicted", *COLUMNS]
    return pd.concat(rows, ignore_index=True)[columns] if rows else pd.DataFrame(columns=columns)
