from __future__ import annotations

import dataclasses
import math
from pathlib import Path

import pandas as pd
import pytest
from made_study import STUDY, make_cohort, make_evaluation, make_store

import stability
from stability.errors import StabilityError
from stability.reading.frames import (
    EVENT_FLAGS,
    StudyFrames,
    with_covered_modes,
    with_event_flags,
    with_last_visit,
)
from stability.records import Evaluation, Event, EventKind, Outcome, Record
from stability.spec import Config
from stability.vocabulary.metrics import FINAL


@pytest.fixture(scope="module")
def frames(tmp_path_factory: pytest.TempPathFactory) -> StudyFrames:
    store = make_store(tmp_path_factory.mktemp("results") / "made")
    return stability.load(store.folder)


def test_every_finished_run_is_a_row(frames: StudyFrames) -> None:
    assert (frames.name, frames.spec.name, frames.folder.name) == ("made", "made", "made")
    assert frames.runs["run"].tolist() == [run.run for run in frames.plan.runs]
    assert frames.runs.index.equals(pd.RangeIndex(12))
    assert {"point", "trial", "replicate", "seed", "adaptive", "cohort", *Config.model_fields} <= set(
        frames.runs
    )
    run, row = frames.plan.runs[5], frames.runs.iloc[5]
    assert (row["loss"], row["base_loss"]) == ("wgan-gp", "wasserstein")
    assert (row["lr"], row["lr_d"], row["seed"]) == (run.config.lr, run.config.discriminator.lr, run.seed)
    assert frames.runs["outcome"].value_counts().to_dict() == {"stable": 10, "diverged": 2}


def test_records_evaluations_and_events_have_their_fields(frames: StudyFrames) -> None:
    assert list(frames.records) == [field.name for field in dataclasses.fields(Record)]
    assert {field.name for field in dataclasses.fields(Evaluation)} - {"sized"} <= set(frames.evaluations)
    assert list(frames.events) == [field.name for field in dataclasses.fields(Event)]
    assert (len(frames.records), len(frames.evaluations), len(frames.events)) == (32, 20, 4)
    at_end = frames.evaluations["step"] == 30
    assert frames.evaluations.loc[at_end, "fid_mnist_cnn_1024"].eq(5.5).all()
    assert frames.evaluations["fid_mnist_cnn_2048"].isna().all()


def test_a_run_knows_its_last_visit(frames: StudyFrames) -> None:
    diverged, other = frames.runs.iloc[0], frames.runs.iloc[2]
    assert all(math.isnan(diverged[name]) for name in (*FINAL, "best_fid_ratio"))
    assert (diverged["divergence_step"], diverged["divergence_tensor"]) == (12, "loss_d")
    last = make_evaluation(other["run"], 30)
    assert [other[name] for name in FINAL] == [getattr(last, name) for name in FINAL]
    assert other["best_fid_ratio"] == make_evaluation(other["run"], 15).fid_ratio
    assert frames.runs["divergence_step"].isna().sum() == 10


def test_modes_of_points_are_those_that_labels_count() -> None:
    """Two of four modes by the points at a centre, all or one by where all lie; images keep theirs."""
    features, shares = ["points", "points", "mnist_cnn"], [(0.25,) * 4, (1.0, 0.0, 0.0, 0.0), (0.25,) * 4]
    visits = pd.DataFrame(
        {"features": features, "class_shares": shares, "modes": 2, "n_modes": 4, "precision": 0.6}
    )
    assert with_covered_modes(visits)["modes"].tolist() == [4, 1, 2]
    assert with_covered_modes(visits.tail(1))["modes"].tolist() == [2]


def test_a_metric_that_is_nan_at_the_last_visit_stays_missing() -> None:
    """The last visit counts, not the last visit that has a number; the rows need not be in order."""
    runs = pd.DataFrame({"run": ["a", "b"]})
    visits = [
        {"run": "a", "step": 20, **dict.fromkeys(FINAL, math.nan)},
        {"run": "a", "step": 10, **dict.fromkeys(FINAL, 3.0)},
    ]
    joined = with_last_visit(runs, pd.DataFrame(visits))
    assert joined["fid_ratio"].isna().all()
    assert joined["best_fid_ratio"].tolist()[0] == 3.0
    assert joined["run"].tolist() == ["a", "b"]


@pytest.mark.parametrize("column", list(EVENT_FLAGS))
def test_an_event_flags_its_run_and_no_other(column: str) -> None:
    runs = pd.DataFrame({"run": ["a", "b"], "outcome": "stable"})
    event = Event("b", EVENT_FLAGS[column], 5, 10, "seen", provisional=False, never_good=False)
    flagged = with_event_flags(runs, pd.DataFrame([event]))
    assert flagged[column].tolist() == [False, True]
    others = [*EVENT_FLAGS, "collapse_ever", "collapse_never_good", "collapse_at_horizon"]
    others.remove(column)
    assert not flagged[others].any(axis=None)


def test_a_collapse_without_recovery_is_one_at_the_horizon() -> None:
    events = [
        Event("a", EventKind.COLLAPSE, 5, 10, "", provisional=False, never_good=False),
        Event("b", EventKind.COLLAPSE, 5, 10, "", provisional=False, never_good=False),
        Event("b", EventKind.COLLAPSE, 15, None, "", provisional=False, never_good=False),
        Event("c", EventKind.SATURATION, 5, None, "", provisional=False, never_good=False),
    ]
    runs = pd.DataFrame({"run": ["a", "b", "c"], "outcome": ["stable", "collapsed", "saturated"]})
    flagged = with_event_flags(runs, pd.DataFrame(events))
    assert flagged["collapse_ever"].tolist() == [True, True, False]
    assert flagged["collapse_at_horizon"].tolist() == [False, True, False]


