"""Importance of parameters as dots with intervals. Draws finished estimates; computes nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from stability.report.figures.layout import TICKS, margins, short
from stability.report.palette import INK, LEVEL_LOOKS, MUTED
from stability.report.svg import page_style


def importance_panels(parameters: pd.DataFrame, targets: Sequence[str], titles: Mapping[str, str]) -> Figure:
    """A panel for every target, its parameters from the top; `parameters` as `Importance` has them."""
    n_lines = max(int((parameters["target"] == target).sum()) for target in targets)
    with page_style():
        figure = Figure(figsize=(5.2 * len(targets), 0.85 + 0.24 * n_lines))
        panels = figure.subplots(1, len(targets), squeeze=False).ravel()
        for panel, target in zip(panels, targets, strict=True):
            _dots(panel, parameters[parameters["target"] == target])
            panel.set_title(titles[target], loc="left")
        figure.supxlabel(
            "increase of the error when a parameter's values are shuffled, 95% interval; 0: of no use",
            fontsize=8,
            color=MUTED,
            y=0,
            va="bottom",
        )
        left = 0.2 + 0.072 * max(len(short(str(name))) for name in parameters["parameter"])
        margins(figure, (left, 0.15, 0.25, 0.5), (left + 0.1, 0), (1, len(targets)))
    return figure


def _dots(panel: Axes, rows: pd.DataFrame) -> None:
    """Parameters as round dots, the dummy as a cross with its interval as a band behind all others."""
    panel.axvline(0, color=INK, linewidth=0.7)
    heights = range(len(rows))
    each: list[Any] = list(rows.itertuples(index=False))
    for height, row in zip(heights, each, strict=True):
        if row.dummy:
            panel.axvspan(row.ci_low, row.ci_high, color=MUTED, alpha=0.16, linewidth=0)
        panel.hlines(height, row.ci_low, row.ci_high, colors=MUTED, linewidth=1.4)
        panel.scatter(
            row.estimate,
            height,
            s=34,
            marker="X" if row.dummy else "o",
            color=MUTED if row.dummy else LEVEL_LOOKS[0].colour,
            edgecolor=INK,
            linewidth=0.5,
            zorder=3,
        )
    panel.set_yticks(heights, [short(str(name)) for name in rows["parameter"]])
    panel.set_ylim(len(rows) - 0.4, -0.6)
    panel.grid(axis="y", visible=False)
    panel.spines["left"].set_visible(False)
    panel.tick_params(length=0)
    panel.xaxis.set_major_locator(MaxNLocator(5))
    panel.xaxis.set_major_formatter(TICKS)
