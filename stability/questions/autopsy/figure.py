"""What runs look like around an onset, and what moved first. Draws finished estimates; computes nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, MaxNLocator

from stability.page_kit.figure_layout import SHARE_TICKS, TICKS, WIDEST, log_axis, margins
from stability.page_kit.intervals import intervals, line_panels, share_scale
from stability.page_kit.palette import INK, MUTED, LevelLook
from stability.page_kit.svg import page_style

COLUMNS = 4
SPARE = 0.02
"""Room around shares, so that a curve at 0 or 1 is seen."""

LOOKS: Mapping[str, LevelLook] = {
    "case": LevelLook("#d55e00", "s", "-"),
    "control": LevelLook(MUTED, "o", (0, (3, 1))),
}


def aligned_panels(
    typical: pd.DataFrame, names: Mapping[str, str], logs: Sequence[str], groups: Mapping[str, str]
) -> Figure:
    """Every quantity in a panel on one axis of steps from the onset: medians as lines, quartiles as bands.

    `typical` as `Autopsies.typical`; `names` are the panels' titles by quantity, `groups` the legend's words.
    """
    with page_style():
        figure, panels = _panels(len(names))
        for panel, (quantity, name) in zip(panels, names.items(), strict=False):
            rows = typical[typical["quantity"] == quantity]
            for group, words in groups.items():
                here, look = rows[rows["group"] == group].sort_values("offset"), LOOKS[group]
                if group == "case":
                    panel.fill_between(
                        here["offset"], here["q25"], here["q75"], color=look.colour, alpha=0.22, linewidth=0
                    )
                panel.plot(
                    here["offset"], here["median"], color=look.colour, linestyle=look.dashes, label=words
                )
            seen = rows[["median", "q25", "q75"]].to_numpy(dtype=float)
            _finish(panel, name, seen, log=quantity in logs)
        _legend(figure, panels[0])
    return figure


def run_panels(
    courses: Mapping[str, pd.DataFrame], names: Mapping[str, str], logs: Sequence[str], recovery: int | None
) -> Figure:
    """One run's quantities on one axis of steps from the onset.

    `courses` are frames `offset, value` by quantity; a value that is not finite breaks its line.
    """
    with page_style():
        figure, panels = _panels(len(names))
        look = LOOKS["case"]
        for panel, (quantity, name) in zip(panels, names.items(), strict=False):
            course = courses[quantity]
            value = course["value"].where(np.isfinite(course["value"]))
            marker = "o" if len(course) < 30 else ""
            panel.plot(course["offset"], value, color=look.colour, marker=marker, markersize=3, linewidth=1)
            if recovery is not None:
                panel.axvline(recovery, color=MUTED, linewidth=0.8, linestyle=(0, (1, 2)))
            _finish(panel, name, course["value"].to_numpy(dtype=float), log=quantity in logs)
    return figure


def first_moves(first: pd.DataFrame, names: Mapping[str, str], groups: Mapping[str, str]) -> Figure:
    """The share of runs in which each quantity moved before the onset, the control's beside it."""
    with page_style():
        figure = Figure(figsize=(7.6, 0.9 + 0.36 * len(names)))
        (panel,) = line_panels(figure, list(names.values()), (1, 1), above=0.35)
        for place, (group, words) in enumerate(groups.items()):
            rows = first[first["group"] == group].set_index("quantity").loc[list(names)]
            rows, look = rows.assign(hollow=group != "case"), LOOKS[group]
            at = np.arange(len(names)) + 0.24 * (place - 0.5)
            intervals(panel, rows, at, look, line=look.colour, size=32, label=words)
        share_scale(panel)
        panel.set_xlabel("share of runs in which it moved at least a visit before, 95% interval")
        _legend(figure, panel)
    return figure


def _panels(count: int) -> tuple[Figure, list[Axes]]:
    rows = -(-count // COLUMNS)
    figure = Figure(figsize=(WIDEST, 0.75 + 1.75 * rows))
    grid = figure.subplots(rows, COLUMNS, sharex=True, squeeze=False).ravel()
    for place, panel in enumerate(grid):
        panel.set_visible(place < count)
        if place < count <= place + COLUMNS:
            panel.tick_params(labelbottom=True)
            panel.set_xlabel("steps from the onset")
    margins(figure, (0.55, 0.15, 0.5, 0.5), (0.5, 0.5), (rows, COLUMNS))
    return figure, list(grid[:count])


def _finish(panel: Axes, name: str, values: np.ndarray, *, log: bool) -> None:
    panel.axvline(0, color=INK, linewidth=0.8, linestyle=(0, (4, 2)))
    panel.set_title(name, loc="left")
    panel.xaxis.set_major_locator(MaxNLocator(4, integer=True))
    panel.xaxis.set_major_formatter(TICKS)
    if log:
        drawn = values[np.isfinite(values) & (values > 0)]
        if len(drawn):
            log_axis(panel, float(drawn.min()), float(drawn.max()))
        return
    panel.set_ylim(-SPARE, 1 + SPARE)
    panel.yaxis.set_major_locator(FixedLocator([0, 0.25, 0.5, 0.75, 1]))
    panel.yaxis.set_major_formatter(SHARE_TICKS)


def _legend(figure: Figure, panel: Axes) -> None:
    handles, labels = panel.get_legend_handles_labels()
    figure.legend(handles, labels, loc="upper left", ncols=2, borderpad=0, fontsize=8)
