from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.collections import LineCollection, PathCollection
from matplotlib.figure import Figure

from stability.page_kit.intervals import curve, difference_lines, intervals, level_legend, line_panels
from stability.page_kit.palette import level_looks
from stability.page_kit.svg import page_style

ROWS = pd.DataFrame(
    {"estimate": [0.5, 0.2, 0.9], "ci_low": [0.4, np.nan, 0.8], "ci_high": [0.6, np.nan, 1.0]}
)


def test_every_dot_stands_on_its_interval() -> None:
    panel = Figure().subplots()
    intervals(panel, ROWS, [0, 1, 2])
    lines, dots = panel.collections
    assert isinstance(lines, LineCollection)
    drawn = [segment[:, 0].tolist() for segment in lines.get_segments() if len(segment)]
    assert drawn == [[0.4, 0.6], [0.8, 1.0]]
    np.testing.assert_allclose(np.asarray(dots.get_offsets()), [[0.5, 0], [0.2, 1], [0.9, 2]])


def test_hollow_dots_are_open_and_keep_their_places() -> None:
    panel = Figure().subplots()
    intervals(panel, ROWS.assign(hollow=[True, False, True]), [0.5, 1.5, 2.5])
    full, hollow = (item for item in panel.collections if isinstance(item, PathCollection))
    np.testing.assert_allclose(np.asarray(full.get_offsets()), [[0.2, 1.5]])
    np.testing.assert_allclose(np.asarray(hollow.get_offsets()), [[0.5, 0.5], [0.9, 2.5]])
    assert (len(full.get_facecolor()), len(hollow.get_facecolor())) == (1, 0)


def test_a_curve_joins_its_estimates() -> None:
    panel = Figure().subplots()
    curve(panel, [10, 20, 30], ROWS, level_looks(["one"])["one"], line="#000000", label="one")
    assert np.asarray(panel.lines[0].get_xydata()).tolist() == [[10, 0.5], [20, 0.2], [30, 0.9]]
    bars = panel.collections[0]
    assert isinstance(bars, LineCollection)
    assert [len(segment) for segment in bars.get_segments()] == [2, 0, 2]  # none where none was estimated


def test_panels_share_the_names_of_their_lines_from_the_top() -> None:
    first, second = line_panels(Figure(figsize=(8, 3)), ["a", "b", "c"], (1, 2))
    assert [label.get_text() for label in first.get_yticklabels()] == ["a", "b", "c"]
    assert first.get_ylim() == second.get_ylim()
    assert first.get_ylim()[0] > first.get_ylim()[1]


def test_a_difference_is_drawn_around_zero() -> None:
    with page_style():
        panel = difference_lines(ROWS, ["a", "b", "c"], "difference", plain).axes[0]
    low, high = panel.get_xlim()
    assert low < 0
    assert high > 1
    assert panel.get_xlabel() == "difference"


def plain(value: float, _: int) -> str:
    return str(value)


def test_one_level_needs_no_legend() -> None:
    figure = Figure()
    level_legend(figure, level_looks(["one"]))
    assert not figure.legends
    level_legend(figure, level_looks(["one", "two"]))
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["one", "two"]
