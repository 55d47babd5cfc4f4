"""A setting that somebody asks about: read, held against what a study trained, its nearest runs found.

Frames in, frames out; imports no torch and no optuna.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from stability.errors import StabilityError
from stability.page_kit.words import number
from stability.reading.atlas import architectures
from stability.reading.factors import categorical, crossed_factors, level_text, levels, numeric
from stability.reading.unit_cube import Scale, one_hot, scale_of, unit_cube
from stability.spec import Config, StudySpec
from stability.spec.problems import dotted, unknown
from stability.spec.sections import Problems, read_settings
from stability.spec.study import CONFIGURATION, VARIANT

Floats = NDArray[np.float64]

MOST_NAMED = 8
"""Levels that a line lists."""
MOST_DIFFERING = 2
"""Values by which a run is told from the setting."""
RATES = (("lr", "lr_ratio"), ("lr_g", "lr_d"))
"""A study draws from one of these pairs; a setting may name the other."""


@dataclass(frozen=True, slots=True)
class Setting:
    """The values that were asked about, and the part that each of its parameters plays in the study."""

    spec: StudySpec
    values: dict[str, Any]
    axes: tuple[str, ...]
    """Drawn from ranges."""
    drawn: tuple[str, ...]
    """Factors of which each point drew a level."""

    @property
    def picks(self) -> tuple[str, ...]:
        """All others, crossed, named or fixed: they pick the runs."""
        return tuple(name for name in self.values if name not in (*self.axes, *self.drawn))

    @property
    def taken(self) -> tuple[str, ...]:
        """The axes that the picked variant sets itself."""
        return tuple(name for name in self.axes if self.values.get(VARIANT) in self.spec.setting(name))

    @property
    def scales(self) -> tuple[Scale, ...]:
        """The ranges of the axes."""
        return tuple(scale_of(self.spec, name) for name in self.axes)

    def place(self, **changed: Any) -> pd.DataFrame:
        """The setting, or a change of it, as one row of axes and drawn factors."""
        own = {name: self.values[name] for name in (*self.axes, *self.drawn)} | changed
        return pd.DataFrame([own], index=[0])

    def inputs(self, runs: pd.DataFrame) -> Floats:
        """Axes in the unit cube, then factors as 0 and 1 `[runs, columns]`."""
        return np.hstack([unit_cube(runs, self.scales), one_hot(runs, self.drawn)[0]])

    def picked(self, runs: pd.DataFrame) -> pd.DataFrame:
        """The runs at the levels that pick, as far as they have a value on every axis."""
        differing = self._differing(runs, self.picks).any(axis=1)
        placed = np.isfinite(unit_cube(runs, self.scales)).all(axis=1)
        return runs.iloc[np.flatnonzero(placed & ~differing)]

    def own(self, runs: pd.DataFrame) -> dict[str, Any]:
        """The levels that pick some runs from others."""
        differing = self._differing(runs, self.picks)
        return {name: self.values[name] for at, name in enumerate(self.picks) if differing[:, at].any()}

    def coarser(self, runs: pd.DataFrame) -> Setting:
        """Its levels alone, all of which pick."""
        levels = self.own(runs) | {name: self.values[name] for name in self.drawn}
        return replace(self, values=levels, axes=(), drawn=())

    def nearest(self, runs: pd.DataFrame, count: int) -> pd.DataFrame:
        """All runs of the nearest points, those as near as the last of them too, with their `distance`.

        1 is the whole range of one axis, or another level. A level that was not set makes no distance: of a
        point all its levels count. One that was set makes a point of its own at each distance.
        """
        distance = np.linalg.norm(self._away(runs), axis=1)
        ordered = runs.assign(distance=distance).sort_values("distance", kind="stable")
        points = ordered[["point", "distance"]].drop_duplicates()
        last = points["distance"].iloc[:count].max()
        return ordered.iloc[np.flatnonzero(ordered["distance"] <= last)]

    def apart(self, runs: pd.DataFrame, averaged: Sequence[str]) -> list[str]:
        """By which values each run differs: of the set ones the farthest first, then averaged ones."""
        names = (*self.axes, *self.drawn, *self.picks)
        wanted = {name: _short(self.values[name]) for name in names}
        told = []
        for row, away in zip(runs[[*names, *averaged]].to_dict("records"), self._away(runs), strict=True):
            values = {name: _short(value) for name, value in row.items()}
            order = [names[at] for at in np.argsort(-away, kind="stable")]
            differing = [name for name in order if values[name] != wanted[name]]
            some = [*differing, *averaged][:MOST_DIFFERING]
            told.append(", ".join(f"{name} {values[name]}" for name in some))
        return told

    def outside(self, runs: pd.DataFrame) -> str:
        """What of it was not trained, in one line, or empty."""
        found = [self._beyond(name, runs) for name in self.values] if len(runs) else []
        if not any(found) and len(runs) and self.picked(runs).empty:
            found = [" together with ".join(self._said(name) for name in self.picks)]
        said = "; ".join(words for words in found if words)
        return f"outside of what this study trained: {said}" if said else ""

    def _beyond(self, name: str, runs: pd.DataFrame) -> str:
        if name in self.axes:
            scale = scale_of(self.spec, name)
            inside = scale.low <= self.values[name] <= scale.high
            return "" if inside else f"{self._said(name)} (drawn from {scale.low:g} to {scale.high:g})"
        trained = list(dict.fromkeys(level_text(level) for level in runs[name]))
        said = ", ".join(trained[:MOST_NAMED]) + (", ..." if len(trained) > MOST_NAMED else "")
        if level_text(self.values[name]) in trained:
            return ""
        if name == "architecture" and self.values[name] in architectures():
            said += f"; without RESULTS an atlas of {self.values[name]} answers"
        return f"{self._said(name)} (trained: {said})"

    def _away(self, runs: pd.DataFrame) -> Floats:
        """How far a run is from the setting along each of axes, drawn factors and picks."""
        along = unit_cube(runs, self.scales) - unit_cube(self.place(), self.scales)
        return np.hstack([np.abs(along), self._differing(runs, (*self.drawn, *self.picks))])

    def _said(self, name: str) -> str:
        return f"{name} {level_text(self.values[name])}"

    def _differing(self, runs: pd.DataFrame, names: tuple[str, ...]) -> NDArray[np.bool_]:
        """Whether a run is at another level `[runs, names]`."""
        wanted = {name: level_text(self.values[name]) for name in names}
        columns = [[level_text(level) != wanted[name] for level in runs[name]] for name in names]
        return np.array(columns, dtype=np.bool_).reshape(len(names), len(runs)).T


def read_setting(values: Mapping[str, Any], spec: StudySpec, runs: pd.DataFrame) -> Setting:
    """Check the values, which are named as in a study file; also `variant` and `configuration`.

    Raises `StabilityError` for a parameter that there is not, or a value that it cannot have.
    """
    if not values:
        raise StabilityError("a setting has at least one parameter, such as loss=hinge")
    if "dataset" in values:
        raise StabilityError(f"dataset: is of a whole study, no parameter; this study is of {spec.dataset}")
    named = {
        name: values[name] for name in (VARIANT, CONFIGURATION) if name in values and name in spec.factors
    }
    problems: Problems = []
    known = read_settings({name: values[name] for name in values if name not in named}, (), problems)
    if problems:
        raise StabilityError(f"{dotted(problems[0].path)}: {problems[0].message}")
    for name, level in named.items():
        if level not in levels(spec, name):
            raise StabilityError(f"{name}: {unknown(name, str(level), levels(spec, name))}")
    read = named | _with_drawn_rates(known, spec)
    axes = tuple(name for name in numeric(spec, runs) if name in read)
    drawn = tuple(name for name in drawn_factors(spec, runs) if name in read)
    texts = {name: level_text(read[name]) for name in drawn}
    asked = Setting(spec, read | texts, axes, drawn)
    if taken := asked.taken:
        raise StabilityError(f"{taken[0]}: the variant {read[VARIANT]} sets it itself; ask without it")
    return asked


def drawn_factors(spec: StudySpec, runs: pd.DataFrame) -> tuple[str, ...]:
    """The factors of which each point drew a level; the others pick runs."""
    picking = (*crossed_factors(spec), CONFIGURATION)
    return tuple(name for name in categorical(spec, runs) if name not in picking)


def _with_drawn_rates(values: dict[str, Any], spec: StudySpec) -> dict[str, Any]:
    """Both learning rates as the pair that the study draws from."""
    for drawn, other in (RATES, RATES[::-1]):
        given = [name for name in other if name in values]
        if not given or not spec.space.keys() & set(drawn):
            continue
        if len(given) < 2 or values.keys() & set(drawn):
            words = f"give {' and '.join(drawn)}, or {' and '.join(other)}"
            raise StabilityError(f"{given[0]}: this study draws {' or '.join(drawn)}; {words}")
        rates = Config(**{name: values[name] for name in other}).rates
        rest = {name: value for name, value in values.items() if name not in other}
        return rest | {name: rates[name] for name in drawn}
    return values


def _short(value: Any) -> str:
    """A value in a line: numbers with three digits."""
    return number(value) if isinstance(value, float) and np.isfinite(value) else level_text(value)
