"""A stored study as tidy DataFrames. Imports spec and store; never torch, Optuna or the engine.

In a frame a null ("does not apply") and a NaN are both missing; the store itself keeps them apart.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from stability.outcomes.course import POINTS, covered_modes
from stability.reading.record_reader import RecordSource, StoredRecords, records_before, select_records
from stability.records import EventKind, Outcome
from stability.spec import PARAMETERS, StudySpec
from stability.spec.loader import parse_study
from stability.spec.study import CONFIGURATION, VARIANT
from stability.store import Plan, Store
from stability.store.store import TableName
from stability.store.tables import EVALUATIONS, EVENTS, NULLABLE_INTEGERS, RUNS
from stability.vocabulary.metrics import EVENT_FLAGS, EXTRA_PREFIXES, FINAL

MODES_BY = ["features", "modes", "n_modes", "precision", "class_shares"]
"""What tells which modes points cover."""


@dataclass(frozen=True, eq=False)
class StudyFrames:
    """The finished cohorts of a study; every frame may be empty, and is typed all the same."""

    name: str
    spec: StudySpec
    """With the thresholds that the labels were made with."""
    plan: Plan
    """As it was when read: it may list runs that are not finished."""
    runs: pd.DataFrame
    """One row per run: its place in the design, its configuration, outcome, events and last visit.
    `loss` is the level that the study named (a recipe by its own name), `base_loss` the plain loss; `variant`
    and `configuration` are there where the study file names some."""
    source: RecordSource
    """Where the records are: on the disk until asked for, or a frame."""
    evaluations: pd.DataFrame
    """One row per visit, the fields of `Evaluation`, each FID as a column by its full name."""
    events: pd.DataFrame
    """One row per event, the fields of `Event`."""
    folder: Path

    @cached_property
    def records(self) -> pd.DataFrame:
        """One row per record, the fields of `Record`; read whole when first asked for, then kept.

        Ten thousand runs take gigabytes: `records_of` and `records_at_visits` read what is needed.
        """
        return select_records(self.source, None, None)

    def records_of(
        self, runs: Collection[str] | None = None, columns: Sequence[str] | None = None
    ) -> pd.DataFrame:
        """The records of some runs (None: of all), `run` and `step` first, then these columns (None: all).

        Reads only the cohorts and columns that hold them; nothing is kept.

        Raises `KeyError`: a record has no such field.
        """
        return select_records(self.source, runs, columns)

    def records_at_visits(self, columns: Sequence[str]) -> pd.DataFrame:
        """For every visit, the run's last record at or before it, in one pass over the cohorts.

        Returns `run`, `step` (the visit's), `record_step` and the columns. Where no record was made by then
        the row stays, with missing values; runs without any record have no row.

        Raises `KeyError`: a record has no such field.
        """
        return records_before(self.source, self.evaluations[["run", "step"]], columns)


def load(path: str | Path) -> StudyFrames:
    """Read a results folder; safe while a run writes to it.

    Raises `StabilityError`: it is missing, holds no study, is damaged, or has another format version.
    """
    folder = Path(path)
    store = Store.open(folder)
    spec = parse_study(store.study_yaml, source=str(folder / "study.yaml"))
    finished = store.finished()
    cohorts = tuple(cohort.id for cohort in store.plan.cohorts if cohort.id in finished)
    events = _frame(store, cohorts, "events", EVENTS).astype({"recovery": "Int64"})
    evaluations = with_covered_modes(_frame(store, cohorts, "evaluations", EVALUATIONS))
    runs = _frame(store, cohorts, "runs", RUNS).astype(dict.fromkeys(NULLABLE_INTEGERS, "Int64"))
    return StudyFrames(
        name=spec.name,
        spec=spec,
        plan=store.plan,
        runs=with_last_visit(with_event_flags(with_levels(runs, store.plan, spec), events), evaluations),
        source=StoredRecords(store, cohorts),
        evaluations=evaluations,
        events=events,
        folder=folder,
    )


def with_covered_modes(evaluations: pd.DataFrame) -> pd.DataFrame:
    """Give `modes` of points as labels count them, so that a page shows what its labels say."""
    of_points = evaluations["features"] == POINTS
    rows = evaluations.loc[of_points, MODES_BY].itertuples(index=False)
    counted = pd.Series([covered_modes(*row) for row in rows], evaluations.index[of_points], dtype="int64")
    return evaluations.assign(
        modes=counted.reindex(evaluations.index).fillna(evaluations["modes"]).astype("int64")
    )


def with_levels(runs: pd.DataFrame, plan: Plan, spec: StudySpec) -> pd.DataFrame:
    """Add what the plan alone knows of runs: names, and of observed runs all that their owner named."""
    return with_owners_settings(runs, plan) if spec.observed else with_names(runs, plan)


def with_owners_settings(runs: pd.DataFrame, plan: Plan) -> pd.DataFrame:
    """Put the settings that observed runs were given in the place of parameters, which else are missing."""
    levels = {run.run: run.levels for run in plan.runs}
    names = dict.fromkeys(name for own in levels.values() for name in own)
    unknown = [name for name in (*PARAMETERS, "recipe", "base_loss") if name in runs and name not in names]
    given = {name: pd.Series([levels[run].get(name) for run in runs["run"]], runs.index) for name in names}
    return runs.assign(**dict.fromkeys(unknown, np.nan), **given)


def with_names(runs: pd.DataFrame, plan: Plan) -> pd.DataFrame:
    """Add the columns `variant` and `configuration`, as far as the plan's runs have such names."""
    levels = {run.run: run.levels for run in plan.runs}
    names = [name for name in (CONFIGURATION, VARIANT) if any(name in own for own in levels.values())]
    return runs.assign(**{name: [levels[run][name] for run in runs["run"]] for name in names})


def with_event_flags(runs: pd.DataFrame, events: pd.DataFrame) -> pd.DataFrame:
    """Add a boolean column for each rate of events.

    `collapse_ever` is a collapse of a run that had been good, `collapse_never_good` one of a run that never
    was: it never had more. `collapse_at_horizon` is either without recovery in a run that did not diverge:
    one that did is past any state of its samples by then. A run that was stopped early counts as it was.
    """
    collapses = events[events["kind"] == EventKind.COLLAPSE]
    never_good = collapses["never_good"].astype(bool)
    flags = {
        column: runs["run"].isin(events.loc[events["kind"] == kind, "run"])
        for column, kind in EVENT_FLAGS.items()
    }
    lasting = collapses.loc[collapses["recovery"].isna(), "run"]
    joined = (
        runs.copy()
    )  # a hundred columns, each a block of its own: pandas warns of more until they are joined
    return joined.assign(
        collapse_ever=runs["run"].isin(collapses.loc[~never_good, "run"]),
        collapse_never_good=runs["run"].isin(collapses.loc[never_good, "run"]),
        collapse_at_horizon=runs["run"].isin(lasting) & runs["outcome"].ne(Outcome.DIVERGED),
        **flags,
    )


def with_last_visit(runs: pd.DataFrame, evaluations: pd.DataFrame) -> pd.DataFrame:
    """Add each run's metrics at its last visit, and `best_fid_ratio`, the lowest of its visits."""
    ordered = evaluations.sort_values("step", kind="stable")
    names = [*FINAL, *(name for name in evaluations if str(name).startswith(EXTRA_PREFIXES))]
    last = ordered.drop_duplicates("run", keep="last").set_index("run")[names].astype("float64")
    best = evaluations.groupby("run")["fid_ratio"].min().rename("best_fid_ratio")
    return runs.join(last, on="run").join(best, on="run")


def _frame(store: Store, cohorts: tuple[str, ...], name: TableName, schema: pa.Schema) -> pd.DataFrame:
    tables = [schema.empty_table(), *(store.table(cohort, name) for cohort in cohorts)]
    frame: pd.DataFrame = pa.concat_tables(tables, promote_options="default").to_pandas()
    return frame if len(frame) else _with_joinable_text(frame, schema)


def _with_joinable_text(empty: pd.DataFrame, schema: pa.Schema) -> pd.DataFrame:
    """Rebuild an empty frame's text columns: pandas raises when it joins on one that Arrow gave no chunk."""
    text = [field.name for field in schema if pa.types.is_string(field.type)]
    return empty.astype(dict.fromkeys(text, object)).astype(dict.fromkeys(text, "str"))
