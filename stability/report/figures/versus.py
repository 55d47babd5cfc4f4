"""Two studies side by side. Draws finished estimates; computes nothing."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, MaxNLocator

from stability.report.figures.forest import SIGNED_TICKS
from stability.report.figures.layout import SHARE_TICKS, WIDEST, margins, short
from stability.report.palette import INK, MUTED, LevelLook, level_looks
from stability.report.svg import page_style

APART = 0.17
"""Half of the gap between the two studies' lines, in lines."""


def rate_panels(
    rates: pd.DataFrame, names: tuple[str, str], levels: Sequence[str], events: Sequence[str]
) -> Figure:
    """A panel for every event: for every level a line of each study. `rates` as `Versus.rates`."""
    with page_style():
        figure, panels = _panels(len(events), levels)
        looks = level_looks(names)
        for panel, event in zip(panels, events, strict=True):
            for name, shift in zip(names, (-APART, APART), strict=True):
                here = rates[(rates["event"] == event) & (rates["study"] == name)]
                _lines(panel, here.set_index("level").loc[list(levels)], shift, looks[name])
            panel.set_xlim(-0.03, 1.03)
            panel.xaxis.set_major_locator(FixedLocator([0, 0.25, 0.5, 0.75, 1]))
            panel.xaxis.set_major_formatter(SHARE_TICKS)
            panel.set_title(event.replace("_", " "))
        # By hand: matplotlib's own list leaves out names that begin with an underscore.
        figure.legend(panels[0].collections[1::2], names, loc="upper left", ncols=2, borderpad=0)
        figure.supxlabel("share of runs, 95% interval", fontsize=8, color=MUTED, y=0, va="bottom")
        _lay_out(figure, levels, len(events), above=0.5)
    return figure


def difference_panels(
    differences: pd.DataFrame, names: tuple[str, str], levels: Sequence[str], events: Sequence[str]
) -> Figure:
    """A panel for every event: for every level the difference and its interval, zero marked."""
    with page_style():
        figure, panels = _panels(len(events), levels)
        for panel, event in zip(panels, events, strict=True):
            here = differences[differences["event"] == event].set_index("level").reindex(list(levels))
            panel.axvline(0, color=MUTED, linewidth=0.9)
            _lines(panel, here, 0.0, LevelLook(INK, "o", "-"))
            panel.xaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 2.5, 5, 10]))
            panel.xaxis.set_major_formatter(SIGNED_TICKS)
            panel.set_title(event.replace("_", " "))
        words = f"difference of the shares, {short(names[0])} − {short(names[1])}"
        figure.supxlabel(words, fontsize=8, color=MUTED, y=0, va="bottom")
        _lay_out(figure, levels, len(events), above=0.25)
    return figure


def _panels(n_events: int, levels: Sequence[str]) -> tuple[Figure, list[Axes]]:
    figure = Figure(figsize=(WIDEST if n_events > 2 else 7, 0.8 + 0.34 * max(2, len(levels))))
    panels = list(figure.subplots(1, n_events, sharey=True, squeeze=False).ravel())
    panels[0].set_ylim(len(levels) - 0.4, -0.6)
    panels[0].set_yticks(range(len(levels)), [short(level) for level in levels])
    for panel in panels:
        panel.grid(axis="y", visible=False)
        panel.spines["left"].set_visible(False)
        panel.tick_params(length=0)
    return figure, panels


def _lines(panel: Axes, rows: pd.DataFrame, shift: float, look: LevelLook) -> None:
    heights = np.arange(len(rows)) + shift
    panel.hlines(heights, rows["ci_low"], rows["ci_high"], colors=look.colour, linewidth=1.4)
    panel.scatter(
        rows["estimate"],
        heights,
        s=30,
        marker=look.marker,
        color=look.colour,
        edgecolor=INK,
        linewidth=0.5,
        zorder=3,
    )


def _lay_out(figure: Figure, levels: Sequence[str], n_events: int, *, above: float) -> None:
    left = 0.2 + 0.072 * max(len(short(level)) for level in levels)
    margins(figure, (left, 0.15, above, 0.45), (0.2, 0.3), (1, n_events))
