from __future__ import annotations

import numpy as np
import pandas as pd

from stability.report.figures.curves import Bars, Onset, run_curves
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


def test_a_curve_breaks_where_a_value_is_not_finite() -> None:
    broken = curves(separation=[0.5, float("nan"), 0.7])
    figure = run_curves(broken, visits(), [], bars=BARS, horizon=40)
    lines = [line for line in figure.axes[0].lines if line.get_label() == "batch"]
    assert [np.asarray(line.get_xdata()).tolist() for line in lines] == [[10], [30]]
    legend = figure.axes[0].get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == ["batch", "held out"]
