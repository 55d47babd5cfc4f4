"""The figures. They compute nothing: finished estimates, points and curves in, matplotlib figures out.

Seaborn draws runs and curves into the panels of plain figures, so pyplot holds none of them and no state is
shared. The shares are drawn by matplotlib alone: seaborn's point plots would estimate them anew.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, MaxNLocator, NullLocator
from matplotlib.transforms import ScaledTranslation
from numpy.typing import NDArray

from stability.analysis.maps import MapAxes
from stability.report.palette import DISCRIMINATOR, GENERATOR, INK, LOOKS, MUTED
from stability.report.svg import page_style
from stability.report.words import number, share

DENSE = 1500
"""From this many runs on, a map's markers become a picture instead of shapes."""

MOST_COLUMNS = 6
"""A map with more columns of panels than this goes on in a new line."""

NETWORKS: dict[str, tuple[str, str | tuple[int, int]]] = {
    "G": (GENERATOR, ""),
    "D": (DISCRIMINATOR, (3, 1)),
}
"""Colour and dashes of the two networks' curves."""

LABELS = {
    "lr": "learning rate (geometric mean)",
    "lr_ratio": "lr_ratio = lr_d / lr_g",
    "replicate": "seed (its number)",
}

TICKS = FuncFormatter(lambda value, _: number(float(value)))


@dataclass(frozen=True, slots=True)
class Onset:
    """A moment in a run, as a letter on every panel."""

    letter: str
    step: int


@dataclass(frozen=True, slots=True)
class Bars:
    """The heights at which the outcome rules of a study draw their lines."""

    saturated_separation: float
    saturated_update: float
    stable_modes: float
    stable_fid_ratio: float


def share_panels(rates: pd.DataFrame, factor: str, levels: Sequence[str], events: Sequence[str]) -> Figure:
    """A panel for every outcome: a dot and its interval for every level. `rates` as `rates_by` gives them."""
    columns = min(4, len(events))
    rows = math.ceil(len(events) / columns)
    with page_style():
        figure = Figure(
            figsize=(11.4 if columns > 2 else 7, 0.35 + rows * (0.4 + 0.25 * max(2, len(levels))))
        )
        panels = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False).ravel()
        for panel, event in zip(panels, events, strict=False):
            estimates = rates[rates["event"] == event].set_index(factor).loc[list(levels)]
            _dots(panel, estimates, event)
        panels[0].set_ylim(len(levels) - 0.4, -0.6)
        panels[0].set_xlim(-0.03, 1.03)
        for place, panel in enumerate(panels):
            panel.set_visible(place < len(events))
            below = place + columns < len(events)
            panel.xaxis.set_major_locator(FixedLocator([0, 0.25, 0.5, 0.75, 1]))
            panel.xaxis.set_major_formatter(FuncFormatter(lambda value, _: share(float(value))))
            panel.tick_params(length=0, labelbottom=not below)
        figure.supxlabel("share of runs, 95% interval", fontsize=8, color=MUTED, y=0, va="bottom")
        names = [_short(level) for level in levels]
        panels[0].set_yticks(range(len(levels)), names)
        left = 0.2 + 0.072 * max(map(len, names))
        _margins(figure, (left, 0.15, 0.25, 0.45), (0.2, 0.35), (rows, columns))
    return figure


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
                panel.set_title(_short(column))
        _map_scales(panels[0, 0], points, axes)
        _lay_out_map(figure, shape, outcomes, gap=_gap(rows, columns))
        figure.supxlabel(_axis_label(axes.x, log=axes.x_log), fontsize=8, color=MUTED, y=0, va="bottom")
        figure.supylabel(_axis_label(axes.y, log=axes.y_log), fontsize=8, color=MUTED, x=0, ha="left")
    return figure


def run_curves(
    records: pd.DataFrame, evaluations: pd.DataFrame, onsets: Sequence[Onset], *, bars: Bars, horizon: int
) -> Figure:
    """One run on one time axis: separation, losses, gradient norms, updates, modes and FID ratio by step."""
    with page_style():
        figure = Figure(figsize=(6.7, 5.3))
        panels = figure.subplots(3, 2, sharex=True).ravel()
        _separation(panels[0], records, evaluations, bars)
        _losses(panels[1], records)
        _log_pair(panels[2], records, ("grad_norm_g", "grad_norm_d"), "gradient norms")
        updates = ("generator_update", "discriminator_update")
        _log_pair(panels[3], records, updates, "updates / lr", bars.saturated_update)
        _modes(panels[4], evaluations, bars)
        _fid_ratio(panels[5], evaluations, bars)
        for panel in panels:
            _onsets(panel, onsets)
        panels[0].set_xlim(0, 1.02 * horizon)
        for panel in panels[-2:]:
            panel.set_xlabel("step")
            panel.xaxis.set_major_formatter(TICKS)
            panel.xaxis.set_major_locator(MaxNLocator(5, integer=True))
        _margins(figure, (0.5, 0.1, 0.25, 0.45), (0.5, 0.34), (3, 2))
    return figure


