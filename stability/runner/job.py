"""Trains cohorts of a study here, each from where it stands, and keeps them in a store."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from stability.gan.metrics.evaluation import Evaluator
from stability.gan.training.placement import Placement
from stability.runner.devices import choose_device, prepare
from stability.runner.ends import End, Finished, Short, Stopped
from stability.runner.materials import Materials, Resources
from stability.runner.memory import free_memory, keep_freed_memory, memory_shortage
from stability.runner.reporter import Progress
from stability.runner.trainer import CohortTrainer
from stability.runner.worker_layout import Layout
from stability.spec import StudySpec
from stability.store import DamagedCheckpoint, Plan, PlannedCohort, Store

CHECKPOINT_SECONDS = 120.0
"""Between two checkpoints of a cohort under way; what a kill can cost."""


def plan_of(store: Store, cohort: PlannedCohort) -> Plan:
    """The plan of a cohort alone, so that who trains it need not read a large study's."""
    return replace(store.plan, cohorts=(cohort,), runs=tuple(store.runs_of(cohort.id)))


@dataclass(frozen=True, slots=True)
class Setup:
    """What everybody who trains cohorts of a study is told about it."""

    folder: Path
    signed: bytes | None
    """What its lock's file holds as long as it is the same folder."""
    spec: StudySpec
    resources: Resources
    where: str
    layout: Layout

    def job(
        self, store: Store, device: torch.device, progress: Progress, should_stop: Callable[[], bool]
    ) -> Job:
        """Load what it takes to train cohorts, in the process that is to train them."""
        device = choose_device(str(device))
        prepare(self.layout.threads, tf32=self.spec.training.tf32)
        keep_freed_memory()
        placement = Placement.of(self.spec.training, device)
        materials = Materials.load(self.spec, self.resources, device, where=self.where)
        evaluator = materials.evaluator(self.spec, progress.note)
        return Job(store, self.spec, evaluator, placement, progress, should_stop)


@dataclass(slots=True)
class Job:
    """What it takes to train any cohort of a study here."""

    store: Store
    spec: StudySpec
    evaluator: Evaluator
    placement: Placement
    progress: Progress
    should_stop: Callable[[], bool]
    _counted: int = 0
    """Of the updates of the cohort under way, what has been told."""

    def attempt(self, cohort: PlannedCohort) -> End:
        """Train a cohort from where it stands to its end, and keep it; or until `should_stop` says so."""
        self._counted = 0
        try:
            return self._train_one(cohort)
        except (MemoryError, RuntimeError) as error:
            reason = memory_shortage(error)
            if reason is None or self.store.is_finished(cohort.id):
                raise
        free_memory()
        self.progress.skipped(-self._counted)
        return Short(reason)

    def _train_one(self, cohort: PlannedCohort) -> End:
        trainer = self._trainer(cohort)
        if not self._advance(cohort, trainer):
            return Stopped()
        data = trainer.data()
        self.store.write_cohort(cohort.id, data)
        return Finished(data.results)

    def _trainer(self, cohort: PlannedCohort) -> CohortTrainer:
        runs, stop_thresholds = self.store.runs_of(cohort.id), self.store.plan.stop_thresholds
        trainer = CohortTrainer(
            runs, self.spec, self.evaluator, self.placement, stop_thresholds=stop_thresholds
        )
        checkpoint = self.store.read_checkpoint(cohort.id)
        if isinstance(checkpoint, DamagedCheckpoint):
            self.progress.note(f"starting {cohort.id} over: {checkpoint.reason}")
        elif checkpoint is not None:
            trainer.resume(*checkpoint)
            self.progress.note(f"going on with {cohort.id} at step {trainer.step}")
            self._counted = trainer.step * len(runs)
            self.progress.skipped(self._counted)
        return trainer

    def _advance(self, cohort: PlannedCohort, trainer: CohortTrainer) -> bool:
        saved = time.monotonic()
        for member_steps in trainer.advance():
            self._counted += member_steps
            self.progress.trained(member_steps)
            stopping = self.should_stop()
            if stopping or time.monotonic() - saved > CHECKPOINT_SECONDS:
                self.store.write_checkpoint(cohort.id, *trainer.checkpoint())
                saved = time.monotonic()
            if stopping:
                return False
        stopped = self.spec.training.steps * len(trainer.tracks) - self._counted
        self._counted += stopped
        self.progress.skipped(stopped)
        return True
