from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stability.outcomes import events, label, stop_reason
from stability.outcomes.course import course_of, until
from stability.outcomes.labels import COLLAPSES, STOPPING
from stability.outcomes.signs import State, measured, states
from stability.outcomes.stop_rule import STOPPED_FOR
from stability.records import Divergence, EventKind, History, Outcome
from stability.spec.thresholds import MEASURES, Thresholds

if TYPE_CHECKING:
    from tests.outcomes.conftest import Plant

ANY = st.sampled_from([0.0, 0.005, 0.04, 0.15, 0.5, 0.995, 1.0, 30.0]) | st.floats()
FINITE = st.sampled_from([0.0, 0.005, 0.5, 50.0]) | st.floats(allow_nan=False, allow_infinity=False)


ENDS_IN = {
    Outcome.SATURATED: EventKind.SATURATION,
    Outcome.OSCILLATING: EventKind.OSCILLATION,
    Outcome.COLLAPSED: EventKind.COLLAPSE,
    Outcome.PARTIAL_COLLAPSE: EventKind.COLLAPSE,
}
"""The event that a run with this outcome is in at its end."""


@st.composite
def histories(draw: st.DrawFn, plant: Plant) -> History:
    """Arbitrary numbers at arbitrary steps; half of the histories have finite records and samples, in half
    the recorded separation swings."""
    trained = FINITE if draw(st.booleans()) else ANY
    record = st.fixed_dictionaries(
        {name: trained for name in ("loss_d", "loss_g", "generator_update", "discriminator_update")}
        | {"separation": ANY}
    )
    metrics = {name: ANY for name in ("precision", "diversity", "separation", "fid_excess", "memorisation")}
    modes = {"modes": st.integers(0, 10), "n_modes": st.sampled_from([10, 10, 10, 1, 0, 1000])}
    features = st.just(draw(st.sampled_from(["mnist_cnn", "points"])))
    evaluation = st.fixed_dictionaries(
        metrics | modes | {"classifier_confidence": trained, "features": features}
    )
    steps = st.integers(0, 40).map(lambda i: 50 * i)
    records = draw(st.dictionaries(steps, record, max_size=40))
    for place, step in enumerate(sorted(records) if draw(st.booleans()) else ()):
        records[step]["separation"] = 0.1 if place // 3 % 2 else 0.9
    evaluations = draw(st.dictionaries(steps, evaluation, max_size=9))
    divergence = draw(st.none() | st.builds(Divergence, steps, st.just("fake_logits")))
    return History(
        run="r",
        records=tuple(plant.record(step, **records[step]) for step in sorted(records)),
        evaluations=tuple(plant.evaluation(step, **evaluations[step]) for step in sorted(evaluations)),
        divergence=divergence,
        last_step=max([*records, *evaluations, divergence.step if divergence else 0]),
    )


@st.composite
def thresholds(draw: st.DrawFn) -> Thresholds:
    names = ("good_precision", "lost_modes", "lost_diversity", "nearly_modes", "nearly_recall", "swing")
    shares = dict.fromkeys((*names, "recognisable_precision", "dominated_separation"), st.floats(0, 1))
    counts = dict.fromkeys(("persist", "dropped_modes", "swings"), st.integers(1, 4))
    ratio_names = (
        "spike_factor",
        "explosion",
        "learning_horizon",
        "recognisable_distance",
        "nearly_distance",
    )
    ratios = dict.fromkeys(ratio_names, st.floats(1e-3, 1e3))
    measures = st.lists(st.sampled_from(MEASURES), min_size=1, unique=True).map(tuple)
    changed = st.builds(Thresholds, measures=measures, **shares, **counts, **ratios)
    return draw(st.just(Thresholds()) | changed)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data(), bars=thresholds(), horizon=st.integers(0, 2500))
def test_any_history_has_exactly_one_outcome(
    plant: Plant, data: st.DataObject, bars: Thresholds, horizon: int
) -> None:
    history = data.draw(histories(plant))
    result = label(history, bars, horizon=horizon)
    assert result.outcome in Outcome
    assert result.reason
    assert result.divergence is None or result.outcome is Outcome.DIVERGED
    assert result.step == min(history.last_step, horizon)
    for event in result.events:
        assert 0 <= event.onset <= horizon
        assert event.recovery is None or event.onset < event.recovery <= horizon
        assert event.evidence
    for kind in EventKind:
        of_kind = [event for event in result.events if event.kind is kind]
        assert all(a.recovery is not None and a.recovery <= b.onset for a, b in pairwise(of_kind))
    lasting = {event.kind for event in result.events if event.recovery is None}
    assert ENDS_IN.get(result.outcome) in {None, *lasting}
    exploded = result.outcome is Outcome.DIVERGED and result.divergence is None
    assert not exploded or EventKind.EXPLOSION in lasting
    assert label(history, bars, horizon=horizon) == result


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data(), bars=thresholds())
def test_stopping_agrees_with_the_label_of_the_same_prefix(
    plant: Plant, data: st.DataObject, bars: Thresholds
) -> None:
    history = data.draw(histories(plant))
    result = label(history, bars, horizon=history.last_step + 1)
    reason = stop_reason(history, bars, STOPPING)
    lately = states(measured(course_of(history), bars).visits, bars)[-bars.persist :]
    lost = len(lately) == bars.persist and (lately == State.COLLAPSED).all()
    stops = result.outcome in STOPPED_FOR and (result.outcome not in COLLAPSES or lost)
    assert reason == (result.outcome if stops else None)
    assert stop_reason(history, bars, ()) is None
    assert stop_reason(history, bars, ["stable", "learning", "oscillating"]) is None
    assert events(history, bars) == result.events


