"""Up to when a run says anything, and when something first took away what it had. Frames in, frames out."""

from __future__ import annotations

import numpy as np
import pandas as pd

from stability.records import EventKind, Outcome


def suffered(events: pd.DataFrame, kind: str) -> pd.DataFrame:
    """The events of a kind that took something away: a run never good has nothing to collapse from."""
    of_kind = events[events["kind"] == kind]
    return of_kind[~of_kind["never_good"].astype(bool)] if kind == EventKind.COLLAPSE else of_kind


def first_onsets(runs: pd.DataFrame, events: pd.DataFrame, kind: str) -> pd.Series:
    """Step of each run's first event of a kind, in the order of `runs`; NaN where it had none."""
    first = suffered(events, kind).groupby("run")["onset"].min()
    return runs["run"].map(first).astype("float64")


def last_seen(runs: pd.DataFrame) -> pd.Series:
    """Step up to which a run says anything: its last, or the one before it diverged."""
    step = runs["step"].astype("float64")
    diverged = runs["outcome"] == Outcome.DIVERGED
    bad = runs["divergence_step"].astype("Float64").fillna(np.inf).astype("float64")
    return step.where(~diverged, np.minimum(step, bad - 1))


def was_halted(runs: pd.DataFrame) -> pd.Series:
    """Whether a run was stopped although it had not diverged: training on was possible."""
    return runs["stopped"].astype(bool) & (runs["outcome"] != Outcome.DIVERGED)
