"""Slurm, by submitit: jobs train cohorts in the study's own folder, on a disk that all machines share.

Jobs need nobody beside them. They write whole or absent, as the processes of one machine do, say in the
folder how far they are, and are queued again by Slurm where it preempts them or their time is over. Whoever
starts the study again finds in its claims what is under way.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

import submitit
from submitit.slurm.slurm import SlurmInfoWatcher

from stability.errors import StabilityError
from stability.runner.crew import Said
from stability.runner.ends import Died, End, Finished, Refused, Short, Stopped
from stability.runner.engines.options import SlurmOptions
from stability.runner.engines.slurm_job import Order, TrainCohorts
from stability.runner.job import Setup
from stability.store import PlannedCohort, Store
from stability.store.claims import JOBS, Claim, ask_to_stop, claims, new_claim

LOOK_SECONDS = 5.0
"""Between two looks at what jobs say."""
ASK_SECONDS = 60
"""Between two questions to Slurm, for all jobs at once."""
LAG_SECONDS = 20.0
"""How long after the end of a job something that it wrote may come into sight on a shared disk."""
LEAVING_SECONDS = 180.0
"""How long jobs may take to notice that they are to stop, and to write their checkpoints."""
MOST_TIMEOUTS = 1_000
"""Of a job; every one ends with a checkpoint."""
GAVE_WAY = ("PREEMPTED", "NODE_FAIL", "BOOT_FAIL", "REVOKED")
"""How jobs end that are not to blame."""


@dataclass(slots=True)
class _Watched:
    """A cohort that a job has, or is to have."""

    cohort: PlannedCohort
    claim: Claim
    future: Future[End] = field(default_factory=Future)
    job: submitit.Job[None] | None = None
    """None until it is sent."""
    heard: dict[str, Any] = field(default_factory=lambda: {"trained": 0, "skipped": 0, "notes": []})
    over_since: float | None = None


class SlurmEngine:
    """The queue of a cluster. Use as a context manager."""

    def __init__(self, setup: Setup, store: Store, options: SlurmOptions, *, detach: bool = False) -> None:
        self._setup, self._store, self._options, self._detach = setup, store, options, detach
        self._study = store.folder.resolve()
        self._watched: list[_Watched] = []
        self._deadline: float | None = None

    def __enter__(self) -> SlurmEngine:
        logs = self._study / JOBS / "logs"
        logs.mkdir(parents=True, exist_ok=True)
        ask_to_stop(self._study, stop=False)
        self._executor = _executor(logs, self._options, self._setup.spec.name)
        planned = {cohort.id for cohort in self._store.plan.cohorts}
        self._found = {claim.cohort: claim for claim in claims(self._study)}
        for claim in list(self._found.values()):
            if claim.cohort not in planned or self._store.is_finished(claim.cohort):
                self._found.pop(claim.cohort).release()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for watched in self._watched if not self._detach else ():
            self._give_up(watched)

    @property
    def capacity(self) -> int:
        """What the array has room for, or as many as asked for."""
        return self._setup.resources.workers or self._options.array * self._options.cohorts_per_job

    def submit(self, cohort: PlannedCohort) -> Future[End]:
        """Leave it to the job that has it, or send one with the next ones."""
        claim = self._found.pop(cohort.id, None)
        job = None if claim is None else self._job_of(claim)
        if claim is None or job is None:
            claim = new_claim(self._study, cohort.id)
        self._watched.append(_Watched(cohort, claim, job=job))
        return self._watched[-1].future

    def listen(self) -> Iterator[Said]:
        """Send jobs for what has none; then look what every job has said, and whether it is over."""
        if waiting := [watched for watched in self._watched if watched.job is None]:
            self._send(waiting)
        time.sleep(LOOK_SECONDS)
        for watched in self._watched:
            yield from self._look(watched)
        self._forget_ended()

    def stop(self) -> None:
        """Ask those at work to leave and cancel those that wait; or let all go on without us."""
        self._deadline = time.monotonic() + LEAVING_SECONDS
        if not self._detach:
            ask_to_stop(self._study, stop=True)
        begun = {watched.claim.job for watched in self._watched if watched.claim.said() is not None}
        for watched in self._watched:
            if watched.job is None or (not self._detach and watched.claim.job not in begun):
                self._give_up(watched)
            elif self._detach:
                watched.future.set_result(Stopped())
        self._forget_ended()

    def _forget_ended(self) -> None:
        self._watched = [watched for watched in self._watched if not watched.future.done()]

    def _send(self, waiting: list[_Watched]) -> None:
        size = self._options.cohorts_per_job
        groups = [waiting[start : start + size] for start in range(0, len(waiting), size)]
        jobs = []
        with self._executor.batch():
            for group in groups:
                orders = [Order.of(self._store, watched.cohort, watched.claim) for watched in group]
                jobs.append(self._executor.submit(TrainCohorts(self._setup, orders)))
        for group, job in zip(groups, jobs, strict=True):
            for watched in group:
                watched.job = job
                watched.claim.sent_as(job.job_id)

    def _look(self, watched: _Watched) -> Iterator[Said]:
        said, cohort, heard = watched.claim.said(), watched.cohort, watched.heard
        is_at_work = said is not None and said != heard
        if said is not None and is_at_work:
            yield from _news(cohort.id, heard, said)
            watched.heard = said
        end = None if said is None else self._end(cohort.id, said.get("end"))
        if end is None and (is_at_work or not self._is_lost(watched)):
            return
        if end is None:
            end = self._lost(watched)
        watched.claim.release()
        if isinstance(end, Exception):
            watched.future.set_exception(end)
        else:
            watched.future.set_result(end)

    def _end(self, cohort_id: str, told: dict[str, str] | None) -> End | Exception | None:
        """What a job says of the end; one that is not in sight yet has not come."""
        if told is None:
            return None
        reason = told["reason"]
        if told["end"] == "finished":
            if not self._store.is_finished(cohort_id):
                return None
            return Finished(tuple(self._store.read_results(cohort_id)))
        if told["end"] == "failed":
            return RuntimeError(f"a job failed:\n{reason}")
        ends: dict[str, End] = {"short": Short(reason), "refused": Refused(reason), "stopped": Stopped()}
        return ends[told["end"]]

    def _is_lost(self, watched: _Watched) -> bool:
        """Whether the job is over, for so long that its last words would have come, or was to be by now."""
        assert watched.job is not None
        now = time.monotonic()
        if self._deadline is not None and now > self._deadline:
            watched.job.cancel(check=False)
            return True
        if not _is_over(watched.job):
            watched.over_since = None
            return False
        watched.over_since = watched.over_since or now
        return now - watched.over_since >= LAG_SECONDS

    def _lost(self, watched: _Watched) -> End | Exception:
        """What became of a cohort whose job is over, which said nothing of its end."""
        assert watched.job is not None
        state, said = watched.job.state, watched.claim.said()
        gave_way = self._deadline is not None or state.startswith(GAVE_WAY)
        if gave_way or said is None or said.get("gave_way"):  # another's turn, or it was not queued again
            return Stopped()
        return Died(
            f"is over ({state}; see {watched.job.paths.stderr})", for_memory=state.startswith("OUT_OF_ME")
        )

    def _give_up(self, watched: _Watched) -> None:
        watched.claim.release()
        if watched.job is not None:
            watched.job.cancel(check=False)
        if not watched.future.done():
            watched.future.set_result(Stopped())

    def _job_of(self, claim: Claim) -> submitit.Job[None] | None:
        """The job that an earlier process sent, if it has said how it ended, or may still."""
        if claim.job is None:
            return None
        kind = submitit.SlurmJob if self._options.cluster == "slurm" else submitit.LocalJob
        job: submitit.Job[None] = kind(self._study / JOBS / "logs", claim.job)
        said = claim.said() or {}
        return job if said.get("end") is not None or not _is_over(job) else None


def _news(cohort: str, heard: dict[str, Any], said: dict[str, Any]) -> Iterator[Said]:
    """What is said now and was not before; where a job was queued again it begins with its checkpoint."""
    fresh = len(said["notes"]) >= len(heard["notes"])
    for note in said["notes"][len(heard["notes"]) if fresh else 0 :]:
        yield Said(cohort, "note", note)
    trained, skipped = (said[what] - heard[what] for what in ("trained", "skipped"))
    if trained > 0:
        yield Said(cohort, "trained", trained)
    if skipped or trained < 0:
        yield Said(cohort, "skipped", skipped + min(trained, 0))


def _is_over(job: submitit.Job[None]) -> bool:
    if isinstance(job, submitit.LocalJob) and job._process is None:  # another process started it
        try:
            os.kill(int(job.job_id), 0)
        except OSError:
            return True
        return False
    return bool(job.done())


def _executor(logs: Path, options: SlurmOptions, study: str) -> submitit.Executor:
    if options.cluster == "local":
        local = submitit.LocalExecutor(logs, max_num_timeout=MOST_TIMEOUTS)
        local.update_parameters(timeout_min=options.time, signal_delay_s=options.grace)
        return local
    try:
        slurm = submitit.SlurmExecutor(logs, max_num_timeout=MOST_TIMEOUTS)
    except RuntimeError as error:
        raise StabilityError("--engine slurm: no Slurm here: srun is not found") from error
    submitit.SlurmJob.watcher = SlurmInfoWatcher(delay_s=ASK_SECONDS)
    asked = {"partition": options.partition, "account": options.account, "gpus_per_node": options.gpus}
    slurm.update_parameters(
        job_name=f"stability-{study}",
        time=options.time,
        cpus_per_task=options.cpus,
        mem=f"{options.memory}GB",
        signal_delay_s=options.grace,
        array_parallelism=options.array,
        **{name: value for name, value in asked.items() if value},
    )
    return slurm
