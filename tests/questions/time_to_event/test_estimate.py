from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from stability.questions.time_to_event.estimate import (
    ALL_HAD_IT,
    NO_EVENT_YET,
    NO_VISITS,
    UNSEEN,
    time_to_event,
)
from stability.reading.run_ends import first_onsets, last_seen
from stability.statistics.rates import ADAPTIVE, NO_RUNS, ONE_POINT

VISITS = (100, 200, 300, 400)


def visits_of(steps: tuple[int, ...] = VISITS) -> pd.DataFrame:
    return pd.DataFrame({"run": "any", "step": np.array(steps, dtype=np.int64)})


def study(onsets: dict[str, list[list[float]]], **columns: Any) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Runs and their collapses: per loss, a list of points with the onset of each seed (NaN: none)."""
    rows = [
        {"run": f"{loss}-{point}-{seed}", "loss": loss, "point": point, "onset": onset}
        for loss, points in onsets.items()
        for point, seeds in enumerate(points)
        for seed, onset in enumerate(seeds)
    ]
    runs = pd.DataFrame(rows, columns=["run", "loss", "point", "onset"])
    events = runs.loc[runs["onset"].notna(), ["run", "onset"]].assign(
        kind="collapse", provisional=False, never_good=False
    )
    events["recovery"] = pd.array([None] * len(events), dtype="Int64")
    defaults = {"adaptive": False, "outcome": "stable", "step": 400, "stopped": False}
    missing = pd.array([None] * len(runs), dtype="Int64")
    return runs.drop(columns="onset").assign(divergence_step=missing, **{**defaults, **columns}), events


NONE = float("nan")


def test_curves_and_runs_at_risk_are_those_of_the_visits() -> None:
    result = time_to_event(*study({"hinge": [[100, NONE], [300, NONE], [NONE, NONE]]}), visits_of(), "loss")
    curve = result.curves
    assert curve["step"].tolist() == list(VISITS)
    assert curve["at_risk"].tolist() == [6, 5, 5, 4]
    assert curve["events"].tolist() == [1, 0, 1, 0]
    assert curve["estimate"].tolist() == pytest.approx([5 / 6, 5 / 6, 4 / 6, 4 / 6])
    assert (curve["ci_low"] < curve["estimate"]).all()
    assert (curve["estimate"] < curve["ci_high"]).all()
    assert (curve["n_points"].unique().tolist(), curve["n_runs"].unique().tolist()) == ([3], [6])
    table = result.at_risk
    assert table["step"].tolist() == [0, *VISITS]
    assert table["at_risk"].tolist() == [6, 6, 5, 5, 4]
    assert table["events"].tolist() == [0, 1, 1, 2, 2]


def test_the_at_risk_table_keeps_to_seven_even_steps_that_end_at_the_horizon() -> None:
    steps = tuple(range(50, 1001, 50))
    table = time_to_event(*study({"hinge": [[NONE]]}, step=1000), visits_of(steps), "loss").at_risk
    assert table["step"].tolist() == [0, 200, 400, 600, 800, 1000]


def test_a_diverged_run_is_seen_to_its_last_visit_before_that() -> None:
    runs, events = study({"hinge": [[NONE], [NONE]]}, outcome=["diverged", "stable"])
    runs["divergence_step"] = pd.array([300, None], dtype="Int64")
    assert last_seen(runs).tolist() == [299, 400]
    curve = time_to_event(runs, events, visits_of(), "loss").curves
    assert curve["at_risk"].tolist() == [2, 2, 1, 1]
    assert curve["censored"].tolist() == [0, 1, 0, 1]


def losing(n_lost: int, n_points: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Under `a`, where every fourth point collapses, some others are stopped at 200; under `b` nothing is."""
    onsets = [[300.0] if point % 4 == 0 else [NONE] for point in range(n_points)]
    runs, events = study({"a": onsets, "b": onsets})
    free = [row for row in range(n_points) if row % 4][:n_lost]
    runs.loc[free, ["step", "stopped"]] = [200, True]
    return runs, events


