from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stability.outcomes import label
from stability.questions.early_warning.landmarks import (
    BOTH,
    DIAGNOSTICS,
    HYPERPARAMETERS,
    MOST_LANDMARKS,
    healthy_at,
    landmark_at,
    landmark_steps,
    unit_parameters,
)
from stability.records import Divergence, Evaluation, History, Outcome, Record
from stability.spec import Choice, Range, StudySpec, Thresholds
from stability.vocabulary.metrics import RECORDED

SPEC = StudySpec(
    name="s",
    space={"loss": Choice(values=("a", "b")), "lr": Range(low=1e-4, high=1e-2, log=True)},
    fixed={},
)


def runs(n: int = 4, **columns: Any) -> pd.DataFrame:
    made = {
        "run": [f"r{i}" for i in range(n)],
        "point": range(n),
        "step": 300,
        "outcome": "stable",
        "divergence_step": pd.array([None] * n, dtype="Int64"),
        "loss": ["a", "b"] * (n // 2),
        "lr": 1e-3,
    }
    return pd.DataFrame(made | columns)


def events(*rows: tuple[str, str, int, bool]) -> pd.DataFrame:
    made = pd.DataFrame(rows, columns=["run", "kind", "onset", "never_good"])
    return made.astype({"never_good": bool})


EVERY, BARS = 100, Thresholds()
GOOD = {"precision": 0.6, "modes": 9, "diversity": 0.9, "separation": 0.8, "fid_excess": 0.1}
UNBORN = GOOD | {"precision": 0.0, "modes": 1, "diversity": 0.05, "fid_excess": 4.0}
LOST = GOOD | {"modes": 1, "diversity": 0.1, "fid_excess": 3.0}
FADED = GOOD | {"precision": 0.05}
STUCK = GOOD | {"separation": 1.0, "update": 1e-4}
UNBORN_AND_STUCK = UNBORN | {"separation": 1.0, "update": 1e-4}
FALLING = UNBORN | {"fid_excess": 1.0}
STATE = st.sampled_from([GOOD, UNBORN, LOST, FADED, STUCK, UNBORN_AND_STUCK, FALLING])
COURSE = st.lists(st.tuples(STATE, st.integers(1, 4)), min_size=1, max_size=3).map(
    lambda parts: [visit for visit, times in parts for _ in range(times)]
)


def history(visits: list[dict[str, Any]], run: str = "r0", diverged: int | None = None) -> History:
    """A run with a visit, and a record, every `EVERY` steps."""
    record: dict[str, Any] = {field.name: 0.5 for field in fields(Record)} | {"run": run, "penalty": None}
    record |= {name: () for name in record if name.startswith("layer_")}
    metrics: dict[str, Any] = {field.name: 0.5 for field in fields(Evaluation)}
    metrics |= {"class_shares": (0.1,) * 10, "sized": {}, "features": "mnist_cnn", "n_samples": 512}
    metrics |= {"run": run, "n_modes": 10}
    rows = [(EVERY * (place + 1), visit) for place, visit in enumerate(visits)]
    return History(
        run,
        tuple(
            Record(**record | {"step": step, "discriminator_update": visit.get("update", 0.5)})
            for step, visit in rows
        ),
        tuple(
            Evaluation(
                **metrics | {name: value for name, value in visit.items() if name != "update"} | {"step": s}
            )
            for s, visit in rows
        ),
        None if diverged is None else Divergence(diverged, "loss_d"),
        EVERY * len(visits),
    )


def healthy(histories: Iterable[History], step: int, bars: Thresholds = BARS) -> list[bool]:
    """Which runs are healthy at a step, labelled by the outcomes' own rules in hindsight."""
    histories = list(histories)
    found = [label(one, bars, horizon=one.last_step) for one in histories]
    divergences = [one.divergence.step if one.divergence else None for one in found]
    frame = pd.DataFrame(
        {
            "run": [one.run for one in histories],
            "step": [one.step for one in found],
            "divergence_step": pd.array(divergences, dtype="Int64"),
        }
    )
    seen = [
        (event.run, event.kind.value, event.onset, event.never_good) for one in found for event in one.events
    ]
    visits = [{"run": visit.run, "step": visit.step} for one in histories for visit in one.evaluations]
    return healthy_at(frame, events(*seen), pd.DataFrame(visits), step, persist=bars.persist).tolist()


def rows_of(names: tuple[str, ...], steps: tuple[int, ...], **columns: Any) -> pd.DataFrame:
    made = [{"run": name, "step": step} for name in names for step in steps]
    return pd.DataFrame(made).assign(
        **{
            "n_modes": 10,
            "modes": 5,
            **dict.fromkeys((*RECORDED, *DIAGNOSTICS[-6:]), 1.0),
            **columns,
        }
    )


def test_healthy_is_trained_past_the_step_with_nothing_bad_begun() -> None:
    collapses = [("r0", "collapse", 200, False), ("r1", "collapse", 201, False)]
    happened = events(*collapses, ("r2", "loss_spike", 100, True))
    found = runs(6, step=[300, 300, 300, 200, 300, 300], divergence_step=pd.array([None] * 4 + [200, 201]))
    visits = rows_of(("r0", "r1"), (100, 200))
    sound = healthy_at(found, happened, visits, 200, persist=3)
    assert sound.tolist() == [False, True, True, False, False, True]


def test_a_run_that_never_was_good_is_healthy_until_its_end_tells() -> None:
    dead, slow = history([UNBORN] * 8, "dead"), history([UNBORN] * 5 + [GOOD] * 3, "slow")
    assert label(dead, BARS, horizon=800).outcome is Outcome.COLLAPSED
    for step in range(50, 800, 50):
        assert healthy([dead, slow], step) == [True, True]


def test_a_collapse_is_seen_at_once_and_a_saturation_when_it_has_lasted() -> None:
    lost = history([GOOD, GOOD, LOST, LOST, GOOD, GOOD, GOOD], "lost")
    stuck = history([GOOD, GOOD, STUCK, STUCK, STUCK, STUCK, GOOD], "stuck")
    seen = {step: healthy([lost, stuck], step) for step in range(250, 700, 50)}
    assert {step for step, (sound, _) in seen.items() if not sound} == set(range(300, 700, 50))
    assert {step for step, (_, sound) in seen.items() if not sound} == set(range(600, 700, 50))
    hasty = Thresholds(persist=2)
    assert [healthy([stuck], step, hasty) for step in (400, 500)] == [[True], [False]]


@given(st.data(), COURSE, st.integers(1, 4))
def test_what_comes_after_a_step_does_not_change_who_is_healthy_at_it(
    data: st.DataObject, known: list[dict[str, Any]], persist: int
) -> None:
    step, bars = EVERY * len(known), Thresholds(persist=persist)
    ends = st.none() | st.integers(step + 1, step + EVERY)
    runs_on = [history(known + data.draw(COURSE), f"r{i}", data.draw(ends)) for i in range(3)]
    assert len(set(healthy(runs_on, step, bars))) == 1


def test_landmarks_are_visits_before_the_horizon() -> None:
    visits = pd.DataFrame({"step": [0, *range(50, 1001, 50)] * 2})
    steps = landmark_steps(visits, 1000)
    assert len(steps) == MOST_LANDMARKS
    assert steps[0] == 50
    assert steps[-1] == 950
    assert landmark_steps(visits.head(0), 1000) == []
    assert landmark_steps(pd.DataFrame({"step": [0, 10, 20]}), 20) == [10]


def test_features_are_the_last_ones_known_at_the_step_and_logs_where_said() -> None:
    names = ("r0", "r1", "r2", "r3")
    late = [1.0, 2.0, 100.0] * 4
    records = rows_of(names, (90, 100, 110), separation=late, grad_norm_g=late)
    visits = rows_of(names, (50, 100, 150), fid_ratio=[5.0, 10.0, 1.0] * 4)
    landmark = landmark_at(
        100,
        runs(),
        (records, visits, events()),
        unit_parameters(runs(), SPEC),
        {0: 0, 1: 1, 2: 2, 3: 3},
        persist=3,
    )
    features = {name: values.ravel().tolist() for name, values in landmark.features.items()}
    assert features["separation"] == [2.0] * 4
    assert features["grad_norm_g"] == pytest.approx([np.log10(2)] * 4)
    assert features["fid_ratio"] == [1.0] * 4
    assert features["modes_share"] == [0.5] * 4
    np.testing.assert_allclose(landmark.features[HYPERPARAMETERS], [[0.5, 0], [0.5, 1]] * 2)
    assert landmark.features[BOTH].shape == (4, len(DIAGNOSTICS) + 2)


def test_what_a_run_did_not_record_is_missing_and_the_run_stays() -> None:
    records = rows_of(("r0",), (100,), grad_norm_g=0.0)
    outcomes = ["collapsed", "stable", "learning", "noise"]
    landmark = landmark_at(
        100,
        runs(outcome=outcomes),
        (records, records.head(0), events()),
        unit_parameters(runs(), SPEC),
        dict.fromkeys(range(4), 0),
        persist=3,
    )
    assert landmark.features["grad_norm_g"][0, 0] == -np.inf
    assert np.isnan(landmark.features["grad_norm_g"][1:]).all()
    assert landmark.failed.tolist() == [True, False, False, True]
    assert landmark.known.tolist() == [True, True, False, True]
    assert "2 points with a failure and 1 with a run that ends well" in landmark.reason
