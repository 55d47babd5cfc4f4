"""Maps of the probability of success, and how far they can be trusted. Draws finished estimates."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FixedLocator
from numpy.typing import NDArray

from stability.page_kit.figure_layout import SHARE_TICKS, WIDEST, margins
from stability.page_kit.intervals import curve, share_scale
from stability.page_kit.palette import INK, LEVEL_LOOKS, MUTED
from stability.page_kit.svg import page_style
from stability.page_kit.words import share
from stability.questions.stable_region.estimate import StabilityMap
from stability.questions.stable_region.runs_figure import MOST_COLUMNS, scatter_map

COLOURS, STRENGTH = "cividis", 0.85
"""Even in lightness, also for colour-blind eyes; a little pale, so that lines and markers stand out on it."""
LINES = "#000000"
"""Of contours: in the page's dark theme, too, for the surface stays as it is."""

EVEN_ODDS, SAFE = (0, (3, 2)), "-"
"""Line styles of the two contours."""

SCALE_WIDTH, KEY_HEIGHT = 0.62, 0.24
"""Inches: the colour bar beside the panels, the key of lines below them."""


def probability_map(
    found: StabilityMap,
    points: pd.DataFrame,
    columns: Sequence[str],
    rows: Sequence[str],
    outcomes: Sequence[str],
) -> Figure:
    """The map under the runs: a panel for every row and column; `points` as `map_points` gives them."""
    assert found.axes is not None
    figure = scatter_map(points, found.axes, columns, rows, outcomes)
    panels = [panel for panel in figure.axes if panel.get_visible()]
    names = [(column, row) for row in rows for column in columns]
    with page_style():
        for panel, (column, row) in zip(panels, names, strict=True):
            here = found.grid[(found.grid["column"] == column) & (found.grid["row"] == row)]
            if len(here):
                _fill(panel, here, found)
            else:
                _say_why(panel, found.panels, column, row)
        _add_keys(figure, found, len(columns), len(rows))
    return figure


def reliability_curve(calibration: pd.DataFrame) -> Figure:
    """How often runs succeeded where about so much was predicted; the diagonal is a perfect prediction."""
    with page_style():
        figure = Figure(figsize=(4.2, 3.4))
        panel = figure.subplots()
        panel.plot([0, 1], [0, 1], color=MUTED, linewidth=0.8, linestyle=(0, (1, 2)))
        curve(panel, calibration["predicted"], calibration, LEVEL_LOOKS[0], line=MUTED)
        for row in calibration.itertuples():
            panel.annotate(
                f"{row.n_runs}",
                (row.predicted, row.estimate),
                (6, -9),
                textcoords="offset points",
                color=MUTED,
            )
        share_scale(panel)
        panel.set_ylim(panel.get_xlim())
        panel.yaxis.set_major_locator(FixedLocator([0, 0.25, 0.5, 0.75, 1]))
        panel.yaxis.set_major_formatter(SHARE_TICKS)
        panel.set(xlabel="predicted probability of success", ylabel="share that succeeded, 95% interval")
        margins(figure, (0.6, 0.1, 0.1, 0.5), (0, 0), (1, 1))
    return figure


def _fill(panel: Axes, cells: pd.DataFrame, found: StabilityMap) -> None:
    """Probability as colour, its two contours, and hatches where too few points are near."""
    x, y, values = _square(cells, ("probability", "ci_low", "supported"))
    limits = panel.get_xlim(), panel.get_ylim()
    panel.grid(visible=False)
    panel.pcolormesh(
        x,
        y,
        values["probability"],
        shading="nearest",
        cmap=COLOURS,
        alpha=STRENGTH,
        vmin=0,
        vmax=1,
        rasterized=True,
        zorder=0.5,
        linewidth=0,
    )
    supported = values["supported"] > 0
    if not supported.all():
        hatched = panel.contourf(
            x, y, ~supported, levels=[0.5, 1.5], hatches=["////"], colors="none", zorder=0.6
        )
        hatched.set(edgecolor=MUTED, linewidth=0)
    _contour(panel, x, y, values["probability"], 0.5, style=EVEN_ODDS, width=1.0)
    lower = np.where(supported, values["ci_low"], 0.0)
    _contour(panel, x, y, lower, found.rules.probability, style=SAFE, width=2.0)
    panel.set(xlim=limits[0], ylim=limits[1])


