"""Processes of this machine, each with a device and materials of its own.

They write finished cohorts and checkpoints themselves, under the lock that this process holds: they end
with it, however it ends. What they have to say comes back over a pipe each.
"""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import signal
import sys
import traceback
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from multiprocessing.synchronize import Event
from types import TracebackType
from typing import Any

from stability.errors import StabilityError
from stability.runner.crew import Said
from stability.runner.ends import Died, End, Refused
from stability.runner.job import Job, Setup, plan_of
from stability.runner.memory import memory_shortage
from stability.store import Plan, PlannedCohort, Store

POLL_SECONDS = 0.2
"""How often it is looked whether to stop."""
LEAVING_SECONDS = 60.0
"""How long a worker may take to write its checkpoint and leave."""
OUT_OF_MEMORY = (-signal.SIGKILL, -signal.SIGABRT)
"""How workers end that Linux takes for the ones that take too much, and those whose libraries give up where
memory is short; others may end so as well."""
INTERRUPTS = (signal.SIGINT, signal.SIGTERM)
PR_SET_PDEATHSIG = 1
_spawn = multiprocessing.get_context("spawn")


class Processes:
    """As many processes as the layout says, started at once. Use as a context manager."""

    def __init__(self, setup: Setup, store: Store) -> None:
        self._setup, self._store = setup, store
        self._stopping = _spawn.Event()
        self._workers: list[_Worker] = []

    def __enter__(self) -> Processes:
        try:
            for number in range(self.capacity):
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
        self.stop()
        at_once = kind is not None and not issubclass(kind, Exception)
        for worker in self._workers:
            worker.leave(0.0 if at_once else LEAVING_SECONDS)

    @property
    def capacity(self) -> int:
        """A cohort a process."""
        return self._setup.layout.workers

    def submit(self, cohort: PlannedCohort) -> Future[End]:
        """Give it to one that has none."""
        worker = next(worker for worker in self._workers if worker.cohort is None)
        return worker.begin(plan_of(self._store, cohort))

    def listen(self) -> Iterator[Said]:
        """One word of everybody who has something to say."""
        busy = {worker.connection: worker for worker in self._workers if worker.cohort is not None}
        for connection in wait(list(busy), POLL_SECONDS):
            yield from self._hear(busy[connection])  # type: ignore[index]

    def stop(self) -> None:
        """Tell all at once."""
        self._stopping.set()

    def _hear(self, worker: _Worker) -> Iterator[Said]:
        cohort, future = worker.cohort, worker.future
        assert cohort is not None
        try:
            what, said = worker.connection.recv()
        except (EOFError, OSError):
            self._workers[self._workers.index(worker)] = _Worker(self._setup, worker.number, self._stopping)
            future.set_exception(worker.death())
            return
        if what not in ("ended", "failed"):
            yield Said(cohort.id, what, said)
            return
        worker.cohort = None
        if what == "ended":
            future.set_result(said)
        else:
            future.set_exception(RuntimeError(f"a worker failed:\n{said}"))


class _Worker:
    """One process, seen from the one that started it."""

    def __init__(self, setup: Setup, number: int, stopping: Event) -> None:
        self.number = number
        self.connection, theirs = _spawn.Pipe()
        self.cohort: PlannedCohort | None = None
        self.future: Future[End] = Future()
        self.process: SpawnProcess = _spawn.Process(
            target=_work,
            args=(setup, number, theirs, stopping),
            name=f"stability-worker-{number}",
            daemon=True,
        )
        with _held_back(INTERRUPTS):
            self.process.start()
        theirs.close()  # else its end would never be noticed

    def begin(self, plan: Plan) -> Future[End]:
        """Give it a cohort to train, the plan's only one."""
        (self.cohort,), self.future = plan.cohorts, Future()
        with suppress(OSError):  # it is dead, which `recv` tells
            self.connection.send(plan)
        return self.future

    def death(self) -> Died:
        """How it ended, once it has."""
        self.process.join()
        code = self.process.exitcode
        assert code is not None
        how = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with {code}"
        return Died(how, for_memory=code in OUT_OF_MEMORY)

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
    """Progress that is told in another process."""

    connection: Connection[Any, Any]

    def note(self, text: str) -> None:
        self.connection.send(("note", text))

    def trained(self, member_steps: int) -> None:
        self.connection.send(("trained", member_steps))

    def skipped(self, member_steps: int) -> None:
        self.connection.send(("skipped", member_steps))


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

    job: Job | None = None
    try:
        while (plan := connection.recv()) is not None:
            store = Store(setup.folder, plan)
            with store.staying(setup.signed):
                if job is None:
                    job = setup.job(store, setup.layout.device(number), _Voice(connection), should_stop)
                job.store = store
                connection.send(("ended", job.attempt(plan.cohorts[0])))
    except StabilityError as error:
        connection.send(("ended", Refused(str(error))))
    except (EOFError, BrokenPipeError):
        os._exit(1)
    except BaseException as error:  # Rust's panics are no Exception
        if short := memory_shortage(error):
            connection.send(("ended", Refused(f"{short}; fewer --workers take less")))
        else:
            connection.send(("failed", traceback.format_exc()))


def _end_with(parent: int | None) -> None:
    """Ask the kernel, where it can, to end this process as soon as its parent has ended."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)
