"""Where over two parameters runs succeed: a map of the probability with its bounds. Frames in, frames out.

One Gaussian process classifier for each level of the panels' column and of every crossed factor. Points
that drew their own level of a factor share a fit, the factor being one of its inputs. Everything else that
varied is averaged over. One run of each point enters a fit, as `fit_rows` says.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.spatial.distance import cdist
from sklearn.gaussian_process import GaussianProcessClassifier

from stability.reading.factors import categorical, crossed_factors, numeric, with_text_levels
from stability.reading.map_axes import MapAxes, map_points
from stability.reading.ordering import in_design_order
from stability.reading.unit_cube import Scale, one_hot, scale_of
from stability.spec import StudySpec
from stability.statistics.fit_rows import (
    FEWEST_POINTS,
    FOLDS,
    HELD_OUT_COLUMNS,
    MOST_POINTS,
    FitRows,
    fit_rows,
    held_out,
)
from stability.statistics.gaussian_process import (
    fit_process,
    fitted_kernel,
    probability_bounds,
    smooth_kernel,
)
from stability.statistics.held_out import brier_scores, reliability
from stability.statistics.rates import COLUMNS, SUCCESS, designed, none_designed, rate

CELL_COLUMNS = ("column", "row", "x", "y", "probability", "ci_low", "ci_high", "supported", "safe")

NO_MAP = "not estimable: a map needs two parameters that were drawn from ranges"


@dataclass(frozen=True, slots=True)
class MapRules:
    """What a map calls safe, and what it needs."""

    probability: float = 0.5
    """A safe setting succeeds at least this often ..."""
    confidence: float = 0.95
    """... with this confidence, one-sided, cell by cell."""
    most_points: int = MOST_POINTS
    """Of more points in a fit, so many are drawn at random."""
    fewest_points: int = FEWEST_POINTS
    neighbours: int = 3
    """A cell is supported where so many points of its panel ..."""
    near: float = 0.2
    """... lie within this distance of it, both axes running from 0 to 1."""
    cells: int = 40
    """Cells along either axis."""
    folds: int = FOLDS


DEFAULT_RULES = MapRules()


@dataclass(frozen=True, slots=True, eq=False)
class StabilityMap:
    """The probability of success over two parameters, in panels as `map_points` names them."""

    axes: MapAxes | None
    rules: MapRules
    averaged: tuple[str, ...]
    """Parameters that varied, too, and stand on no axis and in no panel."""
    panels: pd.DataFrame
    """One row a panel: `column, row`, the rate of success in all of it (`rate`'s columns), `map_reason`
    (empty, or why it has no map), `fit_points`, `safe_share` and `supported_share` of its cells."""
    grid: pd.DataFrame
    """One row a cell of a panel with a map: `column, row, x, y` (own units), `probability, ci_low, ci_high`
    (each end a one-sided bound at the rules' confidence), `supported`, `safe`."""
    calibration: pd.DataFrame
    """Out of fold, over all fits: `bin_low, bin_high, predicted` and `rate`'s columns for success."""
    brier: pd.DataFrame
    """Out of fold: `score` (map, overall rate, difference) and `rate`'s columns; lower is better."""
    n_left_out: int
    """Runs without a value on an axis."""
    reason: str
    """Why there is no map at all, or empty."""


def stability_map(
    runs: pd.DataFrame,
    spec: StudySpec,
    axes: MapAxes | None,
    *,
    rng: np.random.Generator,
    rules: MapRules = DEFAULT_RULES,
) -> StabilityMap:
    """Estimate the map over `axes` (as `map_axes` picks them); adaptive runs never enter.

    `runs` as `StudyFrames` has them, in any order. The probability is averaged over what the axes and panels
    do not show.
    """
    fixed = in_design_order(designed(runs), spec)
    if axes is None or not {axes.x, axes.y} <= set(numeric(spec, runs)):
        return _nothing(axes, rules, NO_MAP)
    if fixed.empty:
        return _nothing(axes, rules, none_designed(runs))
    scales = (scale_of(spec, axes.x), scale_of(spec, axes.y))
    laid = _laid_out(fixed, spec, axes)
    placed = laid[np.isfinite(laid[["u", "v"]]).all(axis=1)]
    if placed.empty:
        return _nothing(axes, rules, "not estimable: no run has a value on both axes")
    fits = [
        _map_group(_group(pd.DataFrame(alike), axes, spec, rules, rng), scales, rules, rng)
        for _, alike in placed.groupby(_fit_keys(spec, axes), sort=False)
    ]
    panels, grids, unseen = (_joined(parts) for parts in zip(*fits, strict=True))
    shown = {axes.x, axes.y, axes.column, *axes.rows}
    varied = (*categorical(spec, runs), *numeric(spec, runs))
    return StabilityMap(
        axes,
        rules,
        tuple(name for name in varied if name not in shown),
        panels,
        grids,
        reliability(unseen),
        brier_scores(unseen, rng=rng),
        len(laid) - len(placed),
        "",
    )


def _laid_out(fixed: pd.DataFrame, spec: StudySpec, axes: MapAxes) -> pd.DataFrame:
    """Add the panel, `map_column` and `map_row`, and the place in the unit square, `u` and `v`."""
    factors = tuple(name for name in (axes.column, *axes.rows) if name is not None)
    texts = with_text_levels(fixed, factors).reset_index(drop=True)
    panels = map_points(texts, axes)[["column", "row"]].add_prefix("map_")
    u, v = (scale_of(spec, name).to_unit(texts[name].astype(float)) for name in (axes.x, axes.y))
    return pd.concat([texts, panels], axis=1).assign(u=u, v=v)


def _fit_keys(spec: StudySpec, axes: MapAxes) -> list[str]:
    """The columns whose every combination of values has a fit of its own."""
    return ["map_column", *(name for name in axes.rows if name in crossed_factors(spec))]


def _group(
    runs: pd.DataFrame, axes: MapAxes, spec: StudySpec, rules: MapRules, rng: np.random.Generator
) -> FitRows:
    drawn = tuple(name for name in axes.rows if name not in crossed_factors(spec))
    columns, _ = one_hot(runs, drawn)
    inputs = np.column_stack([runs[["u", "v"]].to_numpy(dtype=np.float64), columns])
    return fit_rows(runs, inputs, rules.most_points, rng)


def _map_group(
    group: FitRows, scales: tuple[Scale, Scale], rules: MapRules, rng: np.random.Generator
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """One fit: its panels, its cells and its held-out predictions."""
    reason = _why_not(group, rules)
    panels = _panels(group, reason)
    if reason:
        unknown = panels.assign(safe_share=np.nan, supported_share=np.nan)
        return unknown, pd.DataFrame(columns=CELL_COLUMNS), pd.DataFrame(columns=HELD_OUT_COLUMNS)
    kernel = smooth_kernel(2, group.inputs.shape[1] - 2)
    process = fit_process(group.inputs[group.used], group.success[group.used], kernel)
    names = panels[["column", "row"]].itertuples(index=False)
    cells = pd.concat([_cells(process, group, name, scales, rules) for name in names], ignore_index=True)
    shares = cells.groupby(["column", "row"], sort=False)[["safe", "supported"]].mean().add_suffix("_share")
    joined = panels.join(shares, on=["column", "row"])
    return joined, cells, held_out(group, fitted_kernel(process), rules.folds, rng)


def _why_not(group: FitRows, rules: MapRules) -> str:
    n_points, seen = len(group.used), group.success[group.used]
    if n_points < rules.fewest_points:
        few = "1 point is" if n_points == 1 else f"{n_points} points are"
        return f"not estimable: {few} too few for a map, which takes {rules.fewest_points}"
    if seen.all() or not seen.any():
        alike = group.success.all() or not group.success.any()
        which = f"{len(group.runs)} runs" if alike else f"{n_points} runs of the fit, one a point,"
        return f"not estimable: {'all' if seen.all() else 'none of'} {which} succeeded"
    return ""


def _panels(group: FitRows, reason: str) -> pd.DataFrame:
    rows = [
        rate(panel, SUCCESS).assign(column=str(column), row=str(row))
        for (column, row), panel in group.runs.groupby(["map_column", "map_row"], sort=False)
    ]
    rates = pd.concat(rows, ignore_index=True)[["column", "row", *COLUMNS]]
    return rates.assign(map_reason=reason, fit_points=len(group.used))


def _cells(
    process: GaussianProcessClassifier,
    group: FitRows,
    name: tuple[str, str],
    scales: tuple[Scale, Scale],
    rules: MapRules,
) -> pd.DataFrame:
    """The map of one panel: the middles of its cells, with their estimates."""
    column, row = name
    middles = (np.arange(rules.cells) + 0.5) / rules.cells
    square = np.stack(np.meshgrid(middles, middles), axis=-1).reshape(-1, 2)
    inside = np.flatnonzero(group.runs["map_row"] == row)
    levels = np.tile(group.inputs[inside[0], 2:], (len(square), 1))
    probability, low, high = probability_bounds(process, np.hstack([square, levels]), rules.confidence)
    supported = _supported(square, group.inputs[np.intersect1d(inside, group.used), :2], rules)
    return pd.DataFrame(
        {
            "column": column,
            "row": row,
            "x": scales[0].from_unit(square[:, 0]),
            "y": scales[1].from_unit(square[:, 1]),
            "probability": probability,
            "ci_low": low,
            "ci_high": high,
            "supported": supported,
            "safe": supported & (low >= rules.probability),
        },
        columns=CELL_COLUMNS,
    )


def _supported(
    square: NDArray[np.float64], points: NDArray[np.float64], rules: MapRules
) -> NDArray[np.bool_]:
    """Whether enough of the points lie near each place."""
    near: NDArray[np.bool_] = (cdist(square, points) <= rules.near).sum(axis=1) >= rules.neighbours
    return near


def _joined(parts: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """One below the other; those without rows are left out, since they would blur the columns' types."""
    filled = [part for part in parts if len(part)]
    return pd.concat(filled, ignore_index=True) if filled else parts[0]


def _nothing(axes: MapAxes | None, rules: MapRules, reason: str) -> StabilityMap:
    panels = ["column", "row", *COLUMNS, "map_reason", "fit_points", "safe_share", "supported_share"]
    nothing = pd.DataFrame(columns=HELD_OUT_COLUMNS)
    return StabilityMap(
        axes,
        rules,
        (),
        pd.DataFrame(columns=panels),
        pd.DataFrame(columns=CELL_COLUMNS),
        reliability(nothing),
        brier_scores(nothing, rng=np.random.default_rng(0)),
        0,
        reason,
    )
