from __future__ import annotations

import numpy as np
import pandas as pd

from stability.questions.seed_or_configuration.estimate import PARTS
from stability.questions.seed_or_configuration.figure import (
    PART_LOOKS,
    budget_curves,
    configuration_dots,
    part_bars,
)

NAMES = {part: part for part in PARTS}


def parts(estimates: list[float], response: str) -> pd.DataFrame:
    frame = pd.DataFrame({"response": response, "part": PARTS, "estimate": estimates})
    return frame.assign(ci_low=frame["estimate"] - 0.1, ci_high=frame["estimate"] + 0.1)


def test_bars_are_as_long_as_the_shares_and_hatched_apart() -> None:
    missing = parts([np.nan] * 4, "success")
    figure = part_bars(pd.concat([missing, parts([0.4, 0.3, 0.2, 0.1], "log final FID")]), NAMES)
    assert [panel.get_title() for panel in figure.axes] == ["log final FID"]
    bars = figure.axes[0].patches
    np.testing.assert_allclose([bar.get_width() for bar in bars], [0.4, 0.3, 0.2, 0.1])
    assert len({bar.get_hatch() for bar in bars}) == len({bar.get_facecolor() for bar in bars}) == 4
    assert list(PART_LOOKS) == list(PARTS)


def test_dots_stand_at_the_shares_and_a_missing_one_is_said() -> None:
    frame = pd.DataFrame(
        {
            "loss": ["a", "b"],
            "response": "success",
            "estimate": [0.7, np.nan],
            "ci_low": [0.5, np.nan],
            "ci_high": [0.9, np.nan],
        }
    )
    panel = configuration_dots(frame, "loss", ["b", "a"]).axes[0]
    assert [label.get_text() for label in panel.get_yticklabels()] == ["b", "a"]
    assert [(text.get_text(), text.get_position()[1]) for text in panel.texts] == [("not estimable", 0)]
    assert np.asarray(panel.collections[-1].get_offsets()).tolist() == [[0.7, 1.0]]


def test_budgets_have_a_panel_a_level_with_its_band_and_the_others_faint() -> None:
    k = np.arange(1, 9)
    frame = pd.concat(
        [
            pd.DataFrame({"loss": loss, "k": k, "median": 80 / k, "low": 40 / k, "high": scale / k})
            for loss, scale in (("a", 160), ("b", 320))
        ]
    )
    figure = budget_curves(frame, "loss", ["a", "b"])
    assert [panel.get_title() for panel in figure.axes] == ["a", "b"]
    for panel, scale in zip(figure.axes, (160, 320), strict=True):
        outline = panel.collections[0].get_paths()[0].vertices
        assert outline[:, 1].max() == scale
        other, median, markers = panel.lines
        assert other.get_linewidth() < median.get_linewidth()
        np.testing.assert_allclose(np.asarray(median.get_ydata()), 80 / k)
        assert np.asarray(markers.get_xdata()).tolist() == [1, 2, 4, 8]


def test_a_budget_without_numbers_can_be_drawn() -> None:
    frame = pd.DataFrame({"loss": "a", "k": [1, 2], "median": np.nan, "low": np.nan, "high": np.nan})
    assert budget_curves(frame, "loss", ["a"]).axes[0].get_yscale() == "log"
