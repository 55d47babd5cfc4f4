from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from statsmodels.stats.multitest import multipletests

from stability.questions.two_studies.estimate import (
    ALL_RUNS,
    SIDE_BY_SIDE,
    Versus,
    differing_settings,
    same_points,
    shared_levels,
    versus,
)
from stability.reading.frames import StudyFrames
from stability.reading.study import Study
from stability.records import SUCCESSES
from stability.spec import Choice, Design, Range, StudySpec, Training
from stability.statistics.rates import rate
from stability.store import Plan
from stability.vocabulary.metrics import EVENTS

LOSSES = ("hinge", "minimax")


def study(
    name: str = "one",
    *,
    success: float | Mapping[str, float] = 0.5,
    seed: int = 0,
    points: int = 40,
    losses: Sequence[str] = LOSSES,
    batchnorms: Sequence[str | None] = (None,),
    steps: int = 100,
    shift: float = 0.0,
) -> Study:
    """A study with two seeds a point, whose runs succeed at a known rate: of all, or by loss or batchnorm.

    Lists of a single level are fixed.
    """
    generator = np.random.default_rng(seed)
    lists = {"loss": tuple(losses), "batchnorm": tuple(batchnorms)}
    choices = {key: Choice(values=values) for key, values in lists.items() if len(values) > 1}
    spec = StudySpec(
        name=name,
        space={**choices, "lr": Range(low=1e-4, high=1e-2, log=True)},
        fixed={key: values[0] for key, values in lists.items() if len(values) == 1},
        design=Design(points=points, seeds=2, cross=tuple(choices)),
        training=Training(steps=steps),
    )
    rates = (
        success if isinstance(success, Mapping) else dict.fromkeys([*losses, *map(str, batchnorms)], success)
    )
    rows = [
        {
            "run": f"p{point}-{loss}-{batchnorm}-s{replicate}",
            "point": point,
            "replicate": replicate,
            "loss": loss,
            "batchnorm": batchnorm,
            "lr": 1e-4 * (1 + point) + shift,
            "adaptive": False,
            "outcome": ("stable", "nearly-stable")[replicate]
            if generator.random() < rates.get(loss, rates.get(str(batchnorm)))
            else "collapsed",
        }
        for point in range(points)
        for loss in losses
        for batchnorm in batchnorms
        for replicate in range(2)
    ]
    runs = pd.DataFrame(rows)
    runs = runs.assign(**dict.fromkeys(EVENTS, False) | {"collapse_ever": runs["outcome"] == "collapsed"})
    empty = pd.DataFrame()
    plan = Plan(1, 1, "cpu", steps, (), ())
    return Study(StudyFrames(name, spec, plan, runs, empty, empty, empty, Path(name)))


def difference(result: Versus, event: str = "success", level: str = ALL_RUNS) -> pd.Series:
    rows = result.differences
    return rows[(rows["event"] == event) & (rows["level"] == level)].iloc[0]


def test_rates_are_each_study_s_own() -> None:
    first, second = study(), study("two", success=0.9, seed=1)
    rates = versus(first, second).rates.set_index(["study", "level", "event"])
    for own in (first, second):
        hinge = rate(own.runs[own.runs["loss"] == "hinge"], "success").iloc[0]
        shown = rates.loc[(own.frames.name, "hinge", "success")]
        assert (shown["estimate"], shown["ci_low"]) == (hinge["estimate"], hinge["ci_low"])


def test_a_difference_is_the_first_s_share_minus_the_second_s() -> None:
    first, second = study(success=0.2), study("two", success=0.9, seed=1)
    row = difference(versus(first, second))
    shares = [own.runs["outcome"].isin(SUCCESSES).mean() for own in (first, second)]
    assert row["estimate"] == pytest.approx(shares[0] - shares[1])
    assert row["ci_high"] < 0
    assert row["p_holm"] < 0.01


def test_the_same_points_are_compared_point_by_point() -> None:
    assert same_points(study(), study("two", seed=1))
    assert not same_points(study(), study("two", shift=1e-5))
    unset = study("two", seed=1)
    unset.frames.runs.loc[unset.frames.runs["point"] == 0, "lr"] = np.nan  # set by a variant, say
    assert same_points(study(), unset)
    paired, apart = versus(study(), study("two", seed=1)), versus(study(), study("two", seed=1, shift=1e-5))
    assert (paired.paired, apart.paired) == (True, False)
    assert difference(paired)["n_disagree"] > 0
    assert difference(paired)["n_points"] == 40
    assert difference(apart)["n_points"] == 80


def test_only_levels_of_both_studies_are_compared() -> None:
    result = versus(study(losses=(*LOSSES, "non-saturating")), study("two", losses=(*LOSSES, "wasserstein")))
    assert result.factor == "loss"
    assert result.levels[0] == "all runs of hinge, minimax"
    assert set(result.levels[1:]) == set(LOSSES)
    assert len(result.differences) == 3 * len(SIDE_BY_SIDE)
    assert set(result.rates["level"]) == set(result.levels)


BY_LOSS = {"hinge": 0.9, "minimax": 0.1}


