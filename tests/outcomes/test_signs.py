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
    covers,
    dominated,
    excess_line,
    exploded,
    gains,
    last_stretch,
    lately,
    lost_at,
    measured,
    measured_visits,
    saturated,
    some_modes,
    states,
    steady,
    stretches,
    swings,
)
from stability.records import History
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
    ("values", "persist", "median"),
    [
        ([9.0, 1.0, 2.0, 4.0], 3, 2.0),
        ([9.0, 1.0, NAN, 4.0], 3, 2.5),
        ([9.0, NAN, math.inf, 4.0], 3, NAN),
        ([9.0], 3, 9.0),
        ([9.0, NAN], 1, NAN),
        ([], 3, NAN),
    ],
)
def test_lately_is_the_median_of_the_last_visits(
    bars: Thresholds, values: list[float], persist: int, median: float
) -> None:
    found = lately(np.array(values), bars.model_copy(update={"persist": persist}))
    assert found == pytest.approx(median, nan_ok=True)


def test_steady_fills_single_gaps_only() -> None:
    mask = np.array([0, 1, 0, 1, 0, 0, 1, 0], dtype=bool)
    assert steady(mask).tolist() == [bool(held) for held in (0, 1, 1, 1, 0, 0, 1, 0)]
    assert steady(mask[:1]).tolist() == [False]


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
    plant: Plant, bars: Thresholds, columns: dict[str, Any], path: list[State]
) -> None:
    assert states(course_of(plant.history(**columns)).visits, bars).tolist() == path


def test_losses_are_counted_where_good_ends() -> None:
    assert lost_at(np.array([NEW, GOOD, GOOD, FADED, COLLAPSED, GOOD, COLLAPSED])) == [3, 6]
    assert lost_at(np.array([], dtype=np.int64)) == []


@pytest.mark.parametrize(
    ("separation", "generator", "discriminator", "holds"),
    [
        (0.99, 0.009, 0.5, True),
        (1.00, 0.5, 0.0, True),
        (1.00, 0.01, 0.01, False),
        (0.989, 0.0, 0.5, False),
        (0.5, 0.0, 0.0, True),
        (NAN, 0.0, 0.0, True),
        (NAN, 0.0, 0.5, False),
    ],
)
def test_saturation_needs_a_perfect_discriminator_and_a_stopped_network_or_two_stopped_ones(
    plant: Plant, bars: Thresholds, separation: float, generator: float, discriminator: float, holds: bool
) -> None:
    updates = {"generator_update": generator, "discriminator_update": discriminator}
    visits = course_of(plant.history(n=1, fid_excess=2.0, separation=separation, trained=updates)).visits
    assert saturated(visits, bars).tolist() == [holds]


@pytest.mark.parametrize(
    ("losses", "fid_excess", "found"),
    [
        ([1.0, 1000.0, 1001.0], 0.51, [False, False, True]),
        ([1.0, 1000.0, 1001.0], 0.5, [False, False, False]),
        ([1.0, 1000.0, 1001.0], NAN, [False, False, True]),
        ([5.0, 4999.0, 5001.0], 2.0, [False, False, True]),
        ([0.01, 11.0, 1001.0], 2.0, [False, False, True]),
    ],
    ids=["grown", "good samples", "unknown samples", "large from the start", "tiny at the start"],
)
def test_an_explosion_is_told_from_the_first_loss(
    plant: Plant, bars: Thresholds, losses: list[float], fid_excess: float, found: list[bool]
) -> None:
    trained = {"loss_d": [-loss for loss in losses], "loss_g": 0.0}
    visits = course_of(plant.history(fid_excess=fid_excess, n=3, trained=trained)).visits
    assert exploded(visits, bars).tolist() == found


def test_an_explosion_lasts_as_long_as_samples_are_half_as_far_again_as_before(
    plant: Plant, bars: Thresholds
) -> None:
    trained = {"loss_d": [1.0, 1.0, 1001.0, 1.0, 1.0], "loss_g": 0.0}
    visits = course_of(plant.history(fid_excess=[3.0, 2.0, 2.5, 3.1, 3.0], trained=trained)).visits
    assert exploded(visits, bars).tolist() == [False, False, True, True, False]


def test_nothing_explodes_before_there_is_a_record(plant: Plant, bars: Thresholds) -> None:
    visits = course_of(History("r", (), (plant.evaluation(10), plant.evaluation(20)), None, 20)).visits
    assert not exploded(visits, bars).any()


