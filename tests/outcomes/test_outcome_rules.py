from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import pytest

from stability.outcomes import events, label
from stability.outcomes.outcome_rules import OUTCOME_RULES
from stability.records import Divergence, EventKind, Outcome
from stability.spec.thresholds import Thresholds

if TYPE_CHECKING:
    from tests.outcomes.conftest import Plant

FALLING = [4.0, 3.2, 2.4, 1.6, 1.0, 0.7]
NOISE: dict[str, Any] = {"precision": 0.0, "modes": 0, "diversity": 0.4, "fid_excess": 2.0}
GAINING = NOISE | {"modes": 1, "memorisation": 9.0}
"""What is recognisable, and learning where FID falls."""
JUST_THERE = [2.0, 1.5, 0.9, 0.51, 0.4, 0.3]
FROZEN = {"generator_update": 0.0, "discriminator_update": 0.0}
FROZEN_LATE = {network: [*[0.5] * 6, *[0.0] * 6] for network in FROZEN}
LEAPT = [1.0, *[1e6] * 11]
THREE_MODES = {"features": ["points"] * 6, "class_shares": [(0.5, 0.3, 0.2, *[0.0] * 7)] * 6}
SWINGS = {"separation": {step: 0.2 if step % 500 > 250 else 0.9 for step in range(50, 3001, 50)}}
"""Recorded separation: five records on either side."""

PLANTED: list[tuple[Outcome, dict[str, Any], str]] = [
    (Outcome.DIVERGED, {"divergence": Divergence(412, "loss_d")}, "loss_d is not finite at step 412"),
    (Outcome.DIVERGED, {"classifier_confidence": [0.9, 0.9, math.nan]}, "fake is not finite at step 750"),
    (
        Outcome.DIVERGED,
        NOISE | {"trained": {"loss_g": [2.0, 2.0, 2.0, -3e3, -4e3, -5e3]}},
        "exploded: losses up to 5e+03 after 2, FID excess 2, 0 of 10 modes, precision 0.00, diversity 0.4",
    ),
    (
        Outcome.SATURATED,
        {"separation": 1.0, "trained": {"discriminator_update": [0.5, 0.5, 0.5, 0.002, 0.002, 0.002]}},
        "separation 1.00 and discriminator update 0.002 at the last 3 visits",
    ),
    (
        Outcome.SATURATED,
        NOISE | {"separation": 0.5, "trained": FROZEN},
        "separation 0.50 and generator update 0 and discriminator update 0 at the last 6 visits",
    ),
    (
        Outcome.STABLE,
        {"fid_excess": [3.0, 1.0, 0.6, 0.3, 0.2, 0.1]},
        "FID excess 0.2, 9 of 10 modes, precision 0.60, diversity 0.9",
    ),
    (
        Outcome.NEARLY_STABLE,
        {"fid_excess": 0.4, "modes": 8},
        "FID excess 0.4, 8 of 10 modes, precision 0.60, diversity 0.9",
    ),
    (
        Outcome.OSCILLATING,
        NOISE | {"n": 12, "recorded": SWINGS},
        "separation swings 7 times by 0.5 or more from step 1300 on, "
        "FID excess 2, 0 of 10 modes, precision 0.00, diversity 0.4",
    ),
    (
        Outcome.LEARNING,
        NOISE | {"fid_excess": FALLING, "modes": 1},
        "still gaining, FID excess 1, 1 of 10 modes, precision 0.00, diversity 0.4",
    ),
    (
        Outcome.COLLAPSED,
        NOISE | {"diversity": 0.05},
        "one image for every z: FID excess 2, 0 of 10 modes, precision 0.00, diversity 0.05, never good",
    ),
    (
        Outcome.COLLAPSED,
        {"diversity": [0.9, 0.9, 0.05, 0.05, 0.05, 0.05], "fid_excess": [0.1, 0.1, 3.0, 3.0, 3.0, 3.0]},
        "one image for every z: FID excess 3, 9 of 10 modes, precision 0.60, diversity 0.05, "
        "was good from step 250, not since step 750",
    ),
    (
        Outcome.PARTIAL_COLLAPSE,
        {"modes": [9, 9, 9, 3, 3, 3], "fid_excess": 2.0},
        "only some modes: FID excess 2, 3 of 10 modes, precision 0.60, diversity 0.9, "
        "was good from step 250, not since step 1000",
    ),
    (
        Outcome.PARTIAL_COLLAPSE,
        {"modes": 4, "fid_excess": 2.0},
        "only some modes: FID excess 2, 4 of 10 modes, precision 0.60, diversity 0.9, never good",
    ),
    (
        Outcome.DOMINATED,
        NOISE | {"trained": {"separation": 0.985}},
        "separation 0.98 since the first third, FID excess 2, 0 of 10 modes, precision 0.00, diversity 0.4",
    ),
    (
        Outcome.NOISE,
        NOISE | {"fid_excess": FALLING},
        "not near the data and not gaining: FID excess 1, 0 of 10 modes, precision 0.00, diversity 0.4, "
        "never good",
    ),
    (
        Outcome.NOISE,
        {"memorisation": 2.514, "fid_excess": 0.4},
        "2.51 times as far from training images as real ones are and not gaining: FID excess 0.4, "
        "9 of 10 modes, precision 0.60, diversity 0.9, good from step 250",
    ),
    (
        Outcome.SATURATED,
        {"diversity": 0.01, "fid_excess": 2.0, "trained": FROZEN},
        "separation 0.70 and generator update 0 and discriminator update 0 at the last 6 visits",
    ),
    (
        Outcome.NOISE,
        NOISE,
        "not near the data and not gaining: FID excess 2, 0 of 10 modes, precision 0.00, diversity 0.4, "
        "never good",
    ),
]


