from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "store"))

import optuna
import pytest
from made_study import make_store
from optuna.storages import RDBStorage
from optuna.trial import TrialState

from stability.errors import StabilityError
from stability.runner.optuna_db import rebuild_study_db


@contextmanager
def storage_of(path: Path) -> Iterator[RDBStorage]:
    storage = RDBStorage(f"sqlite:///{path}")
    yield storage
    storage.remove_session()
    storage.engine.dispose()


@pytest.fixture(scope="module")
def study_db(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return rebuild_study_db(make_store(tmp_path_factory.mktemp("results") / "made").folder)


def test_a_trial_is_complete_with_its_counts(study_db: Path) -> None:
    with storage_of(study_db) as storage:
        study = optuna.load_study(study_name="made", storage=storage)
        trials = study.trials
    assert study.direction.name == "MAXIMIZE"
    with pytest.warns(optuna.exceptions.ExperimentalWarning):
        assert study.metric_names == ["share of stable runs"]
    assert [trial.user_attrs["trial"] for trial in trials] == [
        f"p{point}-{loss}" for point in range(2) for loss in ("minimax", "hinge", "wgan-gp")
    ]
    assert {trial.state for trial in trials} == {TrialState.COMPLETE}
    first, second = trials[:2]
    assert first.params == {"loss": "minimax", "lr": 1e-4 / 3}
    assert first.value == 0.5
    assert [first.user_attrs[name] for name in ("stable", "diverged", "collapsed")] == [1, 1, 0]
    assert (first.user_attrs["runs"], first.user_attrs["runs_planned"]) == (2, 2)
    assert (second.value, second.user_attrs["share_stable"]) == (1.0, 1.0)


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
