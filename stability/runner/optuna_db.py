"""study.db: the finished runs as an Optuna study, for optuna-dashboard. Derived; never the source of truth.

Imports Optuna and the store. A trial here is the study's own: a point at one level of every crossed
factor, COMPLETE as soon as one of its runs is finished. Its value is the share of its finished runs that
are stable, so it is always finite, however they ended.
"""

from __future__ import annotations

import json
import math
import sqlite3
import warnings
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from statistics import median
from typing import Any
from urllib.parse import quote

import optuna
from optuna.distributions import BaseDistribution
from optuna.exceptions import ExperimentalWarning
from optuna.storages import RDBStorage
from optuna.trial import FrozenTrial
from sqlalchemy.pool import StaticPool

from stability.design.space import native_distributions, quiet_optuna
from stability.errors import StabilityError
from stability.records import Outcome
from stability.spec import Run, StudySpec
from stability.spec.loader import parse_study
from stability.store import Store
from stability.store.files import replace_file
from stability.store.seals import sha256

STUDY_DB = "study.db"
OBJECTIVE = "share of stable runs"
"""What a dashboard calls a trial's value."""
BEHIND = "not what the finished cohorts say"
MADE_OF = "made of"
"""The study's attribute that says what its trials were derived from."""
COMPARED = ("studies", "study_directions", "trials", "trial_values", "trial_params", "trial_user_attributes")
"""Its tables that are derived; a dashboard may keep notes in others."""


def rebuild_study_db(folder: Path) -> Path:
    """Write study.db anew from the finished cohorts of a results folder, whole or not at all.

    10 to 20 ms a trial. Until it is renamed to its place, an older one stays readable. SQLite never touches
    the disk, since its words for a full or vanished one say neither what is wrong nor where.

    Raises `StabilityError`: the folder holds no study, is damaged or cannot be written.
    """
    path = Path(folder) / STUDY_DB
    replace_file(path, _content(Store.open(folder)))
    return path


def study_db_fault(folder: Path) -> str | None:
    """What is wrong with study.db: unreadable, or not what the finished cohorts say; None if nothing is.

    Takes as long as writing it. Raises `StabilityError`: there is none, or the cohorts cannot be read.
    """
    path = Path(folder) / STUDY_DB
    if not path.is_file():
        raise StabilityError(f"{path}: not found")
    try:
        with closing(sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True)) as stored:
            verdict = stored.execute("PRAGMA integrity_check(1)").fetchone()[0]
            if verdict != "ok":
                return f"damaged ({verdict.splitlines()[-1]})"
            found = [_rows(stored, table) for table in COMPARED]
    except sqlite3.Error as error:
        return f"damaged ({error})"
    with closing(sqlite3.connect(":memory:")) as expected:
        expected.deserialize(_content(Store.open(folder)))
        return None if found == [_rows(expected, table) for table in COMPARED] else BEHIND


def is_current(folder: Path) -> bool:
    """Whether study.db is of the finished cohorts as they are; neither is examined, so this takes no time."""
    path = Path(folder) / STUDY_DB
    try:
        with closing(sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True)) as stored:
            query = "SELECT value_json FROM study_user_attributes WHERE key = ?"
            made_of = stored.execute(query, (MADE_OF,)).fetchone()
    except sqlite3.Error:
        return False
    return bool(made_of == (json.dumps(_made_of(Store.open(folder))),))


def _made_of(store: Store) -> str:
    """A digest of all that study.db is derived from."""
    digests = {cohort: store.digests(cohort) for cohort in sorted(store.finished())}
    return sha256(json.dumps([store.study_yaml, digests], sort_keys=True).encode())


def _rows(database: sqlite3.Connection, table: str) -> list[tuple[Any, ...]]:
    """A table's rows; of what depends on the time of writing only whether it is a time."""
    columns = [row[1] for row in database.execute(f"PRAGMA table_info({table})")]
    names = ", ".join(
        f"strftime('%s', \"{name}\") IS NULL" if name.startswith("datetime") else f'"{name}"'
        for name in columns
    )
    return sorted(database.execute(f"SELECT {names or 0} FROM {table}").fetchall(), key=repr)


def _content(store: Store) -> bytes:
    """The bytes of study.db as the finished cohorts have it."""
    spec = parse_study(store.study_yaml, source=str(store.folder / "study.yaml"))
    trials = _trials(store, spec)
    with quiet_optuna(), _storage() as storage:
        study = optuna.create_study(storage=storage, study_name=spec.name, direction="maximize")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ExperimentalWarning)
            study.set_metric_names([OBJECTIVE])
        study.add_trials(trials)
        study.set_user_attr(MADE_OF, _made_of(store))
        with closing(storage.engine.raw_connection()) as connection:
            database = connection.driver_connection
            assert isinstance(database, sqlite3.Connection)
            return database.serialize()


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
    trial = optuna.trial.create_trial(
        value=share_stable,
        params=params,
        distributions={name: distributions[name] for name in params},
        user_attrs=attributes,
    )
    trial.datetime_start = trial.datetime_complete  # two looks at a clock that is set back would part them
    return trial


@contextmanager
def _storage() -> Iterator[RDBStorage]:
    """A new SQLite storage in memory, where a single connection is the whole database."""
    storage = RDBStorage("sqlite://", engine_kwargs={"poolclass": StaticPool})
    try:
        yield storage
    finally:
        storage.remove_session()
        storage.engine.dispose()
