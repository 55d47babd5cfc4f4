"""Shares of runs as dots with intervals. Draws finished estimates; computes nothing.

Drawn by matplotlib alone: seaborn's point plots would estimate the shares anew.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import pandas as pd
from matplotlib.figure import Figure

from stability.page_kit.figure_layout import WIDEST
from stability.page_kit.intervals import intervals, line_panels, name_across, share_scale
from stability.page_kit.palette import INK, LOOKS, LevelLook
from stability.page_kit.svg import page_style


def share_panels(rates: pd.DataFrame, factor: str, levels: Sequence[str], events: Sequence[str]) -> Figure:
    """A panel for every event: a dot and its interval for every level. `rates` as `rates_by` gives them."""
    columns = min(4, len(events))
    rows = math.ceil(len(events) / columns)
    height = 0.35 + rows * (0.4 + 0.25 * max(2, len(levels)))
    with page_style():
        figure = Figure(figsize=(WIDEST if columns > 2 else 7, height))
        panels = line_panels(figure, levels, (rows, columns))
        for place, (panel, event) in enumerate(zip(panels, events, strict=False)):
            here = rates[rates["event"] == event].set_index(factor).loc[list(levels)]
            intervals(panel, here, range(len(here)), _look(event), size=34)
            panel.set_title(event)
            share_scale(panel)
            panel.tick_params(labelbottom=place + columns >= len(events))
        for panel in panels[len(events) :]:
            panel.set_visible(False)
        name_across(figure, "share of runs, 95% interval")
    return figure


def _look(event: str) -> LevelLook:
    """An outcome's own; a star for several outcomes together."""
    look = LOOKS.get(event)
    return LevelLook(INK, "*", "") if look is None else LevelLook(look.colour, look.marker, "")
