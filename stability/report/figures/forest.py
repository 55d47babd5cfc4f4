"""Estimates with intervals, one line each: differences of pairs, costs by level, rates on parts of the space.

Draws finished estimates; computes nothing.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from stability.report.figures.intervals import (
    SIGNED_TICKS,
    difference_lines,
    intervals,
    level_legend,
    line_panels,
    share_scale,
)
from stability.report.figures.layout import TICKS, short
from stability.report.palette import MUTED, level_looks
from stability.report.svg import page_style

LINE = 0.21
"""Inches between two lines of estimates."""


def forest(pairs: pd.DataFrame, label: str, *, alpha: float = 0.05) -> Figure:
    """A line for every pair, `pairs` as `Comparison.ranked`: the difference and its interval, zero marked.

    A full dot where Holm's p-value is at most `alpha`, a hollow one elsewhere.
    """
    names = [
        f"{short(one)} − {short(other)}" for one, other in zip(pairs["first"], pairs["second"], strict=True)
    ]
    with page_style():
        return difference_lines(pairs.assign(hollow=~(pairs["p_holm"] <= alpha)), names, label, SIGNED_TICKS)


def cost_panels(costs: pd.DataFrame, factor: str, levels: Sequence[str], titles: Mapping[str, str]) -> Figure:
    """A panel for every measure in `titles`, each with its own scale; `costs` as `costs_by` gives them."""
    looks, shape = level_looks(levels), (math.ceil(len(titles) / 2), min(2, len(titles)))
    height = 0.2 + shape[0] * (0.6 + LINE * max(2, len(levels)))
    with page_style():
        figure = Figure(figsize=(8.6 if shape[1] > 1 else 5, height))
        panels = line_panels(figure, levels, shape, above=0.3, gap=0.6)
        for panel, measure in zip(panels, titles, strict=False):
            here = costs[costs["measure"] == measure].set_index(factor)
            for place, level in enumerate(levels):
                intervals(panel, here.loc[[level]], [place], looks[level], line=looks[level].colour)
            panel.set_title(titles[measure])
            panel.set_xlim(left=0)
            panel.xaxis.set_major_locator(MaxNLocator(5))
            panel.xaxis.set_major_formatter(TICKS)
        for panel in panels[len(titles) :]:
            panel.set_visible(False)
    return figure


def box_panels(
    rates: pd.DataFrame, names: Sequence[str], levels: Sequence[str], titles: Mapping[str, str]
) -> Figure:
    """A panel for every event in `titles`: a group of lines for every part, in it one for every level.

    `rates` has the columns `box` (one of `names`), `level`, `event` and those of `rate`.
    """
    looks, step = level_looks(levels), 1 / (len(levels) + 1)
    group = max(LINE * 1.3, 0.11 * (len(levels) + 1))
    heights = {name: place for place, name in enumerate(names)}
    with page_style():
        figure = Figure(figsize=(8.6 if len(titles) > 1 else 5.6, 1.1 + group * len(names)))
        panels = line_panels(figure, names, (1, len(titles)), above=0.55)
        for panel, event in zip(panels, titles, strict=True):
            for place, (level, look) in enumerate(looks.items()):
                here = rates[(rates["event"] == event) & (rates["level"] == level)]
                at = here["box"].map(heights) + step * (place - (len(levels) - 1) / 2)
                intervals(panel, here, at, look, line=look.colour, size=16)
            for edge in np.arange(0.5, len(names) - 1):
                panel.axhline(edge, color=MUTED, linewidth=0.3)
            panel.set_title(titles[event])
            share_scale(panel)
        level_legend(figure, looks)
    return figure
