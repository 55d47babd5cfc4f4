"""A study as its estimates see it: factors with their levels as text, in the order of the page."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import pandas as pd

from stability.reading.factors import (
    Unit,
    as_drawn,
    categorical,
    crossed_factors,
    levels,
    numeric,
    unit_of,
    with_text_levels,
)
from stability.reading.frames import StudyFrames
from stability.reading.map_axes import MapAxes, map_axes
from stability.records import SUCCESSES, Outcome
from stability.statistics.rates import SUCCESS, indicator

ALL = "study"
"""Stands where a factor does when nothing was compared; its one level is `all runs`."""

LISTED_OUTCOMES: tuple[str, ...] = tuple(
    sorted((str(outcome) for outcome in Outcome), key=lambda name: name not in SUCCESSES)
)
"""In the order in which legends list them: the successes first."""


@dataclass(frozen=True)
class Study:
    """The frames, with the factors' levels as text and in the page's order."""

    frames: StudyFrames
    map_over: tuple[str, ...] = ()
    """The two parameters over which maps are drawn, where they are not to be those that matter most."""
    as_unit: Unit | None = None
    """The unit of inference, where it is not to follow from the design."""

    @cached_property
    def map_axes(self) -> MapAxes | None:
        """What stands on the axes and in the panels of maps."""
        return map_axes(self.frames.spec, self.runs, self.map_over)

    def mapped_over(self, names: tuple[str, ...]) -> Study:
        """The same study with its maps over the first of these parameters, unless it has its own."""
        return self if self.map_over else replace(self, map_over=names)

    @cached_property
    def factors(self) -> tuple[str, ...]:
        """The factors whose levels are compared."""
        return categorical(self.frames.spec, self.frames.runs)

    @cached_property
    def main_factor(self) -> str | None:
        """The factor of the headline: the loss where there are several."""
        return self.factors[0] if self.factors else None

    @property
    def compared(self) -> str:
        """The factor whose levels are told apart throughout: the main one, ALL where there is none."""
        return self.main_factor or ALL

    @property
    def unit(self) -> Unit:
        """What intervals and tests count as independent."""
        return self.as_unit or unit_of(self.frames.spec)

    @cached_property
    def trained(self) -> pd.DataFrame:
        """The finished runs with their own points and values, whatever estimates make of them."""
        return with_text_levels(self.frames.runs, self.factors).assign(**{ALL: "all runs"})

    @cached_property
    def runs(self) -> pd.DataFrame:
        """The finished runs as estimates take them, adaptive ones included.

        Estimates take runs with the same `point` for dependent. Where seeds are the units, each seed of each
        point is a point of its own here, so that crossed levels are paired by seed. A range has no value in
        the runs of a variant that sets it.
        """
        runs = as_drawn(self.frames.spec, self.trained)
        if self.unit == "point":
            return runs
        return runs.assign(point=runs["point"] * self.frames.spec.design.seeds + runs["replicate"])

    @cached_property
    def estimable(self) -> bool:
        """Whether rates may be estimated at all."""
        return bool((~self.runs["adaptive"].astype(bool)).any())

    @cached_property
    def varied(self) -> tuple[str, ...]:
        """Every parameter that differs between runs by design, factors first."""
        return (*self.factors, *numeric(self.frames.spec, self.frames.runs))

    @cached_property
    def outcomes(self) -> tuple[str, ...]:
        """The outcomes that occurred: the successes first, then in the order of the rules."""
        seen = set(self.runs["outcome"])
        return tuple(name for name in LISTED_OUTCOMES if name in seen)

    def comparable(self, factor: str) -> pd.DataFrame:
        """The runs over which levels of a factor may be compared: those at settings that all of them share.

        While a study is under way a crossed factor's levels can have finished at different points, or under
        different levels of another crossed factor; their shares would then differ for that alone. All runs
        where the factor is not crossed; none where its finished levels share nothing.
        """
        crossed = [name for name in crossed_factors(self.frames.spec) if name in self.factors]
        if factor not in crossed:
            return self.runs
        cells = self.runs.groupby(["point", *(name for name in crossed if name != factor)])[factor]
        return self.runs[cells.transform("nunique") == self.runs[factor].nunique()]

    def order(self, factor: str) -> tuple[str, ...]:
        """A factor's levels among the finished runs: the most successful first, if that is estimable."""
        if factor == ALL:
            return ("all runs",)
        seen = set(self.runs[factor])
        listed_levels = [level for level in levels(self.frames.spec, factor) if level in seen]
        if not self.estimable:
            return tuple(listed_levels)
        runs = self.comparable(factor)
        shares = indicator(runs, SUCCESS).groupby(runs[factor]).mean()
        return tuple(sorted(listed_levels, key=lambda level: -shares.get(level, 0.0)))
