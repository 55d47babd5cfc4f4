"""The search: reproducible, finite, and better than chance."""

from __future__ import annotations

import math
from typing import Any

import optuna
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from stability.design import ROUND, FinishedPoint, native_distributions, next_points
from stability.design.search import objectives
from stability.spec import StudySpec, parse_study

TEXT = """
name: s
space:
  loss: [hinge, minimax]
  lr: {low: 1e-4, high: 1e-2, log: true}
  beta1: {low: 0, high: 0.8}
  width: {low: 8, high: 23}
  weight_clip: [~, 0.1]
design: {sampler: tpe, points: 32}
"""


def study(**design: Any) -> StudySpec:
    return parse_study(TEXT, overrides=[f"design.{key}={value}" for key, value in design.items()])


def finished(points: list[dict[str, Any]]) -> list[FinishedPoint]:
    """Success at low beta1, best at learning rates near 1e-3; no ratio where nothing succeeds."""
    return [
        FinishedPoint(
            params=point,
            share_success=float(point["beta1"] < 0.4),
            median_fid_ratio=abs(math.log10(point["lr"]) + 3) if point["beta1"] < 0.4 else math.nan,
        )
        for point in points
    ]


def test_distributions_are_optunas_own() -> None:
    spec = study(cross="[loss]")
    assert native_distributions(spec) == {
        "beta1": FloatDistribution(0.0, 0.8),
        "loss": CategoricalDistribution(("hinge", "minimax")),
        "lr": FloatDistribution(1e-4, 1e-2, log=True),
        "weight_clip": CategoricalDistribution((None, 0.1)),
        "width": IntDistribution(8, 23),
    }
    assert "loss" not in native_distributions(spec, with_crossed=False)


def test_a_search_is_reproducible_and_moves_towards_success() -> None:
    spec = study()
    points: list[dict[str, Any]] = []
    for _ in range(7):
        more = next_points(spec, finished(points), ROUND)
        assert more == next_points(spec, finished(points), ROUND)
        assert len(more) == ROUND
        assert all(point not in points for point in more)
        points += more
    assert all(set(point) == set(spec.space) for point in points)
    assert sum(point["beta1"] < 0.4 for point in points[-3 * ROUND :]) >= 17
    assert next_points(spec, finished(points[:ROUND]), ROUND) == points[ROUND : 2 * ROUND]
    assert next_points(study(seed=1), [], ROUND) != points[:ROUND]


def test_crossed_factors_are_not_searched() -> None:
    spec = study(cross="[loss]")
    points = next_points(spec, [], 2)
    assert all(set(point) == {"lr", "beta1", "width", "weight_clip"} for point in points)
    told = [FinishedPoint({**point, "loss": "hinge"}, 0.5, 2.0) for point in points]
    assert len(next_points(spec, told, 1)) == 1


def test_the_share_comes_first_then_the_ratio() -> None:
    points = [
        FinishedPoint({}, share, ratio)
        for share, ratio in [
            (0.0, math.nan),
            (0.0, math.inf),
            (0.0, 3.0),
            (0.5, math.nan),
            (0.5, 90.0),
            (0.5, 2.0),
        ]
    ]
    assert objectives(points) == [0, 0, 1, 2, 3, 4]


@settings(max_examples=50)
@given(st.lists(st.tuples(st.floats(0, 1), st.floats())))
def test_objectives_are_always_finite(results: list[tuple[float, float]]) -> None:
    points = [FinishedPoint({}, share, ratio) for share, ratio in results]
    values = objectives(points)
    assert all(math.isfinite(value) for value in values)
    for one, value in zip(points, values, strict=True):
        for other, other_value in zip(points, values, strict=True):
            if one.share_success > other.share_success:
                assert value > other_value


def test_optuna_is_left_as_it_was() -> None:
    before = optuna.logging.get_verbosity()
    next_points(study(), [], 1)
    assert optuna.logging.get_verbosity() == before


@pytest.mark.parametrize("n", [0, 1, 20])
def test_as_many_points_as_were_asked_for(n: int) -> None:
    assert len(next_points(study(), [], n)) == n