def outcome_of(plant: Plant, bars: Thresholds, columns: dict[str, Any]) -> Outcome:
    history = plant.history(**columns)
    return label(history, bars, horizon=history.last_step).outcome


@pytest.mark.parametrize(
    ("outcome", "columns", "reason"), PLANTED, ids=[f"{i}-{row[0]}" for i, row in enumerate(PLANTED)]
)
def test_planted_outcome_with_its_reason(
    plant: Plant, bars: Thresholds, outcome: Outcome, columns: dict[str, Any], reason: str
) -> None:
    history = plant.history(**columns)
    result = label(history, bars, horizon=history.last_step)
    assert (result.outcome, result.reason) == (outcome, reason)


def test_every_outcome_has_a_rule_and_a_planted_history() -> None:
    assert {outcome for outcome, _ in OUTCOME_RULES} == set(Outcome)
    assert {outcome for outcome, *_ in PLANTED} == set(Outcome)


ALL_AT_ONCE: list[tuple[Outcome, dict[str, Any]]] = [
    (Outcome.DIVERGED, {"divergence": Divergence(3000, "loss_d")}),
    (Outcome.SATURATED, {"trained": {"loss_d": LEAPT, **FROZEN}}),
    (Outcome.COLLAPSED, {"diversity": 0.04, "trained": {"loss_d": LEAPT, **FROZEN_LATE}}),
    (Outcome.DIVERGED, {"fid_excess": 2.0, "trained": {"loss_d": LEAPT, **FROZEN_LATE}}),
    (Outcome.SATURATED, {"fid_excess": 0.6, "trained": FROZEN_LATE}),
    (Outcome.STABLE, {"fid_excess": 0.2, "modes": 9, "diversity": 0.4, "precision": 0.4}),
    (Outcome.NEARLY_STABLE, {"fid_excess": 0.4, "modes": 8, "diversity": 0.4, "precision": 0.1}),
    (Outcome.OSCILLATING, {"recorded": SWINGS}),
    (Outcome.LEARNING, {"fid_excess": [6.0 * 0.8**i for i in range(12)]}),
    (Outcome.COLLAPSED, {"diversity": 0.1}),
    (Outcome.DOMINATED, {"trained": {"separation": 1.0}}),
    (Outcome.PARTIAL_COLLAPSE, {"precision": 0.15, "modes": 3}),
]
"""What each rule needs, in their order; it is given as well where what the later ones need is there, too."""


def test_all_rules_but_the_last_are_tried_at_once() -> None:
    assert [outcome for outcome, _ in OUTCOME_RULES] == [
        *(outcome for outcome, _ in ALL_AT_ONCE),
        Outcome.NOISE,
    ]


@pytest.mark.parametrize("place", range(len(ALL_AT_ONCE)))
def test_the_first_rule_that_holds_gives_the_outcome(plant: Plant, bars: Thresholds, place: int) -> None:
    columns = NOISE | {"n": 12, "diversity": 0.35}
    for _, needed in reversed(ALL_AT_ONCE[place:]):
        columns |= needed
    assert outcome_of(plant, bars, columns) is ALL_AT_ONCE[place][0]


