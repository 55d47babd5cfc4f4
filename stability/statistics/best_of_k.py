"""The best of k points: what a random search with a budget would have found. Frame in, frame out.

Exact, by counting subsets of the study's own points: no simulation. The band is the luck of which points are
tried, not the uncertainty about the space; trying all of them leaves no luck, so it closes at k = n.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import gammaln

from stability.statistics.rates import designed, none_designed

Floats = NDArray[np.float64]

NO_NUMBER = "not estimable: too many points have runs without a finite FID"


def best_of(runs: pd.DataFrame, factor: str, *, metric: str = "fid_ratio", band: float = 0.8) -> pd.DataFrame:
    """Lowest metric after k points tried in random order, by level of a factor.

    Columns: the factor, `k, median, low, high` (over all subsets of k points: the middle `band` of them),
    `n_points, n_runs, reason`. A point's value is the median over its runs, in logs; a run that
    diverged or has no finite value counts as infinitely bad. An infinite quantile is NaN, with a reason.
    """
    fixed = designed(runs)
    parts = [
        _curve(group, metric, band).assign(**{factor: level})
        for level, group in fixed.groupby(factor, sort=False, dropna=False)
    ]
    columns = [factor, "k", "median", "low", "high", "n_points", "n_runs", "reason"]
    if not parts:
        empty = pd.DataFrame(columns=columns)
        empty.attrs["reason"] = none_designed(runs)
        return empty
    return pd.concat(parts, ignore_index=True)[columns]


def smallest_of(values: Floats, quantiles: Floats) -> Floats:
    """Quantiles of the smallest of k of n values, for k = 1 to n: [n, quantiles].

    All subsets of k are equally likely. A quantile is the least of the values that the smallest of k does not
    exceed with at least that probability.
    """
    ordered = np.sort(values)
    n = len(ordered)
    k = np.arange(1, n + 1)[:, None]
    left = n - np.arange(1, n + 1)  # values above the i-th lowest
    possible = left >= k
    rest = np.where(possible, left, k)  # keeps the logarithms finite where there is no such subset
    log_share = gammaln(rest + 1) - gammaln(rest - k + 1) - gammaln(n + 1) + gammaln(n - k + 1)
    at_most = 1 - np.where(possible, np.exp(log_share), 0.0)
    reached = at_most[:, :, None] >= quantiles - 1e-12
    found: Floats = ordered[reached.argmax(axis=1)]
    return found


def _curve(runs: pd.DataFrame, metric: str, band: float) -> pd.DataFrame:
    values = _values(runs, metric)
    quantiles = np.array([0.5, (1 - band) / 2, (1 + band) / 2])
    found = np.exp(smallest_of(values, quantiles))
    finite = np.isfinite(found)
    frame = pd.DataFrame(np.where(finite, found, np.nan), columns=["median", "low", "high"])
    return frame.assign(
        k=np.arange(1, len(values) + 1),
        n_points=len(values),
        n_runs=len(runs),
        reason=np.where(finite.all(axis=1), "", NO_NUMBER),
    )


def _values(runs: pd.DataFrame, metric: str) -> Floats:
    """Median of the log over each point's runs: infinite where half of them or more have no finite value."""
    raw = runs[metric].to_numpy(dtype="float64")
    usable = np.isfinite(raw) & (raw > 0) & (runs["outcome"] != "diverged").to_numpy()
    logs = pd.Series(np.where(usable, np.log(np.where(usable, raw, 1.0)), np.inf), index=runs.index)
    medians: Floats = logs.groupby(runs["point"]).agg(lambda column: np.median(column.to_numpy())).to_numpy()
    return medians
