"""Seed against configuration, and what a budget buys. Draws finished estimates; computes nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullLocator

from stability.page_kit.figure_layout import TICKS, WIDEST, level_panels, log_axis
from stability.page_kit.intervals import intervals, line_panels, name_across, share_scale
from stability.page_kit.palette import INK, MUTED, LevelLook, level_looks
from stability.page_kit.svg import page_style

PART_LOOKS: dict[str, tuple[str, str]] = {
    "configuration": ("#0079b8", ""),
    "factor": ("#c27400", "//"),
    "interaction": ("#009e73", "xx"),
    "seed": ("#808890", ".."),
}
"""Colour and hatch of each part of the variance."""


def part_bars(parts: pd.DataFrame, names: dict[str, str]) -> Figure:
    """A panel for every response: the share of each part as a bar with its interval; `names` of the parts."""
    known = parts[parts["response"].isin(parts.loc[parts["estimate"].notna(), "response"])]
    responses = list(dict.fromkeys(known["response"]))
    with page_style():
        figure = Figure(figsize=(max(5.5, min(WIDEST, 3.2 * len(responses) + 1.4)), 1.75))
        panels = line_panels(figure, [names[part] for part in PART_LOOKS], (1, len(responses)))
        for panel, response in zip(panels, responses, strict=True):
            _bars(panel, parts[parts["response"] == response].reset_index(drop=True))
            panel.set_title(str(response))
            share_scale(panel)
        name_across(figure, "share of the variance, 95% interval")
    return figure


def configuration_dots(by_level: pd.DataFrame, factor: str, levels: Sequence[str]) -> Figure:
    """A panel for every response: what the configuration explains at each level; the seed has the rest."""
    responses = list(dict.fromkeys(by_level["response"]))
    looks = level_looks(levels)
    with page_style():
        figure = Figure(figsize=(9.6, 0.75 + 0.25 * max(2, len(levels))))
        panels = line_panels(figure, levels, (1, len(responses)))
        for panel, response in zip(panels, responses, strict=True):
            rows = by_level[by_level["response"] == response].set_index(factor)
            for height, (level, look) in enumerate(looks.items()):
                intervals(panel, rows.loc[[level]], [height], look)
                if pd.isna(rows.loc[level, "estimate"]):
                    words: dict[str, Any] = {"va": "center", "ha": "center", "fontsize": 7.5, "color": MUTED}
                    panel.text(0.5, height, "not estimable", **words)
            panel.set_title(response)
            share_scale(panel)
        name_across(figure, "all seed  ←  share of the variance, 95% interval  →  all configuration")
    return figure


def budget_curves(budget: pd.DataFrame, factor: str, levels: Sequence[str]) -> Figure:
    """A panel for every level: the lowest FID ratio after k points, its median and its band."""
    looks = level_looks(levels)
    drawn = budget[["median", "low", "high"]].to_numpy(dtype=float)
    drawn = drawn[np.isfinite(drawn) & (drawn > 0)]
    with page_style():
        names = "points tried, k (log)", "lowest FID / floor (log)"
        figure, panels = level_panels(levels, names, below=0.25)
        for level, panel in panels.items():
            _others(panel, budget, factor, [other for other in levels if other != level])
            _best(panel, budget[budget[factor] == level], looks[level])
        first = panels[levels[0]]
        first.set_xscale("log", base=2)
        first.xaxis.set_major_locator(LogLocator(2, numticks=6))
        first.xaxis.set_minor_locator(NullLocator())
        first.xaxis.set_major_formatter(TICKS)
        log_axis(first, *((float(drawn.min()), float(drawn.max())) if len(drawn) else (1.0, 10.0)))
    return figure


def _best(panel: Axes, curve: pd.DataFrame, look: LevelLook) -> None:
    """A level's median and band, with markers where k doubles."""
    panel.fill_between(curve["k"], curve["low"], curve["high"], color=look.colour, alpha=0.2, linewidth=0)
    panel.plot(curve["k"], curve["median"], color=look.colour, linestyle=look.dashes, linewidth=1.6)
    doubled = curve[curve["k"].isin([2**power for power in range(12)])]
    panel.plot(doubled["k"], doubled["median"], look.marker, color=look.colour, markersize=4)


def _bars(panel: Axes, rows: pd.DataFrame) -> None:
    for height, row in enumerate(rows.to_dict("records")):
        colour, hatch = PART_LOOKS[row["part"]]
        panel.barh(
            [height],
            [row["estimate"]],
            height=0.62,
            color=colour,
            hatch=hatch,
            edgecolor="#ffffff",
            linewidth=0,
        )
    panel.hlines(range(len(rows)), rows["ci_low"], rows["ci_high"], colors=INK, linewidth=1.1, zorder=3)


def _others(panel: Axes, budget: pd.DataFrame, factor: str, levels: Sequence[str]) -> None:
    """The other levels' medians, faint, so that panels can be compared."""
    for level in levels:
        here = budget[budget[factor] == level]
        panel.plot(here["k"], here["median"], color=MUTED, linewidth=0.7, alpha=0.6)
