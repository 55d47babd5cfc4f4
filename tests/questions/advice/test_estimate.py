from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from scipy.special import expit
from scipy.stats import norm

import stability
from stability.errors import StabilityError
from stability.questions.advice.answer import Advice
from stability.questions.advice.chances import NEAREST, Predictions, predict
from stability.questions.advice.estimate import advise
from stability.questions.advice.setting import read_setting
from stability.reading.frames import StudyFrames
from stability.spec import Choice, Design, Range, StudySpec
from stability.statistics.rates import ADAPTIVE, NO_RUNS, rate
from stability.store import Plan
from stability.vocabulary.metrics import EVENTS

Floats = NDArray[np.float64]
Surface = Callable[[pd.DataFrame], Floats]

SPACE: dict[str, Range | Choice] = {
    "loss": Choice(values=("minimax", "hinge")),
    "lr": Range(low=1e-4, high=1e-2, log=True),
    "lr_ratio": Range(low=0.1, high=10, log=True),
    "beta1": Range(low=0, high=1),
    "batchnorm": Choice(values=("none", "generator")),
}
SETTING = {"loss": "hinge", "lr": 1e-3, "lr_ratio": 1.0, "beta1": 0.5, "batchnorm": "none"}


def places(rng: np.random.Generator, count: int) -> pd.DataFrame:
    drawn = {
        "lr": 10 ** rng.uniform(-4, -2, count),
        "lr_ratio": 10 ** rng.uniform(-1, 1, count),
        "beta1": rng.random(count),
        "batchnorm": rng.choice(["none", "generator"], count),
    }
    return pd.DataFrame(drawn)


def planted(
    surface: Surface, *, points: int, seeds: int = 1, seed: int = 0, losses: tuple[str, ...] = ("hinge",)
) -> StudyFrames:
    """Runs that succeed as often as the surface says; seeds of a point share its luck in part."""
    rng = np.random.default_rng(seed)
    drawn = places(rng, points)
    luck = np.sqrt(0.6) * rng.normal(size=points)
    parts = []
    for loss in losses:
        for replicate in range(seeds):
            chance = surface(drawn.assign(loss=loss))
            success = norm.cdf(luck + np.sqrt(0.4) * rng.normal(size=points)) < chance
            names = [f"p{point:03d}-{loss}-s{replicate}" for point in range(points)]
            outcome = np.where(success, ("stable", "nearly-stable")[replicate % 2], "diverged")
            parts.append(drawn.assign(run=names, loss=loss, replicate=replicate, outcome=outcome))
    runs = pd.concat(parts, ignore_index=True)
    runs["point"] = runs["run"].str[1:4].astype(int)
    flags = dict.fromkeys(EVENTS, False) | {"loss_spike": runs["outcome"].eq("diverged")}
    spec = StudySpec(name="s", space=SPACE, design=Design(points=points, seeds=seeds, cross=("loss",)))
    runs = runs.assign(adaptive=False, reason="as planted", **flags)
    empty = pd.DataFrame()
    return StudyFrames("s", spec, Plan(1, 1, "cpu", 100, (), ()), runs, empty, empty, empty, Path("s"))


def hill(at: pd.DataFrame) -> Floats:
    """A safe region about a ratio, a rate and a momentum, wider with batchnorm."""
    radius = np.linalg.norm(
        [(np.log10(at["lr"]) + 3.2) / 0.7, np.log10(at["lr_ratio"]) / 0.6, (at["beta1"] - 0.3) / 0.6], axis=0
    )
    return np.asarray(0.05 + 0.85 * expit((1.1 - radius + 0.3 * (at["batchnorm"] != "none")) / 0.15))


def slope(at: pd.DataFrame) -> Floats:
    return np.asarray(0.9 - 0.4 * at["beta1"] - 0.2 * (np.log10(at["lr"]) + 4))


