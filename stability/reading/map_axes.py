"""Runs laid out over two parameters, in panels, ready to be drawn. Frame in, frame out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from stability.reading.factors import categorical, crossed_factors, is_log, numeric
from stability.spec import StudySpec


@dataclass(frozen=True, slots=True)
class MapAxes:
    """What a map shows where."""

    x: str
    y: str
    x_log: bool
    y_log: bool
    column: str | None
    """The factor with a column of panels for each level."""
    rows: tuple[str, ...]
    """The factors with a row of panels for each combination of levels."""


USUAL = ("lr_ratio", "beta1")
"""The parameters of maps, where nothing tells which matter most."""


def map_axes(spec: StudySpec, runs: pd.DataFrame, over: Sequence[str] = ()) -> MapAxes | None:
    """Two parameters against each other, by loss and by batchnorm and architecture, as far as sampled.

    The first of `over` and then of USUAL that were drawn from a range, or the first ones that were; with one,
    the seed's number stands on the other axis; with none there is no map.
    """
    drawn = numeric(spec, runs)
    wanted = [name for name in dict.fromkeys((*over, *USUAL)) if name in drawn]
    names = [*wanted, *(name for name in drawn if name not in wanted)][:2]
    if not names:
        return None
    x, y = (names[0], names[1]) if len(names) == 2 else (names[0], "replicate")
    factors = categorical(spec, runs)
    column = "loss" if "loss" in factors else next(iter(factors), None)
    shown = {"batchnorm", "architecture", *crossed_factors(spec)} - {column}
    rows = tuple(name for name in factors if name in shown)[:2]
    return MapAxes(x, y, is_log(spec, x), is_log(spec, y), column, rows)


def map_points(runs: pd.DataFrame, axes: MapAxes) -> pd.DataFrame:
    """One row a run: `x, y, column, row` (as text), `outcome`, and its place among runs at the same spot.

    The seeds of a point share their parameters; `place` (0, 1, ...) of `crowd` lets them stand side by side.
    """
    row = [
        "\n".join(f"{name} {level}" for name, level in zip(axes.rows, levels, strict=True))
        for levels in runs[list(axes.rows)].to_numpy(dtype=object)
    ]
    points = pd.DataFrame(
        {
            "run": runs["run"],
            "x": runs[axes.x].astype(float),
            "y": runs[axes.y].astype(float),
            "column": runs[axes.column] if axes.column is not None else "",
            "row": row,
            "outcome": runs["outcome"],
        }
    )
    spots = points.groupby(["x", "y", "column", "row"], sort=False, dropna=False)["run"]
    return points.assign(place=spots.cumcount(), crowd=spots.transform("size"))
