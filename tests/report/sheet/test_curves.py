from __future__ import annotations

import numpy as np
import pandas as pd

from stability.report.sheet.curves import bare_curves


def curves(**changes: list[float]) -> pd.DataFrame:
    steady = [1.0, 0.5, 0.8]
    columns = ["loss_g", "loss_d", "grad_norm_g", "grad_norm_d", "generator_update", "discriminator_update"]
    return pd.DataFrame(
        {"step": [10, 20, 30], "separation": steady, **dict.fromkeys(columns, steady), **changes}
    )


def bare_visits(**changes: list[float]) -> pd.DataFrame:
    usual = {"modes": [3, 9], "n_modes": [10, 10], "fid": [90.0, 20.0], "fid_floor": [9.0, 9.0]}
    return pd.DataFrame({"step": [10, 20], "diversity": [0.5, 0.9], **usual, **changes})


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
    figure = bare_curves(curves(separation=[0.5, float("nan"), 0.7]), bare_visits(), horizon=40)
    assert [np.asarray(line.get_xdata()).tolist() for line in figure.axes[0].lines] == [[10], [30]]
