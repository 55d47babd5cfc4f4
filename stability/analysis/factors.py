"""Which parameters a study varied, and their levels as text. Imports only spec and pandas."""

from __future__ import annotations

import math
from collections.abc import Container
from typing import Any, Literal

import pandas as pd

from stability.spec import Choice, Range, StudySpec


def categorical(spec: StudySpec, columns: Container[str]) -> tuple[str, ...]:
    """The parameters with a list of at least two levels: the loss first, then crossed ones, then others.

    Only those that are among the columns (of a frame of runs, or the study's own names).
    """
    lists = [
        name
        for name, domain in spec.space.items()
        if isinstance(domain, Choice) and len(domain.values) > 1 and name in columns
    ]
    crossed = crossed_factors(spec)
    return tuple(sorted(lists, key=lambda name: (name != "loss", name not in crossed)))


def numeric(spec: StudySpec, runs: pd.DataFrame) -> tuple[str, ...]:
    """The parameters that were drawn from a range, in the study file's order."""
    return tuple(name for name, domain in spec.space.items() if isinstance(domain, Range) and name in runs)


def crossed_factors(spec: StudySpec) -> tuple[str, ...]:
    """The factors of which every point trains all levels; the loss by default, where it is a list."""
    return spec.crossed


Unit = Literal["point", "seed"]


def unit_of(spec: StudySpec) -> Unit:
    """What intervals and tests count as independent: points, or the seeds of the one point there is."""
    design = spec.design
    return "seed" if design.points == 1 and design.seeds > 1 and design.sampler != "tpe" else "point"


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
    domain = spec.space[factor]
    return tuple(level_text(level) for level in domain.values) if isinstance(domain, Choice) else ()
