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
    stops: Floats
    """Runs of them that are stopped there without the event, which competes with it: [points, visits]."""


@dataclass(frozen=True, slots=True, eq=False)
class Courses:
    """What is known of each of some runs."""

    point: NDArray[np.int64]
    """From 0 on: [runs]."""
    onset: Floats
    """Step of the event, NaN where there was none: [runs]."""
    last: Floats
    """Last step seen: [runs]."""
    stopped: NDArray[np.bool_]
    """Whether the run was stopped there on purpose: [runs]."""


def life_table(runs: Courses, visits: NDArray[np.int64], n_points: int) -> LifeTable:
    """Count runs at the visits.

    An event between two visits counts at the later one. A run is at risk up to its event, else up to the
    last visit that it reached: a stop counts there, any other run is lost from sight after it.
    """
    onset = runs.onset
    has_event = np.isfinite(onset) & (onset <= visits.max(initial=0))
    place = np.searchsorted(visits, np.where(has_event, onset, 0.0))
    reached = np.where(has_event, place + 1, np.searchsorted(visits, runs.last, side="right"))
    observed = np.arange(len(visits)) < reached[:, None]
    happened = has_event[:, None] & (np.arange(len(visits)) == place[:, None])
    halted = (runs.stopped & ~has_event)[:, None] & (np.arange(len(visits)) == reached[:, None] - 1)
    at_risk, events, stops = np.zeros((3, n_points, len(visits)))
    for counts, mask in ((at_risk, observed), (events, happened), (stops, halted)):
        np.add.at(counts, runs.point, mask)
    return LifeTable(visits, at_risk, events, stops)


def survival(table: LifeTable, weights: Floats | None = None) -> Floats:
    """Share of runs without the event after each visit: [visits], or [weights, visits].

    One less Aalen and Johansen's cumulative incidence, where a stop competes with the event: Kaplan and
    Meier's curve, where no run was stopped. `weights` [replicates, points] says how often each point counts.
    NaN from the visit on at which no run is at risk, unless all had met an end by then.
    """
    counts: Floats = np.ones(len(table.at_risk)) if weights is None else weights
    at_risk, events, stops = counts @ table.at_risk, counts @ table.events, counts @ table.stops
    going = _product_limit(at_risk, events + stops)
    if not table.stops.any():
        return going
    before = _before(going)
    hazard = np.divide(events, at_risk, out=np.full_like(at_risk, np.nan), where=at_risk > 0)
    met = np.where(before == 0, 0.0, before * hazard)
    curve: Floats = np.clip(1 - np.cumsum(met, axis=-1), 0.0, 1.0)
    return curve


def influence(table: LifeTable) -> Floats:
    """Derivative of log survival by the weight of each point, [points, visits] (infinitesimal jackknife).

    With one run a point, no stop and no censoring its squares add up to Greenwood's variance. NaN where
    survival is 0 or unknown.
    """
    if not table.stops.any():
        return _log_derivative(table.at_risk, table.events)
    at_risk, events = table.at_risk.sum(axis=0), table.events.sum(axis=0)
    ends = table.events + table.stops
    before, slope = _before(_product_limit(at_risk, ends.sum(axis=0))), _log_derivative(table.at_risk, ends)
    hazard = np.divide(events, at_risk, out=np.full_like(at_risk, np.nan), where=at_risk > 0)
    earlier = np.concatenate([np.zeros((len(slope), 1)), slope[:, :-1]], axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        change = before * ((table.events - hazard * table.at_risk) / at_risk + hazard * earlier)
        curve = survival(table)
        return -np.cumsum(np.where(before == 0, 0.0, change), axis=1) / np.where(curve > 0, curve, np.nan)


def _product_limit(at_risk: Floats, ends: Floats) -> Floats:
    """Share of runs that met no end so far: [..., visits]."""
    free = np.divide(at_risk - ends, at_risk, out=np.full_like(at_risk, np.nan), where=at_risk > 0)
    ended = np.logical_or.accumulate((at_risk > 0) & (ends >= at_risk), axis=-1)
    return np.cumprod(np.where(ended, 0.0, free), axis=-1).astype(np.float64)


def _before(curve: Floats) -> Floats:
    """The curve's value just before each visit."""
    return np.concatenate([np.ones((*curve.shape[:-1], 1)), curve[..., :-1]], axis=-1)


def _log_derivative(at_risk: Floats, ends: Floats) -> Floats:
    """Of the log of the product limit by the weight of each point: [points, visits]."""
    seen, ended = at_risk.sum(axis=0), ends.sum(axis=0)
    known = (seen > 0) & (ended < seen)
    hazard = np.divide(ended, seen, out=np.full_like(seen, np.nan), where=known)
    left = np.where(known, seen - ended, np.nan)
    return -np.cumsum((ends - hazard * at_risk) / left, axis=1)


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
    mean: Floats = _before(curve) @ widths
    return mean
