"""Importance of parameters as dots with intervals. Draws finished estimates; computes nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from stability.page_kit.figure_layout import TICKS, margins
from stability.page_kit.intervals import intervals, name_across, name_lines, room_for
from stability.page_kit.palette import INK, LEVEL_LOOKS, MUTED, LevelLook
from stability.page_kit.svg import page_style


def importance_panels(parameters: pd.DataFrame, targets: Sequence[str], titles: Mapping[str, str]) -> Figure:
    """A panel for every target, its parameters from the top; `parameters` as `Importance` has them."""
    n_lines = max(int((parameters["target"] == target).sum()) for target in targets)
    with page_style():
        figure = Figure(figsize=(5.2 * len(targets), 0.85 + 0.24 * n_lines))
        panels = figure.subplots(1, len(targets), squeeze=False).ravel()
        for panel, target in zip(panels, targets, strict=True):
            _dots(panel, parameters[parameters["target"] == target])
            panel.set_title(titles[target], loc="left")
        name_across(
            figure, "increase of the error when a parameter's values are shuffled, 95% interval; 0: of no use"
        )
        left = room_for(map(str, parameters["parameter"]))
        margins(figure, (left, 0.15, 0.25, 0.5), (left + 0.1, 0), (1, len(targets)))
    return figure


def _dots(panel: Axes, rows: pd.DataFrame) -> None:
    """Parameters as round dots, the dummy as a cross with its interval as a band behind all others."""
    panel.axvline(0, color=INK, linewidth=0.7)
    dummy, heights = rows["dummy"].to_numpy(dtype=bool), np.arange(len(rows))
    for low, high in rows.loc[dummy, ["ci_low", "ci_high"]].to_numpy(dtype=float):
        panel.axvspan(low, high, color=MUTED, alpha=0.16, linewidth=0)
    intervals(panel, rows[~dummy], heights[~dummy], LEVEL_LOOKS[0], size=34)
    intervals(panel, rows[dummy], heights[dummy], LevelLook(MUTED, "X", ""), size=34)
    name_lines(panel, [str(name) for name in rows["parameter"]])
    panel.xaxis.set_major_locator(MaxNLocator(5))
    panel.xaxis.set_major_formatter(TICKS)