TWO_OF_THREE: list[tuple[Outcome, dict[str, Any]]] = [
    (Outcome.STABLE, {"modes": [9, 9, 9, 9, 9, 2]}),
    (Outcome.STABLE, {"fid_excess": [0.1, 0.1, 0.1, 0.1, 9.0, 0.1]}),
    (Outcome.STABLE, {"precision": [0.6, 0.6, 0.6, 0.6, 0.6, 0.05]}),
    (Outcome.NOISE, NOISE | {"modes": [0, 0, 0, 0, 0, 9], "precision": [0, 0, 0, 0, 0, 0.6]}),
    (Outcome.NEARLY_STABLE, {"modes": [8, 8, 8, 8, 8, 9]}),
    (Outcome.COLLAPSED, NOISE | {"diversity": [0.05, 0.05, 0.05, 0.05, 0.5, 0.05]}),
    (Outcome.NOISE, NOISE | {"diversity": [0.4, 0.4, 0.4, 0.4, 0.4, 0.05]}),
    (Outcome.PARTIAL_COLLAPSE, {"modes": [4, 4, 4, 4, 9, 4], "fid_excess": 2.0}),
    (Outcome.SATURATED, {"separation": [1.0, 1.0, 1.0, 1.0, 0.9, 1.0], "trained": {"generator_update": 0.0}}),
    (
        Outcome.DIVERGED,
        NOISE | {"trained": {"loss_d": [1.0, 1.0, 1.0, 1e4, 1.0, 1e4]}},
    ),
]
"""One odd visit decides nothing, neither in the middle nor at the end."""


@pytest.mark.parametrize(("outcome", "columns"), TWO_OF_THREE)
def test_two_visits_of_the_last_three_decide(
    plant: Plant, bars: Thresholds, outcome: Outcome, columns: dict[str, Any]
) -> None:
    assert outcome_of(plant, bars, columns) is outcome


