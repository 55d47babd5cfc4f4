from __future__ import annotations

import json
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stability.outcomes import label, stop_reason
from stability.outcomes.course import course_of, until
from stability.outcomes.labels import STOPPING
from stability.outcomes.stop_rule import (
    STOP_RULES,
    STOP_THRESHOLDS,
    Stop,
    measurements,
    replay_course_stops,
    replay_stop,
    rule_of,
    stop_rule_note,
)
from stability.records import Divergence, History, Outcome
from stability.spec import StudySpec, Training
from stability.spec.thresholds import Thresholds

if TYPE_CHECKING:
    from tests.outcomes.conftest import Plant

STUCK = {"generator_update": 0.0}


def study(*stop_on: Any, **thresholds: Any) -> StudySpec:
    bars = Thresholds(**measurements()["thresholds"] | thresholds)
    return StudySpec(name="s", training=Training(stop_on=stop_on), outcomes=bars)


FEW = {"fid_excess": 2.0}
"""Far from real, so that nothing but the planted column decides."""


@pytest.mark.parametrize(
    ("columns", "stop"),
    [
        ({"modes": [9, 9, 2, 2, 2, 9]} | FEW, Stop(1250, Outcome.PARTIAL_COLLAPSE)),
        ({"modes": [9, 9, 9, 2, 2, 2]} | FEW, None),
        ({"modes": [9, 9, 2, 2, 9, 9]} | FEW, None),
        ({"diversity": [0.9, 0.05, 0.05, 0.05, 0.05, 0.9]} | FEW, Stop(1000, Outcome.COLLAPSED)),
        ({"precision": 0.0, "diversity": 0.05} | FEW, None),
        ({"separation": 1.0, "trained": STUCK}, Stop(750, Outcome.SATURATED)),
        ({"separation": [1.0, 1.0, 1.0, 0.6, 0.6, 0.6], "trained": STUCK}, Stop(750, Outcome.SATURATED)),
        ({"divergence": Divergence(412, "loss_d")}, Stop(412, Outcome.DIVERGED)),
        ({"precision": 0.0, "trained": {"loss_d": [1.0, *[1e4] * 5]}} | FEW, Stop(750, Outcome.DIVERGED)),
        ({}, None),
    ],
)
def test_a_finished_run_is_stopped_where_training_would_have(
    plant: Plant, bars: Thresholds, columns: dict[str, Any], stop: Stop | None
) -> None:
    assert replay_stop(plant.history(**columns), bars, STOPPING, horizon=1500) == stop


def test_only_what_is_named_stops_and_never_the_last_visit(plant: Plant, bars: Thresholds) -> None:
    collapsed = plant.history(modes=[9, 9, 2, 2, 2, 2])
    assert replay_stop(collapsed, bars, ["saturated", "diverged"], horizon=1500) is None
    assert replay_stop(collapsed, bars, ["collapsed"], horizon=1250) is None
    sooner = bars.model_copy(update={"persist": 2})
    assert replay_stop(collapsed, sooner, ["collapsed"], horizon=1250) is not None


def test_of_several_rules_each_stops_at_its_own_visit(plant: Plant, bars: Thresholds) -> None:
    """Saturated to begin with, then good, then collapsed."""
    history = plant.history(
        separation=[1.0] * 3 + [0.6] * 7,
        trained={"generator_update": [0.0] * 3 + [0.5] * 7},
        fid_excess=2.0,
        modes=[9] * 6 + [2] * 4,
    )
    rules = [["collapsed"], ["saturated"], ["diverged"]]
    found = replay_course_stops(course_of(history), bars, rules, horizon=2500)
    assert found == [Stop(2250, Outcome.PARTIAL_COLLAPSE), Stop(750, Outcome.SATURATED), None]
    assert found == [replay_stop(history, bars, rule, horizon=2500) for rule in rules]


