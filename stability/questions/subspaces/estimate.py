"""Rates on narrow parts of the space: every rate is an average over what was sampled, and moves with it.

Frame in, frame out; imports no torch and no optuna.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from itertools import pairwise

import numpy as np
import pandas as pd

from stability.reading.factors import numeric
from stability.spec import Range, StudySpec
from stability.statistics.rates import COLUMNS, OUTCOMES, SUCCESS, TOGETHER, designed, rate, rates_by

STANDARD: dict[str, tuple[tuple[float, float], ...]] = {
    "lr": ((1e-4, 1e-3),),
    "lr_ratio": ((0.5, 2.0),),
    "beta1": ((0.4, 0.6), (0.0, 0.5), (0.5, 1.0)),
}
"""Ranges that are usual in practice; the later ones stand in where the first one holds few points."""

ENOUGH_POINTS = 8
"""A standard range with fewer points is not used: none of seven still allows a share of .35."""

THIRDS = 3
"""Parts of a range that rates are told along."""

WHOLE = ""
"""Stands for the parameter where nothing was cut off."""


def subbox_rates(
    runs: pd.DataFrame,
    spec: StudySpec,
    factor: str,
    events: Iterable[str] = (SUCCESS, "collapse_ever"),
    *,
    confidence: float = 0.95,
) -> pd.DataFrame:
    """Rates by level within parts of the space, one parameter narrowed at a time; all others as sampled.

    The columns are `parameter, low, high, level, event` and those of `rate`. The first rows are the whole
    space, without parameter and ends. For every parameter drawn from a range there follows its standard range
    where that lies inside and holds enough points, otherwise its lower and upper part. Where two parts meet,
    the value between them belongs to the upper one.
    """
    names = tuple(events)
    parts = [_part(runs, WHOLE, (math.nan, math.nan), factor, names, confidence)]
    for name in numeric(spec, runs):
        domain = spec.space[name]
        if isinstance(domain, Range):
            for low, high in boxes(runs, name, domain):
                inside = runs[_inside(runs[name], low, high, domain)]
                parts.append(_part(inside, name, (low, high), factor, names, confidence))
    filled = [part for part in parts if len(part)] or parts[:1]
    return pd.concat(filled, ignore_index=True)


def rates_along(
    runs: pd.DataFrame,
    spec: StudySpec,
    events: Iterable[str] = (*TOGETHER, *OUTCOMES),
    *,
    confidence: float = 0.95,
) -> pd.DataFrame:
    """Rates of all runs in each third of each parameter's range, a third on the scale that it was drawn on.

    The columns are `parameter, low, high, event` and those of `rate`.
    """
    names, found = tuple(events), [pd.DataFrame(columns=["parameter", "low", "high", "event", *COLUMNS])]
    for name in numeric(spec, runs):
        domain = spec.space[name]
        if isinstance(domain, Range):
            spaced = np.geomspace if domain.log else np.linspace
            cuts = spaced(domain.low, domain.high, THIRDS + 1)
            drawn = runs[runs[name].notna()]
            owner = np.searchsorted(cuts[1:-1], drawn[name], side="right")
            for third, (low, high) in enumerate(pairwise(cuts.tolist())):
                inside = drawn[owner == third]
                found += [
                    rate(inside, event, confidence=confidence).assign(
                        parameter=name, low=low, high=high, event=event
                    )
                    for event in names
                ]
    return pd.concat(found[1:] or found, ignore_index=True)[list(found[0])]


def boxes(runs: pd.DataFrame, name: str, domain: Range) -> tuple[tuple[float, float], ...]:
    """The parts of a parameter's range in which rates are estimated, each as (low, high).

    Adaptive runs, which enter no rate, do not count as points either.
    """
    runs, standard = designed(runs), STANDARD.get(name, ())
    for low, high in standard[:1]:
        inside = runs[_inside(runs[name], low, high, domain)]
        narrower = domain.low <= low and high <= domain.high and (low, high) != (domain.low, domain.high)
        if narrower and inside["point"].nunique() >= ENOUGH_POINTS:
            return ((low, high),)
    cuts = [high for _, high in standard[1:] if domain.low < high < domain.high]
    middle = cuts[0] if cuts else _middle(domain)
    return ((domain.low, middle), (middle, domain.high))


def _middle(domain: Range) -> float:
    return math.sqrt(domain.low * domain.high) if domain.log else (domain.low + domain.high) / 2


def _inside(values: pd.Series, low: float, high: float, domain: Range) -> pd.Series:
    starts, ends = low == domain.low, high == domain.high
    above = pd.Series(True, index=values.index) if starts else values >= low
    below = pd.Series(True, index=values.index) if ends else values < high if starts else values <= high
    return above & below


def _part(
    runs: pd.DataFrame,
    name: str,
    ends: tuple[float, float],
    factor: str,
    events: tuple[str, ...],
    confidence: float,
) -> pd.DataFrame:
    rates = rates_by(runs, factor, events, confidence=confidence)
    levels = rates[factor].to_numpy()
    rates = rates.assign(parameter=name, low=ends[0], high=ends[1], level=levels)
    return rates[["parameter", "low", "high", "level", "event", *COLUMNS]]