def _contour(
    panel: Axes,
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    heights: NDArray[np.float64],
    level: float,
    *,
    style: str | tuple[int, tuple[int, int]],
    width: float,
) -> None:
    if heights.min() < level < heights.max():
        panel.contour(x, y, heights, [level], colors=LINES, linestyles=[style], linewidths=width, zorder=2)


def _square(
    cells: pd.DataFrame, names: Sequence[str]
) -> tuple[NDArray[np.float64], NDArray[np.float64], dict[str, NDArray[np.float64]]]:
    """Both axes' middles of cells, and every column as a square, the lowest row first."""
    side = math.isqrt(len(cells))
    x = cells["x"].to_numpy(dtype=np.float64)[:side]
    y = cells["y"].to_numpy(dtype=np.float64)[::side]
    return x, y, {name: cells[name].to_numpy(dtype=np.float64).reshape(side, side) for name in names}


def _say_why(panel: Axes, panels: pd.DataFrame, column: str, row: str) -> None:
    reasons = panels.loc[(panels["column"] == column) & (panels["row"] == row), "map_reason"]
    why = str(reasons.iloc[0]).removeprefix("not estimable: ") if len(reasons) else "no runs"
    text = textwrap.fill(f"no map: {why}", 26)
    panel.text(0.5, 0.5, text, transform=panel.transAxes, ha="center", va="center", fontsize=7.5, color=MUTED)


def _add_keys(figure: Figure, found: StabilityMap, n_columns: int, n_rows: int) -> None:
    """Make room for a colour bar to the right and a key of lines below, and draw them."""
    lines = math.ceil(n_columns / MOST_COLUMNS)
    shape = (n_rows * lines, math.ceil(n_columns / lines))
    _make_room(figure, shape)
    width, height = figure.get_size_inches()
    bar = figure.add_axes(
        ((width - SCALE_WIDTH + 0.06) / width, 0.5 / height + KEY_HEIGHT / height, 0.11 / width, 1.4 / height)
    )
    colours = ScalarMappable(Normalize(0, 1), COLOURS)
    figure.colorbar(colours, cax=bar, alpha=STRENGTH, ticks=[0, 0.25, 0.5, 0.75, 1], format=SHARE_TICKS)
    bar.set_title("p(success)", fontsize=7, color=MUTED, loc="left")
    bar.tick_params(length=2)
    rules = found.rules
    handles = [
        Line2D([], [], color=INK, linestyle=EVEN_ODDS, linewidth=1, label="p = .5"),
        Line2D(
            [],
            [],
            color=INK,
            linewidth=2,
            label=f"p ≥ {share(rules.probability)} with {rules.confidence:.0%} confidence",
        ),
        Patch(facecolor="none", edgecolor=MUTED, hatch="////", linewidth=0, label="too few points near"),
    ]
    figure.legend(handles=handles, loc="lower left", ncols=3, borderpad=0, borderaxespad=0.2)


def _make_room(figure: Figure, shape: tuple[int, int]) -> None:
    """Widen the margins of a figure that is laid out, to the right and below; its panels stay as they are."""
    (width, height), place = figure.get_size_inches(), figure.subplotpars
    left, right = place.left * width, (1 - place.right) * width + SCALE_WIDTH
    top, bottom = (1 - place.top) * height, place.bottom * height + KEY_HEIGHT
    panel_width = (place.right - place.left) * width / (shape[1] + place.wspace * (shape[1] - 1))
    panel_height = (place.top - place.bottom) * height / (shape[0] + place.hspace * (shape[0] - 1))
    gaps = (place.wspace * panel_width, place.hspace * panel_height)
    figure.set_size_inches(min(width + SCALE_WIDTH, WIDEST), height + KEY_HEIGHT)
    margins(figure, (left, right, top, bottom), gaps, shape)
    for text in figure.texts:
        if text.get_position()[1] == 0:  # the name of the lower axis keeps its distance from the panels
            text.set_y(KEY_HEIGHT / (height + KEY_HEIGHT))
