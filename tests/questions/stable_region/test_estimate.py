from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from stability.questions.stable_region.estimate import NO_MAP, MapRules, StabilityMap, stability_map
from stability.reading.map_axes import map_axes
from stability.spec import Choice, Design, Range, StudySpec
from stability.statistics.rates import ADAPTIVE, NO_RUNS, rate

SPACE: dict[str, Range | Choice] = {
    "loss": Choice(values=("hinge", "minimax")),
    "lr": Range(low=1e-4, high=1e-2, log=True),
    "lr_ratio": Range(low=0.1, high=10, log=True),
    "beta1": Range(low=0, high=0.9),
    "batchnorm": Choice(values=("none", "generator")),
}


WELL = ("stable", "nearly-stable")


def spec(*, cross: tuple[str, ...] = ("loss",), space: dict[str, Range | Choice] | None = None) -> StudySpec:
    return StudySpec(name="s", space=space or SPACE, design=Design(points=40, seeds=2, cross=cross))


def made(points: int, seeds: int = 2, *, seed: int = 0) -> pd.DataFrame:
    """Under hinge, beta1 below .45 succeeds as a rule, stable or nearly so; under minimax nothing does."""
    rng = np.random.default_rng(seed)
    rows = []
    for point in range(points):
        drawn = {
            "point": point,
            "lr": 10 ** rng.uniform(-4, -2),
            "lr_ratio": 10 ** rng.uniform(-1, 1),
            "beta1": rng.uniform(0, 0.9),
            "batchnorm": ("none", "generator")[point % 2],
        }
        for loss in ("hinge", "minimax"):
            share = (0.95 if drawn["beta1"] < 0.45 else 0.05) if loss == "hinge" else 0.0
            for replicate in range(seeds):
                outcome = WELL[replicate % 2] if rng.random() < share else "diverged"
                name = f"{point}-{loss}-{replicate}"
                rows.append({"run": name, "loss": loss, "replicate": replicate, "outcome": outcome, **drawn})
    columns = ["run", "loss", "replicate", "outcome", "point", *list(SPACE)[1:]]
    return pd.DataFrame(rows, columns=columns).assign(adaptive=False)


def mapped(runs: pd.DataFrame, study: StudySpec | None = None, **rules: Any) -> StabilityMap:
    study = study or spec()
    axes = map_axes(study, runs)
    return stability_map(runs, study, axes, rng=np.random.default_rng(0), rules=MapRules(**rules))


@pytest.fixture(scope="module")
def found() -> StabilityMap:
    return mapped(made(60))


def test_it_finds_where_runs_succeed(found: StabilityMap) -> None:
    hinge = found.grid[found.grid["column"] == "hinge"]
    assert len(hinge) == 2 * 40 * 40
    assert hinge.loc[hinge["y"] < 0.3, "probability"].mean() > 0.75
    assert hinge.loc[hinge["y"] > 0.6, "probability"].mean() < 0.25
    assert hinge["safe"].any()
    assert hinge.loc[hinge["safe"], "y"].max() < 0.5


def test_cells_lie_inside_the_ranges_and_bounds_around_the_probability(found: StabilityMap) -> None:
    grid = found.grid
    assert (grid["x"].min() > 0.1, grid["x"].max() < 10, grid["y"].max() < 0.9) == (True, True, True)
    assert (grid["ci_low"] <= grid["probability"]).all()
    assert (grid["probability"] <= grid["ci_high"]).all()
    assert (grid["safe"] == (grid["supported"] & (grid["ci_low"] >= 0.5))).all()


def test_one_outcome_only_has_no_map_but_its_rate(found: StabilityMap) -> None:
    minimax = found.panels[found.panels["column"] == "minimax"]
    assert (minimax["map_reason"] == "not estimable: none of 120 runs succeeded").all()
    runs = made(60)
    panel = runs[(runs["loss"] == "minimax") & (runs["batchnorm"] == "none")]
    expected = rate(panel, "success").iloc[0]
    row = minimax[minimax["row"] == "batchnorm none"].iloc[0]
    assert (row["ci_high"], row["n_points"], row["n_runs"]) == (expected["ci_high"], 30, 60)
    assert not (found.grid["column"] == "minimax").any()


