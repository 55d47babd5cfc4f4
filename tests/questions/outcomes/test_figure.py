from __future__ import annotations

import numpy as np
import pandas as pd

from stability.questions.outcomes.figure import share_panels
from stability.statistics.rates import rates_by

EVENTS = ["success", "stable", "diverged"]


def rates() -> pd.DataFrame:
    runs = pd.DataFrame(
        {
            "loss": ["hinge", "minimax"] * 4,
            "point": range(8),
            "outcome": ["stable", "diverged", "nearly-stable", "diverged"] * 2,
            "adaptive": False,
        }
    )
    return rates_by(runs, "loss", EVENTS)


def test_a_panel_for_every_outcome_and_a_line_for_every_level() -> None:
    figure = share_panels(rates(), "loss", ["hinge", "minimax"], EVENTS)
    assert [axes.get_title() for axes in figure.axes] == EVENTS
    first = figure.axes[0]
    assert [label.get_text() for label in first.get_yticklabels()] == ["hinge", "minimax"]
    dots = first.collections[-1].get_offsets()
    np.testing.assert_allclose(np.asarray(dots), [[1.0, 0], [0.0, 1]])
