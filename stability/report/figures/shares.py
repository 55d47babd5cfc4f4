"""Shares of runs as dots with intervals. Draws finished estimates; computes nothing.

Drawn by matplotlib alone: seaborn's point plots would estimate the shares anew.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator

from stability.report.figures.layout import SHARE_TICKS, WIDEST, margins, short
from stability.report.palette import INK, LOOKS, MUTED, Look
from stability.report.svg import page_style

OF_SEVERAL = Look(INK, "*", "several outcomes together")


def share_panels(rates: pd.DataFrame, factor: str, levels: Sequence[str], events: Sequence[str]) -> Figure:
    """A panel for every event: a dot and its interval for every level. `rates` as `rates_by` gives them."""
    columns = min(4, len(events))
    rows = math.ceil(len(events) / columns)
    with page_style():
        figure = Figure(
            figsize=(WIDEST if columns > 2 else 7, 0.35 + rows * (0.4 + 0.25 * max(2, len(levels))))
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
            panel.xaxis.set_major_formatter(SHARE_TICKS)
            panel.tick_params(length=0, labelbottom=not below)
        figure.supxlabel("share of runs, 95% interval", fontsize=8, color=MUTED, y=0, va="bottom")
        names = [short(level) for level in levels]
        panels[0].set_yticks(range(len(levels)), names)
        left = 0.2 + 0.072 * max(map(len, names))
        margins(figure, (left, 0.15, 0.25, 0.45), (0.2, 0.35), (rows, columns))
    return figure


def _dots(panel: Axes, estimates: pd.DataFrame, event: str) -> None:
    look = LOOKS.get(event, OF_SEVERAL)
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