def test_a_stopped_run_stays_in_the_count_as_one_without_the_event() -> None:
    """Ten of 40 collapse at 300 and 10 others were stopped at 200: a quarter has it, not a third."""
    curves = time_to_event(*losing(10, 40), visits_of(), "loss").curves
    stopped, whole = (curves[curves["loss"] == loss].set_index("step") for loss in "ab")
    assert stopped["at_risk"].tolist() == [40, 40, 30, 20]
    assert stopped["stopped"].tolist() == [0, 10, 0, 0]
    assert stopped["censored"].tolist() == [*whole["censored"].tolist()[:3], 20]
    for step in VISITS:
        assert stopped.loc[step, "estimate"] == pytest.approx(whole.loc[step, "estimate"])
    assert stopped.loc[400, "ci_low"] < 0.75 < stopped.loc[400, "ci_high"]


@pytest.mark.parametrize(("n_lost", "comparable"), [(0, True), (4, True), (5, False)])
def test_levels_are_compared_only_where_few_runs_leave_early(n_lost: int, comparable: bool) -> None:
    result = time_to_event(*losing(n_lost, 40), visits_of(), "loss")
    assert result.means["n_left"].tolist() == [n_lost, 0]
    assert result.differences["comparable"].tolist() == [comparable]
    assert result.differences["ci_low"].notna().all()


def test_a_run_that_leaves_before_the_first_visit_or_at_the_last_but_one_has_left_early() -> None:
    runs, events = study({"a": [[NONE], [NONE], [NONE], [400.0]]}, step=[50, 300, 400, 400])
    means = time_to_event(runs, events, visits_of(), "loss").means
    assert (means["n_left"].tolist(), means["n_events"].tolist()) == ([2], [1])


def test_only_the_first_event_of_the_kind_counts() -> None:
    runs, events = study({"hinge": [[300], [NONE]]})
    more = pd.DataFrame(
        {"run": ["hinge-0-0", "hinge-1-0"], "kind": ["collapse", "saturation"], "onset": [200, 100]}
    )
    never_good = pd.DataFrame({"run": ["hinge-1-0"], "kind": ["collapse"], "onset": [100]})
    others = [more.assign(never_good=False), never_good.assign(never_good=True)]
    onsets = first_onsets(runs, pd.concat([events, *others]), "collapse")
    assert onsets.fillna(-1).tolist() == [200, -1]


@pytest.mark.parametrize(("onset", "reason"), [(NONE, NO_EVENT_YET), (100.0, ALL_HAD_IT)])
def test_where_no_or_every_run_had_it_a_curve_has_no_interval(onset: float, reason: str) -> None:
    curve = time_to_event(*study({"hinge": [[onset]] * 4}), visits_of(), "loss").curves
    assert set(curve["reason"]) == {reason}
    assert curve["ci_low"].isna().all()


def test_seeds_that_agree_widen_the_interval_as_fewer_runs_would() -> None:
    agree = time_to_event(*study({"h": [[200] * 3] * 8 + [[NONE] * 3] * 16}), visits_of(), "loss").curves
    alone = time_to_event(*study({"h": [[200]] * 8 + [[NONE]] * 16}), visits_of(), "loss").curves
    spread = time_to_event(*study({"h": [[200, NONE, NONE]] * 24}), visits_of(), "loss").curves
    columns = ["estimate", "ci_low", "ci_high"]
    np.testing.assert_allclose(agree.loc[2, columns].to_list(), alone.loc[2, columns].to_list())
    assert (
        spread.loc[2, "ci_high"] - spread.loc[2, "ci_low"] < agree.loc[2, "ci_high"] - agree.loc[2, "ci_low"]
    )


