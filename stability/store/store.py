"""The results folder of a study: what is planned, what is finished, what is under way.

The only file I/O for runs. Imports records, spec and errors; never torch, optuna or the engine.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
from numpy.typing import NDArray

from stability.errors import StabilityError
from stability.records import RunResult
from stability.spec import Run
from stability.store.checkpoints import Arrays, DamagedCheckpoint, decode_checkpoint, encode_checkpoint
from stability.store.cohorts import (
    FILMSTRIPS,
    LATENT,
    WEIGHTS,
    CohortData,
    read_cohort_folder,
    write_cohort_folder,
)
from stability.store.files import check_writable, replace_file, sweep, told
from stability.store.labels import STUDY, apply_pending, commit_labels, current
from stability.store.lock import locked
from stability.store.plan import Plan
from stability.store.tables import (
    SCHEMAS,
    encode_table,
    events_table,
    read_events,
    read_results,
    read_table,
    relabelled_rows,
    runs_table,
)

PLAN = "plan.json"
ENVIRONMENT = "environment.json"
LOCK = ".lock"
COHORTS = "cohorts"
CHECKPOINTS = "checkpoints"

TableName = Literal["runs", "records", "evaluations", "events"]


class Store:
    """A study's results folder.

    Anyone may read at any time. Whoever writes holds `lock()`; every write is whole or absent.
    """

    def __init__(self, folder: Path, plan: Plan) -> None:
        """Use `create` or `open`."""
        self.folder = folder
        self._plan = plan
        self._cohort_of = _cohort_of(plan)

    @classmethod
    def create(cls, folder: Path, *, study_yaml: str, plan: Plan, environment: Mapping[str, Any]) -> Store:
        """Lay a new results folder: study, environment and, last, the plan, which makes it a study.

        Raises `StabilityError`: the folder cannot be written, holds a study or something else, or is in
        use.
        """
        folder = Path(folder)
        with told(folder):
            folder.mkdir(parents=True, exist_ok=True)
        _check_free(folder, study_yaml)
        with locked(folder / LOCK):
            _check_free(folder, study_yaml)
            replace_file(folder / STUDY, study_yaml.encode())
            replace_file(folder / ENVIRONMENT, _json(environment))
            with told(folder):
                (folder / COHORTS).mkdir(exist_ok=True)
                (folder / CHECKPOINTS).mkdir(exist_ok=True)
            replace_file(folder / PLAN, plan.to_json().encode())
        return cls(folder, plan)

    @staticmethod
    def check_creatable(folder: Path, study_yaml: str) -> None:
        """Find out, without writing anything, what `create` would refuse.

        Raises `StabilityError`: the folder cannot be written, or holds a study or something else.
        """
        folder = Path(folder)
        check_writable(folder)
        if folder.is_dir():
            _check_free(folder, study_yaml)

    @classmethod
    def open(cls, folder: Path) -> Store:
        """Open an existing results folder, to read or to go on.

        Raises `StabilityError`: it is missing, holds no study, or another format version wrote it.
        """
        folder = Path(folder)
        return cls(folder, _read_plan(folder))

    @staticmethod
    def holds_study(folder: Path) -> bool:
        """Whether there is something to open."""
        return (Path(folder) / PLAN).is_file()

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Be the one writer for the block; first clear up after a killed one, and reread the plan.

        Raises `StabilityError`: another writer is at work; its pid, host and start are named.
        """
        with locked(self.folder / LOCK):
            with told(self.folder):
                for folder in (self.folder, self.folder / COHORTS, self.folder / CHECKPOINTS):
                    folder.mkdir(exist_ok=True)
                    sweep(folder)
            apply_pending(self.folder)
            self._set_plan(_read_plan(self.folder))
            yield

    @property
    def plan(self) -> Plan:
        """The plan, as it was when the store was opened, locked or last given one."""
        return self._plan

    def replace_plan(self, plan: Plan) -> None:
        """Put another plan in force, such as one with more runs."""
        replace_file(self.folder / PLAN, plan.to_json().encode())
        self._set_plan(plan)

    @property
    def study_yaml(self) -> str:
        """The text of the resolved study file, with the thresholds that the labels were made with."""
        return self._read_text(Path(STUDY))

    @property
    def environment(self) -> dict[str, Any]:
        """What the study was started with: versions, threads, device, hashes."""
        try:
            environment: dict[str, Any] = json.loads(self._read_text(Path(ENVIRONMENT)))
        except ValueError:
            raise StabilityError(f"{self.folder / ENVIRONMENT}: damaged, this is no JSON") from None
        return environment

    def replace_environment(self, environment: Mapping[str, Any]) -> None:
        """Write another environment, such as one that lists where the study was resumed."""
        replace_file(self.folder / ENVIRONMENT, _json(environment))

    def finished(self) -> set[str]:
        """The planned cohorts that are complete."""
        return {cohort.id for cohort in self._plan.cohorts if self._cohort(cohort.id).is_dir()}

    def write_cohort(self, cohort_id: str, data: CohortData) -> None:
        """Keep a finished cohort, all or nothing, and drop its checkpoint.

        Raises `ValueError`: data is not of exactly the planned runs, or the cohort is already finished;
        `StabilityError`: it cannot be written; then nothing of it is there.
        """
        write_cohort_folder(self._cohort(cohort_id), self._runs(cohort_id), data)
        self.drop_checkpoint(cohort_id)

    def read_cohort(self, cohort_id: str) -> CohortData:
        """All that was kept of a finished cohort but its weights and latent views, which are read by run.

        Raises `StabilityError`: it is not finished, or a file is damaged.
        """
        folder = self._cohort(cohort_id)
        with told(folder):
            return read_cohort_folder(folder, self.table(cohort_id, "runs"), self.table(cohort_id, "events"))

    def read_results(self, cohort_id: str) -> list[RunResult]:
        """How the runs of a finished cohort ended; reads neither records nor pictures.

        Raises `StabilityError`: it is not finished, or a file is damaged.
        """
        return read_results(self.table(cohort_id, "runs"), read_events(self.table(cohort_id, "events")))

    def table(self, cohort_id: str, name: TableName) -> pa.Table:
        """One table of a finished cohort, typed as `stability.store.tables` says.

        Raises `StabilityError`: the cohort is not finished, or the file is damaged.
        """
        with told(self._cohort(cohort_id)):
            try:
                return read_table(self._table_path(cohort_id, name), SCHEMAS[name])
            except FileNotFoundError:  # pending labels have just moved to their place
                return read_table(self._table_path(cohort_id, name), SCHEMAS[name])

    def write_checkpoint(
        self, cohort_id: str, arrays: Mapping[str, NDArray[Any]], note: Mapping[str, Any]
    ) -> None:
        """Keep the state of a cohort under way in place of its last one; the note is JSON, floats exact."""
        replace_file(self._checkpoint(cohort_id), encode_checkpoint(arrays, note))

    def read_checkpoint(self, cohort_id: str) -> tuple[Arrays, dict[str, Any]] | DamagedCheckpoint | None:
        """The state of a cohort under way, None where there is none; a damaged one says why."""
        path = self._checkpoint(cohort_id)
        try:
            content = path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            return DamagedCheckpoint(f"{path}: {error.strerror}")
        read = decode_checkpoint(content)
        return DamagedCheckpoint(f"{path}: {read.reason}") if isinstance(read, DamagedCheckpoint) else read

    def drop_checkpoint(self, cohort_id: str) -> None:
        """Remove a cohort's checkpoint, if there is one."""
        path = self._checkpoint(cohort_id)
        with told(path):
            path.unlink(missing_ok=True)

    def relabel(self, results: Mapping[str, RunResult], *, study_yaml: str) -> None:
        """Give every finished run its new result, and the study file its new thresholds, all at once.

        Records and evaluations are not touched.

        Raises `ValueError`: a finished run has no new result; `StabilityError`: they cannot be written;
        the old labels then hold.
        """
        tables = {cohort: self._relabelled(cohort, results) for cohort in sorted(self.finished())}
        commit_labels(self.folder, tables, study_yaml.encode())

    def picture(self, run: str) -> Path:
        """Where a run's filmstrip is, if it has one.

        Raises `StabilityError`: no such run is planned.
        """
        return self._cohort_folder(run) / FILMSTRIPS / f"{run}.png"

    def latent_view(self, run: str) -> Path:
        """Where a run's latent view is, if it has one.

        Raises `StabilityError`: no such run is planned.
        """
        return self._cohort_folder(run) / LATENT / f"{run}.png"

    def weights(self, run: str) -> Arrays:
        """A finished run's last weights by network and parameter, such as `generator.body.0.weight`.

        Beside `generator.*` and `discriminator.*` there is `average.*` where its ema_decay is above 0.
        Raises `StabilityError`: no such run is planned, it has not finished, its weights were not kept, or
        the file is damaged.
        """
        folder = self._cohort_folder(run)
        path = folder / WEIGHTS / f"{run}.safetensors"
        if not folder.is_dir():
            raise StabilityError(f"{self.folder}: {run} has not finished yet")
        if not path.is_file():
            raise StabilityError(f"{self.folder}: {run} was trained without recording.keep_weights")
        with told(path):
            read = decode_checkpoint(path.read_bytes())
        if isinstance(read, DamagedCheckpoint):
            raise StabilityError(f"{path}: damaged, {read.reason}")
        return read[0]

    def _cohort_folder(self, run: str) -> Path:
        if run not in self._cohort_of:
            raise StabilityError(f"{self.folder}: no run {run!r}")
        return self._cohort(self._cohort_of[run])

    def _relabelled(self, cohort_id: str, results: Mapping[str, RunResult]) -> dict[str, bytes]:
        kept = self.table(cohort_id, "runs")
        if missing := [run for run in kept["run"].to_pylist() if run not in results]:
            raise ValueError(f"no new result for {missing[0]}")
        rows = relabelled_rows(kept, {run.run: run for run in self._runs(cohort_id)}, results)
        return {
            "runs": encode_table(runs_table(rows)),
            "events": encode_table(events_table([row.result for row in rows])),
        }

    def _runs(self, cohort_id: str) -> list[Run]:
        runs = {run.run: run for run in self._plan.runs}
        return [runs[name] for cohort in self._plan.cohorts if cohort.id == cohort_id for name in cohort.runs]

    def _cohort(self, cohort_id: str) -> Path:
        return self.folder / COHORTS / cohort_id

    def _checkpoint(self, cohort_id: str) -> Path:
        return self.folder / CHECKPOINTS / f"{cohort_id}.safetensors"

    def _table_path(self, cohort_id: str, name: str) -> Path:
        return current(self.folder, Path(COHORTS, cohort_id, f"{name}.parquet"))

    def _read_text(self, relative: Path) -> str:
        path = current(self.folder, relative)
        with told(path):
            try:
                return path.read_text(encoding="utf-8")
            except UnicodeDecodeError:
                raise StabilityError(f"{path}: damaged, this is no text") from None

    def _set_plan(self, plan: Plan) -> None:
        self._plan = plan
        self._cohort_of = _cohort_of(plan)


