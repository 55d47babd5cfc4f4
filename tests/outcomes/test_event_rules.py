from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from stability.outcomes import events
from stability.outcomes.event_rules import EVENT_RULES
from stability.records import Divergence, EventKind, History
from stability.spec.thresholds import Thresholds

if TYPE_CHECKING:
    from tests.outcomes.conftest import Plant

STUCK = {"discriminator_update": [0.5, 0.002, 0.002, 0.002, 0.5, 0.5]}

PLANTED: list[tuple[EventKind, dict[str, Any], int, int | None, bool, str]] = [
    (
        EventKind.COLLAPSE,
        {"modes": [9, 9, 2, 4, 9, 9]},
        *(750, 1250, False, "was good, then 2 of 10 modes and diversity 0.9"),
    ),
    (
        EventKind.COLLAPSE,
        {"diversity": [0.9, 0.9, 0.9, 0.9, 0.9, 0.2]},
        *(1500, None, True, "was good, then 9 of 10 modes and diversity 0.2"),
    ),
    (
        EventKind.COLLAPSE,
        {"precision": 0.0, "diversity": [0.4, 0.2, 0.08, 0.07, 0.07, 0.07]},
        *(750, None, False, "never good, diversity 0.08 from here on without progress"),
    ),
    (
        EventKind.SATURATION,
        {"separation": 1.0, "updates": STUCK},
        *(500, 1250, False, "separation 1.00 and discriminator update 0.002"),
    ),
    (
        EventKind.DISCRIMINATOR_FOOLED,
        {"separation": [0.8, 0.8, 0.8, 0.44, 0.4, 0.3]},
        *(1000, None, False, "separation 0.44"),
    ),
    (
        EventKind.LOSS_SPIKE,
        {"n": 8, "losses": {"loss_g": {1200: -7.0, 1250: 6.0}}},
        *(1200, 1300, False, "loss_g -7 where its running median is 0.5"),
    ),
    (
        EventKind.LOSS_SPIKE,
        {"losses": {"loss_d": {1500: 5.1}}},
        *(1500, None, True, "loss_d 5.1 where its running median is 0.5"),
    ),
    (
        EventKind.MODE_DROPPING,
        {"modes": [9, 10, 8, 8, 8, 9]},
        *(750, 1500, False, "8 modes after 10"),
    ),
    (
        EventKind.MODE_DROPPING,
        {"modes": [9, 10, 10, 10, 9, 7]},
        *(1500, None, True, "7 modes after 10"),
    ),
    (
        EventKind.LATENT_IGNORED,
        {"diversity": [0.04, 0.03, 0.02, 0.05, 0.9, 0.9]},
        *(250, 1000, False, "diversity 0.04"),
    ),
]


@pytest.mark.parametrize(
    ("kind", "columns", "onset", "recovery", "provisional", "evidence"),
    PLANTED,
    ids=[f"{kind}-{onset}" for kind, _, onset, *_ in PLANTED],
)
def test_planted_event_is_found_once_with_its_steps(
    plant: Plant,
    kind: EventKind,
    columns: dict[str, Any],
    onset: int,
    recovery: int | None,
    provisional: bool,
    evidence: str,
) -> None:
    found = [event for event in events(plant.history(**columns), Thresholds()) if event.kind is kind]
    assert [(e.onset, e.recovery, e.provisional, e.evidence) for e in found] == [
        (onset, recovery, provisional, evidence)
    ]


def test_every_kind_has_a_rule_and_a_planted_history() -> None:
    assert list(EVENT_RULES) == list(EventKind)
    assert {kind for kind, *_ in PLANTED} == set(EventKind)


@pytest.mark.parametrize(
    "columns",
    [
        {},
        {"precision": [0.6, 0.05, 0.05, 0.05, 0.05, 0.05]},
        {"precision": 0.0, "diversity": [0.08, 0.08, 0.08, 0.08, 0.08, 0.4]},
        {"separation": [0.4, 0.4, 0.8, 0.4, 0.4, 0.8]},
        {"diversity": [0.04, 0.04, 0.5, 0.5, 0.5, 0.5]},
        {"modes": [9, 10, 8, 8, 9, 10]},
        {"modes": [9, 10, 9, 9, 9, 9]},
        {"precision": 0.1, "modes": [9, 9, 5, 5, 5, 5]},
        {"separation": 1.0, "updates": {"generator_update": [0.5, 0.001, 0.001, 0.5, 0.001, 0.001]}},
        {"losses": {"loss_d": {1200: 4.9}}},
    ],
    ids=[
        *("healthy", "precision alone", "early low diversity", "fooled too briefly", "latent too briefly"),
        *("dropped too briefly", "one mode", "never good", "saturated too briefly", "a small spike"),
    ],
)
def test_what_is_no_event(plant: Plant, columns: dict[str, Any]) -> None:
    assert events(plant.history(**columns), Thresholds()) == ()


def test_tiny_losses_do_not_spike_below_the_floor(plant: Plant) -> None:
    def losses(leap: float) -> History:
        calm = [plant.record(10 * i, loss_d=1e-6) for i in range(30)]
        return History("r", (*calm, plant.record(300, loss_d=leap), plant.record(310)), (), None, 310)

    assert events(losses(0.9), Thresholds()) == ()
    (spike,) = events(losses(1.1), Thresholds())
    assert (spike.kind, spike.onset, spike.recovery) == (EventKind.LOSS_SPIKE, 300, 310)


def test_a_spike_is_no_part_of_its_running_median(plant: Plant) -> None:
    ramp = [plant.record(i, loss_d=float(i)) for i in range(1, 21)]
    (spike,) = events(History("r", (*ramp, plant.record(21, loss_d=-200.0)), (), None, 21), Thresholds())
    assert spike.evidence == "loss_d -200 where its running median is 10.5"


def test_a_last_low_visit_is_provisional_until_it_has_lasted(plant: Plant) -> None:
    flags = []
    for n_low in (1, 2, 3):
        found = events(plant.history(modes=[9, 9] + [1] * n_low), Thresholds())
        flags.append({event.kind: event.provisional for event in found})
    kinds = (EventKind.COLLAPSE, EventKind.MODE_DROPPING)
    assert flags == [dict.fromkeys(kinds, flag) for flag in (True, True, False)]


def test_with_one_dropped_mode_all_must_be_back(plant: Plant) -> None:
    history = plant.history(modes=[9, 10, 9, 9, 9, 10])
    (event,) = events(history, Thresholds(dropped_modes=1))
    assert (event.kind, event.onset, event.recovery) == (EventKind.MODE_DROPPING, 750, 1500)


def test_events_come_by_onset_and_stop_at_a_divergence(plant: Plant) -> None:
    columns: dict[str, Any] = {"modes": [9, 9, 2, 2, 2, 2], "separation": [0.3, 0.3, 0.3, 0.8, 0.8, 0.8]}
    found = events(plant.history(**columns), Thresholds())
    assert [(e.kind, e.onset) for e in found] == [
        (EventKind.DISCRIMINATOR_FOOLED, 250),
        (EventKind.COLLAPSE, 750),
        (EventKind.MODE_DROPPING, 750),
    ]
    assert events(plant.history(divergence=Divergence(600, "loss_g"), **columns), Thresholds()) == ()
