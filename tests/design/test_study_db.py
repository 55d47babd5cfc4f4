from __future__ import annotations

import json
import math
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "store"))

import optuna
import pytest
from made_study import make_cohort, make_store
from optuna.storages import RDBStorage
from optuna.trial import FrozenTrial, TrialState

from stability.design import study_db as module
from stability.design.study_db import BEHIND, is_current, rebuild_study_db, study_db_fault
from stability.errors import StabilityError
from stability.records import Outcome
from stability.runner.study import finished_points


@contextmanager
def storage_of(path: Path) -> Iterator[RDBStorage]:
    storage = RDBStorage(f"sqlite:///{path}")
    yield storage
    storage.remove_session()
    storage.engine.dispose()


@pytest.fixture(scope="module")
def study_db(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return rebuild_study_db(make_store(tmp_path_factory.mktemp("results") / "made").folder)


@pytest.mark.filterwarnings("ignore:metric_names is experimental")  # in Optuna 4
def test_a_trial_is_complete_with_its_counts(study_db: Path) -> None:
    with storage_of(study_db) as storage:
        study = optuna.load_study(study_name="made", storage=storage)
        trials = study.trials
    assert study.direction.name == "MAXIMIZE"
    assert study.metric_names == ["share of runs that end stable or nearly stable"]
    assert [trial.user_attrs["trial"] for trial in trials] == [
        f"p{point}-{loss}" for point in range(2) for loss in ("minimax", "hinge", "wgan-gp")
    ]
    assert {trial.state for trial in trials} == {TrialState.COMPLETE}
    first, second = trials[:2]
    assert first.params == {"loss": "minimax", "lr": 1e-4 / 3}
    assert first.value == 0.5
    assert [first.user_attrs[name] for name in ("stable", "diverged", "collapsed")] == [1, 1, 0]
    assert (first.user_attrs["runs"], first.user_attrs["runs_planned"]) == (2, 2)
    assert (second.value, second.user_attrs["share_success"]) == (1.0, 1.0)


def test_nearly_stable_runs_are_looked_for_as_stable_ones_are(tmp_path: Path) -> None:
    """The first cohort ends nearly stable, the second still learns; the first run of either diverges."""
    store = make_store(tmp_path / "r", finish=0)
    for cohort, outcome in zip(store.plan.cohorts, (Outcome.NEARLY_STABLE, Outcome.LEARNING), strict=True):
        store.write_cohort(cohort.id, make_cohort(cohort.runs, outcome))
    with storage_of(rebuild_study_db(store.folder)) as storage:
        trials = optuna.load_study(study_name="made", storage=storage).trials
    assert [trial.value for trial in trials] == [0.5, 1, 0.5, 0, 0, 0]
    assert {trial.user_attrs["stable"] for trial in trials} == {0}
    assert [point.share_success for point in finished_points(store)] == [pytest.approx(4 / 6), 0]


def test_a_run_without_fid_counts_as_the_worst(study_db: Path) -> None:
    """One of the two diverged before its first visit: their median is null, not that of the other."""
    with storage_of(study_db) as storage:
        trials = optuna.load_study(study_name="made", storage=storage).trials
    assert trials[0].user_attrs["median_fid_ratio"] is None
    assert trials[1].user_attrs["median_fid_ratio"] > 0
    assert all(math.isfinite(trial.value or 0) for trial in trials)


def test_only_finished_runs_enter(tmp_path: Path) -> None:
    """The first cohort holds five runs: two trials are whole, the third half."""
    folder = make_store(tmp_path / "r", finish=1).folder
    with storage_of(rebuild_study_db(folder)) as storage:
        trials = optuna.load_study(study_name="made", storage=storage).trials
    assert [trial.user_attrs["runs"] for trial in trials] == [2, 2, 1]
    assert trials[2].user_attrs["runs_planned"] == 2


def test_it_is_rebuilt_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = make_store(tmp_path / "r", finish=0).folder
    path = rebuild_study_db(folder)
    before = path.read_bytes()
    with monkeypatch.context() as patch:
        patch.setattr(optuna.Study, "add_trials", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            rebuild_study_db(folder)
    assert path.read_bytes() == before
    assert not list(folder.glob(".study.db*"))
    path.write_bytes(b"damaged")
    with storage_of(rebuild_study_db(folder)) as storage:
        assert optuna.get_all_study_names(storage) == ["made"]
    assert (folder / "damaged" / "study.db-1").read_bytes() == b"damaged"


def trials_of(storage: RDBStorage) -> dict[str, FrozenTrial]:
    return {
        trial.user_attrs["trial"]: trial
        for trial in optuna.load_study(study_name="made", storage=storage).trials
    }


def test_notes_stay_and_open_readers_see_what_is_new(tmp_path: Path) -> None:
    """A note is known by its trial's id, which must not change."""
    store = make_store(tmp_path / "r", finish=1)
    path = rebuild_study_db(store.folder)
    with storage_of(path) as storage:
        study_id = storage.get_study_id_from_name("made")
        before = trials_of(storage)
        third = before["p0-wgan-gp"]
        note = f"dashboard:{third._trial_id}:note_str:0"
        storage.set_study_system_attr(study_id, note, "odd")
        storage.set_study_user_attr(study_id, "mine", 1)
        other = store.plan.cohorts[1]
        store.write_cohort(other.id, make_cohort(other.runs))
        assert not is_current(store.folder)
        assert study_db_fault(store.folder) == BEHIND
        rebuild_study_db(store.folder)
        after = trials_of(storage)
        assert list(after)[:3] == list(before)
        assert len(after) == 6
        assert [trial.number for trial in after.values()] == list(range(6))
        assert after["p0-wgan-gp"]._trial_id == third._trial_id
        assert (third.user_attrs["runs"], after["p0-wgan-gp"].user_attrs["runs"]) == (1, 2)
        assert storage.get_study_system_attrs(study_id)[note] == "odd"
        assert storage.get_study_user_attrs(study_id)["mine"] == 1
    assert is_current(store.folder)
    assert study_db_fault(store.folder) is None
    with storage_of(rebuild_study_db(make_store(tmp_path / "at once").folder)) as storage:
        assert summary(trials_of(storage)) == summary(after)


def summary(trials: dict[str, FrozenTrial]) -> dict[str, object]:
    return {name: (trial.values, trial.params, trial.user_attrs) for name, trial in trials.items()}


def test_a_trial_whose_runs_are_gone_waits_with_its_id(tmp_path: Path) -> None:
    store = make_store(tmp_path / "r")
    path = rebuild_study_db(store.folder)
    second = store.folder / "cohorts" / store.plan.cohorts[1].id
    second.rename(tmp_path / "gone")
    with storage_of(path) as storage:
        before = trials_of(storage)
        rebuild_study_db(store.folder)
        states = {name: trial.state for name, trial in trials_of(storage).items()}
        assert list(states.values()) == [TrialState.COMPLETE] * 3 + [TrialState.WAITING] * 3
        assert study_db_fault(store.folder) is None
        (tmp_path / "gone").rename(second)
        rebuild_study_db(store.folder)
        after = trials_of(storage)
    assert {name: trial._trial_id for name, trial in after.items()} == {
        name: trial._trial_id for name, trial in before.items()
    }
    assert summary(after) == summary(before)


def test_a_change_in_place_is_whole_or_absent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = make_store(tmp_path / "r", finish=1)
    path = rebuild_study_db(store.folder)
    before = path.read_bytes()
    store.write_cohort(store.plan.cohorts[1].id, make_cohort(store.plan.cohorts[1].runs))
    copy, copied = module._copy_trial, []

    def second_fails(*arguments: Any) -> None:
        copied.append(arguments)
        copy(*arguments) if len(copied) < 3 else 1 / 0

    with monkeypatch.context() as patch:
        patch.setattr(module, "_copy_trial", second_fails)
        with pytest.raises(ZeroDivisionError):
            rebuild_study_db(store.folder)
    assert path.read_bytes() == before
    monkeypatch.setattr(module, "PATIENCE", 0.0)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(StabilityError, match=r"study\.db: is in use by another program"):
            rebuild_study_db(store.folder)
        other.execute("ROLLBACK")
    rebuild_study_db(store.folder)
    assert study_db_fault(store.folder) is None


def test_a_folder_without_a_study_is_told(tmp_path: Path) -> None:
    with pytest.raises(StabilityError, match=r"no plan\.json"):
        rebuild_study_db(tmp_path)


@pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")
def test_optuna_dashboard_serves_it(study_db: Path) -> None:
    dashboard = pytest.importorskip("optuna_dashboard")
    with storage_of(study_db) as storage:
        app = dashboard.wsgi(storage)
        studies = get(app, "/api/studies")["study_summaries"]
        assert [study["study_name"] for study in studies] == ["made"]
        detail = get(app, f"/api/studies/{studies[0]['study_id']}")
    assert [trial["state"] for trial in detail["trials"]] == ["Complete"] * 6


def get(app: Any, path: str) -> Any:
    """Ask a WSGI application in this process, and read its answer as JSON."""
    from wsgiref.util import setup_testing_defaults

    environ: dict[str, Any] = {"PATH_INFO": path, "REQUEST_METHOD": "GET"}
    setup_testing_defaults(environ)
    statuses: list[str] = []
    body = app(environ, lambda status, *_: statuses.append(status))
    answer = json.loads(b"".join(body))
    assert statuses == ["200 OK"]
    return answer
