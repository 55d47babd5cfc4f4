"""One cohort of a study after the other, trained in this process and kept in its store."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from stability.design.plan import cohort_runs
from stability.gan.metrics.evaluation import Evaluator
from stability.gan.training.placement import Placement
from stability.runner.memory import free_memory, memory_shortage
from stability.runner.reporter import Reporter
from stability.runner.splitting import split
from stability.runner.trainer import CohortTrainer
from stability.spec import StudySpec
from stability.store import DamagedCheckpoint, PlannedCohort, Store

CHECKPOINT_SECONDS = 120.0
"""Between two checkpoints of a cohort under way; what a kill can cost."""


@dataclass(frozen=True, slots=True)
class Shortage:
    """A cohort took more memory than there is."""

    reason: str
    """What could not be allocated, in one line."""


@dataclass(slots=True)
class Job:
    """What it takes to train any cohort of a study here."""

    store: Store
    spec: StudySpec
    evaluator: Evaluator
    placement: Placement
    reporter: Reporter
    should_stop: Callable[[], bool]
    _counted: int = 0
    """Of the updates of the cohort under way, what the reporter has been told of."""

    def train(self, cohorts: Sequence[PlannedCohort]) -> bool:
        """Train and keep them in turn; False if `should_stop` said so, with a checkpoint.

        What takes more memory than there is goes on in two cohorts. Raises StabilityError: a lone run does.
        """
        waiting = deque(cohorts)
        while waiting:
            cohort = waiting.popleft()
            end = self.attempt(cohort)
            if isinstance(end, Shortage):
                waiting.extendleft(reversed(split(self.store, cohort, end.reason, self.reporter)))
            elif not end:
                return False
        return True

    def attempt(self, cohort: PlannedCohort) -> bool | Shortage:
        """Train a cohort from where it stands to its end, and keep it; False if `should_stop` said so."""
        self._counted = 0
        try:
            return self._train_one(cohort)
        except (MemoryError, RuntimeError) as error:
            reason = memory_shortage(error)
            if reason is None or cohort.id in self.store.finished():
                raise
        free_memory()
        self.reporter.skipped(-self._counted)
        return Shortage(reason)

    def _train_one(self, cohort: PlannedCohort) -> bool:
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
            self._counted = trainer.step * len(runs)
            self.reporter.skipped(self._counted)
        return trainer

    def _advance(self, cohort: PlannedCohort, trainer: CohortTrainer) -> bool:
        saved = time.monotonic()
        for member_steps in trainer.advance():
            self._counted += member_steps
            self.reporter.trained(member_steps)
            stopping = self.should_stop()
            if stopping or time.monotonic() - saved > CHECKPOINT_SECONDS:
                self.store.write_checkpoint(cohort.id, *trainer.checkpoint())
                saved = time.monotonic()
            if stopping:
                return False
        stopped = self.spec.training.steps * len(trainer.tracks) - self._counted
        self._counted += stopped
        self.reporter.skipped(stopped)
        return True
