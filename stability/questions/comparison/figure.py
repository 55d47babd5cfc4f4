"""Estimates with intervals, one line each: differences of pairs, costs by level, rates on parts of the space.

Draws finished estimates; computes nothing.
"""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure

from stability.page_kit.figure_layout import short
from stability.page_kit.intervals import SIGNED_TICKS, difference_lines
from stability.page_kit.svg import page_style


def forest(pairs: pd.DataFrame, label: str, *, alpha: float = 0.05) -> Figure:
    """A line for every pair, `pairs` as `Comparison.ranked`: the difference and its interval, zero marked.

    A full dot where Holm's p-value is at most `alpha`, a hollow one elsewhere.
    """
    names = [
        f"{short(one)} − {short(other)}" for one, other in zip(pairs["first"], pairs["second"], strict=True)
    ]
    with page_style():
        return difference_lines(pairs.assign(hollow=~(pairs["p_holm"] <= alpha)), names, label, SIGNED_TICKS)
