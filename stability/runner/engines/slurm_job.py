"""What a job does on a machine of the cluster. Imports no submitit but to be queued again."""

from __future__ import annotations

import signal
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from types import FrameType
from typing import Any

from stability.errors import StabilityError
from stability.runner.ends import End, Finished, Refused, Short, Stopped
from stability.runner.job import Job, Setup, plan_of
from stability.runner.memory import memory_shortage
from stability.store import Plan, PlannedCohort, Store
from stability.store.claims import Claim

SAY_SECONDS = 5.0
"""Between two words of how far it is, and two looks whether to stop."""
WORDS = {Finished: "finished", Stopped: "stopped", Short: "short", Refused: "refused"}


@dataclass(frozen=True, slots=True)
class Order:
    """A cohort for a job."""

    plan: Plan
    """Of this cohort alone."""
    claim: Claim

    @staticmethod
    def of(store: Store, cohort: PlannedCohort, claim: Claim) -> Order:
        """All there is to know of it."""
        return Order(plan_of(store, cohort), claim)


@dataclass(slots=True)
class _Diary:
    """Progress as it stands in the study's folder."""

    claim: Claim
    was_called: Callable[[], bool]
    trained_steps: int = 0
    skipped_steps: int = 0
    notes: list[str] = field(default_factory=list)
    _said: float = 0.0
    _stopping: bool = False

    def note(self, text: str) -> None:
        self.notes.append(text)

    def trained(self, member_steps: int) -> None:
        self.trained_steps += member_steps

    def skipped(self, member_steps: int) -> None:
        self.skipped_steps += member_steps

    def should_stop(self) -> bool:
        if time.monotonic() - self._said > SAY_SECONDS:
            self.write()
            self._stopping = self.claim.should_stop()
        return self._stopping or self.was_called()

    def write(self, end: str | None = None, reason: str = "", *, gave_way: bool = False) -> None:
        said = {"trained": self.trained_steps, "skipped": self.skipped_steps, "notes": self.notes}
        ended = None if end is None else {"end": end, "reason": reason}
        self.claim.say({**said, "end": ended, "gave_way": gave_way})
        self._said = time.monotonic()


@dataclass
class TrainCohorts:
    """A job: cohorts that are trained in turn. Called again, it goes on where it was."""

    setup: Setup
    orders: list[Order]
    _job: Job | None = None

    def __call__(self) -> None:
        """Train all whose claims are still held and that have not come to an end."""
        with _Call() as call:
            for order in self.orders:
                said = order.claim.said() or {}
                if not order.claim.is_held() or said.get("end") is not None:
                    continue
                diary = _Diary(order.claim, call.came)
                end = self._train(order, diary)
                if isinstance(end, Stopped) and call.came():
                    diary.write(gave_way=True)
                    call.answer()
                    return
                if end is not None:
                    diary.write(WORDS[type(end)], getattr(end, "reason", ""))
                if isinstance(end, Stopped):
                    return

    def checkpoint(self) -> Any:
        """What submitit queues again."""
        from submitit.helpers import DelayedSubmission

        return DelayedSubmission(TrainCohorts(self.setup, self.orders))

    def _train(self, order: Order, diary: _Diary) -> End | None:
        diary.write()
        try:
            return self._trained(order, diary)
        except StabilityError as error:
            return Refused(str(error))
        except Exception as error:
            short = memory_shortage(error)
            if short is not None:
                return Refused(f"{short}; more memory in the file of --engine-options")
            diary.write("failed", traceback.format_exc())
            raise

    def _trained(self, order: Order, diary: _Diary) -> End:
        claim, (cohort,) = order.claim, order.plan.cohorts
        store = Store(claim.study, order.plan)
        with store.staying(claim.token, claim.file):
            if store.is_finished(cohort.id):
                return Finished(())
            if self._job is None:
                device = self.setup.layout.device(0)
                self._job = self.setup.job(store, device, diary, diary.should_stop)
            job = self._job
            job.store, job.progress, job.should_stop = store, diary, diary.should_stop
            return job.attempt(cohort)


class _Call:
    """Slurm's signal that the job has to give way, taken down until there is a checkpoint."""

    def __enter__(self) -> _Call:
        from submitit.core.job_environment import JobEnvironment

        self._number = signal.Signals[f"SIG{JobEnvironment.USR_SIG}"]
        self._came = False
        self._queue_again = signal.signal(self._number, self._note)
        return self

    def __exit__(self, *_: object) -> None:
        signal.signal(self._number, self._queue_again)

    def came(self) -> bool:
        """Whether it has been sent."""
        return self._came

    def answer(self) -> None:
        """Let submitit queue the job again; it ends this process."""
        assert callable(self._queue_again)
        self._queue_again(self._number, None)

    def _note(self, number: int, frame: FrameType | None) -> None:
        self._came = True
