from __future__ import annotations

import re
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from stability.page_kit.svg import inline_svg
from stability.questions.stable_region.estimate import MapRules, StabilityMap
from stability.questions.stable_region.figure import WIDEST, probability_map, reliability_curve
from stability.questions.stable_region.runs_figure import MOST_COLUMNS, scatter_map
from stability.reading.map_axes import MapAxes

AXES = MapAxes("lr_ratio", "beta1", True, False, "loss", ())


def cells(column: str, *, side: int = 20, supported: bool = True) -> pd.DataFrame:
    middles = (np.arange(side) + 0.5) / side
    u, v = (square.ravel() for square in np.meshgrid(middles, middles))
    probability = 1 - v
    return pd.DataFrame(
        {
            "column": column,
            "row": "",
            "x": 10 ** (2 * u - 1),
            "y": v,
            "probability": probability,
            "ci_low": np.clip(probability - 0.2, 0, 1),
            "ci_high": 1.0,
            "supported": supported | (u < 0.5),
            "safe": probability >= 0.7,
        }
    )


def points(columns: list[str]) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    n = 6 * len(columns)
    return pd.DataFrame(
        {
            "run": [f"r{number}" for number in range(n)],
            "x": 10 ** rng.uniform(-1, 1, n),
            "y": rng.random(n),
            "column": columns * 6,
            "row": "",
            "outcome": "stable",
            "place": 0,
            "crowd": 1,
        }
    )


def found(columns: list[str], **changes: Any) -> StabilityMap:
    panels = pd.DataFrame({"column": [*columns, "flat"], "row": "", "map_reason": ""})
    panels.loc[panels["column"] == "flat", "map_reason"] = "not estimable: all 40 runs succeeded"
    grid = pd.concat([cells(column, **changes) for column in columns])
    nothing = pd.DataFrame()
    return StabilityMap(AXES, MapRules(), (), panels, grid, nothing, nothing, 0, "")


def drawn(columns: list[str], **changes: Any) -> Figure:
    return probability_map(
        found(columns, **changes), points([*columns, "flat"]), [*columns, "flat"], [""], ["stable"]
    )


def test_the_contours_lie_where_the_levels_are() -> None:
    panel = drawn(["hinge"]).axes[0]
    lines = [c for c in panel.collections if type(c).__name__ == "QuadContourSet"]
    heights = [np.mean([path.vertices[:, 1].mean() for path in line.get_paths()]) for line in lines]
    assert heights == pytest.approx([0.5, 0.3], abs=1e-6)  # p = .5, then p - .2 = .5
    assert lines[0].get_linestyle() != lines[1].get_linestyle()


def test_a_panel_without_a_map_says_why_and_keeps_its_runs() -> None:
    panel = drawn(["hinge"]).axes[1]
    texts = " ".join(text.get_text() for text in panel.texts).replace("\n", " ")
    assert "no map: all 40 runs succeeded" in texts
    assert sum(len(np.asarray(c.get_offsets())) for c in panel.collections) == 6


def test_thin_places_are_hatched_and_supported_ones_are_not() -> None:
    hatches = [
        [
            c.hatches
            for c in drawn(["hinge"], supported=supported).axes[0].collections
            if getattr(c, "hatches", [None])[0]
        ]
        for supported in (True, False)
    ]
    assert len(hatches[0]) == 0
    assert len(hatches[1]) == 1


def test_the_key_states_probability_and_confidence() -> None:
    labels = [text.get_text() for text in drawn(["hinge"]).legends[1].get_texts()]
    assert "p ≥ .50 with 95% confidence" in labels


def test_panels_keep_their_size_where_the_page_allows() -> None:
    columns = ["hinge", "flat"]
    plain = scatter_map(points(columns), AXES, columns, [""], ["stable"])
    figure = drawn(["hinge"])
    sizes = [f.axes[0].get_position().size * f.get_size_inches() for f in (plain, figure)]
    np.testing.assert_allclose(sizes[0], sizes[1], rtol=1e-6)


def test_many_columns_fit_the_page_and_stay_in_their_panels() -> None:
    names = [f"loss {number}" for number in range(MOST_COLUMNS + 1)]
    figure = drawn(names)
    assert figure.get_size_inches()[0] <= WIDEST
    shown = [panel.get_title() for panel in figure.axes if panel.get_visible() and panel.get_title()]
    assert shown == [*names, "flat"]
    filled = [
        panel for panel in figure.axes if any(type(c).__name__ == "QuadMesh" for c in panel.collections)
    ]
    assert [panel.get_title() for panel in filled][: len(names)] == names


def test_the_map_is_a_picture_and_small() -> None:
    text = inline_svg(drawn(["hinge"]), "map", "a map")
    assert len(re.findall(r'<g id="map-runs-\d+-\d+"', text)) == 2  # so that the page can hide the markers
    assert "data:image/png" in text
    assert len(text) < 60_000


def test_reliability_has_a_dot_a_bin_and_counts() -> None:
    table = pd.DataFrame(
        {
            "predicted": [0.1, 0.9],
            "estimate": [0.2, 0.8],
            "ci_low": [0.1, 0.6],
            "ci_high": [0.4, 0.9],
            "n_runs": [7, 9],
        }
    )
    panel = reliability_curve(table).axes[0]
    np.testing.assert_allclose(np.asarray(panel.lines[1].get_xydata()), [[0.1, 0.2], [0.9, 0.8]])
    assert [text.get_text() for text in panel.texts] == ["7", "9"]