EDGES: dict[str, tuple[Outcome, dict[str, Any]]] = {
    "no visit": (Outcome.LEARNING, {"n": 0}),
    "one good visit": (Outcome.STABLE, {"n": 1}),
    "an untrained network": (Outcome.NOISE, NOISE | {"n": 1, "spacing": 0, "diversity": 0.01}),
    "saturated too briefly": (
        Outcome.STABLE,
        {"separation": 1.0, "trained": {"generator_update": [0.5, 0.5, 0.5, 0.5, 0.0, 0.0]}},
    ),
    "both networks have arrived": (Outcome.STABLE, {"separation": 0.0, "trained": FROZEN}),
    "one network stopped, the other not perfect": (Outcome.STABLE, {"trained": {"generator_update": 0.0}}),
    "tiny losses, both networks move": (
        Outcome.STABLE,
        {"separation": 1.0, "trained": {"loss_d": 1e-6, "loss_g": 1e-6}},
    ),
    "at the bars": (Outcome.STABLE, {"fid_excess": 0.25, "modes": 9, "precision": 0.4, "diversity": 0.3}),
    "not precise enough to be stable": (Outcome.NEARLY_STABLE, {"precision": 0.39}),
    "hardly precise": (Outcome.NEARLY_STABLE, {"precision": 0.1}),
    "not precise": (Outcome.NOISE, {"precision": 0.09}),
    "above the bar": (Outcome.NEARLY_STABLE, {"fid_excess": 0.251}),
    "a mode short": (Outcome.NEARLY_STABLE, {"modes": 8}),
    "not varied": (Outcome.NOISE, {"diversity": 0.29}),
    "hardly near training images": (Outcome.STABLE, {"memorisation": 2.5}),
    "not near training images": (Outcome.NOISE, {"memorisation": 2.51}),
    "not near training images at one visit": (Outcome.STABLE, {"memorisation": [*[2.5] * 5, 2.51]}),
    "nearly stable, but not near training images": (Outcome.NOISE, {"fid_excess": 0.4, "memorisation": 2.51}),
    "not near training images, but gaining": (
        Outcome.LEARNING,
        {"fid_excess": [3.0, 1.0, 0.6, 0.3, 0.2, 0.1], "memorisation": 2.51},
    ),
    "points, which are near by their precision": (
        Outcome.STABLE,
        {"features": ["points"] * 6, "class_shares": [(0.1,) * 10] * 6, "memorisation": 9.0},
    ),
    "precision unknown": (Outcome.NOISE, {"precision": [0.6, 0.6, 0.6, 0.6, 0.6, math.nan]}),
    "diversity unknown": (Outcome.NOISE, {"diversity": [0.9, 0.9, 0.9, 0.9, 0.9, math.inf]}),
    "FID unknown": (Outcome.NOISE, {"fid_excess": math.nan}),
    "FID unknown at one visit": (Outcome.STABLE, {"fid_excess": [0.1, 0.1, 0.1, 0.1, 0.1, math.inf]}),
    "FID minus infinity": (Outcome.NOISE, {"fid_excess": -math.inf}),
    "weights not finite": (
        Outcome.DIVERGED,
        NOISE | {"n": 4, "trained": {"discriminator_update": [0.0, 0.0, 0.0, math.nan]}},
    ),
    "new ground": (Outcome.LEARNING, GAINING | {"fid_excess": FALLING}),
    "no new ground": (Outcome.NOISE, GAINING | {"fid_excess": [2.0, 1.0, 0.99, 0.98, 0.97, 0.96]}),
    "a recovery": (Outcome.NOISE, GAINING | {"fid_excess": [4.0, 1.0, 9.0, 5.0, 2.0, 1.2]}),
    "a recovery from long ago": (
        Outcome.LEARNING,
        GAINING | {"fid_excess": [1.0, 9.0, 9.0, 9.0, 5.0, 3.0, 2.0]},
    ),
    "new ground, but far too slowly": (
        Outcome.NOISE,
        GAINING | {"fid_excess": [4.0, 3.9, 3.8, 3.5, 3.45, 3.4]},
    ),
    "new ground, but rising again": (Outcome.NOISE, GAINING | {"fid_excess": [4.0, 3.9, 3.8, 0.9, 1.0, 1.1]}),
    "too few visits to learn": (Outcome.NOISE, GAINING | {"fid_excess": [4.0, 2.0, 1.0]}),
    "only just nearly stable, and gaining": (Outcome.LEARNING, {"fid_excess": JUST_THERE, "recall": 0.2}),
    "only just stable, and gaining": (Outcome.LEARNING, {"fid_excess": [2.0, 1.5, 0.9, 0.6, 0.2, 0.1]}),
    "only just nearly stable, and no more than that": (
        Outcome.NEARLY_STABLE,
        {"fid_excess": [0.4, 0.4, 0.4, 0.51, 0.4, 0.45]},
    ),
    "nearly stable for as long as is looked at, and gaining": (
        Outcome.NEARLY_STABLE,
        {"fid_excess": [2.0, 1.5, 0.9, 0.5, 0.4, 0.3], "recall": 0.2},
    ),
    "nearly stable with next to no variety, and gaining": (
        Outcome.LEARNING,
        {"fid_excess": [2.0, 1.5, 0.9, 0.5, 0.4, 0.3], "recall": 0.19},
    ),
    "nearly stable with next to no variety, and no more than that": (
        Outcome.NEARLY_STABLE,
        {"fid_excess": 0.4, "recall": 0.19},
    ),
    "dominated, but for the first third": (
        Outcome.DOMINATED,
        NOISE | {"trained": {"separation": [0.5, 0.5, 0.98, 1.0, 1.0, 1.0]}},
    ),
    "dominated, but for one visit": (
        Outcome.DOMINATED,
        NOISE | {"trained": {"separation": [1.0, 1.0, 1.0, 0.9, 1.0, 1.0]}},
    ),
    "dominated only lately": (
        Outcome.NOISE,
        NOISE | {"trained": {"separation": [1.0, 1.0, 0.9, 0.9, 1.0, 1.0]}, "n": 6},
    ),
    "dominated, but not lately": (
        Outcome.NOISE,
        NOISE | {"trained": {"separation": [*[1.0] * 7, 0.9, 0.9]}, "n": 9},
    ),
    "dominated, half of the modes covered": (
        Outcome.PARTIAL_COLLAPSE,
        NOISE | {"trained": {"separation": 1.0}, "modes": 5},
    ),
    "dominated, fewer modes covered": (
        Outcome.DOMINATED,
        NOISE | {"trained": {"separation": 1.0}, "modes": 4},
    ),
    "a perfect discriminator on held-out images alone": (Outcome.NOISE, NOISE | {"separation": 1.0}),
    "domination unknown for half of the time": (
        Outcome.NOISE,
        NOISE | {"trained": {"separation": [*[0.5] * 3, *[math.nan] * 3, *[1.0] * 3]}, "n": 9},
    ),
    "not one recognisable mode": (Outcome.NOISE, NOISE | {"precision": 0.5}),
    "modes of what is just recognisable": (
        Outcome.PARTIAL_COLLAPSE,
        NOISE | {"memorisation": 2.0, "modes": 3},
    ),
    "modes of what is not recognisable": (Outcome.NOISE, NOISE | {"memorisation": 2.01, "modes": 3}),
    "modes of points that are just recognisable": (
        Outcome.PARTIAL_COLLAPSE,
        NOISE | THREE_MODES | {"memorisation": 9.0, "precision": 0.1},
    ),
    "modes of points that are not recognisable": (
        Outcome.NOISE,
        NOISE | THREE_MODES | {"memorisation": 0.5, "precision": 0.09},
    ),
}


