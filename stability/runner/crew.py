"""Who trains a study's cohorts: this process, one after the other, or an engine, many at a time.

What becomes of a cohort that did not reach its end is decided here, whatever the engine: after a first death
another goes on with it; what takes too much memory goes on in two.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, Protocol

from stability.errors import StabilityError
from stability.runner.ends import Died, End, Finished, Refused, Short
from stability.runner.job import Job
from stability.runner.reporter import Reporter
from stability.runner.splitting import split
from stability.store import PlannedCohort, Store
from stability.store.parcels import keep_checkpoint, keep_parcel

MOST_DEATHS = 2
"""Of those who train one cohort; then it is the cohort."""


@dataclass(frozen=True, slots=True)
class Said:
    """What whoever trains a cohort says of it meanwhile."""

    cohort: str
    what: str
    """A method of `Progress`, or `checkpoint`, where the study's folder is out of reach."""
    said: Any


class Engine(Protocol):
    """What carries cohorts to where they are trained."""

    @property
    def capacity(self) -> int:
        """How many cohorts it takes at a time."""

    def submit(self, cohort: PlannedCohort) -> Future[End]:
        """Take a cohort; a failure that is no end, such as `Died`, is the future's exception."""

    def listen(self) -> Iterable[Said]:
        """Wait a moment; what is said of a cohort is told before its future is done."""

    def stop(self) -> None:
        """Let all that are under way come to an end soon, with a checkpoint."""


@dataclass(slots=True)
class Alone:
    """The process itself, one cohort after the other."""

    job: Job
    reporter: Reporter

    def train(self, cohorts: Sequence[PlannedCohort]) -> bool:
        """Train and keep them in turn; False if it was told to stop, with a checkpoint.

        What takes more memory than there is goes on in two cohorts. Raises StabilityError: a lone run does.
        """
        waiting = deque(cohorts)
        while waiting:
            cohort = waiting.popleft()
            end = self.job.attempt(cohort)
            if isinstance(end, Short):
                waiting.extendleft(reversed(split(self.job.store, cohort, end.reason, self.reporter)))
            elif isinstance(end, Finished):
                self.reporter.finished(cohort, end.results)
            else:
                return False
        return True


@dataclass(slots=True)
class _Task:
    """A cohort that an engine has taken."""

    cohort: PlannedCohort
    future: Future[End]
    counted: int = 0
    """Of its updates, what has been told."""


class Crew:
    """Has an engine train cohorts, as many at a time as it takes."""

    def __init__(
        self, engine: Engine, store: Store, reporter: Reporter, should_stop: Callable[[], bool]
    ) -> None:
        self._engine, self._store = engine, store
        self._reporter, self._should_stop = reporter, should_stop
        self._tasks: dict[str, _Task] = {}
        self._deaths: Counter[str] = Counter()
        self._stopping = False

    def train(self, cohorts: Sequence[PlannedCohort]) -> bool:
        """Train and keep them all; False if `should_stop` said so, with checkpoints of those under way.

        What takes more memory than there is goes on in two cohorts. Raises StabilityError: a lone run does,
        one cannot go on, or those who trained it died more than once.
        """
        waiting = deque(cohorts)
        while waiting or self._tasks:
            if not self._stopping and self._should_stop():
                self._stopping = True
                self._engine.stop()
            while waiting and len(self._tasks) < self._engine.capacity and not self._stopping:
                self._begin(waiting.popleft())
            if self._stopping and not self._tasks:
                return False
            for said in self._engine.listen() if self._tasks else ():
                self._hear(said)
            for task in [task for task in self._tasks.values() if task.future.done()]:
                del self._tasks[task.cohort.id]
                waiting.extendleft(reversed(self._still_to_train(task)))
        return True

    def _begin(self, cohort: PlannedCohort) -> None:
        """Unless it is finished: another died, or a job of an earlier call ended, when it had kept it."""
        if self._store.is_finished(cohort.id):
            self._reporter.skipped(len(cohort.runs) * self._store.plan.horizon)
            self._reporter.finished(cohort, self._store.read_results(cohort.id))
        else:
            self._tasks[cohort.id] = _Task(cohort, self._engine.submit(cohort))

    def _hear(self, said: Said) -> None:
        if said.what == "checkpoint":
            keep_checkpoint(self._store, said.cohort, said.said)
            return
        getattr(self._reporter, said.what)(said.said)
        if said.what != "note" and said.cohort in self._tasks:
            self._tasks[said.cohort].counted += said.said

    def _still_to_train(self, task: _Task) -> list[PlannedCohort]:
        """What is left to do of a cohort that came to an end."""
        cohort = task.cohort
        try:
            end = task.future.result()
        except Died as death:
            self._reporter.skipped(-task.counted)
            return self._after(death, cohort)
        if isinstance(end, Finished):
            if end.files is not None:
                keep_parcel(self._store, cohort.id, end.files)
            self._reporter.finished(cohort, end.results)
            return []
        if isinstance(end, Refused):
            raise StabilityError(end.reason)
        self._reporter.skipped(-task.counted)
        return split(self._store, cohort, end.reason, self._reporter) if isinstance(end, Short) else [cohort]

    def _after(self, death: Died, cohort: PlannedCohort) -> list[PlannedCohort]:
        if self._store.is_finished(cohort.id):  # it was kept before
            return [cohort]
        self._deaths[cohort.id] += 1
        if self._deaths[cohort.id] < MOST_DEATHS:
            self._reporter.note(f"the process that trained {cohort.id} {death.how}; another goes on with it")
            return [cohort]
        if death.for_memory:
            why = f"the process that trained it {death.how}, again"
            return split(self._store, cohort, why, self._reporter)
        raise StabilityError(f"{self._store.folder}: the process that trained {cohort.id} {death.how}, again")
