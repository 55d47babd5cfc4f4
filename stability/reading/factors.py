"""Which parameters a study varied, and their levels as text. Imports only spec and pandas."""

from __future__ import annotations

import math
from collections.abc import Container
from typing import Any, Literal

import pandas as pd

from stability.spec import Choice, Range, StudySpec
from stability.spec.study import CONFIGURATION, VARIANT


def categorical(spec: StudySpec, columns: Container[str]) -> tuple[str, ...]:
    """The factors with a list of at least two levels: named ones first, then the loss, crossed ones, others.

    Only those that are among the columns (of a frame of runs, or the study's own names).
    Without parameters that a variant sets: its runs are not at the level that was drawn.
    """
    lists = [
        name
        for name, domain in spec.factors.items()
        if isinstance(domain, Choice) and len(domain.values) > 1 and name in columns
    ]
    first, crossed = (VARIANT, CONFIGURATION, "loss"), crossed_factors(spec)
    kept = [name for name in lists if name not in spec.overridden]
    return tuple(
        sorted(kept, key=lambda name: (first.index(name) if name in first else 3, name not in crossed))
    )


def numeric(spec: StudySpec, runs: pd.DataFrame) -> tuple[str, ...]:
    """The parameters that were drawn from a range, in the study file's order; none that most variants set."""
    return tuple(
        name
        for name, domain in spec.space.items()
        if isinstance(domain, Range) and name in runs and 2 * len(spec.setting(name)) <= len(spec.variants)
    )


def as_drawn(spec: StudySpec, runs: pd.DataFrame) -> pd.DataFrame:
    """The same runs without the values of a range that a variant sets: its runs had no part in the draw."""
    own = {name: runs[VARIANT].isin(spec.setting(name)) for name in numeric(spec, runs) if spec.setting(name)}
    return runs.assign(**{name: runs[name].astype(float).mask(set_there) for name, set_there in own.items()})


def crossed_factors(spec: StudySpec) -> tuple[str, ...]:
    """The factors of which every point trains all levels; the loss by default, where it is a list."""
    return spec.crossed


Unit = Literal["point", "seed"]


def unit_of(spec: StudySpec) -> Unit:
    """What intervals and tests count as independent: points, or seeds where no setting was drawn.

    That is so of a single point, of points among which nothing varies, and of configurations with more seeds
    than one.
    """
    seeds = spec.design.seeds
    if spec.observed or spec.design.sampler == "tpe":
        return "point"
    if spec.configs:
        return "seed" if seeds > 1 else "point"
    return "seed" if (spec.n_points == 1 or not spec.sampled) and spec.n_points * seeds > 1 else "point"


def is_log(spec: StudySpec, name: str) -> bool:
    """Whether a parameter was drawn on a logarithmic scale."""
    domain = spec.space.get(name)
    return isinstance(domain, Range) and domain.log


def level_text(level: Any) -> str:
    """A level as the study file would show it: `none` for null, lower-case booleans, short numbers."""
    if level is None or level is pd.NA or (isinstance(level, float) and math.isnan(level)):
        return "none"
    if isinstance(level, bool):
        return str(level).lower()
    if isinstance(level, float) and not level.is_integer():
        return f"{level:g}"
    return str(int(level)) if isinstance(level, float) else str(level)


def with_text_levels(runs: pd.DataFrame, factors: tuple[str, ...]) -> pd.DataFrame:
    """The same runs with the levels of these factors as text, so that they group, sort and print alike."""
    return runs.assign(**{name: [level_text(level) for level in runs[name]] for name in factors})


def levels(spec: StudySpec, factor: str) -> tuple[str, ...]:
    """A factor's levels as text, in the study file's order."""
    domain = spec.factors[factor]
    return tuple(level_text(level) for level in domain.values) if isinstance(domain, Choice) else ()


def baseline(spec: StudySpec, factor: str) -> str | None:
    """The level that a factor's others are compared with; None where each is compared with each."""
    return next(iter(spec.variants), None) if factor == VARIANT else None
