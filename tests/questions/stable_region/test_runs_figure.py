from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from matplotlib.collections import PathCollection
from matplotlib.colors import to_hex
from matplotlib.markers import MarkerStyle

from stability.page_kit.palette import LOOKS
from stability.page_kit.svg import inline_svg
from stability.questions.stable_region.runs_figure import DENSE, MOST_COLUMNS, scatter_map
from stability.reading.map_axes import MapAxes

AXES = MapAxes("lr_ratio", "beta1", True, False, "loss", ())


def points(n: int, column: str = "hinge") -> pd.DataFrame:
    generator = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "run": [f"r{i}" for i in range(n)],
            "x": np.exp(generator.normal(size=n)),
            "y": generator.random(n),
            "column": column,
            "row": "",
            "outcome": generator.choice(["stable", "diverged"], size=n),
            "place": 0,
            "crowd": 1,
        }
    )


def test_the_map_has_a_panel_a_level_and_one_legend() -> None:
    both = pd.concat([points(5), points(4, "minimax")])
    figure = scatter_map(both, AXES, ["hinge", "minimax"], [""], ["stable", "diverged"])
    drawn = [
        sum(len(np.asarray(collection.get_offsets())) for collection in axes.collections)
        for axes in figure.axes
    ]
    assert drawn == [5, 4]
    assert figure.axes[0].get_xscale() == "log"
    assert len(figure.legends) == 1
    assert all(axes.get_legend() is None for axes in figure.axes)


def test_a_dense_map_becomes_a_picture() -> None:
    thin, dense = (
        scatter_map(points(n), AXES, ["hinge"], [""], ["stable", "diverged"]) for n in (50, DENSE + 1)
    )
    assert "data:image/png" not in inline_svg(thin, "thin", "a map")
    assert "data:image/png" in inline_svg(dense, "dense", "a map")


def test_every_run_on_the_map_has_its_outcome_s_colour_and_marker() -> None:
    runs = points(2).assign(outcome=["stable", "diverged"])
    figure = scatter_map(runs, AXES, ["hinge"], [""], ["stable", "diverged"])
    drawn = figure.axes[0].collections[0]
    assert isinstance(drawn, PathCollection)
    assert [to_hex(colour) for colour in drawn.get_facecolor()] == [
        LOOKS[name].colour for name in runs["outcome"]
    ]
    for path, name in zip(drawn.get_paths(), runs["outcome"], strict=True):
        marker = MarkerStyle(LOOKS[name].marker)
        expected = marker.get_path().transformed(marker.get_transform())
        np.testing.assert_allclose(np.asarray(path.vertices), np.asarray(expected.vertices))


def test_seeds_of_one_point_stand_side_by_side() -> None:
    seeds = pd.concat([points(1), points(1).assign(place=1)])
    figure = scatter_map(seeds, AXES, ["hinge"], [""], ["stable", "diverged"])
    first, second = figure.axes[0].collections
    data = np.asarray(first.get_offsets())
    np.testing.assert_allclose(np.asarray(second.get_offsets()), data)
    gap = second.get_offset_transform().transform(data) - first.get_offset_transform().transform(data)
    assert np.hypot(*gap[0]) == pytest.approx(3.1 / 72 * figure.dpi)


def test_many_columns_go_on_in_a_new_line_and_rows_are_named_in_plain_lines() -> None:
    names = [f"loss {number}" for number in range(MOST_COLUMNS + 1)]
    rows = ["architecture mlp\nbatchnorm none", "architecture mlp\nbatchnorm generator"]
    everywhere = pd.concat(
        [points(1).assign(column=name, row=row) for name in names for row in rows], ignore_index=True
    )
    figure = scatter_map(everywhere, AXES, names, rows, ["stable", "diverged"])
    shown = [axes for axes in figure.axes if axes.get_visible()]
    assert [axes.get_title() for axes in shown] == names * 2
    assert all(len(axes.collections) == 1 for axes in shown)
    texts = [text for axes in shown for text in axes.texts]
    assert {text.get_text() for text in texts} == {row.replace("\n", ", ") for row in rows}
    assert all(text.get_rotation() == 0 for text in texts)
