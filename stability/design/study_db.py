"""study.db: the finished runs as an Optuna study, for optuna-dashboard. Derived; never the source of truth.

Imports Optuna and the store. A trial here is the study's own: a point at one level of every crossed
factor, COMPLETE as soon as one of its runs is finished. Its value is the share of its finished runs that
ended stable or nearly stable, so it is always finite. What a dashboard has put into the file stays there: it
knows trials by their ids, so a trial keeps its own, also while its runs are to be trained again (WAITING).
"""

from __future__ import annotations

import errno
import json
import math
import os
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
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy.pool import StaticPool

from stability.design.space import native_distributions, quiet_optuna
from stability.errors import StabilityError
from stability.records import SUCCESSES, Outcome
from stability.spec import Run, StudySpec
from stability.spec.loader import parse_study
from stability.store import Store
from stability.store.files import replace_file
from stability.store.repair.quarantine import move_aside
from stability.store.seals import sha256

STUDY_DB = "study.db"
OBJECTIVE = "share of runs that end stable or nearly stable"
"""What a dashboard calls a trial's value."""
BEHIND = "not what the finished cohorts say"
MADE_OF = "made of"
"""The study's attribute that says what its trials were derived from."""
TIMES = ("datetime_start", "datetime_complete")
DERIVED = {
    "trials": ("state", *TIMES),
    "trial_values": ("objective", "value", "value_type"),
    "trial_params": ("param_name", "param_value", "distribution_json"),
    "trial_user_attributes": ("key", "value_json"),
}
"""By table: what is derived of every trial; a dashboard keeps notes in others."""
NAME = "trial"
"""The attribute by which a trial is known, whatever its id."""
PATIENCE = 60.0
"""Seconds that whoever else writes to the file is waited for."""
UNWRITABLE = {
    sqlite3.SQLITE_FULL: os.strerror(errno.ENOSPC),
    sqlite3.SQLITE_IOERR: os.strerror(errno.EIO),
    sqlite3.SQLITE_CANTOPEN: "cannot be opened",
    sqlite3.SQLITE_READONLY: "cannot be written to",
    sqlite3.SQLITE_PERM: os.strerror(errno.EACCES),
    sqlite3.SQLITE_BUSY: "is in use by another program, such as a dashboard",
    sqlite3.SQLITE_NOMEM: os.strerror(errno.ENOMEM),
}
"""In words what SQLite says of a file that may be whole, but takes no changes now."""


def rebuild_study_db(folder: Path) -> Path:
    """Bring study.db up to the finished cohorts of a results folder, whole or not at all.

    10 to 20 ms a trial. One that is there is changed in one transaction, which those that have it open see.
    What is damaged, or of a version of Optuna with other tables, is moved aside and written anew.

    Raises `StabilityError`: the folder holds no study, is damaged or cannot be written.
    """
    path = Path(folder) / STUDY_DB
    store = Store.open(folder)
    name, content = _spec(store).name, _content(store)
    if path.is_file():
        if _brought_up(path, content, name):
            return path
        move_aside(path.parent, path)
    replace_file(path, content)  # SQLite's words for a full or vanished disk say neither what nor where
    return path


def study_db_fault(folder: Path) -> str | None:
    """What is wrong with study.db: unreadable, or not what the finished cohorts say; None if nothing is.

    Takes as long as writing it. Raises `StabilityError`: there is none, or the cohorts cannot be read.
    """
    path = Path(folder) / STUDY_DB
    if not path.is_file():
        raise StabilityError(f"{path}: not found")
    store = Store.open(folder)
    name = _spec(store).name
    try:
        with closing(sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True)) as stored:
            _check_whole(stored)
            found = _told(stored, name)
    except sqlite3.Error as error:
        return BEHIND if _code(error) == sqlite3.SQLITE_READONLY else f"damaged ({error})"
    with closing(sqlite3.connect(":memory:")) as expected:
        expected.deserialize(_content(store))
        return None if found == _told(expected, name) else BEHIND


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


Rows = tuple[tuple[Any, ...], ...]


def _check_whole(database: sqlite3.Connection) -> None:
    """Raise `sqlite3.DatabaseError` where SQLite finds the file at odds with itself."""
    verdict = database.execute("PRAGMA main.integrity_check(1)").fetchone()[0]
    if verdict != "ok":
        raise sqlite3.DatabaseError(verdict.splitlines()[-1])


def _code(error: sqlite3.Error) -> int:
    """SQLite's primary code; 0 where the error is not SQLite's own."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF


def _told(database: sqlite3.Connection, study: str) -> object:
    """All that is derived, in an order of its own; of times only whether they are some."""
    aims = database.execute(
        "SELECT objective, direction FROM study_directions JOIN studies USING (study_id) "
        "WHERE study_name = ?",
        (study,),
    ).fetchall()
    trials = _trials_of(database, "main", study)
    numbers = database.execute(
        "SELECT number FROM trials JOIN studies USING (study_id) WHERE study_name = ? ORDER BY number",
        (study,),
    ).fetchall()
    complete = [rows for rows in trials.values() if _is_complete(rows)]
    return aims, numbers == [(k,) for k in range(len(numbers))], sorted(complete, key=repr)


def _trials_of(database: sqlite3.Connection, schema: str, study: str) -> dict[int, Rows]:
    """What is derived of the study's trials, by their ids, in the order of their numbers; `trials` first."""
    found: dict[int, list[tuple[Any, ...]]] = {}
    for table, columns in DERIVED.items():
        names = ", ".join(
            f"strftime('%s', own.{name}) IS NULL" if name in TIMES else f"own.{name}" for name in columns
        )
        query = (
            f"SELECT trial.trial_id, {names} FROM {schema}.{table} AS own "
            f"JOIN {schema}.trials AS trial ON trial.trial_id = own.trial_id "
            f"JOIN {schema}.studies AS study ON study.study_id = trial.study_id "
            "WHERE study.study_name = ? ORDER BY trial.number"
        )
        for trial, *values in database.execute(query, (study,)):
            found.setdefault(trial, []).append((table, *values))
    return {trial: (rows[0], *sorted(rows[1:], key=repr)) for trial, rows in found.items()}


