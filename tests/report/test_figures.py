from __future__ import annotations

import re

import matplotlib
import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot
from matplotlib.collections import PathCollection
from matplotlib.colors import to_hex
from matplotlib.markers import MarkerStyle

from stability.analysis.maps import MapAxes
from stability.analysis.rates import rates_by
from stability.report.figures import (
    DENSE,
    MOST_COLUMNS,
    Bars,
    Onset,
    run_curves,
    scatter_map,
    share_panels,
)
from stability.report.palette import LOOKS
from stability.report.svg import inline_svg

BARS = Bars(0.99, 0.01, 0.9, 12.0)
AXES = MapAxes("lr_ratio", "beta1", True, False, "loss", ())


def rates() -> pd.DataFrame:
    runs = pd.DataFrame(
        {
            "loss": ["hinge", "minimax"] * 4,
            "point": range(8),
            "outcome": ["stable", "diverged"] * 4,
            "adaptive": False,
        }
    )
    return rates_by(runs, "loss", ["stable", "diverged"])


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


def curves(**changes: list[float]) -> pd.DataFrame:
    steady = [1.0, 0.5, 0.8]
    columns = ["loss_g", "loss_d", "grad_norm_g", "grad_norm_d", "generator_update", "discriminator_update"]
    return pd.DataFrame(
        {"step": [10, 20, 30], "separation": steady, **dict.fromkeys(columns, steady), **changes}
    )


def visits(ratio: float = 20.0) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "step": [10, 20],
            "separation": [0.8, 0.9],
            "modes": [3, 9],
            "n_modes": [10, 10],
            "fid_ratio": [50.0, ratio],
        }
    )


def test_a_panel_for_every_outcome_and_a_line_for_every_level() -> None:
    figure = share_panels(rates(), "loss", ["hinge", "minimax"], ["stable", "diverged"])
    assert [axes.get_title() for axes in figure.axes] == ["stable", "diverged"]
    first = figure.axes[0]
    assert [label.get_text() for label in first.get_yticklabels()] == ["hinge", "minimax"]
    dots = first.collections[-1].get_offsets()
    np.testing.assert_allclose(np.asarray(dots), [[1.0, 0], [0.0, 1]])


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


def test_curves_mark_every_onset_in_every_panel() -> None:
    figure = run_curves(curves(), visits(), [Onset("a", 20)], bars=BARS, horizon=40)
    assert len(figure.axes) == 6
    assert all("a" in [text.get_text() for text in axes.texts] for axes in figure.axes)
    assert figure.axes[3].get_yscale() == "log"


def test_curves_stand_numbers_that_are_not_finite_not_positive_or_not_there() -> None:
    nan, inf = float("nan"), float("inf")
    odd = curves(loss_d=[1.0, 1e12, inf], grad_norm_d=[0.0, 0.0, 0.0], grad_norm_g=[0.0, nan, 0.0])
    drawn = inline_svg(run_curves(odd, visits(nan), [], bars=BARS, horizon=40), "odd", "curves")
    nothing = inline_svg(
        run_curves(curves().head(0), visits().head(0), [], bars=BARS, horizon=40), "none", "curves"
    )
    assert drawn.count("<svg") == nothing.count("<svg") == 1


def test_inline_svg_is_themed_escaped_and_refers_to_nothing_outside() -> None:
    figure = share_panels(rates().replace("hinge", "<b>$x$"), "loss", ["<b>$x$", "minimax"], ["stable"])
    drawn = inline_svg(figure, "shares", 'a "quoted" <alt>')
    assert "http" not in drawn
    assert "<style" not in drawn
    assert "var(--ink)" in drawn
    assert "&lt;b&gt;$x$" in drawn
    assert 'aria-label="a &quot;quoted&quot; &lt;alt&gt;"' in drawn


def test_ids_of_two_figures_do_not_meet_and_every_reference_is_met() -> None:
    figures = [share_panels(rates(), "loss", ["hinge"], ["stable"]) for _ in range(2)]
    first, second = (
        inline_svg(figure, name, "") for figure, name in zip(figures, ("one", "two"), strict=True)
    )
    ids = [set(re.findall(r'\bid="([^"]*)"', drawn)) for drawn in (first, second)]
    assert ids[0]
    assert not ids[0] & ids[1]
    references = set(re.findall(r'(?:href="#|url\(#)([^")]*)', first))
    assert references
    assert references <= ids[0]


def test_drawing_leaves_no_global_state() -> None:
    before = matplotlib.rcParams.copy()
    inline_svg(scatter_map(points(5), AXES, ["hinge"], [""], ["stable"]), "map", "a map")
    inline_svg(run_curves(curves(), visits(), [], bars=BARS, horizon=40), "curves", "curves")
    assert matplotlib.rcParams.copy() == before
    assert not pyplot.get_fignums()


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


def test_a_curve_breaks_where_a_value_is_not_finite() -> None:
    broken = curves(separation=[0.5, float("nan"), 0.7])
    figure = run_curves(broken, visits(), [], bars=BARS, horizon=40)
    lines = [line for line in figure.axes[0].lines if line.get_label() == "batch"]
    assert [np.asarray(line.get_xdata()).tolist() for line in lines] == [[10], [30]]
    legend = figure.axes[0].get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == ["batch", "held out"]
