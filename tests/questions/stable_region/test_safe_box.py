from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from stability.questions.stable_region.safe_box import ALL_RUNS, NO_RANGE, TOO_FEW, BoxRules, safe_boxes
from stability.spec import Choice, Design, Range, StudySpec
from stability.spec.loader import parse_study
from stability.statistics.rates import ADAPTIVE, NO_RUNS, rate

SPACE: dict[str, Range | Choice] = {
    "loss": Choice(values=("hinge", "minimax")),
    "lr": Range(low=1e-5, high=1e-2, log=True),
    "beta1": Range(low=0, high=0.9),
    "width": Range(low=8, high=64, integer=True),
    "spectral_norm": Choice(values=(False, True)),
    "weight_clip": Choice(values=(None, 0.01)),
}


def spec(space: dict[str, Range | Choice] = SPACE) -> StudySpec:
    return StudySpec(name="s", space=space, design=Design(points=40, seeds=2, cross=("loss",)))


def made(points: int, seeds: int = 2) -> pd.DataFrame:
    """Under hinge all is well below beta1 .45; under minimax nothing ever is."""
    rng = np.random.default_rng(0)
    rows = []
    for point in range(points):
        beta1 = rng.uniform(0, 0.9)
        drawn = {
            "point": point,
            "lr": 10 ** rng.uniform(-5, -2),
            "beta1": beta1,
            "width": rng.integers(8, 65),
        }
        for loss in ("hinge", "minimax"):
            well = ("stable", "nearly-stable")[point % 2]
            outcome = well if loss == "hinge" and beta1 < 0.45 else "diverged"
            rows += [{"loss": loss, "outcome": outcome, **drawn}] * seeds
    columns = ["loss", "outcome", "point", "lr", "beta1", "width"]
    runs = pd.DataFrame(rows, columns=columns)
    return runs.assign(adaptive=False, spectral_norm=False, weight_clip=None)


def found(runs: pd.DataFrame, factor: str | None = "loss", **changes: Any) -> Any:
    study = changes.pop("study", spec())
    return safe_boxes(runs, study, factor, rng=np.random.default_rng(1), rules=BoxRules(**changes))


def test_the_box_is_found_and_its_level_chosen() -> None:
    result = found(made(80))
    row = result.boxes[result.boxes["chosen"]].iloc[0]
    assert row["level"] == "hinge"
    assert row["reaches_target"]
    sides = result.edges[result.edges["level"] == "hinge"].set_index("parameter")
    assert 0.4 < sides.loc["beta1", "high"] < 0.65
    assert sides["whole"].to_dict()["lr"]
    assert row["volume"] == pytest.approx((sides.loc["beta1", "high"] - sides.loc["beta1", "low"]) / 0.9)


def test_the_bound_is_the_rate_of_the_other_half_in_the_rounded_box() -> None:
    runs = made(60)
    result = found(runs)
    row = result.boxes.iloc[0]
    inside = runs[runs["loss"] == row["level"]]
    for side in result.edges[result.edges["level"] == row["level"]].itertuples():
        inside = inside[inside[side.parameter].between(side.low, side.high)]
    assert row["choosing_points"] + row["n_points"] == inside["point"].nunique()
    total = row["choosing_share"] * row["choosing_points"] + row["estimate"] * row["n_points"]
    assert total == pytest.approx(inside.drop_duplicates("point")["outcome"].ne("diverged").sum())
    assert row["ci_low"] < row["estimate"]


def test_the_safest_level_is_chosen_on_one_half_and_bounded_on_the_other() -> None:
    runs = made(61)
    safest = found(runs).safest.iloc[0]
    assert (safest["level"], safest["n_points"]) == ("hinge", 30)
    whole = rate(runs[runs["loss"] == "hinge"], "success").iloc[0]["estimate"]
    assert (31 * safest["choosing_share"] + 30 * safest["estimate"]) / 61 == pytest.approx(whole)


def test_a_level_with_few_points_is_no_safest() -> None:
    runs = made(60)
    rare = runs[(runs["loss"] == "minimax") & (runs["point"] < 6)].assign(outcome="stable")
    both = pd.concat([rare, runs[runs["loss"] == "hinge"]])
    assert found(both).safest["level"].tolist() == ["hinge"]
    assert found(both, fewest_points=1).safest["level"].tolist() == ["minimax"]


