from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stability.outcomes import events, label, stop_reason
from stability.outcomes.labels import STOPPING
from stability.records import Divergence, EventKind, History, Outcome
from stability.spec.thresholds import Thresholds

if TYPE_CHECKING:
    from tests.outcomes.conftest import Plant

ANY = st.sampled_from([0.0, 0.005, 0.04, 0.15, 0.5, 0.995, 1.0, 30.0]) | st.floats()
FINITE = st.sampled_from([0.0, 0.005, 0.5, 50.0]) | st.floats(allow_nan=False, allow_infinity=False)


@st.composite
def histories(draw: st.DrawFn, plant: Plant) -> History:
    """Arbitrary numbers at arbitrary steps; half of the histories have finite records and samples."""
    trained = FINITE if draw(st.booleans()) else ANY
    record = st.fixed_dictionaries(
        {name: trained for name in ("loss_d", "loss_g", "generator_update", "discriminator_update")}
    )
    metrics = {name: ANY for name in ("precision", "diversity", "separation", "fid_ratio")}
    modes = {"modes": st.integers(0, 10), "n_modes": st.sampled_from([10, 10, 10, 0, 1000])}
    evaluation = st.fixed_dictionaries(metrics | modes | {"classifier_confidence": trained})
    steps = st.integers(0, 40).map(lambda i: 50 * i)
    records = draw(st.dictionaries(steps, record, max_size=40))
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
    shares = dict.fromkeys(("good_precision", "lost_modes", "lost_diversity"), st.floats(0, 1))
    counts = dict.fromkeys(("persist", "dropped_modes"), st.integers(1, 4))
    changed = st.builds(Thresholds, **shares, **counts, spike_factor=st.floats(1e-3, 1e3))
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
    assert (result.outcome is Outcome.DIVERGED) == (result.divergence is not None)
    assert result.step == min(history.last_step, horizon)
    for event in result.events:
        assert 0 <= event.onset <= horizon
        assert event.recovery is None or event.onset < event.recovery <= horizon
        assert event.evidence
    for kind in EventKind:
        of_kind = [event for event in result.events if event.kind is kind]
        assert all(a.recovery is not None and a.recovery <= b.onset for a, b in pairwise(of_kind))
    assert label(history, bars, horizon=horizon) == result


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data(), bars=thresholds())
def test_stopping_agrees_with_the_label_of_the_same_prefix(
    plant: Plant, data: st.DataObject, bars: Thresholds
) -> None:
    history = data.draw(histories(plant))
    result = label(history, bars, horizon=history.last_step + 1)
    reason = stop_reason(history, bars, STOPPING)
    sudden = result.outcome is Outcome.COLLAPSED and any(
        event.provisional and event.recovery is None and event.kind is EventKind.COLLAPSE
        for event in result.events
    )
    assert reason == (result.outcome if result.outcome in STOPPING and not sudden else None)
    assert stop_reason(history, bars, ()) is None
    assert stop_reason(history, bars, ["stable", "unfinished", "oscillating"]) is None
    assert events(history, bars) == result.events


def test_a_run_that_diverged_before_its_first_visit() -> None:
    history = History("r", (), (), Divergence(7, "fake_logits"), last_step=7)
    result = label(history, Thresholds(), horizon=1000, stopped=True)
    assert (result.outcome, result.step, result.stopped) == (Outcome.DIVERGED, 7, True)
    assert result.reason == "fake_logits is not finite at step 7"
    assert stop_reason(history, Thresholds(), ["diverged"]) is Outcome.DIVERGED
    assert stop_reason(history, Thresholds(), ["saturated"]) is None


def test_a_divergence_found_in_a_record_is_given_with_the_result(plant: Plant) -> None:
    history = plant.history(losses={"loss_g": {300: math.inf}})
    assert label(history, Thresholds(), horizon=1500).divergence == Divergence(300, "loss_g")


@pytest.mark.parametrize(
    ("columns", "stop_on", "stops_at"),
    [
        ({"modes": [9, 9, 2, 2, 2, 2]}, "collapsed", 1250),
        ({"modes": [9, 9, 2, 2, 9, 9]}, "collapsed", None),
        ({"precision": 0.0, "diversity": 0.05}, "collapsed", 750),
        ({"separation": 1.0, "updates": {"generator_update": 0.0}}, "saturated", 750),
        ({"divergence": Divergence(412, "loss_d")}, "diverged", 500),
    ],
)
def test_the_visit_at_which_a_run_stops(
    plant: Plant, columns: dict[str, Any], stop_on: str, stops_at: int | None
) -> None:
    whole = plant.history(**columns)

    def so_far(step: int) -> History:
        known = whole.divergence if whole.divergence and whole.divergence.step <= step else None
        visits = tuple(e for e in whole.evaluations if e.step <= step)
        return replace(whole, evaluations=visits, divergence=known, last_step=step)

    stops = [step for step in range(250, 1501, 250) if stop_reason(so_far(step), Thresholds(), [stop_on])]
    assert next(iter(stops), None) == stops_at


def test_a_shorter_horizon_sees_no_more_than_was_known_then(plant: Plant) -> None:
    history = plant.history(modes=[9, 9, 9, 2, 2, 2], divergence=Divergence(1400, "loss_d"))
    outcomes = [label(history, Thresholds(), horizon=h).outcome for h in (750, 1250, 1500)]
    assert outcomes == [Outcome.STABLE, Outcome.COLLAPSED, Outcome.DIVERGED]
    assert label(history, Thresholds(), horizon=750).events == ()


def test_a_run_cut_short_says_so(plant: Plant) -> None:
    history = plant.history(n=3)
    result = label(history, Thresholds(), horizon=3000, stopped=True)
    assert result.reason == "FID ratio 10 with 9 of 10 modes; trained to step 750 of 3000"
    assert result.stopped
    assert not label(history, Thresholds(), horizon=750, stopped=True).stopped
