"""Every run over two parameters. Draws points that were laid out before; computes nothing."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, NullLocator
from matplotlib.transforms import ScaledTranslation
from numpy.typing import NDArray

from stability.page_kit.figure_layout import (
    TICKS,
    WIDEST,
    axis_label,
    decades,
    margins,
    outcome_handle,
    short,
)
from stability.page_kit.intervals import name_across
from stability.page_kit.palette import INK, LOOKS, MUTED
from stability.page_kit.svg import page_style
from stability.reading.map_axes import MapAxes

DENSE = 1500
"""From this many runs on, a map's markers become a picture instead of shapes."""

RUNS = "runs"
"""What the names of groups of markers begin with in SVG: the page can hide them."""

MOST_COLUMNS = 6
"""A map with more columns of panels than this goes on in a new line."""


def scatter_map(
    points: pd.DataFrame, axes: MapAxes, columns: Sequence[str], rows: Sequence[str], outcomes: Sequence[str]
) -> Figure:
    """Every run over two parameters, coloured and shaped by outcome; `points` as `map_points` gives them.

    One panel for every row and column; the columns of a row go on in a new line where they are many.
    """
    lines = math.ceil(len(columns) / MOST_COLUMNS)
    shape = (len(rows) * lines, math.ceil(len(columns) / lines))
    with page_style():
        figure = Figure()
        panels = figure.subplots(*shape, sharex=True, sharey=True, squeeze=False)
        for i, row in enumerate(rows):
            of_row = panels[i * lines : (i + 1) * lines]
            _name_row(of_row[:, 0], row, above_titles=any(columns))
            _hide_unused(of_row, len(columns))
            for panel, column in zip(of_row.ravel(), columns, strict=False):
                here = points[(points["row"] == row) & (points["column"] == column)]
                _markers(panel, here, rasterized=len(points) > DENSE)
                panel.set_title(short(column))
        _map_scales(panels[0, 0], points, axes)
        _lay_out_map(figure, shape, outcomes, gap=_gap(rows, columns))
        name_across(figure, axis_label(axes.x, log=axes.x_log))
        figure.supylabel(axis_label(axes.y, log=axes.y_log), fontsize=8, color=MUTED, x=0, ha="left")
    return figure


def _markers(panel: Axes, points: pd.DataFrame, *, rasterized: bool) -> None:
    """Runs at the same spot stand side by side: the n-th one is moved along a spiral, in points."""
    scale = panel.figure.dpi_scale_trans
    for place in sorted(points["place"].unique().tolist()):
        angle, radius = 2.4 * place, 3.1 * math.sqrt(place) / 72
        shift = ScaledTranslation(radius * math.cos(angle), radius * math.sin(angle), scale)
        sns.scatterplot(
            points[points["place"] == place],
            x="x",
            y="y",
            hue="outcome",
            style="outcome",
            hue_order=list(LOOKS),
            style_order=list(LOOKS),
            palette={outcome: look.colour for outcome, look in LOOKS.items()},
            markers={outcome: look.marker for outcome, look in LOOKS.items()},
            s=20,
            edgecolor=INK,
            linewidth=0.35,
            alpha=0.92,
            transform=panel.transData + shift,
            rasterized=rasterized,
            zorder=3,
            legend=False,
            ax=panel,
        )
    for place, markers in enumerate(panel.collections):
        markers.set_gid(f"{RUNS}-{id_of(panel)}-{place}")
    panel.set(xlabel="", ylabel="")


def id_of(panel: Axes) -> int:
    """A panel's number in its figure."""
    return panel.figure.axes.index(panel)


def _name_row(panels: NDArray[np.object_], row: str, *, above_titles: bool) -> None:
    """A row's levels in one line, above its first panel and that one's title."""
    for panel in panels:
        panel.annotate(
            row.replace("\n", ", "),
            (0, 1),
            (0, 18 if above_titles else 4),
            "axes fraction",
            "offset points",
            fontsize=8.5,
            fontweight="bold",
            color=INK,
        )


def _hide_unused(panels: NDArray[np.object_], n_used: int) -> None:
    """Hide what is left of a row's last line; panels above the hidden ones get the numbers of their axis."""
    for place, panel in enumerate(panels.ravel()):
        panel.set_visible(place < n_used)
        if place < n_used <= place + panels.shape[1] < panels.size:
            panel.tick_params(labelbottom=True)


def _gap(rows: Sequence[str], columns: Sequence[str]) -> float:
    """Inches between two lines of panels: room for titles and for the name of a row."""
    return 0.14 + 0.16 * any(columns) + 0.22 * any(rows)


def _lay_out_map(figure: Figure, shape: tuple[int, int], outcomes: Sequence[str], *, gap: float) -> None:
    """The figure's size, its legend and its margins."""
    width = min(3.4 * shape[1] + 0.9, WIDEST) if shape[1] > 1 else 6.5
    per_line = len(outcomes) if width > 8 else 4
    above = 0.2 * math.ceil(len(outcomes) / per_line) + gap
    panel = 1.7 if shape[1] > 1 else 3.2
    figure.set_size_inches(width, shape[0] * panel + (shape[0] - 1) * gap + above + 0.5)
    handles = [outcome_handle(outcome) for outcome in outcomes]
    figure.legend(handles=handles, loc="upper left", ncols=per_line, handletextpad=0.1, borderpad=0)
    margins(figure, (0.65, 0.1, above, 0.5), (0.12, gap), shape)


def _map_scales(panel: Axes, points: pd.DataFrame, axes: MapAxes) -> None:
    """Scales and limits of the shared axes, with a margin for markers at the edge."""
    for name, log in (("x", axes.x_log), ("y", axes.y_log)):
        values = points[name][np.isfinite(points[name])]
        low, high = (values.min(), values.max()) if len(values) else (0.1, 1.0)
        if log:
            margin = (high / low) ** 0.07 if high > low else 2.0
            panel.set(**{f"{name}scale": "log", f"{name}lim": (low / margin, high * margin)})
        else:
            margin = 0.07 * (high - low) if high > low else 0.5
            panel.set(**{f"{name}lim": (low - margin, high + margin)})
        axis = panel.xaxis if name == "x" else panel.yaxis
        axis.set_major_locator(
            decades(low, high) if log else MaxNLocator(4, integer=axes.y == "replicate" and name == "y")
        )
        axis.set_major_formatter(TICKS)
        axis.set_minor_locator(NullLocator())
