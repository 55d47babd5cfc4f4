"""How the ranking of levels moves with each threshold and the horizon. Draws finished estimates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from stability.page_kit.figure_layout import SHARE_TICKS, margins
from stability.page_kit.intervals import bare, level_legend
from stability.page_kit.palette import INK, MUTED, level_looks
from stability.page_kit.svg import page_style
from stability.page_kit.words import spaced

GAP = 0.7
"""Room between the rows of two thresholds, in rows."""


APART = 0.13
"""Dots of several levels stand one below the other by so much of a row, so that equal ones are all seen."""


def sensitivity_dots(
    rates: pd.DataFrame, levels: Sequence[str], rows: Mapping[str, Sequence[str]], changed: Sequence[str]
) -> Figure:
    """A row for every variant, with a dot for every level at its success rate.

    `rates` as `Sensitivity.rates`; `rows` are the variants by threshold in their order, `changed` those whose
    best level is another one.
    """
    heights, labels, height = {}, [], 0.0
    for names in rows.values():
        for name in names:
            heights[name] = height
            labels.append(name)
            height += 1
        height += GAP
    looks = level_looks(levels)
    with page_style():
        figure = Figure(figsize=(8.6, 0.85 + 0.155 * height))
        panel = figure.subplots()
        for place, (level, look) in enumerate(looks.items()):
            here = rates[(rates["level"] == level) & rates["variant"].isin(heights)]
            at = here["variant"].map(heights) + APART * (place - (len(looks) - 1) / 2)
            panel.scatter(
                here["estimate"], at, s=22, marker=look.marker, color=look.colour, alpha=0.9, zorder=3
            )
        for name in changed:
            panel.axhspan(heights[name] - 0.5, heights[name] + 0.5, color=MUTED, alpha=0.18, linewidth=0)
        panel.set_yticks(list(heights.values()), [spaced(name) for name in labels])
        for text, name in zip(panel.get_yticklabels(), labels, strict=True):
            text.set(color=INK, fontsize=7.5, fontweight="bold" if name in changed else "normal")
        panel.set_ylim(height - GAP - 0.3, -0.7)
        most = max(0.1, float(rates["estimate"].max()))
        panel.set_xlim(-0.02 * most, 1.04 * most)
        panel.xaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
        panel.xaxis.set_major_formatter(SHARE_TICKS)
        bare(panel)
        panel.set_xlabel("share of runs that succeed")
        level_legend(figure, looks)
        margins(figure, (1.75, 0.15, 0.4, 0.42), (0, 0), (1, 1))
    return figure
