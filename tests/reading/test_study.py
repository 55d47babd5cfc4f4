from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binomtest, ttest_1samp

from stability.questions.comparison.estimate import compare_levels
from stability.reading.frames import StudyFrames
from stability.reading.study import ALL, LISTED_OUTCOMES, Study
from stability.records import Outcome
from stability.spec import Choice, Design, Range, StudySpec
from stability.statistics.rates import rate
from stability.store import Plan

SPACE: dict[str, Range | Choice] = {
    "lr": Range(low=1e-4, high=1e-2, log=True),
    "batchnorm": Choice(values=("none", "generator")),
    "n_dis": Choice(values=(1,)),
    "dis_dropout": Choice(values=(None, 0.5)),
    "loss": Choice(values=("minimax", "hinge", "wasserstein")),
}


def made(
    rows: Sequence[tuple[str, str]], space: dict[str, Range | Choice] | None = None, *, adaptive: bool = False
) -> Study:
    """A study with a run for every (loss, outcome)."""
    spec = StudySpec(name="s", space=SPACE if space is None else space, design=Design(cross=("dis_dropout",)))
    runs = pd.DataFrame(
        [
            {
                "run": f"r{place}",
                "point": place,
                "loss": loss,
                "outcome": outcome,
                "adaptive": adaptive,
                "lr": 1e-3,
                "batchnorm": "none",
                "n_dis": 1,
                "dis_dropout": None if place % 2 else 0.5,
            }
            for place, (loss, outcome) in enumerate(rows)
        ],
        columns=["run", "point", "loss", "outcome", "adaptive", "lr", "batchnorm", "n_dis", "dis_dropout"],
    )
    empty = pd.DataFrame()
    return Study(StudyFrames("s", spec, Plan(1, 1, "cpu", 100, (), ()), runs, empty, empty, empty, Path("s")))


ROWS = [("minimax", "collapsed"), ("hinge", "nearly-stable"), ("hinge", "diverged"), ("minimax", "diverged")]


def test_the_loss_is_the_first_factor_then_what_was_crossed() -> None:
    study = made(ROWS)
    assert study.factors == ("loss", "dis_dropout", "batchnorm")  # n_dis has a single level
    assert study.main_factor == "loss"
    assert study.varied == (*study.factors, "lr")


def test_without_a_list_nothing_is_compared() -> None:
    study = made(ROWS, {"lr": Range(low=1e-4, high=1e-2)})
    assert (study.factors, study.main_factor, study.varied) == ((), None, ("lr",))


def test_levels_are_text_and_the_frames_stay_as_they_were() -> None:
    study = made(ROWS)
    assert study.runs["dis_dropout"].tolist() == ["0.5", "none", "0.5", "none"]
    assert set(study.runs[ALL]) == {"all runs"}
    assert ALL not in study.frames.runs
    assert pd.api.types.is_float_dtype(study.frames.runs["dis_dropout"])


def test_a_range_has_no_value_where_a_variant_sets_it() -> None:
    variants: dict[str, dict[str, object]] = {"plain": {}, "fast": {"lr": 0.5}, "wide": {"width": 64}}
    frames = made(ROWS).frames
    spec = frames.spec.model_copy(update={"variants": variants})
    runs = frames.runs.assign(variant=["plain", "fast", "wide", "fast"], lr=[1e-3, 0.5, 1e-3, 0.5])
    study = Study(dataclasses.replace(frames, spec=spec, runs=runs))
    assert study.varied == ("variant", "loss", "dis_dropout", "batchnorm", "lr")
    assert study.runs["lr"].isna().tolist() == [False, True, False, True]
    assert study.frames.runs["lr"].tolist() == [1e-3, 0.5, 1e-3, 0.5]


def test_only_fixed_points_are_estimable() -> None:
    search = made(ROWS, adaptive=True)
    assert (made(ROWS).estimable, search.estimable, made([]).estimable) == (True, False, False)
    mixed = made(ROWS)
    mixed.frames.runs.loc[1:, "adaptive"] = True
    assert mixed.estimable
    assert len(mixed.runs) == len(search.runs) == len(ROWS)  # what a search trained is told all the same


def test_outcomes_that_occurred_stand_successes_first() -> None:
    assert LISTED_OUTCOMES[:2] == ("stable", "nearly-stable")
    assert sorted(LISTED_OUTCOMES) == sorted(map(str, Outcome))
    assert made([*ROWS, ("hinge", "stable")]).outcomes == (
        "stable",
        "nearly-stable",
        "diverged",
        "collapsed",
    )
    assert made(ROWS[:1]).outcomes == ("collapsed",)
    assert made([]).outcomes == ()


def test_levels_are_ordered_by_how_often_they_succeed() -> None:
    assert made(ROWS).order("loss") == ("hinge", "minimax")  # wasserstein was not seen
    tie = [("wasserstein", "stable"), ("minimax", "nearly-stable"), ("hinge", "stable")]
    assert made(tie).order("loss") == ("minimax", "hinge", "wasserstein")  # as in the study file
    assert made(ROWS).order(ALL) == ("all runs",)


def test_a_search_ranks_nothing() -> None:
    assert made(ROWS, adaptive=True).order("loss") == ("minimax", "hinge")
    assert made([]).order("loss") == ()


