"""Parameters in the unit cube and back, on a logarithm where the study draws on one; factors as 0 and 1.

Imports only spec, numpy and pandas.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from stability.reading.factors import level_text
from stability.spec import Range, StudySpec

MOST_PLACES = 15
"""Decimal places beyond which a number is taken for zero."""

DIGITS = 3
"""Significant digits of a number that is written into a study file."""


@dataclass(frozen=True, slots=True)
class Scale:
    """The range that a parameter was drawn from, as one side of the unit cube."""

    name: str
    low: float
    high: float
    log: bool = False
    integer: bool = False

    def to_unit(self, values: pd.Series | NDArray[np.float64]) -> NDArray[np.float64]:
        """Own units to [0, 1]; NaN where a value is missing or has no logarithm; .5 where low is high."""
        numbers = np.asarray(values, dtype=np.float64)
        low, high = self._line(self.low), self._line(self.high)
        if self.log:
            numbers = np.log(np.where(numbers > 0, numbers, np.nan))
        return (numbers - low) / (high - low) if high > low else np.where(np.isnan(numbers), np.nan, 0.5)

    def from_unit(self, shares: NDArray[np.float64]) -> NDArray[np.float64]:
        """[0, 1] to own units."""
        low, high = self._line(self.low), self._line(self.high)
        line = low + np.asarray(shares, dtype=np.float64) * (high - low)
        return np.clip(np.exp(line) if self.log else line, self.low, self.high)

    def rounded_inward(self, low: float, high: float) -> tuple[float, float]:
        """An interval of the unit side in own units, its ends short numbers that lie inside it.

        An end of the whole side stays as it is, and so does one that rounding would carry past the other.
        """
        ends = self.from_unit(np.array([low, high]))
        first = self.low if low <= 0 else _rounded(float(ends[0]), math.ceil, integer=self.integer)
        last = self.high if high >= 1 else _rounded(float(ends[1]), math.floor, integer=self.integer)
        return (first, last) if first <= last else (float(ends[0]), float(ends[1]))

    def _line(self, value: float) -> float:
        return math.log(value) if self.log else value


def scale_of(spec: StudySpec, name: str) -> Scale:
    """The scale of a parameter that the study drew from a range. Raises KeyError where it did not."""
    domain = spec.space[name]
    if not isinstance(domain, Range):
        raise KeyError(name)
    return Scale(name, domain.low, domain.high, domain.log, domain.integer)


def unit_cube(runs: pd.DataFrame, scales: tuple[Scale, ...]) -> NDArray[np.float64]:
    """The runs' places in the unit cube `[runs, scales]`, NaN where a value is missing."""
    sides = [scale.to_unit(runs[scale.name].astype(float)) for scale in scales]
    return np.column_stack(sides) if sides else np.empty((len(runs), 0))


def one_hot(runs: pd.DataFrame, factors: tuple[str, ...]) -> tuple[NDArray[np.float64], tuple[str, ...]]:
    """Factors as columns of 0 and 1 `[runs, columns]`, and the factor of each column.

    A factor with two levels takes one column, with one level none, with more one for each level.
    """
    columns, owners = [np.empty((len(runs), 0))], []
    for name in factors:
        texts = np.array([level_text(level) for level in runs[name]], dtype=object)
        shown = column_levels(runs[name])
        columns += [(texts == level).astype(np.float64)[:, None] for level in shown]
        owners += [name] * len(shown)
    return np.hstack(columns), tuple(owners)


def column_levels(values: pd.Series) -> list[str]:
    """The levels that have a column of 0 and 1, in the order of the columns."""
    levels = sorted({level_text(level) for level in values})
    return levels if len(levels) > 2 else levels[1:]


def _rounded(value: float, towards: Callable[[float], int], *, integer: bool) -> float:
    if value == 0:
        return 0.0
    digits = 0 if integer else min(DIGITS - 1 - math.floor(math.log10(abs(value))), MOST_PLACES)
    steps = value * 10.0**digits
    nearest = round(steps)
    whole = nearest if abs(steps - nearest) < 1e-6 else towards(steps)
    return round(whole / 10.0**digits, digits)
