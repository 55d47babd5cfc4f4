"""What stability costs, a line a level. Draws finished estimates; computes nothing."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from stability.page_kit.figure_layout import TICKS
from stability.page_kit.intervals import LINE, intervals, line_panels
from stability.page_kit.palette import level_looks
from stability.page_kit.svg import page_style


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