def test_a_run_that_never_was_good_has_a_flag_of_its_own() -> None:
    events = [
        Event("a", EventKind.COLLAPSE, 5, 10, "", provisional=False, never_good=False),
        Event("b", EventKind.COLLAPSE, 5, None, "", provisional=False, never_good=True),
        Event("c", EventKind.SATURATION, 5, None, "", provisional=False, never_good=True),
    ]
    runs = pd.DataFrame({"run": ["a", "b", "c"], "outcome": ["stable", "collapsed", "saturated"]})
    flagged = with_event_flags(runs, pd.DataFrame(events))
    assert flagged["collapse_ever"].tolist() == [True, False, False]
    assert flagged["collapse_never_good"].tolist() == [False, True, False]
    assert flagged["collapse_at_horizon"].tolist() == [False, True, False]


def test_a_run_that_diverged_is_in_no_collapse_at_the_horizon() -> None:
    events = [
        Event(run, EventKind.COLLAPSE, 5, None, "", provisional=False, never_good=False) for run in ("a", "b")
    ]
    runs = pd.DataFrame({"run": ["a", "b"], "outcome": ["diverged", "collapsed"]})
    flagged = with_event_flags(runs, pd.DataFrame(events))
    assert flagged["collapse_ever"].tolist() == [True, True]
    assert flagged["collapse_at_horizon"].tolist() == [False, True]


def test_every_kind_of_event_has_a_column() -> None:
    """Of a collapse there are three: had the run been good, had it never been, did it last?"""
    assert set(EVENT_FLAGS.values()) == set(EventKind) - {EventKind.COLLAPSE}


def test_an_empty_study_gives_empty_frames_of_the_same_types(tmp_path: Path, frames: StudyFrames) -> None:
    empty = stability.load(make_store(tmp_path / "r", finish=0).folder)
    for name in ("runs", "records", "evaluations", "events"):
        some, none = getattr(frames, name), getattr(empty, name)
        assert len(none) == 0
        expected = some.dtypes.drop([column for column in some if column.startswith("fid_mnist")])
        assert none.dtypes.to_dict() == expected.to_dict()
    assert len(empty.plan.runs) == 12


def test_a_study_is_read_while_it_is_written(tmp_path: Path) -> None:
    store = make_store(tmp_path / "r", finish=1)
    with store.lock():
        assert len(stability.load(store.folder).runs) == 5
        store.write_cohort("c001-mlp", make_cohort(store.plan.cohorts[1].runs))
        assert len(stability.load(store.folder).runs) == 12


def test_new_labels_come_with_their_thresholds(tmp_path: Path) -> None:
    store = make_store(tmp_path / "r", finish=1)
    results = {
        result.run: dataclasses.replace(result, outcome=Outcome.DOMINATED, events=())
        for result in store.read_cohort("c000-mlp").results
    }
    store.relabel(results, study_yaml=STUDY + "outcomes: {stable_excess: 1.5}\n")
    relabelled = stability.load(str(store.folder))
    assert relabelled.spec.outcomes.stable_excess == 1.5
    assert set(relabelled.runs["outcome"]) == {"dominated"}
    assert not relabelled.runs["collapse_ever"].any()
    assert relabelled.events.empty


def test_records_are_read_when_asked_for_and_kept(frames: StudyFrames) -> None:
    assert frames.records is frames.records
    some = frames.records_of(["p0-hinge-s0"], ["separation"])
    assert list(some) == ["run", "step", "separation"]
    assert set(some["run"]) == {"p0-hinge-s0"}
    assert len(some) == 3
    every = frames.records_of()
    pd.testing.assert_frame_equal(every, frames.records)


def test_loading_opens_no_records(tmp_path: Path) -> None:
    store = make_store(tmp_path / "r")
    for path in store.folder.rglob("records.parquet"):
        path.unlink()
    frames = stability.load(store.folder)
    assert len(frames.runs) == 12
    with pytest.raises(StabilityError, match=r"records\.parquet"):
        frames.records  # noqa: B018


def test_records_at_visits_have_a_row_a_visit(frames: StudyFrames) -> None:
    found = frames.records_at_visits(["loss_d", "separation"])
    assert list(found) == ["run", "step", "record_step", "loss_d", "separation"]
    keys = ["run", "step"]
    assert set(found[keys].itertuples(index=False, name=None)) == set(
        frames.evaluations[keys].itertuples(index=False, name=None)
    )
    assert (found["record_step"] <= found["step"]).all()


def test_frames_can_be_made_of_frames_in_memory(frames: StudyFrames) -> None:
    held = dataclasses.replace(frames, source=frames.records)
    for ask in (
        lambda f: f.records_of(["p0-hinge-s0"], ["loss_d"]),
        lambda f: f.records_at_visits(["loss_d"]),
    ):
        pd.testing.assert_frame_equal(
            ask(held).reset_index(drop=True), ask(frames).reset_index(drop=True), check_dtype=False
        )


def test_what_is_no_study_is_told(tmp_path: Path) -> None:
    with pytest.raises(StabilityError, match=r"no plan\.json"):
        stability.load(tmp_path)
