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
NOISE: dict[str, Any] = {"precision": 0.0, "modes": 0, "diversity": 0.4, "fid_excess": 2.0}
SWINGS = {"separation": {step: 0.2 if step % 500 > 250 else 0.9 for step in range(50, 3001, 50)}}

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
        NOISE | {"diversity": [0.4, 0.3, 0.08, 0.07, 0.07, 0.07]},
        *(750, None, False, "0 of 10 modes and diversity 0.08 from here on"),
    ),
    (
        EventKind.COLLAPSE,
        NOISE | {"diversity": [0.4, 0.4, 0.4, 0.08, 0.07, 0.5]},
        *(1000, None, False, "0 of 10 modes and diversity 0.08 from here on"),
    ),
    (
        EventKind.COLLAPSE,
        {"precision": [0.0, 0.0, 0.3, 0.3, 0.3, 0.3], "modes": [0, 0, 3, 4, 4, 4], "fid_excess": 2.0},
        *(750, None, False, "3 of 10 modes and diversity 0.9 from here on"),
    ),
    (
        EventKind.SATURATION,
        {"separation": 1.0, "trained": STUCK},
        *(500, 1250, False, "separation 1.00 and discriminator update 0.002"),
    ),
    (
        EventKind.SATURATION,
        {"separation": [0.9, 1.0, 1.0, 0.9, 1.0, 1.0], "trained": {"generator_update": 0.0}},
        *(500, None, False, "separation 1.00 and generator update 0"),
    ),
    (
        EventKind.DOMINATION,
        NOISE | {"trained": {"separation": [0.99, 0.99, 0.99, 0.985, 0.99, 0.7]}},
        *(750, 1500, False, "separation 0.99, precision 0.00"),
    ),
    (
        EventKind.OSCILLATION,
        {"n": 12, "recorded": SWINGS},
        *(1300, None, False, "separation swings 7 times from here on"),
    ),
    (
        EventKind.EXPLOSION,
        NOISE | {"trained": {"loss_g": [2.0, 2.0, -2001.0, 5000.0, 2.0, 2.0]}},
        *(750, 1250, False, "losses of 2e+03"),
    ),
    (
        EventKind.DISCRIMINATOR_FOOLED,
        {"separation": [0.8, 0.8, 0.8, 0.44, 0.4, 0.3]},
        *(1000, None, False, "separation 0.44"),
    ),
    (
        EventKind.LOSS_SPIKE,
        {"n": 8, "recorded": {"loss_g": {1200: -7.0, 1250: 6.0}}},
        *(1200, 1300, False, "loss_g -7 where its running median is 0.5"),
    ),
    (
        EventKind.LOSS_SPIKE,
        {"recorded": {"loss_d": {1500: 5.1}}},
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


@pytest.mark.parametrize("place", range(len(PLANTED)), ids=lambda place: f"{PLANTED[place][0]}-{place}")
def test_planted_event_is_found_once_with_its_steps(plant: Plant, bars: Thresholds, place: int) -> None:
    kind, columns, *expected = PLANTED[place]
    found = [event for event in events(plant.history(**columns), bars) if event.kind is kind]
    assert [[e.onset, e.recovery, e.provisional, e.evidence] for e in found] == [expected]


def test_every_kind_has_a_rule_and_a_planted_history() -> None:
    assert list(EVENT_RULES) == list(EventKind)
    assert {kind for kind, *_ in PLANTED} == set(EventKind)


@pytest.mark.parametrize(
    "columns",
    [
        {},
        {"precision": [0.6, 0.05, 0.05, 0.05, 0.05, 0.05]},
        NOISE | {"diversity": [0.08, 0.08, 0.08, 0.08, 0.4, 0.4]},
        {"separation": [0.4, 0.4, 0.8, 0.4, 0.4, 0.8]},
        {"diversity": [0.04, 0.04, 0.5, 0.5, 0.5, 0.5]},
        {"modes": [9, 10, 8, 8, 9, 10]},
        {"modes": [9, 10, 9, 9, 9, 9]},
        {"modes": [4, 4, 4, 9, 9, 9]},
        {"separation": 1.0, "trained": {"generator_update": [0.5, 0.001, 0.001, 0.5, 0.5, 0.001]}},
        NOISE | {"trained": {"separation": [1.0, 1.0, 1.0, 1.0, 0.9, 0.9]}},
        {"trained": {"separation": 1.0}},
        NOISE | {"trained": {"separation": 1.0}, "modes": 8},
        {"recorded": SWINGS},
        {"trained": {"loss_g": [2.0, 2.0, 2.0, 3e3, 3e3, 3e3]}},
        NOISE | {"trained": {"loss_g": [3e3, 3e3, 3e4, 3e5, 3e5, 3e5]}},
        {"recorded": {"loss_d": {1200: 4.9}}},
    ],
    ids=[
        *("healthy", "precision alone", "early low diversity", "fooled too briefly", "latent too briefly"),
        *("dropped too briefly", "one mode", "modes late", "saturated too briefly", "dominated early on"),
        *(
            "a perfect discriminator, good samples",
            "a perfect discriminator, eight modes",
            "two swings",
            "large losses, good samples",
        ),
        *("large losses from the start", "a small spike"),
    ],
)
def test_what_is_no_event(plant: Plant, bars: Thresholds, columns: dict[str, Any]) -> None:
    kinds = {event.kind for event in events(plant.history(**columns), bars)}
    assert kinds <= {EventKind.LOSS_SPIKE} if "trained" in columns else not kinds


@pytest.mark.parametrize(
    ("columns", "never_good"),
    [
        ({"modes": [9, 9, 3, 3, 3, 3], "fid_excess": 2.0}, [False]),
        ({"modes": [3, 3, 3, 3, 3, 3], "fid_excess": 2.0}, [True]),
        ({"modes": [0, 3, 9, 3, 3, 3], "fid_excess": 2.0}, [False]),
        (NOISE | {"diversity": 0.1}, [True]),
        ({"diversity": [0.9, 0.9, 0.1, 0.1, 0.1, 0.1], "fid_excess": 2.0}, [False]),
        ({"modes": [6, 6, 3, 6, 6, 6], "fid_excess": 2.0}, [False, False]),
    ],
    ids=["lost", "never had", "late, then lost", "one image for ever", "down to one image", "lost, then few"],
)
def test_a_collapse_says_whether_there_was_anything_to_lose(
    plant: Plant, bars: Thresholds, columns: dict[str, Any], never_good: list[bool]
) -> None:
    found = [e for e in events(plant.history(**columns), bars) if e.kind is EventKind.COLLAPSE]
    assert [event.never_good for event in found] == never_good


def test_a_run_that_ends_with_few_modes_is_not_twice_collapsed_at_once(
    plant: Plant, bars: Thresholds
) -> None:
    """Good with six modes of ten, which at the end is a partial collapse: that begins after the loss."""
    history = plant.history(modes=[6, 6, 3, 6, 6, 6], fid_excess=2.0)
    found = [(e.onset, e.recovery) for e in events(history, bars) if e.kind is EventKind.COLLAPSE]
    assert found == [(750, 1000), (1000, None)]


def test_where_modes_are_not_counted_the_evidence_names_none(plant: Plant, bars: Thresholds) -> None:
    history = plant.history(modes=0, n_modes=1, diversity=[0.9, 0.9, 0.1, 0.1, 0.1, 0.1], fid_excess=2.0)
    evidence = [event.evidence for event in events(history, bars)]
    assert evidence == ["was good, then diversity 0.1"]


def test_tiny_losses_do_not_spike_below_the_floor(plant: Plant, bars: Thresholds) -> None:
    def losses(leap: float) -> History:
        calm = [plant.record(10 * i, loss_d=1e-6) for i in range(30)]
        return History("r", (*calm, plant.record(300, loss_d=leap), plant.record(310)), (), None, 310)

    assert events(losses(0.9), bars) == ()
    (spike,) = events(losses(1.1), bars)
    assert (spike.kind, spike.onset, spike.recovery) == (EventKind.LOSS_SPIKE, 300, 310)


def test_a_spike_is_no_part_of_its_running_median(plant: Plant, bars: Thresholds) -> None:
    ramp = [plant.record(i, loss_d=float(i)) for i in range(1, 21)]
    (spike,) = events(History("r", (*ramp, plant.record(21, loss_d=-200.0)), (), None, 21), bars)
    assert spike.evidence == "loss_d -200 where its running median is 10.5"


def test_a_last_low_visit_is_provisional_until_it_has_lasted(plant: Plant, bars: Thresholds) -> None:
    flags = []
    for n_low in (1, 2, 3):
        found = events(plant.history(modes=[9, 9] + [1] * n_low), bars)
        flags.append({event.kind: event.provisional for event in found})
    kinds = (EventKind.COLLAPSE, EventKind.MODE_DROPPING)
    assert flags == [dict.fromkeys(kinds, flag) for flag in (True, True, False)]


def test_with_one_dropped_mode_all_must_be_back(plant: Plant, bars: Thresholds) -> None:
    history = plant.history(modes=[9, 10, 9, 9, 9, 10])
    (event,) = events(history, bars.model_copy(update={"dropped_modes": 1}))
    assert (event.kind, event.onset, event.recovery) == (EventKind.MODE_DROPPING, 750, 1500)


def test_events_come_by_onset_and_stop_at_a_divergence(plant: Plant, bars: Thresholds) -> None:
    columns: dict[str, Any] = {"modes": [9, 9, 2, 2, 2, 2], "separation": [0.3, 0.3, 0.3, 0.8, 0.8, 0.8]}
    found = events(plant.history(**columns), bars)
    assert [(e.kind, e.onset) for e in found] == [
        (EventKind.DISCRIMINATOR_FOOLED, 250),
        (EventKind.COLLAPSE, 750),
        (EventKind.MODE_DROPPING, 750),
    ]
    assert events(plant.history(divergence=Divergence(600, "loss_g"), **columns), bars) == ()
