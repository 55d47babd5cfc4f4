from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from stability.questions.importance.estimate import (
    DUMMY,
    LOG_FID,
    NO_FID,
    Importance,
    ImportanceRules,
    importance,
    most_important,
)
from stability.spec import Choice, Design, Range, StudySpec
from stability.statistics.rates import ADAPTIVE, NO_RUNS, SUCCESS

SPEC = StudySpec(
    name="s",
    space={
        "loss": Choice(values=("hinge", "minimax", "wasserstein")),
        "lr": Range(low=1e-4, high=1e-2, log=True),
        "beta1": Range(low=0, high=0.9),
        "batchnorm": Choice(values=("none", "generator")),
    },
    design=Design(points=40, seeds=2, cross=("loss",)),
)


def made(points: int, seeds: int = 2) -> pd.DataFrame:
    """beta1 decides whether a run succeeds, the loss how low its FID gets; lr and batchnorm do nothing."""
    rng = np.random.default_rng(0)
    rows = []
    for point in range(points):
        drawn = {
            "point": point,
            "lr": 10 ** rng.uniform(-4, -2),
            "beta1": rng.uniform(0, 0.9),
            "batchnorm": rng.choice(["none", "generator"]),
        }
        for level, loss in enumerate(("hinge", "minimax", "wasserstein")):
            for replicate in range(seeds):
                success = rng.random() < (0.95 if drawn["beta1"] < 0.45 else 0.05)
                fid = np.exp(level + 0.3 * rng.normal())
                outcome = ("stable", "nearly-stable")[replicate % 2] if success else "collapsed"
                trial = f"{point}-{loss}"
                ended = {"outcome": outcome, "fid_ratio": fid}
                rows.append({"run": f"{trial}-{replicate}", "trial": trial, "loss": loss, **ended, **drawn})
    columns = ["run", "trial", "loss", "outcome", "fid_ratio", "point", "lr", "beta1", "batchnorm"]
    return pd.DataFrame(rows, columns=columns).assign(adaptive=False, stopped=False)


def measured(runs: pd.DataFrame, **rules: Any) -> Importance:
    return importance(
        runs, SPEC, rng=np.random.default_rng(0), rules=ImportanceRules(**{"trees": 30, **rules})
    )


def of(found: Importance, target: str) -> pd.DataFrame:
    return found.parameters[found.parameters["target"] == target].set_index("parameter")


@pytest.fixture(scope="module")
def found() -> Importance:
    return measured(made(48))


@pytest.mark.parametrize(("target", "cause"), [(SUCCESS, "beta1"), (LOG_FID, "loss")])
def test_the_cause_is_first_and_clear_of_zero_and_the_dummy_last(
    found: Importance, target: str, cause: str
) -> None:
    rows = of(found, target)
    assert rows.index[0] == cause
    assert rows.index[-1] == DUMMY
    assert rows.loc[cause, "ci_low"] > rows.loc[DUMMY, "ci_high"]
    assert rows.loc["lr", "ci_low"] <= 0
    assert rows.loc[DUMMY, "ci_low"] <= 0 <= rows.loc[DUMMY, "ci_high"]
    assert rows["dummy"].sum() == 1


def test_the_most_important_for_stable_come_first_and_those_for_the_fid_where_that_is_unknown(
    found: Importance,
) -> None:
    assert most_important(found)[0] == "beta1"
    assert DUMMY not in most_important(found)
    parameters = found.parameters
    only_fid = parameters.assign(estimate=parameters["estimate"].where(parameters["target"] == LOG_FID))
    assert most_important(replace(found, parameters=only_fid))[0] == "loss"
    assert most_important(replace(found, parameters=parameters.assign(estimate=np.nan))) == ()


def test_scores_are_those_of_held_out_runs(found: Importance) -> None:
    scores = found.scores[found.scores["target"] == SUCCESS].set_index("score")
    assert scores.loc["constant", "estimate"] == pytest.approx(np.log(2), abs=0.05)
    assert scores.loc["gain", "estimate"] == pytest.approx(
        scores.loc["constant", "estimate"] - scores.loc["model", "estimate"]
    )
    assert scores.loc["gain", "ci_low"] > 0
    assert (scores["n_points"] == 48).all()
    assert (scores["n_runs"] == 288).all()


def test_runs_without_a_fid_are_left_out_and_counted() -> None:
    runs = made(30)
    runs.loc[:9, "fid_ratio"] = [np.nan, np.inf, 0.0, -1.0] + [np.nan] * 6
    found = measured(runs)
    assert (found.scores.loc[found.scores["target"] == LOG_FID, "n_missing"] == 10).all()
    assert (found.scores.loc[found.scores["target"] == SUCCESS, "n_missing"] == 0).all()
    assert (of(found, LOG_FID)["n_runs"] == 170).all()


