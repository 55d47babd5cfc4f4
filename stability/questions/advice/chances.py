"""The chance of success at some places, and its bound, from runs that share the picked levels.

The chance is that of the map's Gaussian process (one run a point, as `fit_rows` says), over the parameters
that were set; the others are averaged over. It is drawn towards the overall rate as far as that predicts
unseen points better, by a weight from 0 to 1 found by least squares on held-out predictions (Wolpert 1992,
Stacked generalization). Imports no torch and no optuna.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.spatial.distance import cdist
from sklearn.gaussian_process import GaussianProcessClassifier

from stability.questions.advice.setting import Setting
from stability.statistics.fit_rows import FOLDS, MOST_POINTS, FitRows, fit_rows, held_out
from stability.statistics.gaussian_process import fit_process, probability_bounds, smooth_kernel
from stability.statistics.held_out import brier_scores
from stability.statistics.rates import COLUMNS, SUCCESS, rate

Floats = NDArray[np.float64]

CONFIDENCE = 0.95
LATENT_CONFIDENCE = {True: 0.975, False: 0.99}
"""Of the process's own bound, by whether it predicts unseen points better than the overall rate: so that what
is told holds at `CONFIDENCE` in planted studies."""
NEAREST = 8
SCORES = ("advice", "overall rate", "difference")


def no_brier() -> pd.DataFrame:
    """Scores where no process was fitted: none."""
    return pd.DataFrame(columns=["score", *COLUMNS])


@dataclass(frozen=True, slots=True)
class Predictions:
    """What is predicted of some places, each as `Advice` has it, and how well."""

    chance: Floats
    ci_low: Floats
    ci_high: Floats
    brier: pd.DataFrame

    @property
    def better(self) -> bool:
        """Whether unseen points are predicted better than by the overall rate, by the whole interval."""
        return is_better(self.brier)


@dataclass(frozen=True, slots=True)
class Fitted:
    """What predicts: a process, or the runs alone where they ended alike or nothing differs between them."""

    rows: FitRows
    process: GaussianProcessClassifier | None
    weight: float
    """How much of the process's difference from the overall rate is to be believed, from 0 to 1."""
    brier: pd.DataFrame

    @property
    def overall(self) -> float:
        """The share of success; where it is all there is, drawn to one half as by one point."""
        share, n_points = float(self.rows.success.mean()), len(self.rows.used)
        return share if self.process is not None else (share * n_points + 0.5) / (n_points + 1)

    @property
    def latent_confidence(self) -> float:
        """Of the process's bound."""
        return LATENT_CONFIDENCE[is_better(self.brier)]

    def at(self, places: Floats) -> Predictions:
        """The chance at places `[places, axes + columns of factors]`."""
        if self.process is None:
            chance, (low, high) = np.full(len(places), self.overall), self._near_bounds(places)
        else:
            predicted, low, high = probability_bounds(self.process, places, self.latent_confidence)
            chance = self.overall + self.weight * (predicted - self.overall)
        return Predictions(chance, np.minimum(low, chance), np.maximum(high, chance), self.brier)

    def _near_bounds(self, places: Floats) -> Floats:
        """Of the rate of the nearest points, or of all where nothing differs, one-sided `[2, places]`."""
        rows = self.rows
        count = NEAREST if places.shape[1] else len(rows.used)
        order = np.argsort(cdist(places, rows.inputs[rows.used]), axis=1, kind="stable")[:, :count]
        near = [rows.runs[np.isin(rows.points, rows.points[rows.used[some]])] for some in order]
        rates = [rate(some, SUCCESS, confidence=2 * CONFIDENCE - 1) for some in near]
        return pd.concat(rates)[["ci_low", "ci_high"]].to_numpy(dtype=np.float64).T


def predict(
    asked: Setting, runs: pd.DataFrame, places: pd.DataFrame, rng: np.random.Generator
) -> Predictions:
    """Predict runs at some places (axes and drawn factors) from runs that share the picked levels."""
    inputs = asked.inputs(pd.concat([runs[list(places)], places], ignore_index=True))
    seen, there = inputs[: len(runs)], inputs[len(runs) :]
    return fit(runs, seen, len(asked.axes), rng).at(there)


def fit(runs: pd.DataFrame, seen: Floats, n_axes: int, rng: np.random.Generator) -> Fitted:
    """Fit to runs whose inputs are `[runs, axes + columns of factors]`, and say how well it predicts."""
    rows = fit_rows(runs, seen, MOST_POINTS, rng)
    success = rows.success[rows.used]
    if seen.shape[1] == 0 or success.all() or not success.any():
        return Fitted(rows, None, 0.0, no_brier())
    kernel = smooth_kernel(n_axes, seen.shape[1] - n_axes)
    unseen = held_out(rows, kernel, FOLDS, rng, optimise=True)
    scores = brier_scores(_drawn_to_constant(unseen), rng=rng).assign(score=list(SCORES))
    process = fit_process(rows.inputs[rows.used], success, kernel)
    return Fitted(rows, process, _weight(unseen), scores)


def is_better(brier: pd.DataFrame) -> bool:
    """Whether these scores are better than the overall rate's, by the whole interval of their difference."""
    return len(brier) > 0 and float(brier["ci_high"].iloc[-1]) < 0


def _weight(unseen: pd.DataFrame) -> float:
    """`Fitted.weight`, by least squares."""
    gain = (unseen["predicted"] - unseen["constant"]).to_numpy(dtype=np.float64)
    missing = (unseen["happened"] - unseen["constant"]).to_numpy(dtype=np.float64)
    power = float(gain @ gain)
    return float(np.clip(gain @ missing / power, 0, 1)) if power > 0 else 0.0


def _drawn_to_constant(unseen: pd.DataFrame) -> pd.DataFrame:
    """The held-out predictions as advice makes them: in each fold with the weight that the others give."""
    weights = {fold: _weight(unseen[unseen["fold"] != fold]) for fold in unseen["fold"].unique()}
    gain = unseen["predicted"] - unseen["constant"]
    return unseen.assign(predicted=unseen["constant"] + unseen["fold"].map(weights) * gain)
