"""Fixed designs: stratified, extendable, reproducible."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any, get_args

import optuna
import pytest
from optuna.distributions import BaseDistribution, FloatDistribution
from optuna.samplers import QMCSampler, RandomSampler

from stability.design import draw_points
from stability.design.points import DRAWS
from stability.design.seeds import Purpose, sampler_seed
from stability.design.space import from_unit, quiet_optuna
from stability.spec import Choice, Range, StudySpec, load_study, parse_study
from stability.spec.study import Sampler

TEXT = """
name: s
space:
  loss: [minimax, hinge]
  lr: {low: 1e-4, high: 1e-2, log: true}
  beta1: {low: 0, high: 0.8}
  batchnorm: [none, generator, discriminator, both]
  width: {low: 8, high: 23}
"""


def study(**design: Any) -> StudySpec:
    return parse_study(TEXT, overrides=[f"design.{key}={value}" for key, value in design.items()])


def test_every_fixed_sampler_has_its_draw() -> None:
    assert set(DRAWS) == set(get_args(Sampler)) - {"tpe"}


STUDIES = [
    path
    for path in sorted((Path(__file__).parents[2] / "studies").glob("*.yaml"))
    if load_study(path).design.sampler not in ("grid", "given")
]


def optunas_points(spec: StudySpec) -> list[dict[str, Any]]:
    """What Optuna itself draws from the unit cube, one trial after the other, in the study's space."""
    unit: dict[str, BaseDistribution] = {name: FloatDistribution(0.0, 1.0) for name in spec.sampled}
    seed = sampler_seed(spec.design.seed, Purpose.POINTS)
    with quiet_optuna():
        sobol = spec.design.sampler == "sobol"
        sampler = QMCSampler(qmc_type="sobol", scramble=True, seed=seed) if sobol else RandomSampler(seed)
        study = optuna.create_study(sampler=sampler)
        asked = range(spec.design.points + sobol)  # its first trial is drawn by other means
        shares = [study.ask(fixed_distributions=unit).params for _ in asked][sobol:]
    return [
        {name: from_unit(factor, share[name]) for name, factor in spec.sampled.items()} for share in shares
    ]


@pytest.mark.parametrize("sampler", ["sobol", "random"])
@pytest.mark.parametrize("path", STUDIES, ids=lambda path: path.stem)
def test_points_are_those_that_optuna_draws_one_by_one(path: Path, sampler: str) -> None:
    for seed, points in ((0, 1), (5, 37)):
        overrides = [f"design.sampler={sampler}", f"design.seed={seed}", f"design.points={points}"]
        spec = load_study(path, overrides)
        assert draw_points(spec) == optunas_points(spec)


@pytest.mark.parametrize("seed", [0, 1])
def test_64_sobol_points_fill_64_strata_of_every_parameter(seed: int) -> None:
    points = draw_points(study(points=64, seed=seed))
    assert sorted(int(point["beta1"] / 0.8 * 64) for point in points) == list(range(64))
    assert set(Counter(point["batchnorm"] for point in points).values()) == {16}
    assert Counter(point["width"] for point in points) == dict.fromkeys(range(8, 24), 4)
    assert sum(point["lr"] < 1e-3 for point in points) == 32


@pytest.mark.parametrize("sampler", ["sobol", "random"])
def test_a_longer_design_extends_a_shorter_one(sampler: str) -> None:
    long = draw_points(study(sampler=sampler, points=40))
    assert draw_points(study(sampler=sampler, points=13)) == long[:13]
    assert draw_points(study(sampler=sampler, points=1)) == long[:1]
    assert draw_points(study(sampler=sampler, points=40, seed=1)) != long


@pytest.mark.parametrize("sampler", ["sobol", "random"])
def test_points_do_not_depend_on_the_order_of_the_file(sampler: str) -> None:
    spec = study(sampler=sampler, points=8)
    turned = spec.model_copy(update={"space": dict(reversed(spec.space.items()))})
    assert draw_points(turned) == draw_points(spec)


@pytest.mark.parametrize("sampler", ["sobol", "random"])
def test_points_lie_in_the_space_without_its_crossed_factors(sampler: str) -> None:
    for point in draw_points(study(sampler=sampler, points=50)):
        assert set(point) == {"lr", "beta1", "batchnorm", "width"}
        assert 1e-4 <= point["lr"] <= 1e-2
        assert 0 <= point["beta1"] <= 0.8
        assert isinstance(point["width"], int)
        assert 8 <= point["width"] <= 23


def test_a_grid_is_the_full_product_in_order() -> None:
    text = "name: s\nspace: {n_dis: [1, 5], loss: [hinge], beta1: {low: 0, high: 0.5, levels: 3}}\n"
    points = draw_points(parse_study(text + "design: {sampler: grid}"))
    pairs = [(point["beta1"], point["n_dis"]) for point in points]
    assert pairs == [(0.0, 1), (0.0, 5), (0.25, 1), (0.25, 5), (0.5, 1), (0.5, 5)]


@pytest.mark.parametrize("sampler", ["sobol", "random"])
def test_points_of_an_unsampled_study_are_alike(sampler: str) -> None:
    text = f"name: s\nspace: {{loss: [hinge]}}\ndesign: {{sampler: {sampler}, points: 3}}"
    assert draw_points(parse_study(text)) == [{}, {}, {}]
    assert draw_points(parse_study("name: s\ndesign: {sampler: grid}")) == [{}]


@pytest.mark.parametrize("log", [False, True])
def test_the_ends_of_the_unit_interval_are_the_ends_of_a_range(log: bool) -> None:
    real = Range(low=0.3, high=0.7, log=log)
    assert (from_unit(real, 0.0), from_unit(real, 1.0)) == pytest.approx((0.3, 0.7))
    whole = Range(low=2, high=5, log=log, integer=True)
    assert [from_unit(whole, share) for share in (0.0, 1.0)] == [2, 5]
    assert {from_unit(whole, index / 100) for index in range(101)} == {2, 3, 4, 5}
    assert from_unit(Choice(values=("a", "b")), 1.0) == "b"


def test_the_middle_of_a_logarithmic_range_is_its_geometric_mean() -> None:
    assert from_unit(Range(low=1e-4, high=1e-2, log=True), 0.5) == pytest.approx(1e-3)
    whole = Range(low=1, high=1000, log=True, integer=True)
    assert from_unit(whole, 0.5) == pytest.approx((0.5 * 1000.5) ** 0.5, abs=0.5)
