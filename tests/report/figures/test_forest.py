from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from stability.report.figures.forest import box_panels, cost_panels, forest
from stability.report.palette import level_looks
from stability.report.svg import inline_svg
from stability.report.words import signed


def pairs() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "first": ["hinge", "hinge", "minimax"],
            "second": ["minimax", "least-squares", "least-squares"],
            "estimate": [0.4, 0.2, 0.0],
            "ci_low": [0.1, -0.1, np.nan],
            "ci_high": [0.7, 0.5, np.nan],
            "p_holm": [0.01, 0.2, 1.0],
        }
    )


def rates() -> pd.DataFrame:
    rows = [
        {"box": box, "level": level, "event": event, "estimate": height, "ci_low": 0.1, "ci_high": 0.9}
        for height, box in ((0.2, "whole space"), (0.6, "lr 1e-4 to 1e-3"))
        for level in ("hinge", "minimax")
        for event in ("success", "collapse_ever")
    ]
    return pd.DataFrame(rows)


@pytest.mark.parametrize(
    ("difference", "text"), [(0.214, "+.21"), (-0.05, "−.05"), (0.0, "0"), (1.0, "+1"), (np.nan, "–")]
)
def test_differences_have_a_sign(difference: float, text: str) -> None:
    assert signed(difference) == text


def test_a_forest_has_a_line_for_every_pair_and_full_dots_where_told_apart() -> None:
    panel = forest(pairs(), "difference").axes[0]
    names = [label.get_text() for label in panel.get_yticklabels()]
    assert names == ["hinge − minimax", "hinge − least-squares", "minimax − least-squares"]
    lines, full, hollow = panel.collections
    assert len(lines.get_segments()) == 3
    np.testing.assert_allclose(lines.get_segments()[0], [[0.1, 0], [0.7, 0]])
    np.testing.assert_allclose(np.asarray(full.get_offsets()), [[0.4, 0]])
    np.testing.assert_allclose(np.asarray(hollow.get_offsets()), [[0.2, 1], [0.0, 2]])
    assert len(full.get_facecolor()) == 1
    assert len(hollow.get_facecolor()) == 0
    assert panel.get_ylim()[0] > panel.get_ylim()[1]
    low, high = panel.get_xlim()
    assert low < -0.1
    assert high > 0.7


def test_a_forest_without_any_interval_is_drawn_around_zero() -> None:
    nothing = pairs().assign(estimate=np.nan, ci_low=np.nan, ci_high=np.nan, p_holm=np.nan)
    low, high = forest(nothing, "difference").axes[0].get_xlim()
    assert low < 0 < high


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


def test_box_panels_group_levels_within_parts() -> None:
    titles = {"success": "succeeded", "collapse_ever": "collapsed"}
    names = ["whole space", "lr 1e-4 to 1e-3"]
    figure = box_panels(rates(), names, ["hinge", "minimax"], titles)
    assert [panel.get_title() for panel in figure.axes] == ["succeeded", "collapsed"]
    dots = [collection for collection in figure.axes[0].collections if len(collection.get_offsets())][1::2]
    heights = [float(np.asarray(dot.get_offsets())[0, 1]) for dot in dots]
    assert np.round(heights).tolist() == [0, 0, 1, 1]
    assert len(set(heights)) == 4
    legend = figure.legends[0]
    assert [text.get_text() for text in legend.get_texts()] == ["hinge", "minimax"]
    looks = level_looks(["hinge", "minimax"])
    assert [handle.get_marker() for handle in legend.get_lines()] == [
        looks["hinge"].marker,
        looks["minimax"].marker,
    ]
    assert not box_panels(rates()[rates()["level"] == "hinge"], names, ["hinge"], titles).legends


def test_figures_become_svg_with_text() -> None:
    svg = str(inline_svg(forest(pairs(), "difference"), "forest", "a forest plot"))
    assert "hinge − least-squares" in svg
    assert 'aria-label="a forest plot"' in svg