def crossed(rows: Sequence[tuple[int, str, str]]) -> Study:
    """A study that crosses loss and architecture; a run is (point, loss, architecture)."""
    space: dict[str, Range | Choice] = {
        "loss": Choice(values=("minimax", "hinge")),
        "architecture": Choice(values=("mlp", "dcgan")),
    }
    spec = StudySpec(name="s", space=space, design=Design(cross=("loss", "architecture")))
    runs = pd.DataFrame(rows, columns=["point", "loss", "architecture"]).assign(
        replicate=0, outcome="stable", adaptive=False
    )
    runs["run"] = [f"r{place}" for place in range(len(runs))]
    empty = pd.DataFrame()
    return Study(StudyFrames("s", spec, Plan(1, 1, "cpu", 100, (), ()), runs, empty, empty, empty, Path("s")))


def test_levels_are_compared_only_where_all_of_them_have_finished() -> None:
    """Hinge has finished with mlp only: its share beside minimax's would be that of mlp beside both."""
    study = crossed(
        [
            (0, "minimax", "mlp"),
            (0, "hinge", "mlp"),
            (0, "minimax", "dcgan"),
            (1, "minimax", "mlp"),
        ]
    )
    assert study.comparable("loss")["run"].tolist() == ["r0", "r1"]
    assert study.comparable("architecture")["run"].tolist() == ["r0", "r2"]


def test_a_finished_study_and_a_factor_that_is_not_crossed_are_compared_over_all_runs() -> None:
    whole = crossed([(p, a, b) for p in range(2) for a in ("minimax", "hinge") for b in ("mlp", "dcgan")])
    assert len(whole.comparable("loss")) == len(whole.comparable("architecture")) == 8
    assert len(made(ROWS).comparable("batchnorm")) == len(ROWS)


def test_levels_that_share_no_setting_are_not_compared() -> None:
    assert crossed([(0, "minimax", "mlp"), (1, "hinge", "mlp")]).comparable("loss").empty


def of_seeds(n_seeds: int, points: int = 1, sampler: str = "sobol") -> Study:
    """Every loss at every point with every seed; the odd seeds are nearly stable under the hinge."""
    rows = [
        {
            "point": point,
            "replicate": seed,
            "loss": loss,
            "outcome": "nearly-stable" if loss == "hinge" and seed % 2 else "collapsed",
        }
        for point in range(points)
        for loss in ("minimax", "hinge")
        for seed in range(n_seeds)
    ]
    runs = pd.DataFrame(rows).assign(adaptive=False, lr=1e-3)
    space = {"lr": SPACE["lr"], "loss": Choice(values=("minimax", "hinge"))}
    design = Design(points=points, seeds=n_seeds, sampler=sampler)
    spec = StudySpec(name="s", space=space, design=design)
    empty = pd.DataFrame()
    return Study(StudyFrames("s", spec, Plan(1, 1, "cpu", 100, (), ()), runs, empty, empty, empty, Path("s")))


def test_the_seeds_of_one_point_are_the_units_and_pair_its_levels() -> None:
    study = of_seeds(16)
    assert study.unit == "seed"
    row = rate(study.runs[study.runs["loss"] == "hinge"], "success").iloc[0]
    expected = binomtest(8, 16).proportion_ci(method="wilson")
    assert (row.ci_low, row.ci_high) == pytest.approx((expected.low, expected.high))
    (pair,) = compare_levels(
        study.runs, "loss", "success", crossed=True, rng=np.random.default_rng(0)
    ).pairs.itertuples()
    assert (pair.n_points, pair.n_disagree, pair.reason) == (16, 8, "")
    assert pair.p == pytest.approx(ttest_1samp(np.arange(16) % 2, 0).pvalue)
    assert set(study.frames.runs["point"]) == {0}


def test_configurations_with_seeds_are_compared_over_their_seeds_which_are_not_paired() -> None:
    rows = [
        {"point": point, "replicate": seed, "configuration": name, "outcome": ("stable", "noise")[seed % 2]}
        for point, name in enumerate(("a", "b"))
        for seed in range(10)
    ]
    runs = pd.DataFrame(rows).assign(adaptive=False)
    spec = StudySpec(name="s", configs={"a": {}, "b": {"lr": 0.1}}, design=Design(sampler="given", seeds=10))
    empty = pd.DataFrame()
    study = Study(
        StudyFrames("s", spec, Plan(1, 1, "cpu", 100, (), ()), runs, empty, empty, empty, Path("s"))
    )
    assert study.unit == "seed"
    assert study.runs["point"].nunique() == 20
    row = rate(study.runs[study.runs["configuration"] == "b"], "success").iloc[0]
    expected = binomtest(5, 10).proportion_ci(method="wilson")
    assert (row.ci_low, row.ci_high) == pytest.approx((expected.low, expected.high))


@pytest.mark.parametrize(("seeds", "points", "sampler"), [(16, 2, "sobol"), (1, 1, "sobol"), (4, 1, "tpe")])
def test_otherwise_points_are_the_units(seeds: int, points: int, sampler: str) -> None:
    study = of_seeds(seeds, points, sampler)
    assert study.unit == "point"
    assert study.runs["point"].nunique() == points
    assert dataclasses.replace(of_seeds(16), as_unit="point").runs["point"].nunique() == 1
