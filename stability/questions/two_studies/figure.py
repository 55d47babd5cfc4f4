"""Two studies side by side. Draws finished estimates; computes nothing."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from stability.page_kit.figure_layout import WIDEST, short
from stability.page_kit.intervals import difference_scale, intervals, line_panels, name_across, share_scale
from stability.page_kit.palette import level_looks
from stability.page_kit.svg import page_style
from stability.page_kit.words import spaced

APART = 0.17
"""Half of the gap between the two studies' lines, in lines."""


def rate_panels(
    rates: pd.DataFrame, names: tuple[str, str], levels: Sequence[str], events: Sequence[str]
) -> Figure:
    """A panel for every event: for every level a line of each study. `rates` as `Versus.rates`."""
    looks = level_looks(names)
    with page_style():
        figure = _figure(events, levels)
        panels = line_panels(figure, levels, (1, len(events)), above=0.5)
        for panel, event in zip(panels, events, strict=True):
            for name, shift in zip(names, (-APART, APART), strict=True):
                here = rates[(rates["event"] == event) & (rates["study"] == name)]
                here = here.set_index("level").loc[list(levels)]
                intervals(panel, here, np.arange(len(here)) + shift, looks[name], line=looks[name].colour)
            share_scale(panel)
            panel.set_title(spaced(event))
        # By hand: matplotlib's own list leaves out names that begin with an underscore.
        figure.legend(panels[0].collections[1::2], names, loc="upper left", ncols=2, borderpad=0)
        name_across(figure, "share of runs, 95% interval")
    return figure


def difference_panels(
    differences: pd.DataFrame, names: tuple[str, str], levels: Sequence[str], events: Sequence[str]
) -> Figure:
    """A panel for every event: for every level the difference and its interval, zero marked."""
    with page_style():
        figure = _figure(events, levels)
        panels = line_panels(figure, levels, (1, len(events)))
        for panel, event in zip(panels, events, strict=True):
            here = differences[differences["event"] == event].set_index("level").reindex(list(levels))
            difference_scale(panel)
            intervals(panel, here, range(len(here)))
            panel.set_title(spaced(event))
        name_across(figure, f"difference of the shares, {short(names[0])} − {short(names[1])}")
    return figure


def _figure(events: Sequence[str], levels: Sequence[str]) -> Figure:
    return Figure(figsize=(WIDEST if len(events) > 2 else 7, 0.8 + 0.34 * max(2, len(levels))))
