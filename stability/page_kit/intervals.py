"""Estimates as dots with their intervals, a line each: drawn here for all figures that have them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, Formatter, FuncFormatter, MaxNLocator
from numpy.typing import NDArray

from stability.page_kit.figure_layout import SHARE_TICKS, margins, short
from stability.page_kit.palette import INK, MUTED, LevelLook
from stability.page_kit.words import signed

SIGNED_TICKS = FuncFormatter(lambda value, _: signed(float(value)))

LINE = 0.21
"""Inches between two lines, where they stand close."""
LETTER = 0.072
"""Inches that a letter of a line's name takes, about."""

PLAIN = LevelLook(INK, "o", "-")


def intervals(
    panel: Axes,
    rows: pd.DataFrame,
    at: Iterable[float],
    look: LevelLook = PLAIN,
    *,
    line: str = MUTED,
    size: float = 30,
    label: str = "",
) -> None:
    """A dot at every `estimate` and a line from `ci_low` to `ci_high`, at these heights; gaps where none is.

    A row whose column `hollow` is true has its dot open.
    """
    heights: NDArray[np.float64] = np.array(list(at), dtype=np.float64)
    panel.hlines(heights, rows["ci_low"], rows["ci_high"], colors=line, linewidth=1.4)
    hollow = rows["hollow"].to_numpy(dtype=bool) if "hollow" in rows else np.zeros(len(rows), dtype=bool)
    for chosen, face, edge in ((~hollow, look.colour, INK), (hollow, "none", look.colour)):
        if chosen.any():
            panel.scatter(
                rows["estimate"][chosen],
                heights[chosen],
                s=size,
                marker=look.marker,
                facecolor=face,
                edgecolor=edge,
                linewidth=0.5 if face != "none" else 1,
                zorder=3,
                clip_on=False,
                label=label,
            )


def curve(
    panel: Axes, at: Iterable[float], rows: pd.DataFrame, look: LevelLook, *, line: str, label: str = ""
) -> None:
    """Estimates over what stands across, joined, each with its interval as a line upwards."""
    across = list(at)
    panel.vlines(across, rows["ci_low"], rows["ci_high"], colors=line, linewidth=1.2)
    style: dict[str, Any] = {"color": look.colour, "marker": look.marker, "linestyle": look.dashes}
    panel.plot(across, rows["estimate"], markersize=5, label=label, **style)


def name_lines(panel: Axes, names: Sequence[str], fewest: int = 1) -> None:
    """The names of a panel's lines, the first on top; room for `fewest` lines at least."""
    panel.set_yticks(range(len(names)), [short(name) for name in names])
    panel.set_ylim(max(fewest, len(names)) - 0.4, -0.6)
    bare(panel)


def bare(panel: Axes) -> None:
    """Nothing but what is drawn across: no lines along, no ticks."""
    panel.tick_params(length=0)
    panel.grid(axis="y", visible=False)
    panel.spines["left"].set_visible(False)


def room_for(names: Iterable[str]) -> float:
    """Inches that the names of lines take beside their panel."""
    return 0.2 + LETTER * max((len(short(name)) for name in names), default=0)


def share_scale(panel: Axes) -> None:
    """An axis across from 0 to 1."""
    panel.set_xlim(-0.03, 1.03)
    panel.xaxis.set_major_locator(FixedLocator([0, 0.25, 0.5, 0.75, 1]))
    panel.xaxis.set_major_formatter(SHARE_TICKS)


def difference_scale(panel: Axes, ticks: Formatter = SIGNED_TICKS) -> None:
    """An axis across with zero marked."""
    panel.axvline(0, color=MUTED, linewidth=0.9)
    panel.xaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 2.5, 5, 10]))
    panel.xaxis.set_major_formatter(ticks)


def line_panels(
    figure: Figure, names: Sequence[str], shape: tuple[int, int], *, above: float = 0.25, gap: float = 0.35
) -> list[Axes]:
    """Panels that share their named lines, laid out for as many; `above` is room for a legend in inches."""
    panels = list(figure.subplots(*shape, sharey=True, squeeze=False).ravel())
    for panel in panels:
        bare(panel)
    name_lines(panels[0], names)
    margins(figure, (room_for(names), 0.15, above, 0.45), (0.2, gap), shape)
    return panels


def name_across(figure: Figure, text: str) -> None:
    """What all panels of a figure have across."""
    figure.supxlabel(text, fontsize=8, color=MUTED, y=0, va="bottom")


def level_legend(figure: Figure, looks: Mapping[str, LevelLook]) -> None:
    """Which level is which, where there are several."""
    if len(looks) > 1:
        handles = [
            Line2D(
                [], [], color=look.colour, marker=look.marker, markersize=5, linestyle="", label=short(level)
            )
            for level, look in looks.items()
        ]
        figure.legend(handles=handles, loc="upper left", ncols=min(5, len(looks)), borderpad=0)


def difference_lines(pairs: pd.DataFrame, names: Sequence[str], label: str, ticks: Formatter) -> Figure:
    """One panel, a line for every pair: its difference, zero marked. To be drawn in the page's style."""
    figure = Figure(figsize=(7.6, 0.65 + 0.22 * max(2, len(pairs))))
    panel = figure.subplots()
    difference_scale(panel, ticks)
    intervals(panel, pairs, range(len(pairs)))
    name_lines(panel, names, fewest=2)
    panel.set_xlim(*_around_zero(pairs))
    panel.set_xlabel(label)
    margins(figure, (room_for(names), 0.2, 0.1, 0.5), (0, 0), (1, 1))
    return figure


def _around_zero(pairs: pd.DataFrame) -> tuple[float, float]:
    drawn = pairs[["estimate", "ci_low", "ci_high"]].to_numpy(dtype=float)
    ends = [0.0, *drawn[np.isfinite(drawn)].tolist()]
    low, high = min(ends), max(ends)
    room = 0.05 * (high - low) or 0.1
    return low - room, high + room