def test_a_run_that_diverged_before_its_first_visit() -> None:
    history = History("r", (), (), Divergence(7, "fake_logits"), last_step=7)
    result = label(history, Thresholds(), horizon=1000, stopped=True)
    assert (result.outcome, result.step, result.stopped) == (Outcome.DIVERGED, 7, True)
    assert result.reason == "fake_logits is not finite at step 7"
    assert stop_reason(history, Thresholds(), ["diverged"]) is Outcome.DIVERGED
    assert stop_reason(history, Thresholds(), ["saturated"]) is None


def test_a_divergence_found_in_a_record_is_given_with_the_result(plant: Plant) -> None:
    history = plant.history(recorded={"loss_g": {300: math.inf}})
    assert label(history, Thresholds(), horizon=1500).divergence == Divergence(300, "loss_g")


FEW = {"fid_excess": 2.0}
"""Far from real, so that nothing but the planted column decides."""


@pytest.mark.parametrize(
    ("columns", "stop_on", "stops_at"),
    [
        ({"modes": [9, 9, 2, 2, 2, 2]} | FEW, "collapsed", 1250),
        ({"modes": [9, 9, 2, 2, 9, 9]} | FEW, "collapsed", None),
        ({"diversity": [0.9, 0.1, 0.1, 0.1, 0.1, 0.1]} | FEW, "collapsed", 1000),
        ({"precision": 0.0, "diversity": 0.05} | FEW, "collapsed", None),
        ({"modes": 2} | FEW, "collapsed", None),
        ({"modes": [9, 9, 6, 6, 6, 6]} | FEW, "collapsed", None),
        ({"separation": 1.0, "trained": {"generator_update": 0.0}}, "saturated", 750),
        ({"divergence": Divergence(412, "loss_d")}, "diverged", 500),
        ({"precision": 0.0, "trained": {"loss_d": [1.0, *[1e4] * 5]}} | FEW, "diverged", 750),
    ],
    ids=[
        *(
            "modes lost",
            "modes back",
            "diversity lost",
            "never had diversity",
            "never had modes",
            "still good",
        ),
        *("saturated", "diverged", "exploded"),
    ],
)
def test_the_visit_at_which_a_run_stops(
    plant: Plant, bars: Thresholds, columns: dict[str, Any], stop_on: str, stops_at: int | None
) -> None:
    whole = plant.history(**columns)

    def so_far(step: int) -> History:
        known = whole.divergence if whole.divergence and whole.divergence.step <= step else None
        return replace(until(whole, step), divergence=known)

    stops = [step for step in range(250, 1501, 250) if stop_reason(so_far(step), bars, [stop_on])]
    assert next(iter(stops), None) == stops_at


def test_a_shorter_horizon_sees_no_more_than_was_known_then(plant: Plant, bars: Thresholds) -> None:
    history = plant.history(modes=[9, 9, 9, 2, 2, 2], divergence=Divergence(1400, "loss_d"))
    outcomes = [label(history, bars, horizon=h).outcome for h in (249, 750, 1250, 1500)]
    collapsed = Outcome.PARTIAL_COLLAPSE
    assert outcomes == [Outcome.LEARNING, Outcome.STABLE, collapsed, Outcome.DIVERGED]
    assert label(history, bars, horizon=750).events == ()


def test_swings_behind_the_horizon_are_not_seen(plant: Plant, bars: Thresholds) -> None:
    separation = plant.swinging(1600, 2000, 2400, 2800, until=3000)
    history = plant.history(n=12, fid_excess=2.0, precision=0.0, recorded={"separation": separation})
    assert label(history, bars, horizon=3000).outcome is Outcome.OSCILLATING
    assert label(history, bars, horizon=2500).outcome is Outcome.NOISE


def test_records_that_swing_before_the_first_visit_are_no_outcome_yet(plant: Plant, bars: Thresholds) -> None:
    separation = plant.swinging(1600, 2000, 2400, 2800, until=3000)
    history = replace(plant.history(n=12, recorded={"separation": separation}), evaluations=())
    assert label(history, bars, horizon=3000).outcome is Outcome.LEARNING


def test_a_run_cut_short_says_so(plant: Plant, bars: Thresholds) -> None:
    history = plant.history(n=3)
    result = label(history, bars, horizon=3000, stopped=True)
    assert result.outcome is Outcome.STABLE
    assert result.reason.endswith("; trained to step 750 of 3000")
    assert result.stopped
    assert not label(history, bars, horizon=750, stopped=True).stopped