@pytest.mark.parametrize(
    ("separation", "fid_excess", "holds"),
    [(0.98, 0.51, True), (0.98, 0.5, False), (0.979, 9.0, False), (NAN, 9.0, False), (1.0, NAN, True)],
)
def test_a_discriminator_dominates_only_samples_that_are_far_from_real_ones(
    plant: Plant, bars: Thresholds, separation: float, fid_excess: float, holds: bool
) -> None:
    recorded = {"separation": separation}
    visits = course_of(plant.history(n=1, trained=recorded, fid_excess=fid_excess, modes=4)).visits
    assert dominated(visits, bars).tolist() == [holds]
    half = course_of(plant.history(n=1, trained=recorded, fid_excess=fid_excess, modes=5)).visits
    assert not dominated(half, bars).any()


def test_where_modes_are_not_counted_none_are_known_to_be_covered(plant: Plant, bars: Thresholds) -> None:
    one_class = measured(course_of(plant.history(n=1, modes=1, n_modes=1)), bars).visits
    assert not covers(one_class, bars).any()
    assert covers(course_of(plant.history(n=1, modes=5)).visits, bars).all()


def test_some_modes_are_fewer_than_nearly_all_of_what_is_recognisable(plant: Plant, bars: Thresholds) -> None:
    modes, found = [0, 1, 7, 8, 5], [False, True, True, False, False]
    images = plant.history(modes=modes, memorisation=[0.5, 2.0, 0.5, 0.5, 2.01], precision=0.0)
    shares = [(*[1 / max(n, 1)] * n, *[0.0] * (10 - n)) for n in modes]
    points = plant.history(
        class_shares=shares,
        features=["points"] * 5,
        precision=[0.5, 0.1, 0.5, 0.5, 0.09],
        memorisation=9.0,
    )
    assert some_modes(course_of(images), bars).tolist() == found
    assert some_modes(course_of(points), bars).tolist() == found


def test_swings_are_turns_of_the_median_of_seven_in_the_last_two_thirds(
    plant: Plant, bars: Thresholds
) -> None:
    separation = plant.swinging(500, 900, 1400, 1800, until=3000)
    course = course_of(plant.history(n=12, recorded={"separation": separation}))
    assert swings(course, bars).tolist() == [1450, 1850]
    assert swings(course_of(plant.history(n=12)), bars).tolist() == []
    assert not len(swings(course_of(History("r", course.records[:6], (), None, 300)), bars))


def test_the_way_from_one_side_to_the_other_may_be_long(plant: Plant, bars: Thresholds) -> None:
    between = dict.fromkeys(range(1600, 2401, 50), 0.5)
    separation = dict.fromkeys(range(50, 1600, 50), 0.8) | between | dict.fromkeys(range(2450, 3001, 50), 0.3)
    course = course_of(plant.history(n=12, recorded={"separation": separation}))
    assert swings(course, bars).tolist() == [2450]


def test_a_swing_is_counted_from_the_last_extreme(plant: Plant, bars: Thresholds) -> None:
    """Down in steps to where it is enough, further down, and up again from the lowest."""
    levels = {1200: 0.9, 1600: 0.6, 2000: 0.39, 2400: 0.1, 2800: 0.55, 3001: 0.61}
    separation = {
        step: next(level for end, level in levels.items() if step <= end) for step in range(50, 3001, 50)
    }
    course = course_of(plant.history(n=12, recorded={"separation": separation}))
    assert swings(course, bars).tolist() == [1650, 2850]


@pytest.mark.parametrize(
    ("fid_excess", "holds"),
    [
        ([4.0, 3.0, 2.0, 1.5, 1.0, 0.7], True),
        ([4.0, 3.0, 1.0, 0.96, 0.951, 0.94], False),
        ([4.0, 0.9, 8.0, 2.0, 1.5, 1.0], False),
        ([4.0, 3.0, 2.0, 0.9, 1.0, 1.1], False),
        ([4.0, 4.0, 4.0, 3.62, 3.61, 3.6], False),
        ([4.0, NAN, math.inf, 1.5, 1.0, 0.7], True),
        ([NAN, NAN, NAN, 1.5, 1.0, 0.7], False),
        ([4.0, 3.0, 2.0, 1.5, NAN, 0.7], False),
        ([4.0, 2.0, 1.0], False),
        ([0.0, 0.0, 0.0, -0.1, -0.1, -0.1], False),
        ([], False),
    ],
    ids=[
        *("falling", "by less than new ground", "a recovery", "turned round", "too slow"),
        *(
            "best of what is known",
            "nothing known before",
            "no trend",
            "nothing before",
            "nothing left",
            "none",
        ),
    ],
)
def test_new_ground(plant: Plant, bars: Thresholds, fid_excess: list[float], holds: bool) -> None:
    visits = course_of(plant.history(fid_excess=fid_excess)).visits
    assert gains(visits, bars) is holds


