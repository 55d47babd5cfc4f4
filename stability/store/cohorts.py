"""One finished cohort as a folder of tables and filmstrips. Imports records, spec and the store's parts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from stability.records import History, RunResult
from stability.spec import Run
from stability.store.files import folder_at_once, write_flushed
from stability.store.filmstrips import FilmStrip, encode_filmstrip, read_filmstrip
from stability.store.tables import (
    EVALUATIONS,
    RECORDS,
    RunRow,
    encode_table,
    evaluations_table,
    events_table,
    read_events,
    read_histories,
    read_results,
    read_table,
    records_table,
    runs_table,
)

FILMSTRIPS = "filmstrips"


@dataclass(frozen=True, slots=True)
class CohortData:
    """All that is kept of a finished cohort."""

    results: tuple[RunResult, ...]
    histories: tuple[History, ...]
    seconds: Mapping[str, float]
    """By run: its share of the cohort's training time."""
    filmstrips: Mapping[str, FilmStrip]
    """By run; a run that stopped before its first visit has none."""


def write_cohort_folder(path: Path, runs: Sequence[Run], data: CohortData) -> None:
    """Write the cohort, all or nothing, its rows in the order of runs; the folder's name is the cohort's.

    Raises `ValueError`: data is not of exactly these runs, or the cohort is already there;
    `StabilityError`: it cannot be written.
    """
    names = [run.run for run in runs]
    results = {result.run: result for result in data.results}
    histories = {history.run: history for history in data.histories}
    _check_complete(path, names, results, histories, data)
    rows = [
        RunRow(
            run=run,
            cohort=path.name,
            result=results[run.run],
            last_step=histories[run.run].last_step,
            divergence=histories[run.run].divergence,
            seconds=data.seconds[run.run],
        )
        for run in runs
    ]
    tables = {
        "runs": runs_table(rows),
        "records": records_table([record for name in names for record in histories[name].records]),
        "evaluations": evaluations_table([visit for name in names for visit in histories[name].evaluations]),
        "events": events_table([results[name] for name in names]),
    }
    with folder_at_once(path) as folder:
        for name, table in tables.items():
            write_flushed(folder / f"{name}.parquet", encode_table(table))
        (folder / FILMSTRIPS).mkdir()
        for run, strip in data.filmstrips.items():
            if strip.images.size:
                write_flushed(folder / FILMSTRIPS / f"{run}.png", encode_filmstrip(strip))


def read_cohort_folder(path: Path, runs: pa.Table, events: pa.Table) -> CohortData:
    """Read a cohort back; its two tables of labels are given, for newer ones may be pending elsewhere.

    Raises `StabilityError`: a file is damaged; `FileNotFoundError`: a table is missing.
    """
    histories = read_histories(
        runs,
        read_table(path / "records.parquet", RECORDS),
        read_table(path / "evaluations.parquet", EVALUATIONS),
    )
    names: list[str] = runs["run"].to_pylist()
    pictures = {name: path / FILMSTRIPS / f"{name}.png" for name in names}
    return CohortData(
        results=tuple(read_results(runs, read_events(events))),
        histories=tuple(histories),
        seconds=dict(zip(names, runs["seconds"].to_pylist(), strict=True)),
        filmstrips={name: read_filmstrip(picture) for name, picture in pictures.items() if picture.is_file()},
    )


def _check_complete(
    path: Path,
    names: Sequence[str],
    results: Mapping[str, RunResult],
    histories: Mapping[str, History],
    data: CohortData,
) -> None:
    for what, given in (("results", results), ("histories", histories), ("seconds", data.seconds)):
        if set(given) != set(names):
            raise ValueError(f"cohort {path.name}: {what} of {sorted(given)} instead of {sorted(names)}")
    if strangers := set(data.filmstrips) - set(names):
        raise ValueError(f"cohort {path.name}: filmstrips of {sorted(strangers)}")
