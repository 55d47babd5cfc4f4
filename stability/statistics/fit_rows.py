"""Runs as rows of a fit, and predictions of the runs that it did not see. Frames in, frames out.

**One run of each point enters a fit**, drawn at random: with all seeds as rows, the process takes what they
share for structure and shrinks its length scales to single points. Measured on 256 points of 3 seeds that
agree in part: the 50% contour then matched less (.78 against .87), and in one study 12% of the safe cells
were not, against 0.4% at worst with one run a point.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.gaussian_process.kernels import Kernel

from stability.statistics.gaussian_process import fit_process
from stability.statistics.held_out import point_folds
from stability.statistics.rates import SUCCESS, indicator

FEWEST_POINTS = 10
"""A fit takes so many points."""
MOST_POINTS = 300
"""Of more points so many are drawn at random."""
FOLDS = 5
HELD_OUT_COLUMNS = ("point", "happened", "predicted", "constant")


@dataclass(frozen=True, slots=True)
class FitRows:
    """Runs that share a fit, and what the process sees of them."""

    runs: pd.DataFrame
    inputs: NDArray[np.float64]
    """`[runs, axes + columns of factors]`"""
    used: NDArray[np.int64]
    """Which of the runs the process is fitted to: one a point."""

    @property
    def points(self) -> NDArray[np.int64]:
        """The point of every run."""
        points: NDArray[np.int64] = self.runs["point"].to_numpy()
        return points

    @property
    def success(self) -> NDArray[np.bool_]:
        """Whether each run ended stable or nearly stable."""
        return indicator(self.runs, SUCCESS).to_numpy(dtype=np.bool_)


def fit_rows(
    runs: pd.DataFrame, inputs: NDArray[np.float64], most_points: int, rng: np.random.Generator
) -> FitRows:
    """Draw one run of each point, and of more than `most_points` points so many."""
    shuffled = rng.permutation(len(runs))
    _, first = np.unique(runs["point"].to_numpy()[shuffled], return_index=True)
    return FitRows(runs, inputs, rng.permutation(shuffled[first])[:most_points])


def held_out(
    rows: FitRows, kernel: Kernel, folds: int, rng: np.random.Generator, *, optimise: bool = False
) -> pd.DataFrame:
    """Predictions for all runs of points that the process was not fitted to, fold by fold.

    The columns are `HELD_OUT_COLUMNS` and `fold`, for the runs of the points that enter the fit; `constant`
    is the share of successes among the rows that were seen. With `optimise` every fold fits the kernel
    anew: of a kernel that was fitted to all rows, the predictions have seen a little.
    """
    known = np.isin(rows.points, rows.points[rows.used])
    fold = np.full(len(known), -1)
    fold[known] = point_folds(rows.points[known], folds, rng=rng)
    parts = []
    for number in range(folds):
        train, test = rows.used[fold[rows.used] != number], fold == number
        seen = rows.success[train]
        predicted: float | NDArray[np.float64] = (seen.sum() + 0.5) / (len(seen) + 1)
        if seen.any() and not seen.all():
            process = fit_process(rows.inputs[train], seen, kernel, optimise=optimise)
            predicted = process.predict_proba(rows.inputs[test])[:, 1]
        happened = rows.runs.loc[test, ["point"]].assign(happened=rows.success[test])
        parts.append(happened.assign(predicted=predicted, constant=seen.mean(), fold=number))
    return pd.DataFrame(pd.concat(parts), columns=[*HELD_OUT_COLUMNS, "fold"])