def test_a_level_may_be_split_off_however_many_there_are() -> None:
    """24 levels at 24 points: each is rarer than a leaf is large, and one of them alone succeeds."""
    levels = [f"level-{number:02d}" for number in range(24)]
    rng = np.random.default_rng(0)
    drawn = [{"point": point, "lr": 10 ** rng.uniform(-4, -2)} for point in range(24)]
    rows = [
        {**point, "loss": level, "run": f"{place}-{level}", "trial": f"{place}-{level}", "fid_ratio": 1.0}
        for place, point in enumerate(drawn)
        for level in levels
    ]
    runs = pd.DataFrame(rows).assign(adaptive=False, stopped=False)
    runs["outcome"] = np.where(runs["loss"] == levels[0], "stable", "collapsed")
    space = {"loss": Choice(values=tuple(levels)), "lr": SPEC.space["lr"]}
    spec = SPEC.model_copy(update={"space": space})
    found = of(importance(runs, spec, rng=rng, rules=ImportanceRules(trees=30)), SUCCESS)
    assert found.loc["loss", "ci_low"] > 0
    assert found.loc["loss", "estimate"] > 10 * abs(found.loc["lr", "estimate"])


def test_runs_of_a_variant_that_sets_a_range_have_no_part() -> None:
    runs = made(30).assign(variant="plain")
    spec = SPEC.model_copy(update={"variants": {"plain": {}, "fast": {"lr": 0.01}, "wide": {"width": 64}}})
    fast = runs.assign(variant="fast", lr=np.nan, outcome="collapsed", run=runs["run"] + "-fast")
    both = pd.concat([runs, fast], ignore_index=True)
    rules = ImportanceRules(trees=10)
    alone, beside = (importance(one, spec, rng=np.random.default_rng(0), rules=rules) for one in (runs, both))
    pd.testing.assert_frame_equal(beside.parameters, alone.parameters)
    pd.testing.assert_frame_equal(beside.scores, alone.scores)


def test_runs_that_did_not_train_to_the_end_are_left_out_of_the_fid_and_counted() -> None:
    runs = made(30)
    runs.loc[:9, "outcome"], runs.loc[10:14, "stopped"] = "diverged", True
    runs.loc[[9, 14, 20], "fid_ratio"] = np.nan
    odd = runs.assign(fid_ratio=runs["fid_ratio"].where(runs.index > 14, 1e9))
    found = measured(odd)
    counts = found.scores.groupby("target")[["n_early", "n_missing", "n_unused"]].first()
    assert counts.loc[LOG_FID].tolist() == [15, 1, 0]
    assert counts.loc[SUCCESS].tolist() == [0, 0, 0]
    assert (of(found, LOG_FID)["n_runs"] == 164).all()
    pd.testing.assert_frame_equal(of(found, LOG_FID), of(measured(runs), LOG_FID))


@pytest.mark.parametrize("most_runs", [1500, 50])
def test_the_order_of_the_rows_changes_nothing(most_runs: int) -> None:
    runs = made(20)
    shuffled = runs.sample(frac=1, random_state=4)
    one, other = (measured(rows, most_runs=most_runs, fewest_points=5) for rows in (runs, shuffled))
    pd.testing.assert_frame_equal(one.parameters, other.parameters)
    pd.testing.assert_frame_equal(one.scores, other.scores)


def test_large_studies_lose_seeds_before_points() -> None:
    runs = made(40)
    thinned = measured(runs, most_runs=130)
    assert (of(thinned, SUCCESS)["n_points"] == 40).all()
    assert (of(thinned, SUCCESS)["n_runs"] == 120).all()
    assert (thinned.scores["n_unused"] == 120).all()
    few = measured(runs, most_runs=100)
    assert (of(few, SUCCESS)["n_runs"] == 99).all()
    assert (of(few, SUCCESS)["n_points"] == 33).all()


def test_a_model_that_is_no_better_than_the_rate_says_so() -> None:
    runs = made(30)
    fair = np.random.default_rng(3).permutation(len(runs)) % 2
    rows = of(measured(runs.assign(outcome=np.where(fair, "stable", "collapsed"))), SUCCESS)
    reason = "not estimable: the model predicts no better than the overall rate"
    assert rows["reason"].unique().tolist() == [reason]
    assert rows["estimate"].isna().all()


@pytest.mark.parametrize(
    ("runs", "reason"),
    [
        (made(0), NO_RUNS),
        (made(20).assign(adaptive=True), ADAPTIVE),
        (made(4), "not estimable: 4 points are too few (fewer than 10)"),
        (made(12).assign(outcome="diverged"), "not estimable: no run succeeded"),
    ],
)
def test_what_cannot_be_measured_says_why(runs: pd.DataFrame, reason: str) -> None:
    rows = of(measured(runs), SUCCESS)
    assert rows["reason"].unique().tolist() == [reason]
    assert list(rows.index) == ["loss", "batchnorm", "lr", "beta1", DUMMY]


def test_no_finite_fid_is_not_estimable() -> None:
    rows = of(measured(made(12).assign(fid_ratio=np.nan)), LOG_FID)
    assert rows["reason"].unique().tolist() == [NO_FID]
    nobody_ended = of(measured(made(12).assign(stopped=True)), LOG_FID)
    assert nobody_ended["reason"].unique().tolist() == [NO_FID]


def test_the_same_generator_gives_the_same_numbers() -> None:
    one, other = (measured(made(15)).parameters for _ in range(2))
    pd.testing.assert_frame_equal(one, other)