def _dots(panel: Axes, estimates: pd.DataFrame, event: str) -> None:
    look = LOOKS[event]
    heights = np.arange(len(estimates))
    panel.hlines(heights, estimates["ci_low"], estimates["ci_high"], colors=MUTED, linewidth=1.4)
    panel.scatter(
        estimates["estimate"],
        heights,
        s=34,
        marker=look.marker,
        color=look.colour,
        edgecolor=INK,
        linewidth=0.5,
        zorder=3,
    )
    panel.grid(axis="y", visible=False)
    panel.spines["left"].set_visible(False)
    panel.set_title(event)


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
    panel.set(xlabel="", ylabel="")


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
    width = min(3.4 * shape[1] + 0.9, 11.4) if shape[1] > 1 else 6.5
    per_line = len(outcomes) if width > 8 else 4
    above = 0.2 * math.ceil(len(outcomes) / per_line) + gap
    panel = 1.7 if shape[1] > 1 else 3.2
    figure.set_size_inches(width, shape[0] * panel + (shape[0] - 1) * gap + above + 0.5)
    handles = [_handle(outcome) for outcome in outcomes]
    figure.legend(handles=handles, loc="upper left", ncols=per_line, handletextpad=0.1, borderpad=0)
    _margins(figure, (0.65, 0.1, above, 0.5), (0.12, gap), shape)


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
            _decades(low, high) if log else MaxNLocator(4, integer=axes.y == "replicate" and name == "y")
        )
        axis.set_major_formatter(TICKS)
        axis.set_minor_locator(NullLocator())


def _decades(low: float, high: float) -> LogLocator:
    wide = low > 0 and high / low > 300
    return LogLocator(
        10, subs=(1.0,) if wide else (1.0, 3.0) if high / low > 30 else (1.0, 2.0, 5.0), numticks=6
    )


def _symmetric_decades(most: float) -> FixedLocator:
    """Zero and at most four powers of ten to either side."""
    top = math.ceil(math.log10(most))
    powers = [10.0**power for power in range(top, -1, -max(1, math.ceil(top / 4)))]
    return FixedLocator([-power for power in powers] + [0.0] + powers[::-1])


def _handle(outcome: str) -> Line2D:
    look = LOOKS[outcome]
    return Line2D(
        [],
        [],
        marker=look.marker,
        color=look.colour,
        markeredgecolor=INK,
        markeredgewidth=0.5,
        linestyle="",
        label=outcome,
    )


def _separation(panel: Axes, records: pd.DataFrame, evaluations: pd.DataFrame, bars: Bars) -> None:
    _curve(panel, records, "separation", color=MUTED, linewidth=0.8, label="batch")
    sns.scatterplot(
        evaluations,
        x="step",
        y="separation",
        color=INK,
        s=13,
        linewidth=0,
        label="held out",
        legend=False,
        ax=panel,
    )
    panel.set_ylim(-0.03, 1.06)
    panel.yaxis.set_major_locator(FixedLocator([0, 0.25, 0.5, 0.75, 1]))
    panel.yaxis.set_major_formatter(TICKS)
    _bar(panel, 0.5)
    _bar(panel, bars.saturated_separation)
    _name(panel, "separation", legend=True)


def _losses(panel: Axes, records: pd.DataFrame) -> None:
    values = _both(panel, records, ("loss_g", "loss_d"))
    if len(values) and values.max() > 50:
        panel.set_yscale("symlog", linthresh=1)
        panel.yaxis.set_major_locator(_symmetric_decades(float(values.max())))
        panel.yaxis.set_minor_locator(NullLocator())
    else:
        panel.yaxis.set_major_locator(MaxNLocator(4))
    panel.yaxis.set_major_formatter(TICKS)
    _name(panel, "losses", legend=True)


def _log_pair(
    panel: Axes, records: pd.DataFrame, columns: tuple[str, str], title: str, bar: float | None = None
) -> None:
    values = _both(panel, records, columns)
    heights = [*values[values > 0].tolist(), *([bar] if bar is not None else [])]
    if heights:
        _log_axis(panel, min(heights), max(heights))
    if bar is not None:
        _bar(panel, bar)
    _name(panel, f"{title} (log)", legend=True)


def _both(panel: Axes, records: pd.DataFrame, columns: tuple[str, str]) -> NDArray[np.float64]:
    """Draw G's and D's curve; returns the sizes of their finite values."""
    for network, column in zip("DG", columns[::-1], strict=True):
        colour, dashes = NETWORKS[network]
        _curve(panel, records, column, color=colour, dashes=dashes, linewidth=0.9, label=network)
    values: NDArray[np.float64] = records[list(columns)].to_numpy(dtype=np.float64)
    sizes: NDArray[np.float64] = np.abs(values[np.isfinite(values)])
    return sizes


