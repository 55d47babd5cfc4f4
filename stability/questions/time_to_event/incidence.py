"""What ends a run's quiet course first, how many are in an event at each visit, and who recovers.

A finished run is followed to the horizon unless something in the list of ends happens first, and an early
stop is one of them: it competes. So nothing is censored before the horizon: Aalen and Johansen's cumulative
incidence is the plain share of runs (tested equal to statsmodels'), and a band is `rate`'s interval, which
holds for runs that share points.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from stability.outcomes.labels import STOPPING
from stability.questions.time_to_event.recovery import HALTED, aftermath, median_wait, waits
from stability.reading.run_ends import first_onsets, last_seen, suffered, was_halted
from stability.records import EventKind, Outcome
from stability.statistics.rates import COLUMNS, designed, none_designed, rate

STOPPED = HALTED
"""Stands for an early stop that no other end explains."""

ONE_KIND = "nothing competes: fewer than two kinds of end were seen"
NONE_TO_RECOVER = "not estimable: no run had the event"
NEVER_WELL = "not estimable: no run that had it had been good before"
CUT_SHORT = "not estimable: {} of {} were stopped for it, and only as long as they had not recovered"
NOT_HALF = "fewer than half are seen to recover"

ENDS = "end"

STOPS = {str(EventKind.COLLAPSE): STOPPING["collapsed"], str(EventKind.SATURATION): STOPPING["saturated"]}
"""The outcomes for which a run may be stopped while it is in an event."""


@dataclass(frozen=True)
class Incidence:
    """Ends, prevalence and recoveries by level of a factor, levels in their order of appearance."""

    factor: str
    kind: str
    ends: pd.DataFrame
    """The factor, `end, step, runs` (that met it first, by then) and `rate`'s columns; see `reason`."""
    prevalence: pd.DataFrame
    """Share of all runs in the event at each visit: the factor, `step` and `rate`'s columns.
    Diverged runs stay in the denominator; a run that was stopped early stays as it was."""
    recoveries: pd.DataFrame
    """Runs whose first event was over again: the factor, the runs that `had` one, of them `never_good`
    (which cannot recover by definition) and `lost` (all others); of the lost, `recovered` and `stopped` (for
    that event, still in it); `median_steps, median_reason`, and `rate`'s columns for the share of the lost
    without the stopped that recovered. That has no value once any was stopped: who recovers at once is never
    stopped, so the others' share would flatter. `median_steps` is the wait from onset by which half of all
    the lost had recovered, a stop and a divergence being ends of their own."""
    after: pd.DataFrame
    """Of the lost, which end came first after the first event (`aftermath.AFTER`), as ends that compete: the
    factor, `since, end, at_risk, runs` and `rate`'s columns for its cumulative incidence."""
    reason: str
    """Why `ends` is empty, or empty."""


def incidence(
    runs: pd.DataFrame,
    events: pd.DataFrame,
    evaluations: pd.DataFrame,
    factor: str,
    *,
    kind: str = "collapse",
    confidence: float = 0.95,
) -> Incidence:
    """Estimate which end comes first and what follows an event, without adaptive runs."""
    visits = np.unique(evaluations["step"].to_numpy(dtype=np.int64))
    fixed = designed(runs).reset_index(drop=True)
    first = first_ends(fixed, events, kind)
    kinds = [name for name in _candidates(kind) if (first[ENDS] == name).any()]
    reason = none_designed(runs) if fixed.empty else ONE_KIND if len(kinds) < 2 else ""
    stages = _stages(fixed, events, kind, visits)
    ends, prevalence, recoveries, after = [], [], [], []
    for level, group in fixed.groupby(factor, sort=False, dropna=False):
        named = {factor: level}
        rows = group.index.to_numpy()
        here = first.loc[rows]
        for name in kinds if not reason else ():
            happened = here["step"].to_numpy()[:, None] <= visits
            mask = happened & (here[ENDS] == name).to_numpy()[:, None]
            ends += [row | named | {ENDS: name} for row in _rates(group, mask, visits, confidence)]
        prevalence += [row | named for row in _rates(group, stages[rows], visits, confidence)]
        recovery, followed = _recovery(group, events, kind, confidence, visits)
        recoveries.append(recovery | named)
        after += [row | named for row in followed]
    return Incidence(
        factor=factor,
        kind=kind,
        ends=pd.DataFrame(ends, columns=[factor, ENDS, "step", "runs", *COLUMNS]),
        prevalence=pd.DataFrame(prevalence, columns=[factor, "step", *COLUMNS]),
        recoveries=pd.DataFrame(recoveries, columns=[factor, *_RECOVERY, *COLUMNS]),
        after=pd.DataFrame(after, columns=[factor, *_AFTER, *COLUMNS]),
        reason=reason,
    )