@pytest.mark.parametrize("shift", [0.0, 1e-5], ids=["same points", "other points"])
@pytest.mark.parametrize("others", [("hinge",), ("hinge", "wasserstein")], ids=["fixed", "listed"])
def test_all_runs_are_those_at_levels_that_both_studies_have(others: tuple[str, ...], shift: float) -> None:
    """Both do equally well under hinge; one of them tried a worse loss as well."""
    rates = BY_LOSS | {"wasserstein": 0.5}
    result = versus(study(success=rates), study("two", success=rates, losses=others, seed=1, shift=shift))
    assert result.shared["loss"] == ("hinge",)
    assert result.levels == ("all runs of hinge",)
    assert result.paired == (shift == 0)
    row = difference(result, level="all runs of hinge")
    assert abs(row["estimate"]) < 0.15
    assert row["ci_low"] < 0 < row["ci_high"]
    stable = result.rates[result.rates["event"] == "success"]
    assert (stable["n_runs"] == 80).all()
    assert stable["estimate"].diff().iloc[1] == pytest.approx(-row["estimate"])


@pytest.mark.parametrize("shift", [0.0, 1e-5], ids=["same points", "other points"])
def test_a_factor_that_one_study_fixed_is_cut_to_its_level(shift: float) -> None:
    rates = {"generator": 0.9, "None": 0.1}
    first = study(success=rates, losses=("hinge",), batchnorms=(None, "generator"))
    second = study("two", success=rates, losses=("hinge",), batchnorms=("generator",), seed=1, shift=shift)
    result = versus(first, second)
    assert result.levels == ("all runs of batchnorm generator",)
    assert abs(difference(result, level=result.levels[0])["estimate"]) < 0.15


@pytest.mark.parametrize("shift", [0.0, 1e-5], ids=["same points", "other points"])
def test_crossed_factors_are_compared_at_what_both_have_finished(shift: float) -> None:
    """The second has not finished the better batchnorm at half of the points; it does as well at each."""
    rates = {"generator": 0.9, "None": 0.1}
    options = {"success": rates, "losses": ("hinge",), "batchnorms": (None, "generator"), "points": 80}
    first, second = study(**options), study("two", seed=1, shift=shift, **options)
    runs = second.frames.runs
    done = (runs["point"] < 40) | runs["batchnorm"].isna()
    unfinished = Study(dataclasses.replace(second.frames, runs=runs[done]))
    row = difference(versus(first, unfinished))
    assert abs(row["estimate"]) < 0.1
    assert row["n_points"] == (80 if shift == 0 else 120)


def test_studies_without_a_common_level_are_compared_as_they_are() -> None:
    first, second = study(), study("two", losses=("wasserstein", "relativistic"))
    result = versus(first, second)
    assert (result.shared["loss"], result.levels) == ((), (ALL_RUNS,))
    assert difference(result)["n_runs"] == len(first.runs) + len(second.runs)


def test_shared_levels_are_text_and_those_of_runs() -> None:
    first = study(batchnorms=(None, "generator"))
    assert shared_levels(first, study("two")) == {"loss": LOSSES, "batchnorm": ("none",)}
    searched = Study(dataclasses.replace(first.frames, runs=first.frames.runs.assign(adaptive=True)))
    assert shared_levels(searched, study("two")) == {"loss": (), "batchnorm": ()}


def test_levels_that_points_drew_are_compared_though_few_drew_one() -> None:
    """Which points drew which level is chance where both list the same ones."""
    first, second = (study(name, shift=shift) for name, shift in (("one", 0.0), ("two", 1e-5)))
    spec = first.frames.spec.model_copy(
        update={
            "space": first.frames.spec.space | {"batchnorm": Choice(values=(None, "generator"))},
            "fixed": {},
        }
    )
    runs = second.frames.runs
    tried = runs.assign(batchnorm=np.where(runs["point"] < 20, "generator", None))
    own = Study(dataclasses.replace(first.frames, spec=spec))
    result = versus(own, Study(dataclasses.replace(second.frames, spec=spec, runs=tried)))
    assert result.levels[0] == ALL_RUNS
    assert difference(result)["n_runs"] == len(first.runs) + len(tried)


def test_p_values_are_holms_over_all_rows() -> None:
    rows = versus(study(success=0.4), study("two", success=0.6, seed=1)).differences
    assert rows["p"].notna().all()
    np.testing.assert_allclose(rows["p_holm"], multipletests(rows["p"], method="holm")[1])
    assert (rows["p_holm"] > rows["p"]).any()


def test_intervals_hold_for_all_rows_at_once() -> None:
    result = versus(study(success=0.4), study("two", success=0.6, seed=1))
    row = difference(result)
    assert row["ci_high"] - row["ci_low"] > 2 * 1.96 * np.sqrt(2 * 0.24 / 160)  # wider than one 95% interval


def test_settings_that_differ_are_named_by_their_key() -> None:
    one, other = study().frames.spec, study("two", steps=200, losses=("hinge", "wasserstein")).frames.spec
    differing = differing_settings(one, other).set_index("setting")
    assert differing.loc["training.steps"].tolist() == ["100", "200"]
    assert differing.loc["space.loss"].tolist() == ["hinge, minimax", "hinge, wasserstein"]
    assert "name" not in differing.index
    assert differing_settings(one, one).empty


def test_studies_of_one_name_are_told_apart() -> None:
    names = versus(study("same"), study("same", seed=1)).names
    assert names[0] != names[1]
    assert all(name.startswith("same") for name in names)