def test_restricted_means_differ_by_what_the_levels_lose() -> None:
    result = time_to_event(
        *study({"hinge": [[NONE, NONE]] * 10, "minimax": [[100, NONE]] * 5 + [[NONE, NONE]] * 5}),
        visits_of(),
        "loss",
    )
    means = result.means.set_index("loss")
    assert means["estimate"].to_dict() == pytest.approx({"hinge": 400.0, "minimax": 400 - 0.25 * 300})
    assert means["n_events"].to_dict() == {"hinge": 0, "minimax": 5}
    assert means.loc["hinge", "ci_high"] == 400
    assert 200 < means.loc["hinge", "ci_low"] < 400
    row = result.differences.iloc[0]
    assert (row.level, row.other, row.estimate) == ("hinge", "minimax", pytest.approx(75))
    assert row.ci_low < 75 < row.ci_high
    assert (row.n_points, row.n_runs, result.family) == (10, 40, 1)


def test_levels_that_share_their_luck_are_compared_more_sharply() -> None:
    onsets = [[100, 100]] * 6 + [[NONE, NONE]] * 14
    paired, crosswise = (
        time_to_event(*study({"a": onsets, "b": other}), visits_of(), "loss").differences.iloc[0]
        for other in (onsets, onsets[::-1])
    )
    assert paired.estimate == crosswise.estimate == 0
    assert paired.ci_high - paired.ci_low < 0.5 * (crosswise.ci_high - crosswise.ci_low)


def test_differences_of_three_levels_are_wider_by_their_number() -> None:
    points = {"a": [[100], [NONE], [NONE], [NONE]] * 5, "b": [[NONE], [300], [NONE], [NONE]] * 5}
    two = time_to_event(*study(points), visits_of(), "loss")
    three = time_to_event(*study(points | {"c": points["b"]}), visits_of(), "loss")
    assert (two.family, three.family) == (1, 3)
    assert three.differences.loc[0, "ci_low"] < two.differences.loc[0, "ci_low"]
    assert three.differences.loc[0, "ci_high"] > two.differences.loc[0, "ci_high"]


def test_a_level_that_nobody_survives_to_see_is_not_estimable() -> None:
    runs, events = study({"a": [[NONE], [100]], "b": [[NONE], [100]]}, outcome=["diverged", "stable"] * 2)
    runs["divergence_step"] = pd.array([150, None, None, None], dtype="Int64")
    runs.loc[2, "outcome"] = "stable"
    result = time_to_event(runs, events, visits_of(), "loss")
    assert result.means["reason"].tolist() == [UNSEEN, ""]
    assert result.differences["reason"].tolist() == [f"a: {UNSEEN}"]
    assert result.differences["estimate"].isna().all()


def test_one_point_has_an_estimate_and_no_interval() -> None:
    result = time_to_event(*study({"hinge": [[100, NONE]]}), visits_of(), "loss")
    assert set(result.curves["reason"]) == {ONE_POINT}
    assert result.means["estimate"].tolist() == [250]
    assert result.means["ci_low"].isna().all()


def test_without_visits_nothing_is_estimated_and_the_reason_given() -> None:
    result = time_to_event(*study({"hinge": [[NONE], [NONE]]}), visits_of(()), "loss")
    assert result.curves.empty
    assert result.means["reason"].tolist() == [NO_VISITS]


@pytest.mark.parametrize(
    ("onsets", "adaptive", "reason"), [({"hinge": [[100.0]]}, True, ADAPTIVE), ({}, False, NO_RUNS)]
)
def test_without_runs_to_estimate_from_the_frames_are_empty_and_the_reason_given(
    onsets: dict[str, list[list[float]]], adaptive: bool, reason: str
) -> None:
    result = time_to_event(*study(onsets, adaptive=adaptive), visits_of(), "loss")
    assert all(frame.empty for frame in (result.curves, result.at_risk, result.means, result.differences))
    assert list(result.means.columns)[:4] == ["loss", "n_events", "n_left", "estimate"]
    assert result.reason == reason


def test_adaptive_runs_do_not_enter() -> None:
    runs, events = study({"hinge": [[100.0], [NONE], [NONE]]}, adaptive=[True, False, False])
    assert time_to_event(runs, events, visits_of(), "loss").means["n_events"].tolist() == [0]