def cliff(at: pd.DataFrame) -> Floats:
    return np.where((at["beta1"] < 0.6) & (at["lr_ratio"] > 0.4), 0.95, 0.05)


def flat(at: pd.DataFrame) -> Floats:
    return np.full(len(at), 0.4)


def rare(at: pd.DataFrame) -> Floats:
    far = np.hypot((np.log10(at["lr"]) + 3.2) / 2, at["beta1"] - 0.4)
    return np.asarray(0.02 + 0.6 * expit((0.25 - far) / 0.05))


SURFACES: dict[str, Surface] = {f.__name__: f for f in (hill, slope, cliff, flat, rare)}


def predicted(surface: Surface, there: pd.DataFrame, *, points: int, seeds: int, seed: int) -> Predictions:
    frames = planted(surface, points=points, seeds=seeds, seed=seed)
    asked = read_setting(SETTING, frames.spec, frames.runs)
    return predict(asked, frames.runs, there, np.random.default_rng(seed))


@pytest.mark.slow
@pytest.mark.parametrize("surface", list(SURFACES))
@pytest.mark.parametrize(("points", "seeds"), [(12, 1), (24, 1), (48, 3)])
def test_the_bounds_are_conservative(surface: str, points: int, seeds: int, full: bool) -> None:
    """At settings drawn as the points were, over studies; 300 settings of a study share its luck."""
    covered = []
    for seed in range(100 if full else 8):
        there = places(np.random.default_rng([seed, points]), 300)
        found = predicted(SURFACES[surface], there, points=points, seeds=seeds, seed=seed)
        assert ((found.ci_low <= found.chance) & (found.chance <= found.ci_high)).all()
        truth = SURFACES[surface](there)
        covered.append([(found.ci_low <= truth).mean(), (truth <= found.ci_high).mean()])
    low, high = np.mean(covered, axis=0)
    assert low >= (0.95 if full else 0.93)
    assert high >= (0.94 if full else 0.88)


@pytest.mark.slow
def test_it_is_better_than_the_overall_rate_where_there_is_something_to_know(full: bool) -> None:
    studies = [
        predicted(cliff, places(np.random.default_rng(seed), 300), points=64, seeds=2, seed=seed)
        for seed in range(20 if full else 5)
    ]
    scores = np.array([found.brier["estimate"].to_numpy(dtype=np.float64) for found in studies])
    assert (scores[:, 0] < scores[:, 1] - 0.05).all()
    assert np.mean([found.better for found in studies]) >= 0.8


@pytest.mark.slow
def test_it_claims_nothing_where_there_is_nothing_to_know(full: bool) -> None:
    there = places(np.random.default_rng(0), 300)
    studies = [predicted(flat, there, points=32, seeds=2, seed=seed) for seed in range(100 if full else 25)]
    assert np.mean([found.better for found in studies]) <= (0.1 if full else 0.16)
    # nor is the chance far from what it is everywhere, as it is where a process is believed that saw noise
    assert np.mean([np.abs(found.chance - 0.4).mean() for found in studies]) < 0.15


@pytest.mark.slow
def test_the_change_raises_the_chance(full: bool) -> None:
    rises = []
    for seed in range(40 if full else 8):
        frames = planted(cliff, points=64, seed=seed)
        rng = np.random.default_rng(seed)
        bad = {**SETTING, "beta1": float(rng.uniform(0.7, 1)), "lr_ratio": float(rng.uniform(1, 9))}
        found = advise(frames, bad)
        assert found.change is not None
        after = pd.DataFrame([found.setting | {found.change.parameter: found.change.value}])
        rises.append(float(cliff(after)[0]) > 0.5)
        if found.sure:
            assert found.change.ci_low > found.chance
    assert np.mean(rises) >= 0.8


@pytest.fixture(scope="module")
def frames() -> StudyFrames:
    """Under hinge a low beta1 succeeds as a rule; under minimax nothing does."""

    def surface(at: pd.DataFrame) -> Floats:
        return np.where(at["loss"] == "hinge", np.where(at["beta1"] < 0.5, 0.95, 0.05), 0.0)

    return planted(surface, points=48, seeds=2, losses=("minimax", "hinge"))


