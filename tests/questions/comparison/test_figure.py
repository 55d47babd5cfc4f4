from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from stability.page_kit.svg import inline_svg
from stability.page_kit.words import signed
from stability.questions.comparison.figure import forest


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


def test_figures_become_svg_with_text() -> None:
    svg = str(inline_svg(forest(pairs(), "difference"), "forest", "a forest plot"))
    assert "hinge − least-squares" in svg
    assert 'aria-label="a forest plot"' in svg