def test_the_safest_level_is_none_where_all_have_few_points() -> None:
    safest = found(made(6)).safest.iloc[0]
    assert (safest["level"], safest["n_runs"]) == ("", 0)
    assert safest["reason"] == "not estimable: no level has 5 points to choose on and 2 to bound on"
    one_to_bound = found(made(3), fewest_points=1).safest.iloc[0]
    assert one_to_bound["reason"] == "not estimable: no level has 1 points to choose on and 2 to bound on"


def test_the_order_of_the_rows_changes_nothing() -> None:
    runs = made(40)
    one, other = found(runs), found(runs.sample(frac=1, random_state=4))
    for name in ("boxes", "edges", "safest"):
        pd.testing.assert_frame_equal(getattr(one, name), getattr(other, name))


def test_more_confidence_lowers_the_bound_alone() -> None:
    loose, tight = (found(made(60), confidence=confidence).boxes.iloc[0] for confidence in (0.8, 0.99))
    assert loose["estimate"] == tight["estimate"]
    assert tight["ci_low"] < loose["ci_low"]


def test_the_text_is_a_space_that_the_loader_reads_as_the_box() -> None:
    result = found(made(80))
    for row in result.boxes.itertuples():
        study = parse_study(f"name: s\ndataset: mnist\nspace:\n{row.as_yaml}")
        assert study.space["loss"] == Choice(values=(row.level,))
        assert study.space["spectral_norm"] == SPACE["spectral_norm"]
        assert study.space["weight_clip"] == SPACE["weight_clip"]
        for side in result.edges[result.edges["level"] == row.level].itertuples():
            domain = study.space[side.parameter]
            assert isinstance(domain, Range)
            assert (domain.low, domain.high) == (side.low, side.high)
            assert domain.log == (side.parameter == "lr")


def test_without_a_factor_there_is_one_box() -> None:
    runs = made(40)
    result = found(runs[runs["loss"] == "hinge"], None)
    assert result.boxes["level"].tolist() == [ALL_RUNS]
    assert "loss: [hinge, minimax]" in result.boxes["as_yaml"].iloc[0]


@pytest.mark.parametrize(
    ("runs", "reason"),
    [(made(0), NO_RUNS), (made(20).assign(adaptive=True), ADAPTIVE), (made(1), TOO_FEW)],
)
def test_what_cannot_be_chosen_says_why(runs: pd.DataFrame, reason: str) -> None:
    nothing = found(runs)
    assert nothing.reason == reason
    assert nothing.boxes.empty
    assert nothing.safest.empty


def test_a_box_needs_a_range() -> None:
    lists = {name: domain for name, domain in SPACE.items() if isinstance(domain, Choice)}
    assert found(made(20), study=spec(lists)).reason == NO_RANGE


def test_few_points_have_no_box_but_a_row() -> None:
    row = found(made(6)).boxes.iloc[0]
    assert row["reason"] == "not estimable: it takes 5 points to choose on, here are 3"
    assert np.isnan([row["volume"], row["estimate"], row["ci_low"]]).all()


def test_a_variant_that_sets_a_range_has_no_box_but_may_be_the_safest() -> None:
    drawn = made(40).assign(variant="plain", outcome="noise")
    own = made(40).assign(variant="slow", lr=np.nan, outcome="stable")
    study = spec().model_copy(update={"variants": {"plain": {}, "slow": {"lr": 1e-4}}})
    boxes = found(pd.concat([drawn, own], ignore_index=True), "variant", study=study)
    rows = boxes.boxes.set_index("level")
    assert list(rows.index) == ["plain", "slow"]
    assert "here are 0" in rows.loc["slow", "reason"]
    assert boxes.safest["level"].tolist() == ["slow"]


def test_runs_without_a_value_take_no_part() -> None:
    runs = made(40)
    runs.loc[runs["point"] < 10, "beta1"] = np.nan
    assert found(runs).safest["n_points"].iloc[0] == 15


def test_a_side_of_one_whole_number_becomes_a_list() -> None:
    runs = made(60)
    third = runs["point"] % 3
    runs = runs.assign(outcome=np.where(third == 1, "stable", "diverged"), width=15 + third)
    result = found(runs)
    side = result.edges.set_index(["level", "parameter"]).loc[("hinge", "width")]
    assert (side["low"], side["high"]) == (16, 16)
    study = parse_study(f"name: s\ndataset: mnist\nspace:\n{result.boxes['as_yaml'].iloc[0]}")
    assert study.space["width"] == Choice(values=(16,))