def test_how_soon_the_trend_has_to_reach_the_bar_is_a_threshold(plant: Plant, bars: Thresholds) -> None:
    visits = course_of(plant.history(fid_excess=[4.0, 4.0, 4.0, 3.7, 3.6, 3.5])).visits
    slope, end = excess_line(visits)
    to_go = (end - math.log(bars.nearly_excess)) / -slope / 1500
    for factor, holds in ((1.01, True), (0.99, False)):
        moved = bars.model_copy(update={"learning_horizon": factor * to_go})
        assert gains(visits, moved) is holds


def test_the_line_is_that_of_least_squares_over_the_last_third(plant: Plant) -> None:
    falling = [100.0] * 8 + [math.exp(-0.2 * i) for i in range(4)]
    line = excess_line(course_of(plant.history(fid_excess=falling)).visits)
    assert line == (pytest.approx(-0.2 / 250), pytest.approx(-0.6))
    bent = excess_line(course_of(plant.history(fid_excess=[1.0, 8.0, 4.0])).visits)
    assert bent == (pytest.approx(math.log(4) / 500), pytest.approx(math.log(32) / 3 + math.log(4) / 2))


@pytest.mark.parametrize("fid_excess", [[], [9, 1], [9, NAN, 1], [9, math.inf, 1], [9, 0, 1], [9, -1, 1]])
def test_the_line_is_unknown_without_three_positive_visits(plant: Plant, fid_excess: Sequence[float]) -> None:
    assert all(map(math.isnan, excess_line(course_of(plant.history(fid_excess=fid_excess)).visits)))


def test_stretches() -> None:
    mask = np.array([True, False, True, True, False, True])
    assert stretches(mask) == [(0, 1), (2, 4), (5, 6)]
    assert stretches(mask, shortest=2) == [(2, 4)]
    assert last_stretch(mask) == (5, 6)
    assert last_stretch(mask, shortest=2) is None
    assert last_stretch(np.array([], dtype=bool)) is None


def test_what_is_not_measured_has_a_perfect_generators_values(plant: Plant, bars: Thresholds) -> None:
    course = course_of(plant.history(n=2, precision=0.0, modes=0, diversity=0.0, fid_excess=9.0))
    whole = measured(course, bars).visits
    assert (whole.precision[0], whole.modes_share[0], whole.diversity[0], whole.fid_excess[0]) == (0, 0, 0, 9)
    only = {name: bars.model_copy(update={"measures": (name,)}) for name in bars.measures}
    assert measured(course, only["fid"]).visits.precision.tolist() == [1.0, 1.0]
    assert measured(course, only["fid"]).visits.modes_share.tolist() == [1.0, 1.0]
    assert measured(course, only["fid"]).visits.diversity.tolist() == [1.0, 1.0]
    assert measured(course, only["modes"]).visits.fid_excess.tolist() == [0.0, 0.0]
    assert measured(course, only["modes"]).visits.modes_share.tolist() == [0.0, 0.0]


def test_networks_at_rest_have_arrived_only_where_samples_are_near_real_ones(
    plant: Plant, bars: Thresholds
) -> None:
    """Without FID among the measures, which then says nothing, the others have to."""
    still = {"generator_update": 0.0, "discriminator_update": 0.0, "separation": 1.0}
    for measures in (bars.measures, ("precision", "diversity")):
        own = bars.model_copy(update={"measures": measures})
        for precision, failed in ((0.0, True), (1.0, False)):
            visits = course_of(plant.history(n=3, trained=still, fid_excess=0.01, precision=precision)).visits
            assert saturated(measured_visits(visits, own), own).tolist() == [failed] * 3
