"""What follows an event, as ends that compete: recovery, an early stop, a divergence. Frame in, frame out.

Aalen and Johansen's cumulative incidence over the steps since a run's first event: a run that is stopped can
no longer recover, so it counts as stopped, not as one that would go on recovering as the others do. Only the
horizon, which comes sooner for a later event, takes runs from sight. Intervals are Wilson's at the number of
independent runs that the variance between points leaves (infinitesimal jackknife).
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from stability.questions.time_to_event.estimate import UNSEEN
from stability.reading.run_ends import last_seen, was_halted
from stability.records import Outcome
from stability.statistics.life_tables import Floats, LifeTable, influence, survival
from stability.statistics.rates import COLUMNS, ONE_POINT, TELLING_POINTS, wilson, wilson_breadth

RECOVERED, HALTED, DIVERGED = "recovered", "stopped early", "diverged"
AFTER = (RECOVERED, HALTED, DIVERGED)
"""The ends that compete, in the order in which one counts where two come at the same visit."""


def waits(lost: pd.DataFrame, first: pd.DataFrame) -> pd.DataFrame:
    """What each run met first after its event, `end` (empty: the horizon) and `wait`, the steps until then.

    `first` holds `onset` and `recovery` (missing: none) of the first event, by run.
    """
    onset = lost["run"].map(first["onset"]).astype("float64")
    recovery = lost["run"].map(first["recovery"]).astype("Float64").fillna(np.inf).astype("float64")
    seen = last_seen(lost)
    ends = pd.DataFrame({RECOVERED: recovery}, index=lost.index)
    ends[HALTED] = seen.where(was_halted(lost), np.inf)
    ends[DIVERGED] = (seen + 1).where(lost["outcome"] == Outcome.DIVERGED, np.inf)
    earliest = ends.min(axis=1)
    end = ends.idxmin(axis=1).where(np.isfinite(earliest), "")
    wait = np.maximum(np.where(np.isfinite(earliest), earliest, seen) - onset, 0.0)
    return pd.DataFrame({"point": lost["point"], "end": end, "wait": wait}, index=lost.index)


def aftermath(
    met: pd.DataFrame, visits: NDArray[np.int64], *, confidence: float = 0.95
) -> Iterator[dict[str, object]]:
    """The cumulative incidence of each end at each step since the event; `met` is as `waits` gives it.

    Yields rows of `since, end, at_risk, runs` (that met it by then) and `rate`'s columns; none for no runs.
    """
    if met.empty or not len(visits):
        return
    since = np.unique(visits - visits[0])
    tables = _tables(met, since)
    for name, table in tables.items():
        estimate = 1 - survival(table)
        low, high, reasons = _intervals(table, estimate, confidence)
        at_risk, runs = table.at_risk.sum(axis=0), np.cumsum(table.events.sum(axis=0))
        for place, step in enumerate(since.tolist()):
            values = (estimate[place], low[place], high[place], len(table.at_risk), len(met), reasons[place])
            counts = {"at_risk": int(at_risk[place]), "runs": int(runs[place])}
            yield {"since": step, "end": name, **counts, **dict(zip(COLUMNS, values, strict=True))}


def median_wait(met: pd.DataFrame, visits: NDArray[np.int64]) -> float:
    """Steps by which half of the runs are seen to have recovered; NaN where that is fewer."""
    if met.empty or not len(visits):
        return np.nan
    since = np.unique(visits - visits[0])
    reached = 1 - survival(_tables(met, since)[RECOVERED]) >= 0.5 - 1e-9  # halves are missed by rounding
    return float(since[reached.argmax()]) if reached.any() else np.nan


def _tables(met: pd.DataFrame, since: NDArray[np.int64]) -> dict[str, LifeTable]:
    """For each end the runs that still wait and those that meet it; the other ends stand as its stops."""
    points, codes = np.unique(met["point"].to_numpy(), return_inverse=True)
    wait, end = met["wait"].to_numpy(dtype=np.float64), met["end"].to_numpy()
    ended = np.isin(end, AFTER) & (wait <= since[-1])
    place = np.searchsorted(since, np.where(ended, wait, 0.0))
    reached = np.where(ended, place + 1, np.searchsorted(since, wait, side="right"))
    grid = np.arange(len(since))
    at_risk, *ends = np.zeros((1 + len(AFTER), len(points), len(since)))
    np.add.at(at_risk, codes, grid < reached[:, None])
    for counts, name in zip(ends, AFTER, strict=True):
        np.add.at(counts, codes, (ended & (end == name))[:, None] & (grid == place[:, None]))
    total = np.sum(ends, axis=0)
    return {
        name: LifeTable(since, at_risk, counts, total - counts)
        for name, counts in zip(AFTER, ends, strict=True)
    }


def _intervals(
    table: LifeTable, estimate: Floats, confidence: float
) -> tuple[list[float], list[float], list[str]]:
    n_points = len(table.at_risk)
    slopes = influence(table) * (1 - estimate)
    variance = (slopes**2).sum(axis=0) * n_points / max(1, n_points - 1)
    rows = [
        _interval(table, place, (float(estimate[place]), float(variance[place])), confidence)
        for place in range(len(estimate))
    ]
    low, high, reasons = (list(column) for column in zip(*rows, strict=True))
    return low, high, reasons


def _interval(
    table: LifeTable, place: int, found: tuple[float, float], confidence: float
) -> tuple[float, float, str]:
    share, variance = found
    if np.isnan(share):
        return np.nan, np.nan, UNSEEN
    n_points = len(table.at_risk)
    if n_points < 2:
        return np.nan, np.nan, ONE_POINT
    worth = _independent_runs(table, place, share, variance)
    low, high = wilson(share, wilson_breadth(worth, n_points, confidence))
    return float(low), float(high), ""


def _independent_runs(table: LifeTable, place: int, share: float, variance: float) -> float:
    """How many independent runs, all seen so long, would tell as much.

    As in `rates.effective_runs`: where few points have the end or are without it, the variance between
    points is mostly noise, and is drawn towards the one where all runs of a point agree.
    """
    ends = (table.events + table.stops)[:, : place + 1].sum(axis=1)
    seen = table.at_risk[:, place] - (table.events + table.stops)[:, place] + ends
    if share in (0.0, 1.0) or np.isnan(variance):
        return float((seen > 0).sum())
    met, sizes = table.events[:, : place + 1].sum(axis=1), table.at_risk[:, 0]
    n_runs = float(sizes.sum())
    design = max(1.0, n_runs * variance / (share * (1 - share)))
    most = max(design, float((sizes**2).sum()) / n_runs)
    telling = min(int((met > 0).sum()), int((met < sizes).sum()))
    weight = telling / (telling + TELLING_POINTS)
    return n_runs / (weight * design + (1 - weight) * most)
