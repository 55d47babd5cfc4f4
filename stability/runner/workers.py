"""Cohorts trained at the same time, each worker a process with a device and materials of its own.

Workers write finished cohorts and checkpoints themselves, under the lock that this process holds: they end
with it, however it ends. What they have to say comes back over a pipe each.
"""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import signal
import sys
import traceback
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from multiprocessing.synchronize import Event
from pathlib import Path
from types import TracebackType
from typing import Any

from stability.errors import StabilityError
from stability.gan.training.placement import Placement
from stability.records import RunResult
from stability.runner.devices import choose_device, prepare
from stability.runner.job import Job, Shortage
from stability.runner.materials import Materials, Resources
from stability.runner.memory import keep_freed_memory, memory_shortage
from stability.runner.reporter import Reporter
from stability.runner.splitting import split
from stability.runner.worker_layout import Layout
from stability.spec import StudySpec
from stability.store import Plan, PlannedCohort, Store

POLL_SECONDS = 0.2
"""How often it is looked whether to stop."""
LEAVING_SECONDS = 60.0
"""How long a worker may take to write its checkpoint and leave."""
MOST_DEATHS = 2
"""Of the workers that train one cohort; then it is the cohort."""
OUT_OF_MEMORY = (-signal.SIGKILL, -signal.SIGABRT)
"""How workers end that Linux takes for the ones that take too much, and those whose libraries give up where
memory is short; others may end so as well."""
ENDS = ("stopped", "short", "finished")
"""What a worker says last of a cohort."""
INTERRUPTS = (signal.SIGINT, signal.SIGTERM)
PR_SET_PDEATHSIG = 1
_spawn = multiprocessing.get_context("spawn")


@dataclass(frozen=True, slots=True)
class Setup:
    """What every worker is told about the study."""

    folder: Path
    signed: bytes | None
    """What its lock's file holds as long as it is the same folder."""
    spec: StudySpec
    resources: Resources
    where: str
    layout: Layout

    def job(self, number: int, reporter: Reporter, should_stop: Callable[[], bool]) -> Job:
        """Load what it takes to train cohorts, in the process that is to train them."""
        device = choose_device(str(self.layout.device(number)))
        prepare(self.layout.threads, tf32=self.spec.training.tf32)
        keep_freed_memory()
        placement = Placement.of(self.spec.training, device)
        materials = Materials.load(self.spec, self.resources, device, where=self.where)
        evaluator = materials.evaluator(self.spec, reporter.note)
        return Job(Store.open(self.folder), self.spec, evaluator, placement, reporter, should_stop)


class Workers:
    """As many processes as the layout says, started at once. Use as a context manager."""

    def __init__(
        self, setup: Setup, store: Store, reporter: Reporter, should_stop: Callable[[], bool]
    ) -> None:
        self._setup, self._store = setup, store
        self._reporter, self._should_stop = reporter, should_stop
        self._stopping = _spawn.Event()
        self._deaths: Counter[str] = Counter()
        self._workers: list[_Worker] = []

    def __enter__(self) -> Workers:
        try:
            for number in range(self._setup.layout.workers):
                self._workers.append(_Worker(self._setup, number, self._stopping))
        except OSError as error:
            self.__exit__(OSError, error, None)
            raise StabilityError(
                f"no process can be started: {error.strerror or error}; fewer --workers take less"
            ) from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopping.set()
        at_once = kind is not None and not issubclass(kind, Exception)
        for worker in self._workers:
            worker.leave(0.0 if at_once else LEAVING_SECONDS)

    def train(self, cohorts: Sequence[PlannedCohort]) -> bool:
        """Train and keep them all; False if `should_stop` said so, with checkpoints of those under way.

        What takes more memory than there is goes on in two cohorts. Raises StabilityError: a lone run does, a
        worker could not go on, or died over the same cohort more than once.
        """
        waiting = deque(cohorts)
        while waiting or any(worker.cohort for worker in self._workers):
            if self._should_stop():
                self._stopping.set()
            for worker in self._workers:
                if waiting and worker.cohort is None and not self._stopping.is_set():
                    worker.begin(waiting.popleft())
            busy = [worker for worker in self._workers if worker.cohort is not None]
            if not busy:
                return False
            ready = wait([worker.connection for worker in busy], POLL_SECONDS)
            for worker in (worker for worker in busy if worker.connection in ready):
                self._hear(worker, waiting)
        return True

    def _hear(self, worker: _Worker, waiting: deque[PlannedCohort]) -> None:
        try:
            what, said = worker.connection.recv()
        except (EOFError, OSError):
            waiting.extendleft(reversed(self._replace(worker)))
            return
        if what == "refused":
            raise StabilityError(said[0])
        if what == "failed":
            raise RuntimeError(f"a worker failed:\n{said[0]}")
        assert worker.cohort is not None
        if what == "stopped":
            waiting.append(worker.cohort)
        elif what == "short":
            waiting.extendleft(reversed(split(self._store, worker.cohort, said[0], self._reporter)))
        else:
            getattr(self._reporter, what)(*said)
        if what in ("trained", "skipped"):
            worker.counted += said[0]
        elif what in ENDS:
            worker.cohort = None

    def _replace(self, worker: _Worker) -> list[PlannedCohort]:
        """Put another one in the place of a worker that died; return what is to be trained again."""
        cohort, ended = worker.cohort, worker.how_it_ended()
        assert cohort is not None
        again = [cohort]
        if cohort.id in self._store.finished():  # it was kept before the process died: another one says so
            self._reporter.skipped(len(cohort.runs) * self._store.plan.horizon - worker.counted)
            return self._with_another(worker, again)
        self._reporter.skipped(-worker.counted)
        self._deaths[cohort.id] += 1
        if self._deaths[cohort.id] < MOST_DEATHS:
            self._reporter.note(f"the process that trained {cohort.id} {ended}; another goes on with it")
        elif worker.process.exitcode in OUT_OF_MEMORY:
            again = split(self._store, cohort, f"the process that trained it {ended}, again", self._reporter)
        else:
            raise StabilityError(f"{self._setup.folder}: the process that trained {cohort.id} {ended}, again")
        return self._with_another(worker, again)

    def _with_another(self, worker: _Worker, again: list[PlannedCohort]) -> list[PlannedCohort]:
        at = self._workers.index(worker)
        self._workers[at] = _Worker(self._setup, worker.number, self._stopping)
        return again