def first_ends(runs: pd.DataFrame, events: pd.DataFrame, kind: str) -> pd.DataFrame:
    """Which end each run met first, `end` (missing: it reached the horizon) and `step`, indexed as `runs`.

    At the same step the event itself counts before saturation, and both before a divergence or a stop.
    """
    diverged = runs["outcome"] == Outcome.DIVERGED
    steps = pd.DataFrame(index=runs.index)
    for name in dict.fromkeys([kind, str(EventKind.SATURATION)]):
        steps[name] = first_onsets(runs, events, name)
    steps[str(Outcome.DIVERGED)] = (last_seen(runs) + 1).where(diverged)
    steps[STOPPED] = runs["step"].astype("float64").where(was_halted(runs))
    filled = steps.fillna(np.inf)
    earliest = filled.min(axis=1)
    place = filled.to_numpy().argmin(axis=1) if len(filled) else np.array([], dtype=int)
    names = np.array(steps.columns, dtype=object)[place]
    return pd.DataFrame(
        {ENDS: np.where(np.isfinite(earliest), names, None), "step": earliest}, index=runs.index
    )


_RECOVERY = ("had", "never_good", "lost", "recovered", "stopped", "median_steps", "median_reason")

_AFTER = ("since", "end", "at_risk", "runs")


def _candidates(kind: str) -> list[str]:
    return list(dict.fromkeys([kind, str(EventKind.SATURATION), str(Outcome.DIVERGED), STOPPED]))


def _rates(
    runs: pd.DataFrame, happened: NDArray[np.bool_], visits: NDArray[np.int64], confidence: float
) -> Iterator[dict[str, object]]:
    """`rate` at each visit; `happened` is [runs, visits]. Estimated anew only where something changed."""
    row: dict[str, object] = {}
    for place, step in enumerate(visits.tolist()):
        column = happened[:, place]
        if not row or (column != happened[:, place - 1]).any():
            estimate = rate(runs, pd.Series(column, index=runs.index), confidence=confidence)
            row = dict(zip(COLUMNS, estimate.iloc[0][list(COLUMNS)], strict=True))
        yield row | {"step": step, "runs": int(column.sum())}


def _stages(
    runs: pd.DataFrame, events: pd.DataFrame, kind: str, visits: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """Which runs are in the event at which visit: [runs, visits]."""
    places = pd.Series(np.arange(len(runs)), index=runs["run"])
    of_kind = suffered(events, kind)
    of_kind = of_kind[of_kind["run"].isin(places.index)]
    onset = of_kind["onset"].to_numpy(dtype="float64")
    recovery = of_kind["recovery"].astype("Float64").fillna(np.inf).to_numpy(dtype="float64")
    inside = np.zeros((len(runs), len(visits)), dtype=bool)
    during = (onset[:, None] <= visits) & (visits < recovery[:, None])
    np.logical_or.at(inside, places[of_kind["run"]].to_numpy(dtype=int), during)
    gone = (runs["outcome"] == Outcome.DIVERGED).to_numpy()[:, None] & (
        last_seen(runs).to_numpy()[:, None] < visits
    )
    return inside & ~gone


def _recovery(
    runs: pd.DataFrame, events: pd.DataFrame, kind: str, confidence: float, visits: NDArray[np.int64]
) -> tuple[dict[str, object], list[dict[str, object]]]:
    """A row of `Incidence.recoveries` and rows of `Incidence.after`."""
    of_kind = events[(events["kind"] == kind) & events["run"].isin(runs["run"])]
    first = of_kind.sort_values("onset", kind="stable").drop_duplicates("run").set_index("run")
    never = first["never_good"].astype(bool) if kind == EventKind.COLLAPSE else first.index.isin([])
    lost = runs[runs["run"].isin(first.index[~never])]
    recovery = lost["run"].map(first["recovery"]).astype("Float64")
    recovered = recovery.notna()
    stopped = lost["stopped"].astype(bool) & lost["outcome"].isin(STOPS.get(kind, frozenset())) & ~recovered
    estimate = rate(lost[~stopped], recovered[~stopped], confidence=confidence).iloc[0]
    row = {name: estimate[name] for name in COLUMNS}
    if stopped.any():
        reason = CUT_SHORT.format(int(stopped.sum()), len(lost))
        row |= dict.fromkeys(("estimate", "ci_low", "ci_high"), np.nan) | {"reason": reason}
    elif lost.empty:
        row["reason"] = NEVER_WELL if len(first) else NONE_TO_RECOVER
    met = waits(lost, first)
    median = median_wait(met, visits)
    counted = {
        **row,
        "had": len(first),
        "never_good": int(never.sum()),
        "lost": len(lost),
        "recovered": int(recovered.sum()),
        "stopped": int(stopped.sum()),
        "median_steps": median,
        "median_reason": row["reason"] if lost.empty else NOT_HALF if np.isnan(median) else "",
    }
    return counted, list(aftermath(met, visits, confidence=confidence))
