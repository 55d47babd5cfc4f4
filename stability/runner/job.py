"""One cohort of a study after the other, trained in this process and kept in its store."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from stability.gan.evaluation import Evaluator
from stability.gan.placement import Placement
from stability.records import RunResult
from stability.runner.planning import cohort_runs
from stability.runner.trainer import CohortTrainer
from stability.spec import StudySpec
from stability.store import DamagedCheckpoint, Plan, PlannedCohort, Store

CHECKPOINT_SECONDS = 120.0
"""Between two checkpoints of a cohort under way; what a kill can cost."""


class Reporter(Protocol):
    """What is told while a study runs; the command line shows it."""

    def planned(self, plan: Plan, done: Sequence[RunResult]) -> None:
        """The plan, and the results there are already; again whenever a search adds runs."""

    def note(self, text: str) -> None:
        """Something worth a line."""

    def trained(self, member_steps: int) -> None:
        """So many more steps, counted over the cohort's runs."""

    def skipped(self, member_steps: int) -> None:
        """So many planned updates need no training: done by an earlier call, or of runs that stopped."""

    def finished(self, cohort: PlannedCohort, results: Sequence[RunResult]) -> None:
        """A cohort is kept."""


@dataclass(slots=True)
class Job:
    """What it takes to train any cohort of a study here."""

    store: Store
    spec: StudySpec
    evaluator: Evaluator
    placement: Placement
    reporter: Reporter
    should_stop: Callable[[], bool]

    def train(self, cohorts: Sequence[PlannedCohort]) -> bool:
        """Train and keep them in turn; False if `should_stop` said so, with a checkpoint."""
        return all(self.train_one(cohort) for cohort in cohorts)

    def train_one(self, cohort: PlannedCohort) -> bool:
        """Train a cohort from where it stands to its end, and keep it."""
        trainer = self._trainer(cohort)
        if not self._advance(cohort, trainer):
            return False
        data = trainer.data()
        self.store.write_cohort(cohort.id, data)
        self.reporter.finished(cohort, data.results)
        return True

    def _trainer(self, cohort: PlannedCohort) -> CohortTrainer:
        plan = self.store.plan
        runs = cohort_runs(plan, cohort)
        trainer = CohortTrainer(
            runs, self.spec, self.evaluator, self.placement, stop_thresholds=plan.stop_thresholds
        )
        checkpoint = self.store.read_checkpoint(cohort.id)
        if isinstance(checkpoint, DamagedCheckpoint):
            self.reporter.note(f"starting {cohort.id} over: {checkpoint.reason}")
        elif checkpoint is not None:
            trainer.resume(*checkpoint)
            self.reporter.note(f"going on with {cohort.id} at step {trainer.step}")
            self.reporter.skipped(trainer.step * len(runs))
        return trainer

    def _advance(self, cohort: PlannedCohort, trainer: CohortTrainer) -> bool:
        saved = time.monotonic()
        steps = trainer.step * len(trainer.tracks)
        for member_steps in trainer.advance():
            steps += member_steps
            self.reporter.trained(member_steps)
            stopping = self.should_stop()
            if stopping or time.monotonic() - saved > CHECKPOINT_SECONDS:
                self.store.write_checkpoint(cohort.id, *trainer.checkpoint())
                saved = time.monotonic()
            if stopping:
                return False
        self.reporter.skipped(self.spec.training.steps * len(trainer.tracks) - steps)
        return True
