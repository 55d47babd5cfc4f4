"""One finished cohort as a folder: tables, pictures, weights. Imports records, spec and the store's parts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
from numpy.typing import NDArray

from stability.records import History, Machine, RunResult
from stability.spec import Run
from stability.store.checkpoints import encode_checkpoint
from stability.store.files import folder_at_once, write_flushed
from stability.store.filmstrips import FilmStrip, encode_filmstrip, read_filmstrip
from stability.store.latent_views import LatentView, encode_latent_view
from stability.store.seals import DIGESTS, encode_digests, sha256
from stability.store.states import CohortState, encode_state, state_name
from stability.store.tables import (
    RunRow,
    encode_table,
    evaluations_table,
    events_table,
    read_events,
    read_histories,
    read_machine,
    read_results,
    records_table,
    runs_table,
)

FILMSTRIPS = "filmstrips"
LATENT = "latent"
WEIGHTS = "weights"


@dataclass(frozen=True, slots=True)
class CohortData:
    """All that is kept of a finished cohort."""

    results: tuple[RunResult, ...]
    histories: tuple[History, ...]
    seconds: Mapping[str, float]
    """By run: its share of the cohort's training time."""
    filmstrips: Mapping[str, FilmStrip]
    """By run; a run that stopped before its first visit has none."""
    weights: Mapping[str, Mapping[str, NDArray[Any]]] = field(default_factory=dict)
    """By run: its last weights by network and parameter, as `generator.body.0.weight`; none unless asked."""
    latent_views: Mapping[str, LatentView] = field(default_factory=dict)
    """By run; none unless weights are kept."""
    machine: Machine | None = None
    """Where they were trained; None where an older release did it."""
    state: CohortState | None = None
    """None unless asked for."""


def write_cohort_folder(path: Path, runs: Sequence[Run], data: CohortData) -> None:
    """Write the cohort, all or nothing, its rows in the order of runs; the folder's name is the cohort's.

    Raises `ValueError`: data is not of exactly these runs, or the cohort is already there;
    `StabilityError`: it cannot be written.
    """
    with folder_at_once(path) as folder:
        (folder / FILMSTRIPS).mkdir()
        for relative, content in cohort_files(path, runs, data):
            (folder / relative).parent.mkdir(exist_ok=True)
            write_flushed(folder / relative, content)


def cohort_files(path: Path, runs: Sequence[Run], data: CohortData) -> Iterator[tuple[Path, bytes]]:
    """Where each file of a cohort belongs in its folder, and what it holds, digests last; made one by one.

    Raises `ValueError`: data is not of exactly these runs.
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
            machine=data.machine,
        )
        for run in runs
    ]
    tables = {
        "runs": runs_table(rows),
        "records": records_table([record for name in names for record in histories[name].records]),
        "evaluations": evaluations_table([visit for name in names for visit in histories[name].evaluations]),
        "events": events_table([results[name] for name in names]),
    }
    digests: dict[str, str] = {}
    for relative, content in _files(tables, data):
        digests[relative.as_posix()] = sha256(content)
        yield relative, content
    yield Path(DIGESTS), encode_digests(digests)


def _files(tables: Mapping[str, pa.Table], data: CohortData) -> Iterator[tuple[Path, bytes]]:
    for name, table in tables.items():
        yield Path(f"{name}.parquet"), encode_table(table)
    for run, strip in data.filmstrips.items():
        if strip.images.size:
            yield Path(FILMSTRIPS, f"{run}.png"), encode_filmstrip(strip)
    for run, weights in data.weights.items():
        yield Path(WEIGHTS, f"{run}.safetensors"), encode_checkpoint(weights, {"run": run})
    for run, view in data.latent_views.items():
        yield Path(LATENT, f"{run}.png"), encode_latent_view(view)
    if data.state is not None:
        yield Path(state_name(data.state.horizon)), encode_state(data.state)


def read_cohort_folder(path: Path, tables: Mapping[str, pa.Table]) -> CohortData:
    """Read a cohort back; its tables are given by name, for newer ones may be pending elsewhere.

    State, weights and latent views are left where they are: `Store` reads them by themselves.

    Raises `StabilityError`: a filmstrip is damaged.
    """
    runs = tables["runs"]
    histories = read_histories(runs, tables["records"], tables["evaluations"])
    names: list[str] = runs["run"].to_pylist()
    pictures = {name: path / FILMSTRIPS / f"{name}.png" for name in names}
    return CohortData(
        results=tuple(read_results(runs, read_events(tables["events"]))),
        histories=tuple(histories),
        seconds=dict(zip(names, runs["seconds"].to_pylist(), strict=True)),
        filmstrips={name: read_filmstrip(picture) for name, picture in pictures.items() if picture.is_file()},
        machine=read_machine(runs),
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
    for what, found in (
        ("filmstrips", data.filmstrips),
        ("weights", data.weights),
        ("latent views", data.latent_views),
    ):
        if strangers := set(found) - set(names):
            raise ValueError(f"cohort {path.name}: {what} of {sorted(strangers)}")
