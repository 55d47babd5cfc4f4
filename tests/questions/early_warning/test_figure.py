from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.collections import PathCollection

from stability.page_kit.svg import inline_svg
from stability.questions.early_warning.figure import auc_panels, rule_panels

SETS = ("both together", "hyperparameters")
SINGLES = ("grad_norm_g", "loss_d")
STOPPED = {"caught": "runs that fail", "false_stops": "runs that end well"}


def auc(low: float = 0.6) -> pd.DataFrame:
    rows = [
        {"step": step, "predictor": name, "kind": "set" if name in SETS else "one", "estimate": 0.8}
        for step in (100, 200)
        for name in (*SETS, *SINGLES)
    ]
    frame = pd.DataFrame(rows).assign(ci_low=low, ci_high=0.9)
    return frame.assign(ci_low=np.where(frame["predictor"] == "loss_d", 0.4, frame["ci_low"]))


def test_a_curve_for_every_set_and_a_disc_for_every_diagnostic_and_step() -> None:
    figure = auc_panels(auc(), SETS, SINGLES)
    curves, grid = figure.axes
    assert [line.get_label() for line in curves.lines[:2]] == list(SETS)
    assert all(np.asarray(line.get_ydata()).tolist() == [0.8, 0.8] for line in curves.lines[:2])
    full, hollow = (dots for dots in grid.collections if isinstance(dots, PathCollection))
    np.testing.assert_allclose(np.asarray(full.get_offsets()), [[0, 0], [1, 0]])
    np.testing.assert_allclose(np.asarray(hollow.get_offsets()), [[0, 1], [1, 1]])
    assert len(hollow.get_facecolor()) == 0
    assert [label.get_text() for label in grid.get_yticklabels()] == ["grad norm g", "loss d"]


def test_intervals_below_chance_stay_in_the_picture() -> None:
    low = auc_panels(auc(low=0.1), SETS, SINGLES).axes[0].get_ylim()[0]
    assert low < 0.1


def test_what_is_not_estimable_leaves_a_gap() -> None:
    frame = auc()
    frame.loc[frame["step"] == 100, ["estimate", "ci_low", "ci_high"]] = np.nan
    figure = auc_panels(frame, SETS, SINGLES)
    assert [len(np.asarray(line.get_xdata())) for line in figure.axes[0].lines[:2]] == [1, 1]
    assert inline_svg(figure, "gap", "gap").count("<svg") == 1


def test_the_rule_shows_what_it_saves_beside_what_it_stops_and_its_limit() -> None:
    rows = [
        {"step": step, "quantity": name, "estimate": value, "ci_low": value / 2, "ci_high": 2 * value}
        for step in (100, 200)
        for name, value in (("compute_saved", 0.2), ("caught", 0.4), ("false_stops", 0.02))
    ]
    saved, stopped = rule_panels(pd.DataFrame(rows), STOPPED, 0.05).axes
    assert np.asarray(saved.lines[0].get_ydata()).tolist() == [0.2, 0.2]
    assert [line.get_label() for line in stopped.lines[:2]] == list(STOPPED.values())
    assert np.asarray(stopped.lines[1].get_ydata()).tolist() == [0.02, 0.02]
    assert np.asarray(stopped.lines[2].get_ydata()).tolist() == [0.05, 0.05]
    legend = stopped.get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == list(STOPPED.values())