def test_what_is_not_shown_is_said_to_be_averaged(found: StabilityMap) -> None:
    assert found.averaged == ("lr",)


def test_one_run_a_point_enters_a_fit_and_points_are_capped() -> None:
    assert (mapped(made(60, seeds=3)).panels["fit_points"] == 60).all()
    assert (mapped(made(60), most_points=25).panels["fit_points"] == 25).all()


def test_a_crossed_factor_has_fits_of_its_own() -> None:
    runs = pd.concat([made(24).assign(batchnorm=level) for level in ("none", "generator")], ignore_index=True)
    crossed = mapped(runs, spec(cross=("loss", "batchnorm")))
    assert (crossed.panels["fit_points"] == 24).all()
    squares = [part["probability"].to_numpy() for _, part in crossed.grid.groupby("row")]
    assert not np.array_equal(*squares)  # one seed of a point was drawn anew for each


def test_held_out_predictions_beat_the_overall_rate_where_there_is_something_to_see(
    found: StabilityMap,
) -> None:
    scores = found.brier.set_index("score")
    assert scores.loc["difference", "ci_high"] < 0
    assert scores.loc["map", "n_runs"] == 120
    assert found.calibration["n_runs"].sum() == 120


def test_support_is_where_points_are_near() -> None:
    runs = made(60)
    runs = runs[(runs["lr_ratio"] < 1) & (runs["batchnorm"] == "none") & (runs["loss"] == "hinge")]
    points = runs.drop_duplicates("point")
    grid = mapped(runs).grid
    right = (np.log10(grid["x"].to_numpy()[:, None]) - np.log10(points["lr_ratio"].to_numpy())) / 2
    up = (grid["y"].to_numpy()[:, None] - points["beta1"].to_numpy()) / 0.9
    near = (np.hypot(right, up) <= 0.2).sum(axis=1)
    assert 0 < grid["supported"].sum() < len(grid)
    np.testing.assert_array_equal(grid["supported"].to_numpy(dtype=bool), near >= 3)


@pytest.mark.parametrize(
    ("runs", "reason"),
    [
        (made(0), NO_RUNS),
        (made(12).assign(adaptive=True), ADAPTIVE),
        (made(12).assign(beta1=np.nan), "not estimable: no run has a value on both axes"),
    ],
)
def test_what_cannot_be_mapped_says_why(runs: pd.DataFrame, reason: str) -> None:
    nothing = mapped(runs)
    assert nothing.reason == reason
    assert nothing.grid.empty
    assert np.isnan(nothing.brier["estimate"]).all()


def test_a_map_needs_two_ranges() -> None:
    one = {name: domain for name, domain in SPACE.items() if name not in ("lr", "beta1")}
    assert mapped(made(12), spec(space=one)).reason == NO_MAP


def test_too_few_points_have_no_map() -> None:
    reasons = mapped(made(1)).panels["map_reason"].unique().tolist()
    assert reasons == ["not estimable: 1 point is too few for a map, which takes 10"]


def test_runs_without_a_value_are_counted() -> None:
    runs = made(30)
    runs.loc[runs["point"] == 3, "beta1"] = np.nan
    assert mapped(runs).n_left_out == 4


def test_the_order_of_the_rows_changes_nothing() -> None:
    runs = made(20)
    one, other = mapped(runs), mapped(runs.sample(frac=1, random_state=4))
    for name in ("panels", "grid", "calibration", "brier"):
        pd.testing.assert_frame_equal(getattr(one, name), getattr(other, name))


def test_the_same_generator_gives_the_same_map() -> None:
    one, other = mapped(made(20)), mapped(made(20))
    pd.testing.assert_frame_equal(one.grid, other.grid)
    pd.testing.assert_frame_equal(one.brier, other.brier)