def test_swings_of_later_records_do_not_keep_a_run_from_being_stopped(plant: Plant, bars: Thresholds) -> None:
    separation = plant.swinging(1600, 2000, 2400, 2800, until=3000)
    history = plant.history(modes=[9, 9, *[2] * 10], fid_excess=2.0, recorded={"separation": separation})
    assert label(history, bars, horizon=3000).outcome is Outcome.OSCILLATING
    stop = Stop(1250, Outcome.PARTIAL_COLLAPSE)
    assert replay_stop(history, bars, STOPPING, horizon=3000) == stop


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_the_replay_is_the_rule_at_every_visit_by_what_was_known(plant: Plant, data: st.DataObject) -> None:
    n, bars = 7, Thresholds(persist=data.draw(st.integers(1, 3)))

    def column(*values: float) -> list[Any]:
        return data.draw(st.lists(st.sampled_from(values), min_size=n, max_size=n))

    turns = data.draw(st.lists(st.integers(1, 35).map(lambda i: 50 * i), max_size=8, unique=True))
    history: History = plant.history(
        modes=column(9, 9, 2),
        diversity=column(0.9, 0.9, 0.1),
        precision=column(0.6, 0.6, 0.0),
        separation=column(0.8, 1.0),
        fid_excess=column(0.1, 1.0, 4.0),
        classifier_confidence=column(*[0.5] * 9, float("nan")),
        trained={"generator_update": column(0.5, 0.0), "loss_d": column(*[1.0] * 4, 1e6)},
        recorded={"separation": plant.swinging(*turns, until=1750)},
        divergence=data.draw(st.none() | st.builds(Divergence, st.integers(1, 1750), st.just("loss_g"))),
    )
    rule = data.draw(st.sampled_from(sorted(STOP_RULES)))
    steps = [250 * place for place in range(1, n)]
    asked = [(step, stop_reason(until(history, step), bars, STOP_RULES[rule])) for step in steps]
    expected = next((Stop(step, reason) for step, reason in asked if reason is not None), None)
    assert replay_stop(history, bars, STOP_RULES[rule], horizon=1750) == expected
    together = replay_course_stops(course_of(history), bars, list(STOP_RULES.values()), horizon=1750)
    assert dict(zip(STOP_RULES, together, strict=True))[rule] == expected


def test_what_cannot_stop_a_run_for_good_has_no_rule_and_no_note() -> None:
    assert rule_of(["diverged"]) is rule_of([]) is None
    assert rule_of(["diverged", "saturated"]) == "saturated"
    assert rule_of(["collapsed", "saturated"]) == "saturated or collapsed"
    assert stop_rule_note(study("diverged")) is None


@pytest.mark.parametrize("rule", STOP_RULES)
def test_the_note_gives_the_measured_rate_and_says_what_a_stop_hides(rule: str) -> None:
    facts = measurements()["rules"][rule]
    note = stop_rule_note(study("diverged", *STOP_RULES[rule]))
    assert note is not None
    assert f"stop_on {rule}: " in note
    assert f"{facts['false_stops']} of the {facts['stops']} runs" in note
    assert measurements()["study"] in note
    assert "censors recovery" in note
    assert "\n" not in note
    assert "(here" not in note


def test_the_note_names_thresholds_other_than_those_measured_with() -> None:
    measured = measurements()["thresholds"]["persist"]
    note = stop_rule_note(study("collapsed", persist=measured + 2, spike_factor=3.0))
    assert note is not None
    assert f"measured with persist {measured} (here {measured + 2})" in note
    assert "spike_factor" not in note


def test_no_other_threshold_decides_a_stop(plant: Plant, bars: Thresholds) -> None:
    """Each of the others is moved far, in runs that stop and in some that do not."""
    others = {
        name: value
        for name, value in bars.model_dump().items()
        if name not in STOP_THRESHOLDS and isinstance(value, int | float)
    }
    moved = bars.model_copy(update={name: 0.3 if value <= 1 else 7 for name, value in others.items()})
    lost = {"modes": [9, 9, 2, 2, 2, 2]} | FEW
    for columns in (
        lost,
        {"separation": 1.0, "trained": STUCK},
        lost | {"precision": 0.0, "separation": 1.0},
    ):
        history = plant.history(**columns)
        first, second = (replay_stop(history, one, STOPPING, horizon=1500) for one in (bars, moved))
        assert first == second


def test_the_packaged_measurements_are_whole_and_consistent() -> None:
    facts = json.loads((files("stability") / "data" / "stop_rule.json").read_text(encoding="utf-8"))
    assert set(facts["rules"]) == set(STOP_RULES)
    assert set(facts["thresholds"]) == set(STOP_THRESHOLDS)
    for found in facts["rules"].values():
        assert 0 <= found["success_stops"] <= found["false_stops"] <= found["stops"] <= facts["n_runs"]
        if found["stops"]:
            assert found["estimate"] == pytest.approx(found["false_stops"] / found["stops"], abs=1e-4)
            assert found["ci_low"] <= found["estimate"] <= found["ci_high"]