def test_it_tells_good_from_bad_and_what_would_help(frames: StudyFrames) -> None:
    good = advise(frames, {"loss": "hinge", "beta1": 0.2, "lr": 1e-3})
    bad = advise(frames, {"loss": "hinge", "beta1": 0.9, "lr": 1e-3})
    assert (good.reason, bad.reason) == ("", "")
    assert good.chance > 0.8 > good.ci_low > 0.4
    assert good.ci_high > good.chance
    assert bad.chance < 0.2
    assert good.verdict == "likely"
    assert good.better
    assert good.averaged == ("batchnorm", "lr_ratio")
    assert (good.n_points, good.n_runs, good.unit) == (48, 96, "point")
    assert bad.sure
    assert bad.change is not None
    assert bad.change.parameter == "beta1"
    assert 0 <= bad.change.value < 0.5
    assert bad.change.chance > 0.8


def test_the_nearest_runs_and_what_went_wrong_with_them(frames: StudyFrames) -> None:
    found = advise(frames, {"loss": "hinge", "beta1": 0.95})
    assert len(found.nearest) == 2 * NEAREST, "two seeds of each of the nearest points"
    assert found.nearest["distance"].is_monotonic_increasing
    assert found.nearest["run"].str.contains("hinge").all()
    failed = int((found.nearest["outcome"] == "diverged").sum())
    assert failed > NEAREST
    assert found.wrong.values.tolist() == [["outcome", "diverged", failed], ["event", "loss_spike", failed]]


def test_what_goes_wrong_is_counted_over_all_that_are_as_near(frames: StudyFrames) -> None:
    runs = frames.runs
    ends = runs["outcome"].where(runs["point"] % 3 > 0, "learning").where(runs["point"] % 16 > 0, "noise")
    frames = replace(frames, runs=runs.assign(outcome=ends))
    hinge = advise(frames, {"loss": "hinge"})
    counts = ends[runs["loss"] == "hinge"].value_counts().drop(["stable", "nearly-stable"])
    assert len(hinge.nearest) == 96
    outcomes = hinge.wrong[hinge.wrong["kind"] == "outcome"]
    assert dict(zip(outcomes["name"], outcomes["n_runs"], strict=True)) == counts.to_dict()
    assert {"learning", "noise"} <= set(outcomes["name"])
    point = advise(frames, {"beta1": 0.5}).nearest["run"].str[:4]
    assert point.value_counts().tolist() == [4] * NEAREST, "both losses and seeds of each of the nearest"


def test_another_loss_may_be_the_change(frames: StudyFrames) -> None:
    found = advise(frames, {"loss": "minimax", "beta1": 0.2})
    assert found.change is not None
    assert (found.change.parameter, found.change.value) == ("loss", "hinge")
    assert found.change.chance > 0.8
    assert found.sure


def test_where_all_runs_ended_alike_the_nearest_points_bound_it(frames: StudyFrames) -> None:
    none = advise(frames, {"loss": "minimax", "beta1": 0.2})
    assert (none.chance, none.ci_low) == (pytest.approx(0.5 / 49), 0)
    square = norm.ppf(0.95) ** 2
    assert none.ci_high == pytest.approx(square / (NEAREST + square))
    assert none.verdict == "unlikely"
    assert none.brier.empty
    assert not none.better
    every = replace(frames, runs=frames.runs.assign(outcome="stable"))
    found = advise(every, {"loss": "minimax", "beta1": 0.2})
    assert found.chance == pytest.approx(48.5 / 49)
    assert found.ci_low == pytest.approx(NEAREST / (NEAREST + square))
    assert found.change is None


