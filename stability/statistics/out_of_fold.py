"""Risks from models that never saw a run's point, and how well they rank runs. Arrays in, frames out.

The AUC compares a run that failed with one that ended well, at different points and scored by the same
model: scores of different models are not on one scale, and pairs across folds would push the AUC of a
useless predictor below one half.
"""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import expit, logit
from scipy.stats import binomtest
from scipy.stats import t as student_t
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression

from stability.statistics.rates import estimate_row

FOLDS = 5

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Ints = NDArray[np.int64]

FALSE_STOPS = 0.05
"""The share of the runs that end well which an early stop may stop."""
TOO_FEW = "not estimable: too few pairs of runs can be compared"
NO_FIT = "not estimable: the fit of a model of the risk did not converge"
MOST_ITERATIONS = 1000
FLAT = 1e-3
"""The largest slope, per run, of what is minimised at a place that counts as the minimum."""


def out_of_fold(features: Floats, failed: Flags, folds: Ints, known: Flags | None = None) -> Floats:
    """The risk of every run, a logit, from a model that was fitted to the known runs of the other folds."""
    known = np.ones(len(failed), dtype=bool) if known is None else known
    risks = np.zeros(len(failed))
    for fold in np.unique(folds):
        here = folds == fold
        risks[here] = fitted_risks(features, failed, known & ~here)[here]
    return risks


def fitted_risks(features: Floats, failed: Flags, train: Flags) -> Floats:
    """The risk of every run, a logit, from a model that was fitted to the runs of `train`.

    NaN where the fit did not converge, which its slope tells: rounding may end a Newton step at the minimum.
    """
    if len(np.unique(failed[train])) < 2:
        return np.zeros(len(failed))
    scaled = _scaled(features, train)
    if scaled.shape[1] == 0:
        return np.zeros(len(failed))
    model = LogisticRegression(C=1.0, solver="newton-cholesky", max_iter=MOST_ITERATIONS)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(scaled[train], failed[train])
    risks: Floats = model.decision_function(scaled)
    missed = expit(risks[train]) - failed[train]
    slopes = np.append(scaled[train].T @ missed + model.coef_[0], missed.sum()) / len(missed)
    return risks if np.abs(slopes).max() <= FLAT else np.full(len(failed), np.nan)


def auc(risks: Floats, failed: Flags, points: Ints, folds: Ints) -> pd.DataFrame:
    """Probability that a failed run has a higher risk than one that ended well, in the same fold, as one row.

    Runs at the same point are never compared: they share their parameters. The interval is a jackknife over
    points on the logit scale, with Student's quantile at the rarer kind of points; wider about one half.
    """
    if np.isnan(risks).any():
        return missing(points, NO_FIT)
    estimate, left_out = _left_out(risks, failed, points, folds)
    n_points, fewest = len(left_out), _fewest_points(failed, points)
    if np.isnan(estimate) or np.isnan(left_out).any():
        return missing(points, TOO_FEW)
    if estimate in (0.0, 1.0):
        wilson = binomtest(round(estimate * fewest), fewest).proportion_ci(method="wilson")
        return estimate_row(estimate, (float(wilson.low), float(wilson.high)), n_points, len(risks), "")
    half = half_width(left_out, fewest) / (estimate * (1 - estimate))
    low, high = _widened(float(logit(estimate)), half)
    return estimate_row(estimate, (float(expit(low)), float(expit(high))), n_points, len(risks), "")


def auc_gain(one: Floats, other: Floats, failed: Flags, points: Ints, folds: Ints) -> pd.DataFrame:
    """AUC of one set of risks less that of another, as one row; jackknifed over points in pairs."""
    if np.isnan([one, other]).any():
        return missing(points, NO_FIT)
    (first, without_first), (second, without_second) = (
        _left_out(risks, failed, points, folds) for risks in (one, other)
    )
    difference, left_out = first - second, without_first - without_second
    if np.isnan(left_out).any():
        return missing(points, TOO_FEW)
    half = half_width(left_out, _fewest_points(failed, points))
    bounds = _widened(difference, half)
    return estimate_row(difference, bounds, len(left_out), len(points), "")


