from __future__ import annotations

import numpy as np
import pandas as pd

from stability.report.figures.curves import Bars, Onset, bare_curves, run_curves
from stability.report.svg import inline_svg

BARS = Bars(0.99, 0.01, 0.9, 0.25)


def curves(**changes: list[float]) -> pd.DataFrame:
    steady = [1.0, 0.5, 0.8]
    columns = ["loss_g", "loss_d", "grad_norm_g", "grad_norm_d", "generator_update", "discriminator_update"]
    return pd.DataFrame(
        {"step": [10, 20, 30], "separation": steady, **dict.fromkeys(columns, steady), **changes}
    )


def visits(excess: float = 0.4) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "step": [10, 20],
            "separation": [0.8, 0.9],
            "modes": [3, 9],
            "n_modes": [10, 10],
            "fid_excess": [2.0, excess],
        }
    )


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


def bare_visits(**changes: list[float]) -> pd.DataFrame:
    usual = {"fid": [90.0, 20.0], "fid_floor": [9.0, 9.0], "diversity": [0.5, 0.9]}
    return visits().assign(**usual, **changes)


def test_bare_curves_draw_no_line_of_a_rule() -> None:
    figure = bare_curves(curves(), bare_visits(), horizon=40)
    flat = [line for axes in figure.axes for line in axes.lines if len(line.get_xdata()) == 2]
    heights = {float(line.get_ydata()[0]) for line in flat if list(line.get_xdata()) == [0, 1]}
    assert heights == {9.0}  # what training images would have, and neither bars nor onsets
    assert [axes.get_xlim() for axes in figure.axes] == [(0, 40.8)] * 6


def test_bare_curves_show_what_is_beyond_one_and_what_is_not_finite() -> None:
    nan, inf = float("nan"), float("inf")
    figure = bare_curves(
        curves(separation=[nan, nan, nan], loss_g=[1e9, inf, nan]),
        bare_visits().assign(diversity=[0.2, 4.0], fid=[1e20, nan], fid_floor=0.0),
        horizon=40,
    )
    assert figure.axes[5].get_ylim()[1] > 4
    assert figure.axes[3].get_ylim()[1] > 1e20
    assert figure.axes[0].get_ylim() == (-0.03, 1.06)
    assert len(bare_curves(curves().head(0), bare_visits().head(0), horizon=40).axes) == 6


def test_a_curve_breaks_where_a_value_is_not_finite() -> None:
    broken = curves(separation=[0.5, float("nan"), 0.7])
    figure = run_curves(broken, visits(), [], bars=BARS, horizon=40)
    lines = [line for line in figure.axes[0].lines if line.get_label() == "batch"]
    assert [np.asarray(line.get_xdata()).tolist() for line in lines] == [[10], [30]]
    legend = figure.axes[0].get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == ["batch", "held out"]
