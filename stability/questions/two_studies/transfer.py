"""Whether what one study says of a setting holds in the other: of two that trained the same points.

Frame in, frame out; the units are points. Simulated studies of 24 points hold intervals to 94% (the tests).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import spearmanr

from stability.statistics.out_of_fold import half_width
from stability.statistics.rates import SUCCESS, estimate_row, indicator, rate

Floats = NDArray[np.float64]
TRANSFER_COLUMNS = ["what", "estimate", "ci_low", "ci_high", "n_points", "n_runs", "reason"]
RANKS, SAME, KAPPA = "rank correlation of the points", "runs that end the same way", "kappa of the outcomes"
FEW = 8
"""Points below which nothing but the share of equal ends has an interval."""
UNMOVED = "all points, or all but one, end alike in one of the two"


def transfer(first: pd.DataFrame, second: pd.DataFrame, shared: tuple[str, ...]) -> pd.DataFrame:
    """How far runs of one point, seed and level agree between the studies; one row each.

    Spearman's correlation is of the points' shares of successes, over the runs that both have. Its interval
    and that of kappa (Cohen 1960) are jackknifed over points, on Fisher's scale; that of the share is a
    rate's.
    """
    keys = ["point", "replicate", *shared]
    one, other = (runs.assign(success=indicator(runs, SUCCESS)) for runs in (first, second))
    both = one[[*keys, "outcome", "success"]].merge(other[[*keys, "outcome", "success"]], on=keys)
    equal = both["outcome_x"].astype(str) == both["outcome_y"].astype(str)
    rows = {
        RANKS: _jackknifed(_shares(both), _rank_correlation, len(both)),
        SAME: rate(both.assign(adaptive=False), equal),
        KAPPA: _jackknifed(_tables(both), _kappa, len(both)),
    }
    return pd.concat([row.assign(what=what) for what, row in rows.items()])[TRANSFER_COLUMNS]


def _shares(both: pd.DataFrame) -> Floats:
    """[points, 2]: each point's shares of successes."""
    shares: Floats = both.groupby("point")[["success_x", "success_y"]].mean().to_numpy(dtype=np.float64)
    return shares


def _tables(both: pd.DataFrame) -> Floats:
    """[points, outcomes, outcomes]: how many runs of a point end this way in one and that in the other."""
    labels = sorted({*both["outcome_x"].astype(str), *both["outcome_y"].astype(str)})
    place = {label: at for at, label in enumerate(labels)}
    points = both["point"].rank(method="dense").astype(int).to_numpy() - 1
    tables = np.zeros((len(np.unique(points)), len(labels), len(labels)))
    ends = (both[side].astype(str).map(place).to_numpy(np.intp) for side in ("outcome_x", "outcome_y"))
    np.add.at(tables, (points, *ends), 1.0)
    return tables


def _rank_correlation(shares: Floats) -> float:
    if (shares.min(axis=0) == shares.max(axis=0)).any():
        return float("nan")
    return float(spearmanr(shares[:, 0], shares[:, 1]).statistic)


def _kappa(tables: Floats) -> float:
    cells = tables.sum(axis=0) / tables.sum()
    chance = float(cells.sum(axis=0) @ cells.sum(axis=1))
    return float("nan") if chance > 1 - 1e-12 else (float(np.trace(cells)) - chance) / (1 - chance)


def _jackknifed(points: Floats, statistic: Callable[[Floats], float], n_runs: int) -> pd.DataFrame:
    n, nothing = len(points), (np.nan, np.nan)
    if n < FEW:
        return estimate_row(np.nan, nothing, n, n_runs, f"fewer than {FEW} points that both trained")
    whole = statistic(points)
    without = np.array([statistic(np.delete(points, place, axis=0)) for place in range(n)])
    if not (np.abs([whole, *without]) < 1).all():
        return estimate_row(whole, nothing, n, n_runs, UNMOVED)
    half = half_width(np.arctanh(without), n)
    low, high = np.tanh(np.arctanh(whole) + np.array([-half, half]))
    return estimate_row(whole, (float(low), float(high)), n, n_runs, "")
