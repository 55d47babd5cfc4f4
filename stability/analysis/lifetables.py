"""Runs at risk and events at the visits, counted by point: what curves of survival are made of.

Counts by point let one multiplication re-weight the points, as a bootstrap does, and give the variance of
an estimate between points. Arrays in, arrays out; no frames.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class LifeTable:
    """One group of runs at the visits."""

    visits: NDArray[np.int64]
    """Steps, ascending: [visits]."""
    at_risk: Floats
    """Runs seen at a visit that had no event at an earlier one: [points, visits]."""
    events: Floats
    """Runs of them that have the event there: [points, visits]."""


def life_table(
    point: NDArray[np.int64], onset: Floats, last: Floats, visits: NDArray[np.int64], n_points: int
) -> LifeTable:
    """Count runs at the visits, given for each its point (0 to n_points - 1), event and last step.

    `onset` is the step of the event, NaN where there was none; an event between two visits counts at the
    later one. A run is at risk up to its event, else up to the last visit that it reached.
    """
    has_event = np.isfinite(onset) & (onset <= visits.max(initial=0))
    place = np.searchsorted(visits, np.where(has_event, onset, 0.0))
    reached = np.where(has_event, place + 1, np.searchsorted(visits, last, side="right"))
    observed = np.arange(len(visits)) < reached[:, None]
    happened = has_event[:, None] & (np.arange(len(visits)) == place[:, None])
    at_risk, events = np.zeros((2, n_points, len(visits)))
    np.add.at(at_risk, point, observed)
    np.add.at(events, point, happened)
    return LifeTable(visits, at_risk, events)


def survival(table: LifeTable, weights: Floats | None = None) -> Floats:
    """Kaplan-Meier's share of runs without the event after each visit: [visits], or [weights, visits].

    `weights` [replicates, points] says how often each point counts. NaN from the visit on at which no run
    is at risk, unless the curve is at zero by then.
    """
    counts: Floats = np.ones(len(table.at_risk)) if weights is None else weights
    at_risk, events = counts @ table.at_risk, counts @ table.events
    free = np.divide(at_risk - events, at_risk, out=np.full_like(at_risk, np.nan), where=at_risk > 0)
    ended = np.logical_or.accumulate((at_risk > 0) & (events >= at_risk), axis=-1)
    return np.cumprod(np.where(ended, 0.0, free), axis=-1).astype(np.float64)


def influence(table: LifeTable) -> Floats:
    """Derivative of log survival by the weight of each point, [points, visits] (infinitesimal jackknife).

    With one run a point and no censoring its squares add up to Greenwood's variance. NaN where survival
    is 0 or unknown.
    """
    at_risk, events = table.at_risk.sum(axis=0), table.events.sum(axis=0)
    known = (at_risk > 0) & (events < at_risk)
    hazard = np.divide(events, at_risk, out=np.full_like(at_risk, np.nan), where=known)
    left = np.where(known, at_risk - events, np.nan)
    return -np.cumsum((table.events - hazard * table.at_risk) / left, axis=1)


def greenwood(table: LifeTable) -> Floats:
    """Variance of log survival if all runs were independent: [visits]. NaN where survival is 0 or unknown."""
    at_risk, events = table.at_risk.sum(axis=0), table.events.sum(axis=0)
    product = at_risk * (at_risk - events)
    terms = np.divide(events, product, out=np.full_like(at_risk, np.nan), where=product > 0)
    return np.cumsum(terms)


def restricted_mean(curve: Floats, visits: NDArray[np.int64]) -> Floats:
    """Mean number of steps without the event up to the last visit: the area under a curve of steps.

    `curve` [..., visits] holds the survival after each visit; before the first it is 1.
    """
    widths = np.diff(visits, prepend=0).astype(float)
    before = np.concatenate([np.ones((*curve.shape[:-1], 1)), curve[..., :-1]], axis=-1)
    mean: Floats = before @ widths
    return mean
