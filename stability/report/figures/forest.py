"""Estimates with intervals, one line each: differences of pairs, costs by level, rates on parts of the space.

Draws finished estimates; computes nothing.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator

from stability.report.figures.layout import SHARE_TICKS, TICKS, margins, short
from stability.report.palette import INK, MUTED, level_looks
from stability.report.svg import page_style
from stability.report.words import share

LINE = 0.21
"""Inches between two lines of estimates."""

LETTER = 0.072
"""Inches that a letter of a line's name takes, about."""

SIGNED_TICKS = FuncFormatter(lambda value, _: signed(float(value)))


def signed(difference: float) -> str:
    """A difference of shares with its sign, as in `+.21`, `−.05`, `0`."""
    text = share(abs(difference))
    if text == "0" or math.isnan(difference):
        return text
    return ("−" if difference < 0 else "+") + text


def forest(pairs: pd.DataFrame, label: str, *, alpha: float = 0.05) -> Figure:
    """A line for every pair, `pairs` as `Comparison.ranked`: the difference and its interval, zero marked.

    A full dot where Holm's p-value is at most `alpha`, a hollow one elsewhere.
    """
    names = [
        f"{short(first)} − {short(second)}"
        for first, second in zip(pairs["first"], pairs["second"], strict=True)
    ]
    with page_style():
        figure = Figure(figsize=(7, 0.65 + LINE * max(2, len(pairs))))
        panel = figure.subplots()
        panel.axvline(0, color=MUTED, linewidth=0.9)
        heights = np.arange(len(pairs))
        panel.hlines(heights, pairs["ci_low"], pairs["ci_high"], colors=MUTED, linewidth=1.4)
        told_apart = (pairs["p_holm"] <= alpha).to_numpy()
        for chosen, face in ((told_apart, INK), (~told_apart, "none")):
            panel.scatter(
                pairs["estimate"][chosen], heights[chosen], s=30, facecolor=face, edgecolor=INK, zorder=3
            )
        _name_lines(panel, names)
        panel.set_xlim(*_signed_ends(pairs))
        panel.xaxis.set_major_locator(MaxNLocator(7, steps=[1, 2, 2.5, 5, 10]))
        panel.xaxis.set_major_formatter(SIGNED_TICKS)
        panel.set_xlabel(label)
        margins(figure, (0.2 + LETTER * max(map(len, names), default=0), 0.2, 0.1, 0.5), (0, 0), (1, 1))
    return figure


def cost_panels(costs: pd.DataFrame, factor: str, levels: Sequence[str], titles: Mapping[str, str]) -> Figure:
    """A panel for every measure in `titles`, each with its own scale; `costs` as `costs_by` gives them."""
    looks, shape = level_looks(levels), (math.ceil(len(titles) / 2), min(2, len(titles)))
    height = 0.2 + shape[0] * (0.6 + LINE * max(2, len(levels)))
    with page_style():
        figure = Figure(figsize=(8.6 if shape[1] > 1 else 5, height))
        panels = figure.subplots(*shape, sharey=True, squeeze=False).ravel()
        for panel, measure in zip(panels, titles, strict=False):
            estimates = costs[costs["measure"] == measure].set_index(factor)
            for place, level in enumerate(levels):
                _estimate(panel, estimates.loc[level], place, looks[level].colour, looks[level].marker)
            panel.set_title(titles[measure])
            panel.set_xlim(left=0)
            panel.xaxis.set_major_locator(MaxNLocator(5))
            panel.xaxis.set_major_formatter(TICKS)
        for panel in panels[len(titles) :]:
            panel.set_visible(False)
        names = [short(level) for level in levels]
        _name_lines(panels[0], names)
        for panel in panels[1:]:
            panel.tick_params(axis="y", length=0)
            panel.grid(axis="y", visible=False)
            panel.spines["left"].set_visible(False)
        margins(figure, (0.2 + LETTER * max(map(len, names), default=0), 0.2, 0.3, 0.3), (0.3, 0.6), shape)
    return figure


def box_panels(
    rates: pd.DataFrame, names: Sequence[str], levels: Sequence[str], titles: Mapping[str, str]
) -> Figure:
    """A panel for every event in `titles`: a group of lines for every part, in it one for every level.

    `rates` has the columns `box` (one of `names`), `level`, `event` and those of `rate`.
    """
    looks, step = level_looks(levels), 1 / (len(levels) + 1)
    group = max(LINE * 1.3, 0.11 * (len(levels) + 1))
    with page_style():
        figure = Figure(figsize=(8.6 if len(titles) > 1 else 5.6, 1.1 + group * len(names)))
        panels = figure.subplots(1, len(titles), sharex=True, sharey=True, squeeze=False).ravel()
        for panel, event in zip(panels, titles, strict=True):
            here = rates[rates["event"] == event].set_index(["box", "level"])
            for row, column in np.ndindex(len(names), len(levels)):
                key, look = (names[row], levels[column]), looks[levels[column]]
                if key in here.index:
                    height = row + step * (column - (len(levels) - 1) / 2)
                    _estimate(panel, here.loc[key], height, look.colour, look.marker, size=16)
            for edge in np.arange(0.5, len(names) - 1):
                panel.axhline(edge, color=MUTED, linewidth=0.3)
            panel.set_title(titles[event])
            panel.set_xlim(-0.03, 1.03)
            panel.xaxis.set_major_locator(FixedLocator([0, 0.25, 0.5, 0.75, 1]))
            panel.xaxis.set_major_formatter(SHARE_TICKS)
            panel.set_xlabel("share of runs, 95% interval")
            _name_lines(panel, names)
        panels[0].set_ylim(len(names) - 0.5, -0.5)
        _level_legend(figure, levels)
        margins(
            figure,
            (0.2 + LETTER * max(map(len, names)), 0.2, 0.3, 0.8),
            (0.25, 0),
            (1, len(titles)),
        )
    return figure


def _estimate(panel: Axes, row: Any, height: float, colour: str, marker: str, *, size: float = 30) -> None:
    panel.hlines([height], [row["ci_low"]], [row["ci_high"]], colors=[colour], linewidth=1.3)
    panel.scatter([row["estimate"]], [height], s=size, marker=marker, color=colour, zorder=3, clip_on=False)


def _name_lines(panel: Axes, names: Sequence[str]) -> None:
    panel.set_yticks(range(len(names)), names)
    panel.set_ylim(max(2, len(names)) - 0.4, -0.6)
    panel.tick_params(axis="y", length=0)
    panel.grid(axis="y", visible=False)
    panel.spines["left"].set_visible(False)


def _level_legend(figure: Figure, levels: Sequence[str]) -> None:
    if len(levels) > 1:
        handles = [
            Line2D([], [], color=look.colour, marker=look.marker, markersize=4.5, label=short(level))
            for level, look in level_looks(levels).items()
        ]
        figure.legend(handles=handles, loc="lower center", ncols=min(5, len(levels)), fontsize=7.5)


def _signed_ends(pairs: pd.DataFrame) -> tuple[float, float]:
    ends = pairs[["estimate", "ci_low", "ci_high"]].to_numpy(dtype=float)
    ends = ends[np.isfinite(ends)]
    low, high = (min(0.0, float(ends.min())), max(0.0, float(ends.max()))) if len(ends) else (0.0, 0.0)
    room = 0.05 * (high - low) or 0.1
    return low - room, high + room
