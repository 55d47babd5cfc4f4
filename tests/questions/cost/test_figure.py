from __future__ import annotations

import numpy as np
import pandas as pd

from stability.questions.cost.figure import cost_panels


def test_cost_panels_start_at_zero_and_keep_the_order_of_levels() -> None:
    costs = pd.DataFrame(
        {
            "loss": ["hinge", "minimax"] * 2,
            "measure": ["a", "a", "b", "b"],
            "estimate": [1.0, 2.0, 30.0, np.nan],
            "ci_low": [0.5, 1.0, 10.0, np.nan],
            "ci_high": [2.0, 3.0, 90.0, np.nan],
        }
    )
    figure = cost_panels(costs, "loss", ["minimax", "hinge"], {"a": "cost a", "b": "cost b"})
    first, second = figure.axes
    assert [panel.get_title() for panel in figure.axes] == ["cost a", "cost b"]
    assert [label.get_text() for label in first.get_yticklabels()] == ["minimax", "hinge"]
    assert first.get_xlim()[0] == second.get_xlim()[0] == 0
    assert np.asarray(first.collections[1].get_offsets()).tolist() == [[2.0, 0.0]]
    assert second.get_xlim()[1] >= 90
