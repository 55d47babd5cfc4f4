"""An estimate with its interval, and its one way into a sentence and into a table's cell."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from stability.page_kit.words import NOTHING, interval, percent, percent_between, plural, share

Row = Mapping[Any, Any]
"""A row of a frame of estimates: `estimate`, `ci_low`, `ci_high`, and as far as it has them `n_points`,
`n_runs` and `reason`."""
Form = Callable[[float], str]
"""How a number is written."""

WIDE = 0.8
"""An interval of shares wider than this says next to nothing: sentences count the runs instead."""


@dataclass(frozen=True, slots=True)
class Cell:
    """An estimate with its interval, or a plain text."""

    text: str
    detail: str = ""
    """In smaller print below it: an interval, as a rule."""
    title: str = ""
    """Why there is no number, shown on hover."""
    numbers: tuple[str, ...] = field(default=(), compare=False)
    """For machines: estimate and both ends of its interval, empty where there is none."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """What was estimated, how sure it is, and what it rests on."""

    value: float
    """NaN where `reason` says why."""
    ci_low: float
    ci_high: float
    n_points: int = 0
    n_runs: int = 0
    reason: str = ""
    """Why there is no value or no interval; empty where both are there."""

    @classmethod
    def of(cls, row: Row) -> Estimate:
        """The estimate of a row."""
        value, low, high = (float(row.get(name, math.nan)) for name in ("estimate", "ci_low", "ci_high"))
        n_points, n_runs = (int(row.get(name, 0)) for name in ("n_points", "n_runs"))
        return cls(value, low, high, n_points, n_runs, str(row.get("reason", "")))

    @property
    def is_known(self) -> bool:
        """Whether there is a value."""
        return not math.isnan(self.value)

    @property
    def is_thin(self) -> bool:
        """Whether a share rests on too little to be told as one."""
        width = self.ci_high - self.ci_low
        return math.isnan(width) or width > WIDE or self.n_points < 2

    @property
    def count(self) -> int:
        """Runs behind a share: so many had the event."""
        return round(self.value * self.n_runs)

    @property
    def runs(self) -> str:
        """`12 runs`."""
        return plural(self.n_runs, "run")

    def text(self, form: Form = share) -> str:
        """As in `.47 [.33, .61]`."""
        return f"{form(self.value)} {self.bounds(form)}"

    def bounds(self, form: Form = share) -> str:
        """As in `[.33, .61]`."""
        return interval(self.ci_low, self.ci_high, form)

    def percent(self) -> str:
        """A share as in `47% (33 to 61%)`."""
        return f"{percent(self.value)} {self.percent_between}"

    @property
    def percent_between(self) -> str:
        """The interval of a share, as in `(33 to 61%)`."""
        return percent_between(self.ci_low, self.ci_high)

    def some_of(self) -> str:
        """A share of runs in words: `all of 12 runs`, `none of 12 runs`, `25% of 12 runs`."""
        part = {0.0: "none", 1.0: "all"}.get(self.value, percent(self.value))
        return f"{part} of {self.runs}"

    def counted(self) -> str:
        """A share of runs by their number: `3 of 12 runs`, `all 12 runs`, `none of 12 runs`."""
        return (
            f"all {self.runs}" if self.count == self.n_runs > 1 else f"{self.count or 'none'} of {self.runs}"
        )

    def of_runs(self, holds: str = "") -> str:
        """A share of runs as far as it may be told: as a percentage with its interval, or as a count.

        `holds` says of what the interval holds, where that is not of this share alone.
        """
        if self.is_thin:
            return self.counted()
        between = self.percent_between.replace("(", f"({holds}: ") if holds else self.percent_between
        if self.value in (0, 1):
            return f"{self.some_of()} {between}"
        return f"{percent(self.value)} {between} of {self.runs}"

    def cell(self, form: Form = share) -> Cell:
        """The value over its interval, or why there is none."""
        if not self.is_known:
            return missing(self.reason)
        return Cell(form(self.value), self.bounds(form), self.reason, self._numbers)

    def percent_cell(self) -> Cell:
        """A share as a percentage over its interval, or why there is none."""
        if not self.is_known:
            return missing(self.reason)
        return Cell(percent(self.value), self.percent_between, self.reason, self._numbers)

    @property
    def _numbers(self) -> tuple[str, ...]:
        values = (self.value, self.ci_low, self.ci_high)
        return tuple("" if math.isnan(value) else f"{value:.9g}" for value in values)


def missing(reason: Any = "") -> Cell:
    """No number, and why."""
    return Cell(NOTHING, "", str(reason))


def rows_of(frame: pd.DataFrame) -> list[dict[Any, Any]]:
    """A frame's rows."""
    return frame.to_dict("records")


def text_of(row: Row, form: Form = share) -> str:
    """A row's estimate as a sentence tells it."""
    return Estimate.of(row).text(form)


def cell_of(row: Row | None, form: Form = share, none: str = "") -> Cell:
    """A row's estimate as a table shows it; where there is no row, why."""
    return missing(none) if row is None else Estimate.of(row).cell(form)