@pytest.mark.parametrize("edge", EDGES)
def test_the_edges_of_the_rules(plant: Plant, bars: Thresholds, edge: str) -> None:
    outcome, columns = EDGES[edge]
    assert outcome_of(plant, bars, columns) is outcome


STOPS_LATE = {network: [*[0.5] * 4, *[0.0] * 4] for network in FROZEN}
LOST_FIRST = {"fid_excess": 2.0, "modes": [9, 9, 3, 3, 3, 3, 3, 3], "trained": STOPS_LATE}
LOST_AFTERWARDS = LOST_FIRST | {"modes": [9, 9, 9, 9, 9, 3, 3, 3]}
NEVER_HAD = LOST_FIRST | {"modes": [3] * 8}


@pytest.mark.parametrize(
    ("columns", "outcome"),
    [
        (LOST_FIRST, Outcome.PARTIAL_COLLAPSE),
        (LOST_AFTERWARDS, Outcome.SATURATED),
        (NEVER_HAD, Outcome.SATURATED),
    ],
)
def test_of_a_lost_collapse_and_a_saturation_the_earlier_is_the_outcome(
    plant: Plant, bars: Thresholds, columns: dict[str, Any], outcome: Outcome
) -> None:
    assert outcome_of(plant, bars, columns) is outcome


@pytest.mark.parametrize("n_turns", [3, 4])
def test_it_takes_four_swings_in_the_last_two_thirds(plant: Plant, bars: Thresholds, n_turns: int) -> None:
    late = [1250 + 400 * i for i in range(n_turns)]
    separation = plant.swinging(100, 400, 700, *late, until=3000)
    columns = NOISE | {"n": 12, "recorded": {"separation": separation}}
    expected = Outcome.OSCILLATING if n_turns >= bars.swings else Outcome.NOISE
    assert outcome_of(plant, bars, columns) is expected


@pytest.mark.parametrize(
    "separation",
    [
        {step: 0.2 if step % 350 in (50, 100, 150) else 0.9 for step in range(50, 3001, 50)},
        {step: 0.41 if step % 500 > 250 else 0.9 for step in range(50, 3001, 50)},
        {step: math.nan if step % 500 > 250 else 0.9 for step in range(50, 3001, 50)},
    ],
    ids=["three records of seven", "too little", "unknown"],
)
def test_what_is_no_swing(plant: Plant, bars: Thresholds, separation: dict[int, float]) -> None:
    columns = NOISE | {"n": 12, "recorded": {"separation": separation}}
    assert outcome_of(plant, bars, columns) is Outcome.NOISE


def test_modes_that_come_and_go_are_no_oscillation_of_the_networks(plant: Plant, bars: Thresholds) -> None:
    assert outcome_of(plant, bars, {"modes": [9, 2, 9, 2, 9, 2, 9, 9]}) is Outcome.STABLE


@pytest.mark.parametrize("scale", [1e-4, 1.0, 50.0, 1e6])
def test_an_explosion_is_growth_at_any_scale(plant: Plant, bars: Thresholds, scale: float) -> None:
    """Losses without bounds, as of wasserstein, are no explosion for being large."""

    def of(growth: float) -> Outcome:
        last = -scale * growth
        losses = [scale, scale, scale, last, last, last]
        return outcome_of(plant, bars, NOISE | {"trained": {"loss_g": losses, "loss_d": 0.0}})

    bar = bars.explosion * max(1.0, 1 / scale)
    assert of(1.1 * bar) is Outcome.DIVERGED
    assert of(0.9 * bar) is Outcome.NOISE


