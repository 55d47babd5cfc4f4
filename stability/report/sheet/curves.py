"""One run's course, on one time axis. Draws records and visits; computes nothing.

Seaborn draws curves into the panels of plain figures, so pyplot holds none of them and no state is shared.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, MaxNLocator, NullLocator
from numpy.typing import NDArray

from stability.page_kit.figure_layout import TICKS, bar, log_axis, margins, symmetric_decades
from stability.page_kit.palette import DISCRIMINATOR, GENERATOR, INK
from stability.page_kit.svg import page_style

NETWORKS: dict[str, tuple[str, str | tuple[int, int]]] = {
    "G": (GENERATOR, ""),
    "D": (DISCRIMINATOR, (3, 1)),
}
"""Colour and dashes of the two networks' curves."""


def bare_curves(records: pd.DataFrame, evaluations: pd.DataFrame, *, horizon: int) -> Figure:
    """One run for those who judge it by eye: nothing of what rules said of it, nor where they draw lines.

    `records` holds `separation` as it is to be drawn, losses and updates; `evaluations` holds `fid`,
    `fid_floor`, `modes`, `n_modes` and `diversity`.
    """
    with page_style():
        figure = Figure(figsize=(8.7, 2.3))
        panels = figure.subplots(2, 3, sharex=True).ravel()
        _curve(panels[0], records, "separation", color=INK, linewidth=1.1)
        _share_axis(panels[0], "separation of the batch, median of five")
        _losses(panels[1], records)
        _log_pair(panels[2], records, ("generator_update", "discriminator_update"), "updates / lr")
        _fid(panels[3], evaluations)
        _modes(panels[4], evaluations)
        _curve(panels[5], evaluations, "diversity", color=INK, marker="o", markersize=3)
        _share_axis(panels[5], "diversity: 1 is real examples")
        for panel in panels:
            panel.yaxis.set_tick_params(labelsize=7)
        panels[0].set_xlim(0, 1.02 * horizon)
        _step_axes(panels[-3:])
        margins(figure, (0.45, 0.08, 0.2, 0.22), (0.5, 0.28), (2, 3))
    return figure


def _losses(panel: Axes, records: pd.DataFrame) -> None:
    values = _both(panel, records, ("loss_g", "loss_d"))
    if len(values) and values.max() > 50:
        panel.set_yscale("symlog", linthresh=1)
        panel.yaxis.set_major_locator(symmetric_decades(float(values.max())))
        panel.yaxis.set_minor_locator(NullLocator())
    else:
        panel.yaxis.set_major_locator(MaxNLocator(4))
    panel.yaxis.set_major_formatter(TICKS)
    _name(panel, "losses", legend=True)


def _log_pair(panel: Axes, records: pd.DataFrame, columns: tuple[str, str], title: str) -> None:
    values = _both(panel, records, columns)
    if (values > 0).any():
        log_axis(panel, float(values[values > 0].min()), float(values.max()))
    _name(panel, f"{title} (log)", legend=True)


def _both(panel: Axes, records: pd.DataFrame, columns: tuple[str, str]) -> NDArray[np.float64]:
    """Draw G's and D's curve; returns the sizes of their finite values."""
    for network, column in zip("DG", columns[::-1], strict=True):
        colour, dashes = NETWORKS[network]
        _curve(panel, records, column, color=colour, dashes=dashes, linewidth=0.9, label=network)
    values: NDArray[np.float64] = records[list(columns)].to_numpy(dtype=np.float64)
    sizes: NDArray[np.float64] = np.abs(values[np.isfinite(values)])
    return sizes


def _curve(panel: Axes, values: pd.DataFrame, column: str, **looks: Any) -> None:
    """Values by step. Where one is not finite the line breaks: every stretch between two breaks is a unit.

    Seaborn alone would leave such values out and join their neighbours.
    """
    finite = np.isfinite(values[column].to_numpy(dtype=np.float64))
    if not finite.any():
        return
    stretches = values[finite].assign(stretch=np.cumsum(~finite)[finite])
    sns.lineplot(
        stretches,
        x="step",
        y=column,
        units="stretch",
        estimator=None,
        errorbar=None,
        sort=False,
        legend=False,
        markeredgecolor=looks["color"],
        ax=panel,
        **looks,
    )


def _modes(panel: Axes, evaluations: pd.DataFrame) -> None:
    _curve(panel, evaluations, "modes", color=INK, marker="o", markersize=3)
    n_modes = int(evaluations["n_modes"].max()) if len(evaluations) else 10
    panel.set_ylim(-0.04 * n_modes, 1.06 * n_modes)
    panel.yaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10], integer=True))
    panel.yaxis.set_major_formatter(TICKS)
    _name(panel, f"modes covered, of {n_modes}")


def _fid(panel: Axes, evaluations: pd.DataFrame) -> None:
    """FID, and as a dotted line what training images would have."""
    _curve(panel, evaluations, "fid", color=INK, marker="o", markersize=3)
    values = evaluations[["fid", "fid_floor"]].to_numpy(dtype=float)
    values = values[np.isfinite(values) & (values > 0)]
    if len(values):
        log_axis(panel, float(values.min()), float(values.max()))
        bar(panel, float(evaluations["fid_floor"].iloc[-1]))
    _name(panel, "FID (log), dotted: training images")


def _share_axis(panel: Axes, title: str) -> None:
    """An axis from 0 to 1, or to what is drawn above."""
    top = max([1.0, *(float(np.max(line.get_ydata())) for line in panel.lines)])
    panel.set_ylim(-0.03 * top, 1.06 * top)
    panel.yaxis.set_major_locator(FixedLocator([0, 0.25, 0.5, 0.75, 1]) if top <= 1.5 else MaxNLocator(4))
    panel.yaxis.set_major_formatter(TICKS)
    _name(panel, title)


def _step_axes(panels: Sequence[Axes]) -> None:
    for panel in panels:
        panel.set_xlabel("")
        panel.xaxis.set_major_formatter(TICKS)
        panel.xaxis.set_major_locator(MaxNLocator(5, integer=True))


def _name(panel: Axes, title: str, *, legend: bool = False) -> None:
    panel.set_title(title, loc="left")
    panel.set(xlabel="", ylabel="")
    handles, labels = panel.get_legend_handles_labels()
    named = dict(zip(labels, handles, strict=True))
    if legend and named:
        panel.legend(
            named.values(),
            named.keys(),
            loc="lower right",
            bbox_to_anchor=(1.02, 0.97),
            ncols=2,
            fontsize=7.5,
            handlelength=1.4,
            columnspacing=0.9,
        )
