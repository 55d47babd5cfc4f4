"""How well diagnostics foretell how a run ends, and what early stops would save. Draws finished estimates."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, MaxNLocator
from matplotlib.transforms import ScaledTranslation

from stability.page_kit.figure_layout import SHARE_TICKS, TICKS, WIDEST, bar, margins
from stability.page_kit.intervals import curve
from stability.page_kit.palette import INK, MUTED, level_looks
from stability.page_kit.svg import page_style
from stability.page_kit.words import spaced

APART = 0.012
"""Curves stand side by side by this share of the axis, so that their intervals do not cover each other."""


LEGEND_BELOW = 0.4
"""Inches from a panel down to its legend."""


def auc_panels(auc: pd.DataFrame, sets: Sequence[str], singles: Sequence[str]) -> Figure:
    """Curves of the sets of predictors over the step beside a grid of the single diagnostics.

    `auc` as `EarlyWarning.auc`; sets and singles in the order in which they are drawn.
    """
    with page_style():
        figure = Figure(figsize=(WIDEST, 0.75 + max(2.6, 0.21 * len(singles))))
        curves, grid = figure.subplots(1, 2)
        shown = auc[auc["kind"] == "set"].rename(columns={"predictor": "line"})
        _curves(curves, shown, sets)
        bar(curves, 0.5)
        curves.set_ylim(min(0.4, float(np.nanmin([*shown["ci_low"], 0.45])) - 0.02), 1.02)
        curves.set_title("AUC of everything together (.5: chance, 1: perfect)", loc="left")
        _grid(grid, auc, singles)
        margins(figure, (0.5, 0.15, 0.3, 0.62), (1.75, 0), (1, 2))
    return figure


def rule_panels(rule: pd.DataFrame, names: dict[str, str], limit: float) -> Figure:
    """Over the step of stopping: the share of all updates that is saved, and of which runs are stopped.

    `rule` as `EarlyWarning.rule`; `names` says in words what each quantity drawn on the right is a share of.
    """
    with page_style():
        figure = Figure(figsize=(9.4, 2.9))
        saved, stopped = figure.subplots(1, 2)
        lines = rule.rename(columns={"quantity": "line"})
        _curves(saved, lines.assign(line=lines["line"].replace({"compute_saved": "saved"})), ["saved"])
        saved.set_title("share of all updates of both networks saved", loc="left")
        _curves(stopped, lines.assign(line=lines["line"].replace(names)), list(names.values()))
        bar(stopped, limit)
        stopped.set_title("share of healthy runs stopped, by how they end", loc="left")
        for panel in (saved, stopped):
            panel.set_ylim(bottom=0)
        margins(figure, (0.5, 0.15, 0.3, 0.62), (0.6, 0), (1, 2))
    return figure


def _curves(panel: Axes, estimates: pd.DataFrame, lines: Sequence[str]) -> None:
    steps = sorted(estimates["step"].unique().tolist())
    width = steps[-1] - steps[0] or steps[-1]
    for place, (line, look) in enumerate(level_looks(lines).items()):
        rows = estimates[(estimates["line"] == line) & estimates["estimate"].notna()].sort_values("step")
        at = rows["step"] + (place - (len(lines) - 1) / 2) * APART * width
        curve(panel, at, rows, look, line=look.colour, label=line)
    panel.xaxis.set_major_locator(FixedLocator(steps))
    panel.xaxis.set_major_formatter(TICKS)
    panel.yaxis.set_major_formatter(SHARE_TICKS)
    panel.set_xlabel("step at which the healthy runs are looked at")
    panel.yaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 5, 10]))
    if len(lines) > 1:
        below = panel.transAxes + ScaledTranslation(0, -LEGEND_BELOW, panel.figure.dpi_scale_trans)
        panel.legend(
            loc="upper left",
            bbox_to_anchor=(0, 0),
            bbox_transform=below,
            ncols=len(lines),
            fontsize=7.5,
            borderaxespad=0,
        )


def _grid(panel: Axes, auc: pd.DataFrame, singles: Sequence[str]) -> None:
    """A disc for every diagnostic and step: larger for a larger AUC, full where the interval is above .5."""
    steps = sorted(auc["step"].unique().tolist())
    rows = auc[auc["predictor"].isin(singles) & auc["estimate"].notna()]
    x = rows["step"].map({step: place for place, step in enumerate(steps)})
    y = rows["predictor"].map({name: place for place, name in enumerate(singles)})
    size = 8 + 330 * (rows["estimate"] - 0.5).clip(lower=0)
    colour = level_looks(["one"])["one"].colour
    sure = rows["ci_low"] > 0.5
    for known, fill in ((sure, colour), (~sure, "none")):
        panel.scatter(
            x[known], y[known], s=size[known], facecolor=fill, edgecolor=colour, linewidth=1, zorder=3
        )
    panel.set_xlim(-0.6, len(steps) - 0.4)
    panel.set_ylim(len(singles) - 0.4, -0.6)
    panel.set_xticks(range(len(steps)), [TICKS(step) for step in steps])
    panel.set_yticks(range(len(singles)), [spaced(name) for name in singles], color=INK)
    panel.tick_params(length=0)
    panel.spines[["left", "bottom"]].set_visible(False)
    panel.set_xlabel("step", color=MUTED)
    panel.set_title("AUC of each diagnostic alone: larger is better", loc="left")
