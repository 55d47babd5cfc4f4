"""Rates on parts of the space, a group of lines a part. Draws finished estimates; computes nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from stability.page_kit.intervals import LINE, intervals, level_legend, line_panels, name_across, share_scale
from stability.page_kit.palette import MUTED, level_looks
from stability.page_kit.svg import page_style


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
        name_across(figure, "share of runs, 95% interval")
    return figure
