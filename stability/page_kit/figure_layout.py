"""What the figures share: scales, ticks, names, handles of legends, margins in inches. Computes nothing."""

from __future__ import annotations

import math
from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, NullLocator

from stability.page_kit.palette import INK, LOOKS, MUTED
from stability.page_kit.words import number, share

LABELS = {
    "lr": "learning rate (geometric mean)",
    "lr_ratio": "lr_ratio = lr_d / lr_g",
    "replicate": "seed (its number)",
}

WIDEST = 10.5
"""Inches of a figure as wide as the page."""

TICKS = FuncFormatter(lambda value, _: number(float(value)))

SHARE_TICKS = FuncFormatter(lambda value, _: share(round(float(value), 9) + 0.0))
"""Rounded: a locator can miss 1 and 0 by a little; adding 0 takes the sign from a negative one."""


def decades(low: float, high: float) -> LogLocator:
    """At most six ticks on a logarithmic axis, at round numbers."""
    wide = low > 0 and high / low > 300
    return LogLocator(
        10, subs=(1.0,) if wide else (1.0, 3.0) if high / low > 30 else (1.0, 2.0, 5.0), numticks=6
    )


def symmetric_decades(most: float) -> FixedLocator:
    """Zero and at most four powers of ten to either side."""
    top = math.ceil(math.log10(most))
    powers = [10.0**power for power in range(top, -1, -max(1, math.ceil(top / 4)))]
    return FixedLocator([-power for power in powers] + [0.0] + powers[::-1])


def outcome_handle(outcome: str) -> Line2D:
    """An outcome as a legend shows it."""
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


def log_axis(panel: Axes, low: float, high: float) -> None:
    """A logarithmic axis upwards with room around what is drawn."""
    panel.set_yscale("log", nonpositive="clip")
    panel.set_ylim(low / 1.4, high * 1.4)
    panel.yaxis.set_major_locator(decades(low, high))
    panel.yaxis.set_major_formatter(TICKS)
    panel.yaxis.set_minor_locator(NullLocator())


def bar(panel: Axes, height: float) -> None:
    """A dotted line at the height at which something is decided."""
    panel.axhline(height, color=MUTED, linewidth=0.7, linestyle=(0, (1, 2)))


def axis_label(name: str, *, log: bool) -> str:
    """What stands beside an axis: the parameter's name and its scale."""
    return LABELS.get(name, name) + (" (log)" if log else "")


def short(text: str) -> str:
    """A level's name, cut where it would not fit."""
    return text if len(text) <= 26 else f"{text[:25]}…"


def level_panels(
    levels: Sequence[str], names: tuple[str, str], *, below: float
) -> tuple[Figure, dict[str, Axes]]:
    """A panel for every level on the same axes, which `names` names across and up; `below` is the margin
    above them in inches, the last line of panels alone has numbers. To be drawn in the page's style.
    """
    columns = min(5, len(levels))
    rows = math.ceil(len(levels) / columns)
    figure = Figure(figsize=(max(5.0, min(WIDEST, 2.9 * columns + 0.6)), 2.05 * rows + 0.3 + below))
    panels = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False).ravel()
    for place, panel in enumerate(panels):
        panel.set_visible(place < len(levels))
        panel.tick_params(labelbottom=place + columns >= len(levels))
    for panel, level in zip(panels, levels, strict=False):
        panel.set_title(short(level))
    figure.supxlabel(names[0], fontsize=8, color=MUTED, y=0, va="bottom")
    figure.supylabel(names[1], fontsize=8, color=MUTED, x=0, ha="left")
    margins(figure, (0.65, 0.15, below, 0.45), (0.15, 0.4), (rows, columns))
    return figure, dict(zip(levels, panels, strict=False))


def margins(
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
