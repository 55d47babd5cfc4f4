from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from stability.questions.time_to_event.estimate import Survival, time_to_event
from stability.questions.time_to_event.figure import difference_forest, end_curves, survival_curves
from stability.questions.time_to_event.incidence import incidence

VISITS = pd.DataFrame({"run": "any", "step": np.arange(100, 501, 100)})


def study(losses: list[str]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Twelve points; a third collapses at 200, one run is saturated, one diverges at 250."""
    rows = [(f"{loss}-{point}", point, loss) for loss in losses for point in range(12)]
    runs = pd.DataFrame(rows, columns=["run", "point", "loss"]).assign(
        adaptive=False, outcome="stable", step=500, stopped=False
    )
    runs["divergence_step"] = pd.array([None] * len(runs), dtype="Int64")
    runs.loc[1, ["outcome", "step", "stopped", "divergence_step"]] = ["diverged", 250, True, 250]
    names = runs.loc[runs["point"] % 3 == 0, "run"]
    events = pd.DataFrame({"run": [*names, runs["run"].iloc[2]], "onset": 200})
    events = events.assign(kind=["collapse"] * len(names) + ["saturation"])
    events = events.assign(never_good=False)
    return runs, events.assign(recovery=pd.array([400] * len(events), dtype="Int64"))


def drawn(losses: list[str]) -> tuple[Survival, pd.DataFrame, pd.DataFrame]:
    args = (*study(losses), VISITS, "loss")
    happened = incidence(*args)
    return time_to_event(*args), happened.prevalence, happened.ends


@pytest.mark.parametrize("losses", [["a"], ["a", "b"], ["a", "b", "c", "d"]])
def test_curves_are_staircases_of_the_estimates(losses: list[str]) -> None:
    survival, prevalence, _ = drawn(losses)
    left, right = survival_curves(survival, prevalence, losses).axes
    for panel, frame, start in ((left, survival.curves, 1.0), (right, prevalence, 0.0)):
        curves = [line for line in panel.lines if line.get_label() in losses]
        assert [line.get_label() for line in curves] == losses
        assert {line.get_drawstyle() for line in curves} == {"steps-post"}
        for line, loss in zip(curves, losses, strict=True):
            expected = frame.loc[frame["loss"] == loss, "estimate"].tolist()
            assert np.asarray(line.get_ydata()).tolist() == [start, *expected]
        assert len(
            {(line.get_color(), line.get_marker(), str(line.get_linestyle())) for line in curves}
        ) == len(losses)


def test_runs_at_risk_stand_under_their_ticks() -> None:
    survival, prevalence, _ = drawn(["a", "b"])
    panel = survival_curves(survival, prevalence, ["a", "b"]).axes[0]
    assert panel.get_xticks().tolist() == [0, 100, 200, 300, 400, 500]
    counts = [(text.xy[0], text.get_text()) for text in panel.texts if text.get_text().isdigit()]
    table = survival.at_risk
    assert counts == [(step, str(n)) for step, n in zip(table["step"], table["at_risk"], strict=True)]


def test_a_tick_marks_where_a_run_was_lost_from_sight() -> None:
    survival, prevalence, _ = drawn(["a", "b"])
    panel = survival_curves(survival, prevalence, ["a", "b"]).axes[0]
    marks = [collection.get_offsets() for collection in panel.collections if hasattr(collection, "get_sizes")]
    places = np.concatenate([np.asarray(offsets) for offsets in marks if len(offsets)])
    curve = survival.curves
    lost = curve[(curve["censored"] > 0) & (curve["step"] < 500)]
    np.testing.assert_allclose(
        places[np.isin(places[:, 0], lost["step"])], lost[["step", "estimate"]].to_numpy()
    )
    assert len(lost) == 1


def test_the_forest_has_a_line_a_pair_and_fills_what_leaves_out_zero() -> None:
    survival, *_ = drawn(["a", "b", "c"])
    survival.differences["ci_low"] = [1.0, -5.0, -5.0]
    survival.differences["estimate"] = [2.0, 0.0, -3.0]
    survival.differences["ci_high"] = [3.0, 5.0, -1.0]
    panel = difference_forest(survival).axes[0]
    assert [label.get_text() for label in panel.get_yticklabels()] == ["a − b", "a − c", "b − c"]
    filled, open_ones = panel.collections[-2:]
    assert np.asarray(filled.get_offsets()).tolist() == [[2.0, 0.0], [-3.0, 2.0]]
    assert np.asarray(open_ones.get_offsets()).tolist() == [[0.0, 1.0]]


def test_ends_have_a_panel_a_level_and_a_style_an_end() -> None:
    _, _, ends = drawn(["a", "b", "c", "d", "e", "f"])
    figure = end_curves(ends, "loss", ["a", "b", "c", "d", "e", "f"])
    shown = [panel for panel in figure.axes if panel.get_visible()]
    assert [panel.get_title() for panel in shown] == ["a", "b", "c", "d", "e", "f"]
    lines = shown[0].lines
    assert [line.get_label() for line in lines] == ["collapse", "saturation", "diverged"]
    assert len({line.get_color() for line in lines}) == len({line.get_marker() for line in lines}) == 3
    assert np.asarray(lines[2].get_ydata()).tolist() == pytest.approx([0, 0, 0, *[1 / 12] * 3])
    assert figure.get_size_inches()[0] <= 11.4
