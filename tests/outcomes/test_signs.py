from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from stability.outcomes.course import course_of
from stability.outcomes.signs import (
    State,
    at_least,
    below,
    fid_fall,
    last_stretch,
    lost_at,
    saturated,
    states,
    stillborn,
    stretches,
)
from stability.spec.thresholds import Thresholds

if TYPE_CHECKING:
    from tests.outcomes.conftest import Plant

NEW, GOOD, FADED, COLLAPSED = State
NAN = math.nan


def test_a_number_that_is_not_finite_is_neither_above_nor_below() -> None:
    values = np.array([NAN, math.inf, -math.inf, 0.5])
    assert at_least(values, 0.5).tolist() == [False, False, False, True]
    assert below(values, 0.6).tolist() == [False, False, False, True]
    assert not below(values, 0.5).any()


@pytest.mark.parametrize(
    ("columns", "path"),
    [
        ({"precision": [0.19, 0.2, 0.15, 0.09, 0.15, 0.2]}, [NEW, GOOD, GOOD, FADED, FADED, GOOD]),
        ({"modes": [4, 5, 4, 3, 4, 5]}, [NEW, GOOD, GOOD, COLLAPSED, COLLAPSED, GOOD]),
        ({"diversity": [0.29, 0.3, 0.29, 0.3]}, [NEW, GOOD, COLLAPSED, GOOD]),
        ({"precision": [0.5, 0.05, 0.05], "modes": [9, 9, 1]}, [GOOD, FADED, COLLAPSED]),
        ({"precision": [0.5, 0.05, 0.05], "modes": [9, 1, 9]}, [GOOD, COLLAPSED, COLLAPSED]),
        ({"precision": [NAN, 0.5, NAN, math.inf]}, [NEW, GOOD, FADED, FADED]),
        ({"diversity": [0.9, NAN]}, [GOOD, COLLAPSED]),
    ],
)
def test_the_trigger_holds_between_its_thresholds(
    plant: Plant, columns: dict[str, Any], path: list[State]
) -> None:
    assert states(course_of(plant.history(**columns)).visits, Thresholds()).tolist() == path


def test_losses_are_counted_where_good_ends() -> None:
    assert lost_at(np.array([NEW, GOOD, GOOD, FADED, COLLAPSED, GOOD, COLLAPSED])) == [3, 6]
    assert lost_at(np.array([], dtype=np.int64)) == []


@pytest.mark.parametrize(
    ("separation", "generator", "discriminator", "holds"),
    [
        (0.99, 0.009, 0.5, True),
        (1.00, 0.5, 0.0, True),
        (1.00, 0.01, 0.01, False),
        (0.989, 0.0, 0.0, False),
        (NAN, 0.0, 0.0, False),
    ],
)
def test_saturation_needs_a_perfect_discriminator_and_a_stopped_network(
    plant: Plant, separation: float, generator: float, discriminator: float, holds: bool
) -> None:
    updates = {"generator_update": generator, "discriminator_update": discriminator}
    visits = course_of(plant.history(n=1, separation=separation, updates=updates)).visits
    assert saturated(visits, Thresholds()).tolist() == [holds]


def test_stretches() -> None:
    mask = np.array([True, False, True, True, False, True])
    assert stretches(mask) == [(0, 1), (2, 4), (5, 6)]
    assert stretches(mask, shortest=2) == [(2, 4)]
    assert last_stretch(mask) == (5, 6)
    assert last_stretch(mask, shortest=2) is None
    assert last_stretch(np.array([], dtype=bool)) is None


def test_fid_fall_is_the_least_squares_fall_over_the_last_third(plant: Plant) -> None:
    falling = [100.0] * 8 + [math.exp(-0.2 * i) for i in range(4)]
    assert fid_fall(course_of(plant.history(fid_ratio=falling)).visits) == pytest.approx(0.6)
    assert fid_fall(course_of(plant.history(fid_ratio=[1.0, 2.0, 4.0])).visits) == pytest.approx(-math.log(4))


@pytest.mark.parametrize("fid_ratio", [[], [9, 1], [9, NAN, 1], [9, math.inf, 1], [9, 0, 1]])
def test_fid_fall_is_unknown_without_three_finite_visits(plant: Plant, fid_ratio: Sequence[float]) -> None:
    assert math.isnan(fid_fall(course_of(plant.history(fid_ratio=fid_ratio)).visits))


@pytest.mark.parametrize(
    ("columns", "found"),
    [
        ({"diversity": [0.5, 0.09, 0.05, 0.02]}, (1, 4)),
        ({"diversity": [0.5, 0.5, 0.05, 0.02]}, None),
        ({"diversity": [0.05, 0.05, 0.05, 0.5]}, None),
        ({"diversity": 0.05, "fid_ratio": [90.0, 80.0, 70.0]}, None),
        ({"diversity": [0.5, 0.05, 0.05, 0.05], "precision": 0.5}, None),
    ],
    ids=["lasting", "too short", "over", "progress", "was good"],
)
def test_stillborn(plant: Plant, columns: dict[str, Any], found: tuple[int, int] | None) -> None:
    visits = course_of(plant.history(**({"precision": 0.0} | columns))).visits
    assert stillborn(visits, Thresholds()) == found


def test_the_untrained_network_is_no_part_of_a_low_diversity(plant: Plant) -> None:
    visits = course_of(plant.history(n=3, spacing=0, precision=0.0, diversity=0.0)).visits
    assert visits.step.tolist() == [0, 0, 0]
    assert stillborn(visits, Thresholds()) is None
