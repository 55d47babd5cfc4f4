"""Points x levels of the crossed factors x seeds -> the list of runs."""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping, Sequence
from typing import Any

from stability.design.seeds import run_seed
from stability.spec.config import Run
from stability.spec.expand import make_config
from stability.spec.study import CONFIGURATION, Choice, StudySpec


def plan_runs(
    spec: StudySpec, points: Sequence[Mapping[str, Any]], *, first_point: int = 0, adaptive: bool = False
) -> list[Run]:
    """Every run of the points, in the order point, level, seed; `first_point` numbers the first of them."""
    levels = crossed_levels(spec)
    return [
        _run(spec, number, {**point, **level}, replicate, adaptive=adaptive)
        for number, point in enumerate(points, first_point)
        for level in levels
        for replicate in range(spec.design.seeds)
    ]


def crossed_levels(spec: StudySpec) -> list[dict[str, Any]]:
    """Every combination of the crossed factors' levels, one without keys where nothing is crossed."""
    factors = {name: spec.factors[name] for name in spec.crossed}
    values = [factor.values for factor in factors.values() if isinstance(factor, Choice)]
    return [dict(zip(factors, combination, strict=True)) for combination in itertools.product(*values)]


def _run(spec: StudySpec, point: int, levels: dict[str, Any], replicate: int, *, adaptive: bool) -> Run:
    named = [levels[name] for name in (CONFIGURATION, *spec.crossed) if name in levels]
    trial = "-".join([f"p{point:03d}", *map(_slug, named)])
    return Run(
        run=f"{trial}-s{replicate}",
        point=point,
        trial=trial,
        replicate=replicate,
        seed=run_seed(spec.design.seed, point, replicate),
        config=make_config(spec.values_at(levels)),
        levels=levels,
        adaptive=adaptive,
    )


def _slug(value: Any) -> str:
    """A level as part of a file's name: lower case letters, digits, dots, hyphens and underscores."""
    text = "none" if value is None else str(value).lower().replace(":", ".")
    return re.sub(r"[^a-z0-9._-]", "", text)