def _is_complete(rows: Rows) -> bool:
    return bool(rows[0][:2] == ("trials", TrialState.COMPLETE.name))


def _name(rows: Rows) -> Any:
    """What the trial is called, as it is stored."""
    return next((row[2] for row in rows if row[:2] == ("trial_user_attributes", NAME)), None)


def _brought_up(path: Path, content: bytes, study: str) -> bool:
    """Change what is derived to what `content` says, in one transaction; False where the file is damaged.

    Raises `StabilityError`: it takes no changes now.
    """
    try:
        with closing(sqlite3.connect(path, timeout=PATIENCE, isolation_level=None)) as database:
            database.execute("ATTACH ':memory:' AS made")
            database.deserialize(content, name="made")
            database.execute("BEGIN IMMEDIATE")
            try:
                _check_whole(database)
                is_alike = _have_equal_tables(database)
                if is_alike:
                    _merge(database, study)
                database.execute("COMMIT" if is_alike else "ROLLBACK")
            finally:
                if database.in_transaction:
                    database.execute("ROLLBACK")
    except sqlite3.Error as error:
        if _code(error) in UNWRITABLE:
            raise StabilityError(f"{path}: {UNWRITABLE[_code(error)]}") from error
        return False
    return is_alike


def _have_equal_tables(database: sqlite3.Connection) -> bool:
    """Whether what is derived stands in the same columns here as in what was made."""
    for table in (*DERIVED, "studies", "study_directions", "study_user_attributes"):
        query = "SELECT name FROM pragma_table_info(?, ?)"
        here, made = (database.execute(query, (table, schema)).fetchall() for schema in ("main", "made"))
        if here != made:
            return False
    return True


def _merge(database: sqlite3.Connection, study: str) -> None:
    new, old = (_trials_of(database, schema, study) for schema in ("made", "main"))
    study_ids = [
        database.execute(f"SELECT study_id FROM {schema}.studies WHERE study_name = ?", (study,)).fetchone()
        for schema in ("made", "main")
    ]
    if None in study_ids:
        raise sqlite3.DatabaseError(f"holds no study {study!r}")
    (there,), (here,) = study_ids
    places = {_name(rows): trial for trial, rows in reversed(old.items())}
    for trial, rows in new.items():
        place = places.get(_name(rows))
        if place is None:
            place = database.execute(
                "INSERT INTO main.trials (number, study_id, state) "
                "SELECT COALESCE(MAX(number) + 1, 0), ?1, 'WAITING' FROM main.trials WHERE study_id = ?1",
                (here,),
            ).lastrowid
        elif old.pop(place) == rows:
            continue
        _copy_trial(database, trial, place)
    for trial, rows in old.items():
        if _is_complete(rows):
            database.execute(
                "UPDATE main.trials SET state = 'WAITING', datetime_start = NULL, datetime_complete = NULL "
                "WHERE trial_id = ?",
                (trial,),
            )
            database.execute("DELETE FROM main.trial_values WHERE trial_id = ?", (trial,))
    _copy_rows(database, "study_directions", ("direction", "objective"), "study_id", there, here)
    database.execute("DELETE FROM main.study_user_attributes WHERE study_id = ? AND key = ?", (here, MADE_OF))
    database.execute(
        "INSERT INTO main.study_user_attributes (study_id, key, value_json) "
        "SELECT ?, key, value_json FROM made.study_user_attributes WHERE key = ?",
        (here, MADE_OF),
    )


def _copy_trial(database: sqlite3.Connection, trial: int, place: int | None) -> None:
    """Give the trial with one id what that with another has been made with."""
    columns = ", ".join(DERIVED["trials"])
    database.execute(
        f"UPDATE main.trials SET ({columns}) = (SELECT {columns} FROM made.trials WHERE trial_id = ?) "
        "WHERE trial_id = ?",
        (trial, place),
    )
    for table, own in DERIVED.items():
        if table != "trials":
            _copy_rows(database, table, own, "trial_id", trial, place)


def _copy_rows(
    database: sqlite3.Connection, table: str, columns: tuple[str, ...], key: str, made: int, kept: int | None
) -> None:
    """Replace a table's rows of one trial or study by those that were made."""
    names = ", ".join(columns)
    database.execute(f"DELETE FROM main.{table} WHERE {key} = ?", (kept,))
    database.execute(
        f"INSERT INTO main.{table} ({key}, {names}) SELECT ?, {names} FROM made.{table} WHERE {key} = ?",
        (kept, made),
    )


def _spec(store: Store) -> StudySpec:
    return parse_study(store.study_yaml, source=str(store.folder / "study.yaml"))


def _content(store: Store) -> bytes:
    """The bytes of study.db as the finished cohorts have it."""
    spec = _spec(store)
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
    share_success = sum(counts[outcome] for outcome in SUCCESSES) / len(ended)
    middle = median(ratio for _, ratio in ended)
    attributes: dict[str, Any] = {
        "trial": first.trial,
        "point": first.point,
        "adaptive": first.adaptive,
        "runs": len(ended),
        "runs_planned": len(planned),
        "share_success": share_success,
        "median_fid_ratio": middle if math.isfinite(middle) else None,
        **{outcome.value: counts[outcome] for outcome in Outcome},
    }
    trial = optuna.trial.create_trial(
        value=share_success,
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
