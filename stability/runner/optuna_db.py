"""study.db: the finished runs as an Optuna study, for optuna-dashboard. Derived; never the source of truth.

Imports Optuna and the store. A trial here is the study's own: a point at one level of every crossed
factor, COMPLETE as soon as one of its runs is finished. Its value is the share of its finished runs that
are stable, so it is always finite, however they ended.
"""

from __future__ import annotations

import math
import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import quote

import optuna
from optuna.distributions import BaseDistribution
from optuna.storages import RDBStorage
from optuna.trial import FrozenTrial
from sqlalchemy import event

from stability.design.space import native_distributions, quiet_optuna
from stability.errors import StabilityError
from stability.records import Outcome
from stability.spec import Run, StudySpec
from stability.spec.loader import parse_study
from stability.store import Store
from stability.store.files import file_at_once

STUDY_DB = "study.db"
BEHIND = "not what the finished cohorts say"
COMPARED = ("studies", "study_directions", "trials", "trial_values", "trial_params", "trial_user_attributes")
"""Its tables that are derived; a dashboard may keep notes in others."""


def rebuild_study_db(folder: Path) -> Path:
    """Write study.db anew from the finished cohorts of a results folder, whole or not at all.

    10 to 20 ms a trial. Until it is renamed to its place, an older one stays readable.

    Raises `StabilityError`: the folder holds no study, is damaged or cannot be written.
    """
    path = Path(folder) / STUDY_DB
    with file_at_once(path) as temporary:
        _write(Store.open(folder), temporary)
    return path


def study_db_fault(folder: Path) -> str | None:
    """What is wrong with study.db: unreadable, or not what the finished cohorts say; None if nothing is.

    Takes as long as writing it. Raises `StabilityError`: there is none, or the cohorts cannot be read.
    """
    path = Path(folder) / STUDY_DB
    if not path.is_file():
        raise StabilityError(f"{path}: not found")
    with TemporaryDirectory() as place:
        expected = Path(place) / STUDY_DB
        _write(Store.open(folder), expected)
        try:
            with closing(sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True)) as stored:
                verdict = stored.execute("PRAGMA integrity_check(1)").fetchone()[0]
                if verdict != "ok":
                    return f"damaged ({verdict.splitlines()[-1]})"
                found = [_rows(stored, table) for table in COMPARED]
        except sqlite3.Error as error:
            return f"damaged ({error})"
        with closing(sqlite3.connect(expected)) as written:
            return None if found == [_rows(written, table) for table in COMPARED] else BEHIND


def _rows(database: sqlite3.Connection, table: str) -> list[tuple[Any, ...]]:
    """A table's rows without what depends on the time of writing."""
    columns = [row[1] for row in database.execute(f"PRAGMA table_info({table})")]
    names = ", ".join(f'"{name}"' for name in columns if not name.startswith("datetime"))
    return sorted(database.execute(f"SELECT {names or 0} FROM {table}").fetchall(), key=repr)


def _write(store: Store, path: Path) -> None:
    spec = parse_study(store.study_yaml, source=str(store.folder / "study.yaml"))
    trials = _trials(store, spec)
    with quiet_optuna(), _storage(path) as storage:
        study = optuna.create_study(storage=storage, study_name=spec.name, direction="maximize")
        study.add_trials(trials)


def _trials(store: Store, spec: StudySpec) -> list[FrozenTrial]:
    """One COMPLETE trial for each that has a finished run, in the plan's order."""
    distributions = native_distributions(spec)
    ended = _ended(store)
    planned: dict[str, list[Run]] = {}
    for run in store.plan.runs:
        planned.setdefault(run.trial, []).append(run)
    return [
        _trial(runs, [ended[run.run] for run in runs if run.run in ended], distributions)
        for runs in planned.values()
        if any(run.run in ended for run in runs)
    ]


def _ended(store: Store) -> dict[str, tuple[str, float]]:
    """By finished run: its outcome, and the FID ratio at its last visit, infinite where it has none."""
    ended: dict[str, tuple[str, float]] = {}
    for cohort in store.finished():
        visits = store.table(cohort, "evaluations").select(["run", "step", "fid_ratio"]).to_pylist()
        last = {row["run"]: row["fid_ratio"] for row in sorted(visits, key=lambda row: row["step"])}
        for row in store.table(cohort, "runs").select(["run", "outcome"]).to_pylist():
            ratio = last.get(row["run"], math.inf)
            ended[row["run"]] = row["outcome"], math.inf if math.isnan(ratio) else ratio
    return ended


def _trial(
    planned: list[Run], ended: list[tuple[str, float]], distributions: dict[str, BaseDistribution]
) -> FrozenTrial:
    """A run without an FID counts as worse than any; a median that falls on such a run is null."""
    first = planned[0]
    params = {name: value for name, value in first.levels.items() if name in distributions}
    counts = Counter(outcome for outcome, _ in ended)
    share_stable = counts[Outcome.STABLE] / len(ended)
    middle = median(ratio for _, ratio in ended)
    attributes: dict[str, Any] = {
        "trial": first.trial,
        "point": first.point,
        "adaptive": first.adaptive,
        "runs": len(ended),
        "runs_planned": len(planned),
        "share_stable": share_stable,
        "median_fid_ratio": middle if math.isfinite(middle) else None,
        **{outcome.value: counts[outcome] for outcome in Outcome},
    }
    return optuna.trial.create_trial(
        value=share_stable,
        params=params,
        distributions={name: distributions[name] for name in params},
        user_attrs=attributes,
    )


@contextmanager
def _storage(path: Path) -> Iterator[RDBStorage]:
    """A new SQLite storage; unflushed while it is written, since an unfinished one is thrown away."""
    storage = RDBStorage(f"sqlite:///{path}")
    try:
        event.listen(storage.engine, "connect", _without_flush)
        storage.engine.dispose()
        yield storage
    finally:
        storage.remove_session()
        storage.engine.dispose()


def _without_flush(connection: Any, _record: Any) -> None:
    connection.execute("PRAGMA synchronous = OFF")
    connection.execute("PRAGMA journal_mode = MEMORY")