def test_without_a_drawn_parameter_it_is_the_rate(frames: StudyFrames) -> None:
    found = advise(frames, {"loss": "hinge"})
    hinge = rate(frames.runs[frames.runs["loss"] == "hinge"], "success", confidence=0.9).iloc[0]
    assert found.chance == pytest.approx(float(hinge["estimate"]), abs=0.01)
    assert found.ci_low == pytest.approx(float(hinge["ci_low"]))
    assert found.averaged == ("batchnorm", "lr", "lr_ratio", "beta1")


def test_it_does_not_hang_on_the_order_of_the_rows(frames: StudyFrames) -> None:
    shuffled = replace(frames, runs=frames.runs.sample(frac=1, random_state=0))
    one, other = (advise(each, {"loss": "hinge", "beta1": 0.4}) for each in (frames, shuffled))
    assert told(one) == told(other)


def told(found: Advice) -> list[Any]:
    return [
        found.chance,
        found.ci_low,
        found.change,
        found.nearest.values.tolist(),
        found.brier.values.tolist(),
    ]


def test_no_number_but_the_nearest_runs(frames: StudyFrames) -> None:
    few = replace(frames, runs=frames.runs[frames.runs["point"] < 9])
    search = replace(frames, runs=frames.runs.assign(adaptive=True))
    for case, reason in (
        (few, "not estimable: 9 points are too few for a chance, which takes 10"),
        (search, ADAPTIVE),
    ):
        found = advise(case, SETTING)
        assert found.reason == reason
        assert np.isnan([found.chance, found.ci_low]).all()
        assert found.change is None
        assert found.nearest["run"].str[:4].nunique() == NEAREST
    nothing = advise(replace(frames, runs=frames.runs.head(0)), SETTING)
    assert (nothing.reason, len(nothing.nearest)) == (NO_RUNS, 0)


def test_outside_there_is_no_number_and_nothing_near(frames: StudyFrames) -> None:
    found = advise(frames, {"loss": "hinge", "lr": 0.5})
    assert found.reason == "outside of what this study trained: lr 0.5 (drawn from 0.0001 to 0.01)"
    assert np.isnan(found.chance)
    assert (len(found.nearest), len(found.wrong), found.change) == (0, 0, None)


def test_the_levels_alone_are_told_beside_a_full_setting(frames: StudyFrames) -> None:
    full = advise(frames, SETTING)
    runs = frames.runs[(frames.runs["loss"] == "hinge") & (frames.runs["batchnorm"] == "none")]
    row = rate(runs, "success").iloc[0]
    assert full.coarser is not None
    assert full.coarser.setting == {"loss": "hinge", "batchnorm": "none"}
    found = [full.coarser.chance, full.coarser.ci_low, full.coarser.ci_high, full.coarser.n_runs]
    assert found == [row["estimate"], row["ci_low"], row["ci_high"], len(runs)]
    assert full.own == {"loss": "hinge"}
    for no_less in ({"loss": "hinge", "batchnorm": "none"}, {"lr": 1e-3}, SETTING | {"lr": 1.0}):
        assert advise(frames, no_less).coarser is None


def test_seeds_of_one_setting_are_counted_as_such() -> None:
    frames = planted(flat, points=1, seeds=40)
    spec = frames.spec.model_copy(update={"space": {}, "design": Design(points=1, seeds=40)})
    found = advise(replace(frames, spec=spec), {"loss": "hinge"})
    assert (found.unit, found.n_points, found.n_runs) == ("seed", 40, 40)
    assert found.chance == pytest.approx(frames.runs["outcome"].ne("diverged").mean(), abs=0.02)
    assert 0 < found.ci_low < found.chance


def test_it_is_there_beside_load(frames: StudyFrames, tmp_path: Path) -> None:
    one, other = (ask(frames, {"loss": "hinge", "beta1": 0.4}) for ask in (stability.advise, advise))
    assert told(one) == told(other)
    with pytest.raises(StabilityError, match="no such results folder"):
        stability.advise(tmp_path / "none", {"loss": "hinge"})