def stop_bar(risks: Floats) -> float:
    """The risk that a further run that ends well exceeds with a probability of at most `FALSE_STOPS`.

    `risks` are those of runs that end well. The order statistic of split conformal prediction; infinite where
    they are too few.
    """
    rank = int(np.ceil((len(risks) + 1) * (1 - FALSE_STOPS)))
    return float(np.sort(risks)[rank - 1]) if rank <= len(risks) else np.inf


def _scaled(features: Floats, train: Flags) -> Floats:
    """Clipped to the training runs' 1st and 99th percentile, standardised; whether finite beside it.

    What is not a number stands at the training mean, what is infinite at the end that it lies beyond.
    """
    seen = np.where(np.isfinite(features), features, np.nan)[train]
    usable = np.isfinite(seen).any(axis=0)
    seen, values = seen[:, usable], features[:, usable]
    low, high = np.nanquantile(seen, [0.01, 0.99], axis=0) if usable.any() else np.zeros((2, 0))
    clipped, seen = np.clip(values, low, high), np.clip(seen, low, high)
    centre = np.nanmean(seen, axis=0) if usable.any() else np.zeros(0)
    spread = np.nanstd(seen, axis=0) if usable.any() else np.zeros(0)
    scaled = (np.where(np.isnan(clipped), centre, clipped) - centre) / np.where(spread > 0, spread, 1.0)
    odd = (~np.isfinite(features)).astype(float)
    return np.hstack([scaled, odd[:, odd[train].std(axis=0) > 0]])


def _left_out(risks: Floats, failed: Flags, points: Ints, folds: Ints) -> tuple[float, Floats]:
    """The AUC, and what it is without each point; NaN where no pair is left."""
    distinct, place = np.unique(points, return_inverse=True)
    won, pairs = np.zeros(len(distinct)), np.zeros(len(distinct))
    for fold in np.unique(folds):
        bad, good = (np.flatnonzero((folds == fold) & (failed == kind)) for kind in (True, False))
        compared = points[bad][:, None] != points[good]
        higher = (risks[bad][:, None] > risks[good]) + 0.5 * (risks[bad][:, None] == risks[good])
        for rows, axis in ((bad, 1), (good, 0)):
            np.add.at(won, place[rows], (higher * compared).sum(axis=axis))
            np.add.at(pairs, place[rows], compared.sum(axis=axis))
    all_won, all_pairs = won.sum() / 2, pairs.sum() / 2  # a pair counts at both of its points
    if all_pairs == 0:
        return np.nan, np.full(len(distinct), np.nan)
    rest = all_pairs - pairs
    left_out = np.full(len(distinct), np.nan)
    np.divide(all_won - won, rest, out=left_out, where=rest > 0)
    return float(all_won / all_pairs), left_out


def _widened(estimate: float, half: float) -> tuple[float, float]:
    """An interval about an estimate that is 0 for a useless predictor.

    The models of two folds share most of their training data. That hardly matters for a useful predictor,
    whose models agree, but it doubles the variance of a useless one, whose direction is learned from noise
    (1 + K / (K - 1) times for K folds: Nadeau and Bengio 2003). So what may be useless gets the wider one.
    """
    wide = half * np.sqrt(1 + FOLDS / (FOLDS - 1))
    used = wide if abs(estimate) < wide else half
    return float(estimate - used), float(estimate + used)


def half_width(left_out: Floats, n: int) -> float:
    """Half of a 95% interval from the estimates without each point."""
    n_points = len(left_out)
    spread = (n_points - 1) / n_points * float(((left_out - left_out.mean()) ** 2).sum())
    return float(student_t.ppf(0.975, max(1, n - 1)) * np.sqrt(spread))


def _fewest_points(failed: Flags, points: Ints) -> int:
    return min(len(np.unique(points[failed])), len(np.unique(points[~failed])))


def missing(points: Ints, reason: str) -> pd.DataFrame:
    """The row of what cannot be estimated."""
    return estimate_row(np.nan, (np.nan, np.nan), len(np.unique(points)), len(points), reason)