def _curve(panel: Axes, values: pd.DataFrame, column: str, **looks: Any) -> None:
    """Values by step. Where one is not finite the line breaks: every stretch between two breaks is a unit.

    Seaborn alone would leave such values out and join their neighbours.
    """
    finite = np.isfinite(values[column].to_numpy(dtype=np.float64))
    if not finite.any():
        return
    stretches = values[finite].assign(stretch=np.cumsum(~finite)[finite])
    sns.lineplot(
        stretches,
        x="step",
        y=column,
        units="stretch",
        estimator=None,
        errorbar=None,
        sort=False,
        legend=False,
        markeredgecolor=looks["color"],
        ax=panel,
        **looks,
    )


def _modes(panel: Axes, evaluations: pd.DataFrame, bars: Bars) -> None:
    _curve(panel, evaluations, "modes", color=INK, marker="o", markersize=3)
    n_modes = int(evaluations["n_modes"].max()) if len(evaluations) else 10
    panel.set_ylim(-0.04 * n_modes, 1.06 * n_modes)
    panel.yaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10], integer=True))
    panel.yaxis.set_major_formatter(TICKS)
    _bar(panel, bars.stable_modes * n_modes)
    _name(panel, f"modes covered, of {n_modes}")


def _fid_ratio(panel: Axes, evaluations: pd.DataFrame, bars: Bars) -> None:
    _curve(panel, evaluations, "fid_ratio", color=INK, marker="o", markersize=3)
    values = evaluations["fid_ratio"].to_numpy(dtype=float)
    values = values[np.isfinite(values) & (values > 0)]
    seen = (float(values.min()), float(values.max())) if len(values) else (1.0, 100.0)
    _bar(panel, bars.stable_fid_ratio)
    low, high = min(1.0, *seen), max(bars.stable_fid_ratio, *seen)
    _log_axis(panel, low, high)
    _name(panel, "FID / floor (log): 1 is training images")


def _log_axis(panel: Axes, low: float, high: float) -> None:
    panel.set_yscale("log", nonpositive="clip")
    panel.set_ylim(low / 1.4, high * 1.4)
    panel.yaxis.set_major_locator(_decades(low, high))
    panel.yaxis.set_major_formatter(TICKS)
    panel.yaxis.set_minor_locator(NullLocator())


def _bar(panel: Axes, height: float) -> None:
    panel.axhline(height, color=MUTED, linewidth=0.7, linestyle=(0, (1, 2)))


def _name(panel: Axes, title: str, *, legend: bool = False) -> None:
    panel.set_title(title, loc="left")
    panel.set(xlabel="", ylabel="")
    handles, labels = panel.get_legend_handles_labels()
    named = dict(zip(labels, handles, strict=True))
    if legend and named:
        panel.legend(
            named.values(),
            named.keys(),
            loc="lower right",
            bbox_to_anchor=(1.02, 0.97),
            ncols=2,
            fontsize=7.5,
            handlelength=1.4,
            columnspacing=0.9,
        )


def _onsets(panel: Axes, onsets: Sequence[Onset]) -> None:
    for onset in onsets:
        panel.axvline(onset.step, color=INK, linewidth=0.7, linestyle=(0, (4, 2)))
        panel.annotate(
            onset.letter,
            (onset.step, 1),
            (2, -1),
            ("data", "axes fraction"),
            "offset points",
            va="top",
            fontsize=7.5,
            color=INK,
            fontweight="bold",
        )


def _axis_label(name: str, *, log: bool) -> str:
    return LABELS.get(name, name) + (" (log)" if log else "")


def _short(text: str) -> str:
    return text if len(text) <= 26 else f"{text[:25]}…"


def _margins(
    figure: Figure,
    edges: tuple[float, float, float, float],
    gaps: tuple[float, float],
    shape: tuple[int, int],
) -> None:
    """Lay out panels by margins (left, right, top, bottom) and gaps (across, down), all in inches.

    Several times faster than a constrained layout, which draws every figure twice.
    """
    (width, height), (left, right, top, bottom), (rows, columns) = figure.get_size_inches(), edges, shape
    panel_width = (width - left - right - gaps[0] * (columns - 1)) / columns
    panel_height = (height - top - bottom - gaps[1] * (rows - 1)) / rows
    figure.subplots_adjust(
        left=left / width,
        right=1 - right / width,
        top=1 - top / height,
        bottom=bottom / height,
        wspace=gaps[0] / panel_width,
        hspace=gaps[1] / panel_height,
    )
