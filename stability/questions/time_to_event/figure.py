"""Time to an event: curves with the runs at risk below, differences, what comes first. Computes nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, MaxNLocator

from stability.page_kit.figure_layout import SHARE_TICKS, TICKS, WIDEST, level_panels, margins, short
from stability.page_kit.intervals import difference_lines
from stability.page_kit.palette import INK, LOOKS, MUTED, LevelLook, level_looks
from stability.page_kit.svg import page_style
from stability.questions.time_to_event.estimate import Survival

FEW = 2
"""Bands of more levels than this would hide each other: their intervals stand at the horizon only."""

END_LOOKS: dict[str, LevelLook] = {
    "collapse": LevelLook(LOOKS["collapsed"].colour, LOOKS["collapsed"].marker, "-"),
    "saturation": LevelLook(LOOKS["saturated"].colour, LOOKS["saturated"].marker, (0, (5, 2))),
    "diverged": LevelLook(LOOKS["diverged"].colour, LOOKS["diverged"].marker, (0, (2, 1))),
    "stopped early": LevelLook("#808890", "P", (0, (6, 2, 1, 2))),
}
"""An end looks as the outcome that it leads to."""


def survival_curves(survival: Survival, prevalence: pd.DataFrame, levels: Sequence[str]) -> Figure:
    """Share of runs still without the event, with the runs at risk below; beside it, runs that are in it."""
    looks = level_looks(levels)
    with page_style():
        figure = Figure(figsize=(WIDEST, 3.35 + 0.17 * len(levels)))
        left, right = figure.subplots(1, 2, sharex=True)
        for place, level in enumerate(levels):
            curve = _of(survival.curves, survival.factor, level)
            _staircase(left, curve, looks[level], level, band=len(levels) <= FEW, start=1.0)
            _marks(left, curve, looks[level])
            _whisker(left, curve, looks[level], place, len(levels))
            present = _of(prevalence, survival.factor, level)
            _staircase(right, present, looks[level], level, band=len(levels) <= FEW, start=0.0)
        _share_axis(left, survival.curves, top=True)
        _share_axis(right, prevalence, top=False)
        left.set_title(f"share of runs without a {survival.kind} so far", loc="left")
        right.set_title(f"share of all runs that are in {survival.kind}", loc="left")
        steps = sorted(set(survival.at_risk["step"]))
        for panel in (left, right):
            panel.xaxis.set_major_locator(FixedLocator(steps))
            panel.xaxis.set_major_formatter(TICKS)
            panel.set_xlabel("step")
        left.set_xlim(0, steps[-1] * (1.03 + 0.016 * len(levels)))
        _risk_table(left, survival, levels, looks, steps)
        right.legend(loc="upper left", fontsize=7.5, handlelength=2.6)
        names = max(len(short(level)) for level in levels)
        edges = (0.35 + 0.068 * names, 0.1, 0.28, 0.75 + 0.17 * len(levels))
        margins(figure, edges, (0.65, 0.0), (1, 2))
    return figure


def difference_forest(survival: Survival) -> Figure:
    """Differences of the mean steps without the event, one line a pair; full where zero is left out."""
    pairs = survival.differences
    names = [f"{short(a)} − {short(b)}" for a, b in zip(pairs["level"], pairs["other"], strict=True)]
    label = f"more steps without a {survival.kind} under the first (right) or the second (left)"
    apart = (pairs["ci_low"] > 0) | (pairs["ci_high"] < 0)
    with page_style():
        return difference_lines(pairs.assign(hollow=~apart), names, label, TICKS)


def end_curves(ends: pd.DataFrame, factor: str, levels: Sequence[str]) -> Figure:
    """A panel for every level: the share of runs that met each end first, by step, with its interval."""
    kinds = list(dict.fromkeys(ends["end"]))
    with page_style():
        figure, panels = level_panels(levels, ("step", "share of runs that met it first"), below=0.45)
        for level, panel in panels.items():
            here = _of(ends, factor, level)
            for kind in kinds:
                curve = here[here["end"] == kind]
                _staircase(panel, curve, END_LOOKS.get(kind, _OTHER), kind, band=True, start=0.0)
        first = panels[levels[0]]
        _share_axis(first, ends, top=False)
        first.set_xlim(0, ends["step"].max() * 1.03)
        first.xaxis.set_major_locator(MaxNLocator(3, integer=True))
        first.xaxis.set_major_formatter(TICKS)
        handles, labels = first.get_legend_handles_labels()
        figure.legend(handles, labels, loc="upper left", ncols=len(kinds), handlelength=3, borderpad=0)
    return figure


_OTHER = LevelLook("#7b79c9", "D", (0, (1, 1)))


def _of(frame: pd.DataFrame, factor: str, level: str) -> pd.DataFrame:
    return frame[frame[factor] == level]


def _staircase(
    panel: Axes, curve: pd.DataFrame, look: LevelLook, name: str, *, band: bool, start: float
) -> None:
    """A curve that changes at visits only, from its value at step 0 on."""
    steps = np.append(0.0, curve["step"].to_numpy(dtype=float))
    heights = np.append(start, curve["estimate"].to_numpy(dtype=float))
    style: dict[str, Any] = {"color": look.colour, "linestyle": look.dashes, "marker": look.marker}
    panel.plot(
        steps,
        heights,
        drawstyle="steps-post",
        markersize=3.4,
        markevery=slice(1, None),
        linewidth=1.4,
        label=name,
        **style,
    )
    if band:
        panel.fill_between(
            curve["step"].to_numpy(dtype=float),
            curve["ci_low"].to_numpy(dtype=float),
            curve["ci_high"].to_numpy(dtype=float),
            step="post",
            color=look.colour,
            alpha=0.15,
            linewidth=0,
        )


def _marks(panel: Axes, curve: pd.DataFrame, look: LevelLook) -> None:
    """A tick through the curve where runs were lost from sight before the horizon."""
    lost = curve.iloc[:-1][curve["censored"].iloc[:-1] > 0]
    panel.scatter(lost["step"], lost["estimate"], marker="|", s=60, color=look.colour, linewidth=1.1)


def _whisker(panel: Axes, curve: pd.DataFrame, look: LevelLook, place: int, n: int) -> None:
    """The interval at the horizon, beside the end of the curve."""
    end = curve.iloc[-1]
    x = float(end["step"]) * (1.02 + 0.016 * place)
    if n > FEW:
        panel.plot([x, x], [end["ci_low"], end["ci_high"]], color=look.colour, linewidth=1.4)
        panel.plot([x], [end["estimate"]], color=look.colour, marker=look.marker, markersize=3.4)


def _share_axis(panel: Axes, frame: pd.DataFrame, *, top: bool) -> None:
    """From 0 to 1, or the half of it that holds all that is drawn."""
    if top:
        low = float(np.nanmin([frame["ci_low"].min(), frame["estimate"].min(), 1.0]))
        panel.set_ylim(0.49 if low > 0.5 else -0.02, 1.01)
    else:
        high = float(np.nanmax([frame["ci_high"].max(), frame["estimate"].max(), 0.0]))
        panel.set_ylim(-0.01, 0.51 if high < 0.5 else 1.02)
    panel.yaxis.set_major_formatter(SHARE_TICKS)


def _risk_table(
    panel: Axes,
    survival: Survival,
    levels: Sequence[str],
    looks: Mapping[str, LevelLook],
    steps: Sequence[int],
) -> None:
    """Runs at risk under the ticks of the axis, a line a level."""
    below: dict[str, Any] = {
        "xycoords": ("data", "axes fraction"),
        "textcoords": "offset points",
        "fontsize": 7.5,
    }
    panel.annotate("runs at risk", (0, 0), (0, -40), va="center", ha="center", color=MUTED, **below)
    for line, level in enumerate(levels):
        height = -52 - 12 * line
        panel.annotate(short(level), (0, 0), (-22, height), va="center", ha="right", color=INK, **below)
        counts = _of(survival.at_risk, survival.factor, level).set_index("step")["at_risk"]
        for step in steps:
            text = f"{counts[step]:,}"
            panel.annotate(text, (step, 0), (0, height), va="center", ha="center", color=INK, **below)
