from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from stability.outcomes.course import course_of, first_divergence, until
from stability.records import Divergence, History

if TYPE_CHECKING:
    from tests.outcomes.conftest import Plant


def test_updates_are_medians_since_the_visit_before(plant: Plant) -> None:
    steps_and_updates = {100: 9.0, 200: 1.0, 250: 2.0, 300: 4.0, 500: 8.0, 510: 99.0}
    records = tuple(plant.record(step, generator_update=u) for step, u in steps_and_updates.items())
    visits = tuple(plant.evaluation(step) for step in (250, 500, 505))
    course = course_of(History("r", records, visits, None, 510))
    assert course.visits.generator_update[:2].tolist() == [2.0, 6.0]
    assert math.isnan(course.visits.generator_update[2]), "no record since the visit before"


def test_the_loss_is_the_median_of_the_larger_one_since_the_visit_before(plant: Plant) -> None:
    losses = {50: (1.0, -4.0), 100: (3.0, 2.0), 150: (-5.0, 0.0), 200: (0.0, 0.5)}
    records = tuple(plant.record(step, loss_d=d, loss_g=g) for step, (d, g) in losses.items())
    visits = tuple(plant.evaluation(step) for step in (0, 150, 200))
    loss = course_of(History("r", records, visits, None, 200)).visits.loss
    assert math.isnan(loss[0])
    assert loss[1:].tolist() == [4.0, 0.5]


def test_the_recorded_separation_is_its_median_since_the_visit_before(plant: Plant) -> None:
    records = tuple(
        plant.record(step, separation=s) for step, s in {50: 0.2, 100: 0.9, 150: 1.0, 200: 0.6}.items()
    )
    visits = tuple(plant.evaluation(step, separation=0.1) for step in (150, 200, 210))
    recorded = course_of(History("r", records, visits, None, 210)).visits.recorded_separation
    assert recorded.tolist() == [0.9, 0.6, 0.1], "a visit's own where there is no record since the one before"


@pytest.mark.parametrize(
    ("shares", "precision", "modes"),
    [
        ((0.25, 0.25, 0.25, 0.25), 0.05, 4),
        ((0.25, 0.25, 0.25, 0.25), 0.04, 0),
        ((0.5, 0.25, 0.125, 0.125), 0.9, 4),
        ((0.5, 0.26, 0.12, 0.12), 0.9, 2),
        ((math.nan,) * 4, 0.9, 0),
        ((0.25, 0.25, 0.25, 0.25), math.nan, 0),
    ],
)
def test_points_cover_a_mode_by_half_an_even_share_of_all_of_them(
    plant: Plant, shares: tuple[float, ...], precision: float, modes: int
) -> None:
    measured = {"n_modes": 4, "modes": 1, "precision": precision, "class_shares": [shares]}
    assert course_of(plant.history(features=["points"], **measured)).visits.modes.tolist() == [modes]
    assert course_of(plant.history(features=["mnist_cnn"], **measured)).visits.modes.tolist() == [1]


def test_the_order_of_the_input_does_not_matter(plant: Plant) -> None:
    history = plant.history(n=4, trained={"generator_update": [1.0, 2.0, 3.0, 4.0]})
    shuffled = replace(history, records=history.records[::-1], evaluations=history.evaluations[::-1])
    assert course_of(shuffled).visits.step.tolist() == [250, 500, 750, 1000]
    assert course_of(shuffled).visits.generator_update.tolist() == [1.0, 2.0, 3.0, 4.0]


def test_modes_share_is_exact_at_the_thresholds_and_nan_without_modes(plant: Plant) -> None:
    visits = course_of(plant.history(modes=[3, 9, 0], n_modes=[10, 10, 0])).visits
    assert visits.modes_share[:2].tolist() == [0.3, 0.9]
    assert math.isnan(visits.modes_share[2])


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("name", ["loss_d", "loss_g", "generator_update", "discriminator_update"])
def test_a_record_that_is_not_finite_is_a_divergence(plant: Plant, name: str, bad: float) -> None:
    records = (plant.record(10), plant.record(20, **{name: bad}), plant.record(30, loss_d=bad))
    assert first_divergence(History("r", records, (), None, 30)) == Divergence(20, name)


def test_samples_that_are_not_finite_are_a_divergence_but_an_unknown_metric_is_not(plant: Plant) -> None:
    assert first_divergence(plant.history(fid_excess=math.nan, memorisation=math.nan)) is None
    assert first_divergence(plant.history(classifier_confidence=[0.9, math.nan])) == Divergence(500, "fake")


def test_the_first_divergence_counts_and_nothing_from_it_on_is_read(plant: Plant) -> None:
    history = plant.history(
        divergence=Divergence(500, "loss_d"), classifier_confidence=[0.9, 0.9, 0.9, math.nan]
    )
    course = course_of(history)
    assert course.divergence == Divergence(500, "loss_d")
    assert course.visits.step.tolist() == [250]
    assert max(record.step for record in course.records) == 450


def test_until_keeps_what_was_known_at_the_horizon(plant: Plant) -> None:
    history = plant.history(n=4, divergence=Divergence(900, "loss_g"))
    cut = until(history, 500)
    assert [e.step for e in cut.evaluations] == [250, 500]
    assert (cut.records[-1].step, cut.divergence, cut.last_step) == (500, None, 500)
    assert until(history, 1000) == history