def _cohort_of(plan: Plan) -> dict[str, str]:
    return {run: cohort.id for cohort in plan.cohorts for run in cohort.runs}


def _read_plan(folder: Path) -> Plan:
    path = folder / PLAN
    if not folder.is_dir():
        raise StabilityError(f"{folder}: no such results folder")
    if not path.is_file():
        raise StabilityError(f"{folder}: not a study's results, it has no {PLAN}")
    with told(path):
        return Plan.from_json(path.read_bytes(), source=str(path))


def _check_free(folder: Path, study_yaml: str) -> None:
    """Refuse a folder with anything in it but what a killed `create` of the same study may have left.

    A study file that says anything else is its owner's, and must not be written over.
    """
    if (folder / PLAN).exists():
        raise StabilityError(f"{folder}: already holds a study")
    with told(folder):
        study = folder / STUDY
        ours = study.is_file() and study.read_bytes() == study_yaml.encode()
        own = {STUDY, ENVIRONMENT, COHORTS, CHECKPOINTS} if ours else set()
        others = sorted(
            entry.name for entry in folder.iterdir() if entry.name not in own and entry.name[0] != "."
        )
    if others:
        raise StabilityError(f"{folder}: not empty and not a study's results, it holds {others[0]!r}")


def _json(value: Mapping[str, Any]) -> bytes:
    return (json.dumps(dict(value), indent=1, sort_keys=True, ensure_ascii=False) + "\n").encode()
