"""Records read only as far as they are asked for: these runs, these columns. Imports pandas and the store.

A study's records are most of its bytes: 300 rows and two dozen columns a run, some of them lists.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from stability.store import Store
from stability.store.columns import record_columns
from stability.store.tables import RECORDS

KEYS = ("run", "step")
"""The columns that every selection of records begins with."""


@dataclass(frozen=True, slots=True)
class StoredRecords:
    """The records of a study's finished cohorts, left where they are."""

    store: Store
    cohorts: tuple[str, ...]
    """The cohorts that count, in the order of the plan."""


RecordSource = StoredRecords | pd.DataFrame
"""Records on the disk, or already in memory."""


def record_tables(
    source: RecordSource, runs: Collection[str] | None, columns: Sequence[str]
) -> Iterator[pa.Table]:
    """The records' columns as tables, cohort by cohort; only rows of `runs`, where those are named.

    Raises `KeyError`: there is no such column.
    """
    wanted = None if runs is None else pa.array(sorted(runs), pa.string())
    for table in _tables(source, runs, columns):
        yield table if wanted is None else table.filter(pc.is_in(table["run"], wanted))


def select_records(
    source: RecordSource, runs: Collection[str] | None, columns: Sequence[str] | None
) -> pd.DataFrame:
    """The records of these runs (None: of all): run and step first, then these columns (None: all)."""
    others = source.columns if isinstance(source, pd.DataFrame) else RECORDS.names
    asked = others if columns is None else columns
    names = [*KEYS, *(str(name) for name in asked if name not in KEYS)]
    if isinstance(source, pd.DataFrame):
        rows = source if runs is None else source[source["run"].isin(set(runs))]
        return rows.loc[:, names]
    kept = pa.schema([RECORDS.field(name) for name in names if name in RECORDS.names])
    tables = [kept.empty_table(), *record_tables(source, runs, names)]
    frame: pd.DataFrame = pa.concat_tables(tables, promote_options="default").to_pandas()
    # pandas raises when it joins on an empty text column that Arrow gave no chunk
    return frame if len(frame) else frame.astype({"run": object}).astype({"run": "str"})


def records_before(source: RecordSource, visits: pd.DataFrame, columns: Sequence[str]) -> pd.DataFrame:
    """For each visit (run, step), the run's last record at or before it.

    Returns `run`, `step` (the visit's), `record_step` and the columns, run by run in the records' order; a
    visit without such a record keeps its row, with missing values. Runs without any record have no row.
    """
    names = [*KEYS, *(name for name in columns if name not in KEYS)]
    places = visits.groupby("run", sort=False).indices
    parts = []
    for table in record_tables(source, None, names):
        records = table.to_pandas().astype({"run": "str", "step": "int64"})
        mine = [places[run] for run in records["run"].unique() if run in places]
        if mine:
            rows = visits.iloc[np.concatenate(mine)][list(KEYS)].reset_index(drop=True)
            parts.append(_before(records, rows)[[*KEYS, "record_step", *names[2:]]])
    if parts:
        return pd.concat(parts, ignore_index=True)
    empty = pd.DataFrame({name: pd.Series(dtype="float64") for name in (*KEYS, "record_step", *names[2:])})
    return empty.astype({"run": object}).astype({"run": "str", "step": "int64", "record_step": "Int64"})


def _tables(source: RecordSource, runs: Collection[str] | None, columns: Sequence[str]) -> Iterator[pa.Table]:
    if isinstance(source, pd.DataFrame):
        frame = source[list(columns)]
        yield pa.Table.from_pandas(frame.astype({"run": "str"}), preserve_index=False)
        return
    asked = None if runs is None else set(runs)
    planned = {cohort.id: cohort.runs for cohort in source.store.plan.cohorts}
    for cohort in source.cohorts:
        if asked is None or not asked.isdisjoint(planned[cohort]):
            yield record_columns(source.store, cohort, columns)


def _before(records: pd.DataFrame, visits: pd.DataFrame) -> pd.DataFrame:
    """The visits in their order, each with the last record of its run up to it."""
    made = records.rename(columns={"step": "record_step"}).sort_values("record_step", kind="stable")
    asked = visits.astype({"run": "str", "step": "int64"}).reset_index().sort_values("step", kind="stable")
    found = pd.merge_asof(asked, made, left_on="step", right_on="record_step", by="run")
    return found.sort_values("index", ignore_index=True).astype({"record_step": "Int64"})