def test_losses_explode_for_the_last_visits_and_with_samples_that_show_it(
    plant: Plant, bars: Thresholds
) -> None:
    grown = {"loss_d": [1.0, 1.0, 1.0, 1e9, 1e9, 1e9]}
    assert outcome_of(plant, bars, NOISE | {"trained": grown}) is Outcome.DIVERGED
    assert outcome_of(plant, bars, {"trained": grown}) is Outcome.STABLE
    calm_again = {"loss_d": [1.0, 1e9, 1e9, 1e9, 1.0, 1.0]}
    assert outcome_of(plant, bars, NOISE | {"trained": calm_again}) is Outcome.NOISE
    as_far_as_ever = {"trained": calm_again, "fid_excess": [2.0, 9.0, 9.0, 9.0, 9.0, 9.0]}
    assert outcome_of(plant, bars, NOISE | as_far_as_ever) is Outcome.DIVERGED
    too_briefly = {"loss_d": [1.0, 1.0, 1.0, 1.0, 1.0, 1e9]}
    assert outcome_of(plant, bars, NOISE | {"trained": too_briefly}) is Outcome.NOISE


@pytest.mark.parametrize("n_modes", [1, 0])
def test_data_of_one_class_or_none_are_labelled_without_modes(
    plant: Plant, bars: Thresholds, n_modes: int
) -> None:
    no_modes = {"modes": 0, "n_modes": n_modes}
    history = plant.history(**no_modes)
    result = label(history, bars, horizon=1500)
    assert result.outcome is Outcome.STABLE
    assert "modes not counted" in result.reason
    assert outcome_of(plant, bars, NOISE | no_modes | {"precision": 0.3}) is Outcome.NOISE
    one_image = {"fid_excess": 2.0, "diversity": [0.9, 0.9, 0.1, 0.1, 0.1, 0.1]}
    collapsed = label(plant.history(**(no_modes | one_image)), bars, horizon=1500)
    assert (collapsed.outcome, collapsed.events[0].never_good) == (Outcome.COLLAPSED, False)


MISSING: dict[str, tuple[dict[str, Any], Outcome]] = {
    "fid": ({"fid_excess": 9.0}, Outcome.NOISE),
    "precision": ({"precision": 0.0, "memorisation": 9.0}, Outcome.NOISE),
    "modes": ({"modes": 0}, Outcome.NOISE),
    "diversity": ({"diversity": 0.1}, Outcome.COLLAPSED),
}


@pytest.mark.parametrize("measure", MISSING)
def test_a_measure_that_is_left_out_decides_nothing(plant: Plant, bars: Thresholds, measure: str) -> None:
    columns, outcome = MISSING[measure]
    assert outcome_of(plant, bars, columns) is outcome
    kept = tuple(name for name in bars.measures if name != measure)
    without = bars.model_copy(update={"measures": kept})
    result = label(plant.history(**columns), without, horizon=1500)
    assert result.outcome is Outcome.STABLE
    assert not result.events
    assert (measure if measure != "fid" else "FID") not in result.reason


def test_without_fid_nothing_is_known_of_new_ground(plant: Plant, bars: Thresholds) -> None:
    without = bars.model_copy(update={"measures": ("precision", "modes", "diversity")})
    gaining: dict[str, Any] = {"precision": 0.5, "modes": [1, 2, 3, 4, 4, 4], "fid_excess": FALLING}
    assert outcome_of(plant, bars, gaining) is Outcome.LEARNING
    assert outcome_of(plant, without, gaining) is Outcome.PARTIAL_COLLAPSE


def test_what_a_run_ends_in_is_an_event_without_recovery(plant: Plant, bars: Thresholds) -> None:
    """Every outcome that has an event of its own has it to the end of the run."""
    own = {
        Outcome.SATURATED: EventKind.SATURATION,
        Outcome.OSCILLATING: EventKind.OSCILLATION,
        Outcome.COLLAPSED: EventKind.COLLAPSE,
        Outcome.PARTIAL_COLLAPSE: EventKind.COLLAPSE,
        Outcome.DOMINATED: EventKind.DOMINATION,
    }
    for outcome, columns, _ in PLANTED:
        history = plant.history(**columns)
        lasting = {event.kind for event in events(history, bars) if event.recovery is None}
        assert outcome not in own or own[outcome] in lasting, outcome