class _Worker:
    """One process, seen from the one that started it."""

    def __init__(self, setup: Setup, number: int, stopping: Event) -> None:
        self.number = number
        self.connection, theirs = _spawn.Pipe()
        self.cohort: PlannedCohort | None = None
        self.counted = 0
        """Of its cohort's updates, what it has told."""
        self.process: SpawnProcess = _spawn.Process(
            target=_work,
            args=(setup, number, theirs, stopping),
            name=f"stability-worker-{number}",
            daemon=True,
        )
        with _held_back(INTERRUPTS):
            self.process.start()
        theirs.close()  # else its end would never be noticed

    def begin(self, cohort: PlannedCohort) -> None:
        """Give it a cohort to train."""
        self.cohort, self.counted = cohort, 0
        with suppress(OSError):  # it is dead, which `recv` tells
            self.connection.send(cohort)

    def how_it_ended(self) -> str:
        """In words, once it has."""
        self.process.join()
        code = self.process.exitcode
        assert code is not None
        return f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with {code}"

    def leave(self, seconds: float) -> None:
        """Let it go when it is done, and kill it if it takes longer."""
        with suppress(OSError):  # it has left already
            self.connection.send(None)
        self.process.join(seconds)
        self.process.kill()
        self.process.join()
        self.connection.close()


@dataclass(frozen=True, slots=True)
class _Voice:
    """A reporter whose words are said in another process."""

    connection: Connection[Any, Any]

    def planned(self, plan: Plan, done: Sequence[RunResult]) -> None:
        self.connection.send(("planned", (plan, done)))

    def note(self, text: str) -> None:
        self.connection.send(("note", (text,)))

    def trained(self, member_steps: int) -> None:
        self.connection.send(("trained", (member_steps,)))

    def skipped(self, member_steps: int) -> None:
        self.connection.send(("skipped", (member_steps,)))

    def finished(self, cohort: PlannedCohort, results: Sequence[RunResult]) -> None:
        self.connection.send(("finished", (cohort, results)))


@contextmanager
def _held_back(numbers: Sequence[signal.Signals]) -> Iterator[None]:
    """Let these signals wait for the block; a process begun in it has them wait until it says otherwise.

    It imports for seconds before it can say that it ignores them, and would end with a traceback.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, numbers)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _work(setup: Setup, number: int, connection: Connection[Any, Any], stopping: Event) -> None:
    """What a worker does with its life."""
    starter = multiprocessing.parent_process()
    assert starter is not None
    parent = starter.pid
    _end_with(parent)
    for interrupt in INTERRUPTS:  # they reach the whole group; who started us will tell
        signal.signal(interrupt, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, INTERRUPTS)

    def should_stop() -> bool:
        if os.getppid() != parent:  # where the kernel does not see to it: nothing may be written any more
            os._exit(1)
        return stopping.is_set()

    try:
        job = setup.job(number, _Voice(connection), should_stop)
        while (cohort := connection.recv()) is not None:
            job.store = Store.open(setup.folder)  # a search has planned more since
            with job.store.staying(setup.signed):
                _train_one(job, cohort, connection)
    except StabilityError as error:
        connection.send(("refused", (str(error),)))
    except (EOFError, BrokenPipeError):
        os._exit(1)
    except BaseException as error:  # Rust's panics are no Exception
        short = memory_shortage(error)
        what = "refused" if short else "failed"
        connection.send((what, (f"{short}; fewer --workers take less" if short else traceback.format_exc(),)))


def _train_one(job: Job, cohort: PlannedCohort, connection: Connection[Any, Any]) -> None:
    """Train a cohort, and say how it ended."""
    if cohort.id in job.store.finished():  # another died when it had kept it, and before it said so
        job.reporter.finished(cohort, job.store.read_results(cohort.id))
        return
    end = job.attempt(cohort)
    if isinstance(end, Shortage):
        connection.send(("short", (end.reason,)))
    elif not end:
        connection.send(("stopped", ()))


def _end_with(parent: int | None) -> None:
    """Ask the kernel, where it can, to end this process as soon as its parent has ended."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)
