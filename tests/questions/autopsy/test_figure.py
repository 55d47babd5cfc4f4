from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.collections import PathCollection

from stability.page_kit.svg import inline_svg
from stability.questions.autopsy.figure import aligned_panels, first_moves, run_panels

NAMES = {"separation": "separation", "modes": "modes covered", "update": "update (log)"}
GROUPS = {"case": "runs that collapsed", "control": "runs that never did"}


def typical(**values: float) -> pd.DataFrame:
    row = {"median": 0.5, "q25": 0.4, "q75": 0.6} | values
    return pd.DataFrame(
        [
            {"group": group, "quantity": quantity, "offset": offset, **row}
            for group in GROUPS
            for quantity in NAMES
            for offset in (-100, 0, 100)
        ]
    )


def test_every_quantity_has_a_panel_with_both_groups_and_the_onset() -> None:
    figure = aligned_panels(typical(), NAMES, ["update"], GROUPS)
    shown = [axes for axes in figure.axes if axes.get_visible()]
    assert [axes.get_title(loc="left") for axes in shown] == list(NAMES.values())
    assert [axes.get_yscale() for axes in shown] == ["linear", "linear", "log"]
    for axes in shown:
        assert [list(np.asarray(line.get_xdata())) for line in axes.lines[:2]] == [[-100, 0, 100]] * 2
        assert list(np.asarray(axes.lines[2].get_xdata())) == [0, 0]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == list(GROUPS.values())


def test_values_without_a_place_on_a_log_axis_do_no_harm() -> None:
    for values in ({"q25": 0.0}, {"q75": float("inf")}, {"median": 0.0, "q25": 0.0, "q75": 0.0}):
        figure = aligned_panels(typical(**values), NAMES, ["update"], GROUPS)
        assert inline_svg(figure, "odd", "odd").count("<svg") == 1


def test_one_run_breaks_where_it_is_not_finite_and_shows_its_recovery() -> None:
    course = pd.DataFrame({"offset": [-10, 0, 10], "value": [0.5, float("inf"), 0.2]})
    figure = run_panels(dict.fromkeys(NAMES, course), NAMES, ["update"], 10)
    curve, recovery, onset = figure.axes[0].lines
    assert np.isnan(np.asarray(curve.get_ydata(), dtype=float)).tolist() == [False, True, False]
    assert list(np.asarray(recovery.get_xdata())) == [10, 10]
    assert list(np.asarray(onset.get_xdata())) == [0, 0]
    assert len(run_panels(dict.fromkeys(NAMES, course), NAMES, [], None).axes[0].lines) == 2


def test_first_moves_stand_side_by_side_at_their_shares() -> None:
    rows = [
        {
            "quantity": name,
            "group": group,
            "estimate": place / 10 + (group == "case") / 2,
            "ci_low": 0,
            "ci_high": 1,
        }
        for group in GROUPS
        for place, name in enumerate(NAMES)
    ]
    figure = first_moves(pd.DataFrame(rows), NAMES, GROUPS)
    dots = [dots for dots in figure.axes[0].collections if isinstance(dots, PathCollection)]
    case, control = (np.asarray(found.get_offsets()) for found in dots)
    np.testing.assert_allclose(case[:, 0], [0.5, 0.6, 0.7])
    np.testing.assert_allclose(control[:, 0], [0, 0.1, 0.2])
    assert (case[:, 1] < control[:, 1]).all()
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == list(NAMES.values())
