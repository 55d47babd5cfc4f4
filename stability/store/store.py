"""The results folder of a study: what is planned, what is finished, what is under way.

The only file I/O for runs. Imports records, spec and errors; never torch, optuna or the engine.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, get_args

import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from stability.errors import StabilityError
from stability.records import RunResult
from stability.spec import Run
from stability.spec.loader import parse_study
from stability.store.ages import without_retired
from stability.store.checkpoints import Arrays, DamagedCheckpoint, decode_checkpoint, encode_checkpoint
from stability.store.claims import claims, in_the_hands_of_jobs
from stability.store.cohorts import (
    FILMSTRIPS,
    LATENT,
    WEIGHTS,
    CohortData,
    cohort_files,
    read_cohort_folder,
    write_cohort_folder,
)
from stability.store.error_hint import advised
from stability.store.files import check_writable, os_errors_as_stability, replace_file, sweep
from stability.store.folder import (
    CHECKPOINTS,
    ENVIRONMENT,
    LOCK,
    OTHER_DIGEST,
    PLAN,
    STUDY,
    UNSEALED,
    check_free,
    read_file,
    read_plan,
    read_text_file,
    with_study_digest,
)
from stability.store.lock import locked, signature
from stability.store.older_labels import is_older, labelled_anew
from stability.store.plan import Plan
from stability.store.seals import (
    DIGESTS,
    SEAL,
    decode_digests,
    encode_digests,
    is_whole,
    json_lines,
    seal_text,
    sha256,
    unsealed_text,
)
from stability.store.states import state_horizon
from stability.store.tables import (
    SCHEMAS,
    decode_table,
    encode_table,
    events_table,
    planned_fields,
    read_events,
    read_results,
    relabelled_rows,
    runs_table,
    whole_parquet,
)
from stability.store.transaction import COHORTS, apply_pending, commit_changes, current

TableName = Literal["runs", "records", "evaluations", "events"]
LABEL_TABLES = ("runs", "events")


class Store:
    """A study's results folder.

    Anyone may read at any time. Whoever writes holds `lock()`; every write is whole or absent.
    """

    def __init__(self, folder: Path, plan: Plan) -> None:
        """Use `create` or `open`."""
        self.folder = folder
        self._bound: tuple[Path, bytes] | None = None
        self._set_plan(plan)

    @classmethod
    def create(cls, folder: Path, *, study_yaml: str, plan: Plan, environment: Mapping[str, Any]) -> Store:
        """Lay a new results folder, as `created` does, and let go of its lock."""
        with cls.created(folder, study_yaml=study_yaml, plan=plan, environment=environment) as store:
            return store

    @classmethod
    @contextmanager
    def created(
        cls, folder: Path, *, study_yaml: str, plan: Plan, environment: Mapping[str, Any]
    ) -> Iterator[Store]:
        """Lay a new results folder: study, environment and, last, the plan, which makes it a study.

        For the block its lock is held without a gap, so that of several that begin at once one goes on.

        Raises `StabilityError`: the folder cannot be written, holds a study or something else, or is in
        use.
        """
        folder = Path(folder)
        with os_errors_as_stability(folder):
            folder.mkdir(parents=True, exist_ok=True)
        if not cls.holds_study(folder):  # else its owner, if it is in use, is told by the lock
            check_free(folder, study_yaml, may_be_laid=True)
        with locked(folder / LOCK):
            check_free(folder, study_yaml)
            with os_errors_as_stability(folder):
                sweep(folder)
            replace_file(folder / STUDY, seal_text(study_yaml))
            replace_file(folder / ENVIRONMENT, json_lines(with_study_digest(environment, study_yaml)))
            with os_errors_as_stability(folder):
                (folder / COHORTS).mkdir(exist_ok=True)
                (folder / CHECKPOINTS).mkdir(exist_ok=True)
            replace_file(folder / PLAN, plan.to_json().encode())
            store = cls(folder, plan)
            with store.staying():
                yield store

    @staticmethod
    def check_creatable(folder: Path, study_yaml: str) -> None:
        """Find out, without writing anything, what `created` would refuse.

        A plan that has just been laid there is no reason: its writer holds the lock.

        Raises `StabilityError`: the folder cannot be written, or holds something else.
        """
        folder = Path(folder)
        check_writable(folder)
        if folder.is_dir():
            check_free(folder, study_yaml, may_be_laid=True)

    @classmethod
    def open(cls, folder: Path) -> Store:
        """Open an existing results folder, to read or to go on.

        Raises `StabilityError`: it is missing, holds no study, or another format version wrote it.
        """
        folder = Path(folder)
        return cls(folder, read_plan(folder))

    @staticmethod
    def holds_study(folder: Path) -> bool:
        """Whether there is something to open."""
        return (Path(folder) / PLAN).is_file()

    @contextmanager
    def lock(self, *, patience: float = 0.0, beside_jobs: bool = False) -> Iterator[None]:
        """Be the one writer for the block; first clear up after a killed one, and reread the plan.

        Raises `StabilityError`: another writer is at work, and still after so many seconds; its pid, host and
        start are named. Also, unless told that this is `beside_jobs`, where jobs of a cluster have cohorts.
        """
        with locked(self.folder / LOCK, patience=patience):
            claimed = [claim.cohort for claim in claims(self.folder) if not self.is_finished(claim.cohort)]
            if claimed and not beside_jobs:
                raise in_the_hands_of_jobs(self.folder, claimed)
            with os_errors_as_stability(self.folder):
                for folder in (self.folder, self.folder / COHORTS, self.folder / CHECKPOINTS):
                    folder.mkdir(exist_ok=True)
                    sweep(folder, spare=claimed)
            apply_pending(self.folder)
            self._set_plan(read_plan(self.folder))
            for cohort in self.finished():
                self.drop_checkpoint(cohort)
            with self.staying():
                yield

    @contextmanager
    def staying(self, signed: bytes | None = None, file: Path = Path(LOCK)) -> Iterator[None]:
        """For the block, write only where the lock's file, or a job's claim, is as it is or as it was signed.

        While a study trains for days, its folder may be removed, and even another study laid in its place.

        Raises `StabilityError`: it is not as it was.
        """
        self._bound = file, signature(self.folder / file) if signed is None else signed
        try:
            self.check_stayed()
            yield
        finally:
            self._bound = None

    @property
    def signed(self) -> bytes | None:
        """What the lock's file has to hold while this is written to."""
        return None if self._bound is None else self._bound[1]

    def check_stayed(self) -> None:
        """Raise `StabilityError` where the folder is not the one any more that is written to."""
        if self._bound is not None and signature(self.folder / self._bound[0]) != self._bound[1]:
            raise StabilityError(f"{self.folder}: was removed or replaced while it was written to")

    @property
    def plan(self) -> Plan:
        """The plan, as it was when the store was opened, locked or last given one."""
        return self._plan

    def replace_plan(self, plan: Plan) -> None:
        """Put another plan in force, such as one with more runs."""
        self.check_stayed()
        replace_file(self.folder / PLAN, plan.to_json().encode())
        self._set_plan(plan)

    def extend(self, plan: Plan, *, study_yaml: str, environment: Mapping[str, Any]) -> None:
        """Put a longer plan in force together with the study file that asks for it, all at once.

        Raises `StabilityError`: they cannot be written; the old ones then hold.
        """
        files = {
            Path(PLAN): plan.to_json().encode(),
            Path(STUDY): seal_text(study_yaml),
            Path(ENVIRONMENT): json_lines(with_study_digest(environment, study_yaml)),
        }
        self.check_stayed()
        commit_changes(self.folder, files)
        self._set_plan(plan)

    @property
    def study_yaml(self) -> str:
        """The text of the resolved study file, with the thresholds that the labels were made with.

        Raises `StabilityError`: it is missing, or has been cut or changed since it was written.
        """
        with advised(self.folder):
            content = read_text_file(self.folder, STUDY)
            if is_whole(content) is None:  # in YAML, unlike in JSON, nothing else would tell a lost end
                raise StabilityError(f"{self.folder / STUDY}: {UNSEALED}")
            return without_retired(unsealed_text(content).decode())

    @property
    def environment(self) -> dict[str, Any]:
        """What the study was started with: versions, threads, device, hashes.

        Raises `StabilityError`: it is missing, or has been cut or changed since it was written.
        """
        with advised(self.folder):
            content = read_text_file(self.folder, ENVIRONMENT)
            try:
                environment: dict[str, Any] = json.loads(content)
                return {name: value for name, value in environment.items() if name != SEAL}
            except (ValueError, AttributeError, RecursionError):
                raise StabilityError(f"{self.folder / ENVIRONMENT}: damaged, this is no JSON") from None

    def replace_environment(self, environment: Mapping[str, Any]) -> None:
        """Write another environment, such as one that lists where the study was resumed."""
        self.check_stayed()
        replace_file(self.folder / ENVIRONMENT, json_lines(environment))

    def finished(self) -> set[str]:
        """The planned cohorts that are complete: trained to the plan's horizon."""
        return {cohort.id for cohort in self._plan.cohorts if self.is_finished(cohort.id)}

    def is_finished(self, cohort_id: str) -> bool:
        """Whether this cohort is complete: trained to the plan's horizon."""
        there = self._cohort(cohort_id)
        return there.is_dir() and state_horizon(there) in (None, self._plan.horizon)

    def write_cohort(self, cohort_id: str, data: CohortData) -> None:
        """Keep a finished cohort, all or nothing, and drop its checkpoint.

        Raises `ValueError`: data is not of exactly the planned runs, or the cohort is already finished;
        `StabilityError`: it cannot be written; then nothing of it is there.
        """
        self.check_stayed()
        write_cohort_folder(self._cohort(cohort_id), self.runs_of(cohort_id), data)
        self.drop_checkpoint(cohort_id)

    def keep_cohort(self, cohort_id: str, data: CohortData) -> None:
        """Keep what is known of a cohort so far in the place of what was kept before, all or nothing.

        Raises as `write_cohort`.
        """
        folder = self._cohort(cohort_id)
        if not folder.is_dir():
            self.write_cohort(cohort_id, data)
            return
        self.check_stayed()
        files = cohort_files(folder, self.runs_of(cohort_id), data)
        commit_changes(
            self.folder, {Path(COHORTS, cohort_id) / relative: content for relative, content in files}
        )

    def read_cohort(self, cohort_id: str) -> CohortData:
        """All that was kept of a finished cohort but its weights and latent views, which are read by run.

        Raises `StabilityError`: it is not finished, or a file is damaged.
        """
        folder, names = self._cohort(cohort_id), get_args(TableName)
        with advised(self.folder), os_errors_as_stability(folder):
            return read_cohort_folder(folder, {name: self.table(cohort_id, name) for name in names})

    def read_results(self, cohort_id: str) -> list[RunResult]:
        """How the runs of a finished cohort ended; reads neither records nor pictures.

        Raises `StabilityError`: it is not finished, or a file is damaged.
        """
        return read_results(self.table(cohort_id, "runs"), read_events(self.table(cohort_id, "events")))

    def table(self, cohort_id: str, name: TableName) -> pa.Table:
        """One table of a finished cohort, typed as `stability.store.tables` says, labels by today's rules.

        Raises `StabilityError`: the cohort is not finished, or the file is damaged, not as it was written, or
        not of the plan's runs.
        """
        with advised(self.folder):
            if name in LABEL_TABLES and self.has_older_labels(cohort_id):
                return self._labelled_anew(cohort_id, name)
            return self._stored_table(cohort_id, name)

    def has_older_labels(self, cohort_id: str) -> bool:
        """Whether an older release labelled a finished cohort; relabelling stores today's labels."""
        content = self.read_cohort_file(cohort_id, "events.parquet")
        with whole_parquet(str(self._cohort(cohort_id) / "events.parquet")):
            return is_older(pq.read_schema(io.BytesIO(content)))

    def _labelled_anew(self, cohort_id: str, name: TableName) -> pa.Table:
        runs, records, evaluations = (
            self._stored_table(cohort_id, stored) for stored in ("runs", "records", "evaluations")
        )
        thresholds = parse_study(self.study_yaml, source=str(self.folder / STUDY)).outcomes
        results = labelled_anew(runs, records, evaluations, thresholds, horizon=self.plan.horizon)
        rows = relabelled_rows(runs, {run.run: run for run in self.runs_of(cohort_id)}, results)
        return runs_table(rows) if name == "runs" else events_table(list(results.values()))

    def _stored_table(self, cohort_id: str, name: TableName) -> pa.Table:
        return self.decoded_table(cohort_id, name, self.read_cohort_file(cohort_id, f"{name}.parquet"))

    def decoded_table(self, cohort_id: str, name: TableName, content: bytes) -> pa.Table:
        """A table of a finished cohort from the content of its file, which is held against the plan.

        Raises `StabilityError`: it is damaged, or not of the plan's runs.
        """
        path = self._cohort(cohort_id) / f"{name}.parquet"
        table = decode_table(content, SCHEMAS[name], source=str(path))
        if name == "runs":
            self._check_planned(cohort_id, table)
        return table

    def read_cohort_file(self, cohort_id: str, file: str) -> bytes:
        """A file of a finished cohort, by its name there, as it was written.

        Raises `StabilityError`: it is missing, or its digest is another now.
        """
        relative = Path(COHORTS, cohort_id, file)
        for _ in range(2):  # labels may change between the two readings
            digests = self.digests(cohort_id) or {}
            content = read_file(self.folder, relative)
            if digests.get(file) in (None, sha256(content)):
                return content
        raise StabilityError(f"{self.folder / relative}: damaged, {OTHER_DIGEST}")

    def write_checkpoint(
        self, cohort_id: str, arrays: Mapping[str, NDArray[Any]], note: Mapping[str, Any]
    ) -> None:
        """Keep the state of a cohort under way in place of its last one; the note is JSON, floats exact."""
        self.check_stayed()
        replace_file(self.checkpoint_path(cohort_id), encode_checkpoint(arrays, note))

    def read_checkpoint(self, cohort_id: str) -> tuple[Arrays, dict[str, Any]] | DamagedCheckpoint | None:
        """The state of a cohort under way, None where there is none; a damaged one says why."""
        path = self.checkpoint_path(cohort_id)
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
        self.check_stayed()
        path = self.checkpoint_path(cohort_id)
        with os_errors_as_stability(path):
            path.unlink(missing_ok=True)

    def relabel(self, results: Mapping[str, RunResult], *, study_yaml: str) -> None:
        """Give every finished run its new result, and the study file its new thresholds, all at once.

        Records and evaluations are not touched.

        Raises `ValueError`: a finished run has no new result; `StabilityError`: they cannot be written;
        the old labels then hold.
        """
        environment = with_study_digest(self.environment, study_yaml)
        files = {Path(STUDY): seal_text(study_yaml), Path(ENVIRONMENT): json_lines(environment)}
        for cohort in sorted(self.finished()):
            files |= self._relabelled(cohort, results)
        self.check_stayed()
        commit_changes(self.folder, files)

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
        with advised(self.folder), os_errors_as_stability(path):
            read = decode_checkpoint(path.read_bytes())
            if isinstance(read, DamagedCheckpoint):
                raise StabilityError(f"{path}: damaged, {read.reason}")
        return read[0]

    def _cohort_folder(self, run: str) -> Path:
        if run not in self._cohort_of:
            raise StabilityError(f"{self.folder}: no run {run!r}")
        return self._cohort(self._cohort_of[run])

    def _relabelled(self, cohort_id: str, results: Mapping[str, RunResult]) -> dict[Path, bytes]:
        kept = self.table(cohort_id, "runs")
        if missing := [run for run in kept["run"].to_pylist() if run not in results]:
            raise ValueError(f"no new result for {missing[0]}")
        rows = relabelled_rows(kept, {run.run: run for run in self.runs_of(cohort_id)}, results)
        files = {
            "runs.parquet": encode_table(runs_table(rows)),
            "events.parquet": encode_table(events_table([row.result for row in rows])),
        }
        digests = self.digests(cohort_id)
        if digests is not None:
            files[DIGESTS] = encode_digests(
                digests | {name: sha256(content) for name, content in files.items()}
            )
        return {Path(COHORTS, cohort_id, name): content for name, content in files.items()}

    def digests(self, cohort_id: str) -> dict[str, str] | None:
        """The SHA-256 of a finished cohort's files by name; None where it was written without them.

        Raises `StabilityError`: they are damaged.
        """
        relative = Path(COHORTS, cohort_id, DIGESTS)
        if not current(self.folder, relative).is_file():
            return None
        digests = decode_digests(read_file(self.folder, relative))
        if digests is None:
            raise StabilityError(f"{self.folder / relative}: damaged, these are no digests")
        return digests

    def _check_planned(self, cohort_id: str, runs: pa.Table) -> None:
        """Everything is joined by what a runs table says of the design, so it must be the plan's."""
        path = self._cohort(cohort_id) / "runs.parquet"
        planned = [planned_fields(run, cohort_id) for run in self.runs_of(cohort_id)]
        if runs["run"].to_pylist() != [fields["run"] for fields in planned]:
            raise StabilityError(f"{path}: does not hold the planned runs")
        for found, fields in zip(runs.to_pylist(), planned, strict=True):
            if any(found[name] != value for name, value in fields.items()):
                raise StabilityError(f"{path}: {fields['run']} was trained otherwise than planned")

    def runs_of(self, cohort_id: str) -> list[Run]:
        """A planned cohort's runs, in its order."""
        return self._runs_of.get(cohort_id, [])

    def _cohort(self, cohort_id: str) -> Path:
        return self.folder / COHORTS / cohort_id

    def checkpoint_path(self, cohort_id: str) -> Path:
        """Where the state of a cohort under way is, if it has one."""
        return self.folder / CHECKPOINTS / f"{cohort_id}.safetensors"

    def _set_plan(self, plan: Plan) -> None:
        self._plan = plan
        self._cohort_of = {run: cohort.id for cohort in plan.cohorts for run in cohort.runs}
        runs = {run.run: run for run in plan.runs}
        self._runs_of = {cohort.id: [runs[name] for name in cohort.runs] for cohort in plan.cohorts}
