"""Ray: every cohort a task of a cluster that shares no disk with this process, which alone writes.

Cohorts and checkpoints travel as bytes. A task trains in a study of its own, of that one cohort, in a
temporary folder. What it says, and the checkpoints it writes, lie on a board, an actor beside this process;
the answer says whether to stop.
"""

from __future__ import annotations

import os
import signal
import tempfile
import time
import uuid
from collections.abc import Iterator, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import TracebackType
from typing import Any

import ray
import ray.exceptions
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from stability.errors import StabilityError
from stability.runner.crew import Said
from stability.runner.ends import Died, End, Finished, Refused, Stopped
from stability.runner.engines.options import RayOptions
from stability.runner.job import Job, Setup, plan_of
from stability.runner.memory import memory_shortage
from stability.store import Plan, PlannedCohort, Store
from stability.store.parcels import cohort_parcel, keep_checkpoint, read_checkpoint

POLL_SECONDS = 0.2
"""How often it is looked whether to stop."""
CALL_SECONDS = 1.0
"""How often a task says how far it is."""


@dataclass(frozen=True, slots=True)
class _Order:
    """A cohort that is to be trained, with all there is of it."""

    study_yaml: str
    plan: Plan
    """Of this cohort alone."""
    checkpoint: bytes | None


class RayEngine:
    """A cluster, or the one that Ray makes of this machine. Use as a context manager."""

    def __init__(self, setup: Setup, store: Store, options: RayOptions, address: str | None = None) -> None:
        self._setup, self._store = setup, store
        self._options, self._address = options, address
        self._is_ours = not ray.is_initialized()
        self._tasks: dict[ray.ObjectRef[Any], tuple[PlannedCohort, Future[End]]] = {}
        self._begun: set[str] = set()
        self._capacity = 1

    def __enter__(self) -> RayEngine:
        if self._is_ours:
            os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
            on_term = signal.getsignal(signal.SIGTERM)
            try:
                ray.init(
                    self._address, include_dashboard=None if self._address else False, log_to_driver=False
                )
            except (ConnectionError, ValueError, RuntimeError) as error:
                raise StabilityError(f"--address {self._address or 'auto'}: no Ray there: {error}") from error
            finally:
                signal.signal(signal.SIGTERM, on_term)  # Ray would end this process by it
        here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
        self._board = ray.remote(_Board).options(num_cpus=0, scheduling_strategy=here).remote()
        self._told = ray.put((uuid.uuid4().hex, self._setup))
        self._train = ray.remote(_train).options(
            num_cpus=self._options.cpus, num_gpus=self._options.gpus, max_retries=0
        )
        self._count()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for task in self._tasks:
            ray.cancel(task, force=True)
        ray.kill(self._board)
        if self._is_ours:
            ray.shutdown()

    @property
    def capacity(self) -> int:
        """What the cluster has room for now, or as many as asked for."""
        return self._setup.resources.workers or self._capacity

    def submit(self, cohort: PlannedCohort) -> Future[End]:
        """Send it, with its last checkpoint."""
        checkpoint = read_checkpoint(self._store, cohort.id)
        order = _Order(self._store.study_yaml, plan_of(self._store, cohort), checkpoint)
        future: Future[End] = Future()
        self._tasks[self._train.remote(self._told, order, self._board)] = cohort, future
        return future

    def listen(self) -> Iterator[Said]:
        """Whatever lies on the board; then whose tasks have come to an end."""
        ended, _ = ray.wait(list(self._tasks), timeout=POLL_SECONDS)
        for said in ray.get(self._board.take.remote()):
            self._begun.add(said.cohort)
            yield said
        for task in ended:
            cohort, future = self._tasks.pop(task)
            self._begun.discard(cohort.id)
            try:
                future.set_result(ray.get(task))
            except ray.exceptions.NodeDiedError:
                yield Said(cohort.id, "note", f"the node that trained {cohort.id} is gone; another goes on")
                future.set_result(Stopped())
            except ray.exceptions.TaskCancelledError:
                future.set_result(Stopped())
            except ray.exceptions.RayError as failure:
                future.set_exception(_failure(failure))
        self._count()

    def stop(self) -> None:
        """Who has begun is told when it says something; who waits for room need not begin."""
        ray.get(self._board.stop.remote())
        for task, (cohort, _) in self._tasks.items():
            if cohort.id not in self._begun:
                ray.cancel(task)

    def _count(self) -> None:
        there = ray.cluster_resources()
        rooms = [there.get("CPU", 0) / self._options.cpus]
        if self._options.gpus:
            rooms.append(there.get("GPU", 0) / self._options.gpus)
        self._capacity = max(1, int(min(rooms)))


def _failure(error: Exception) -> Exception:
    if isinstance(error, ray.exceptions.OutOfMemoryError):
        return Died("was killed for the memory it took", for_memory=True)
    if isinstance(error, ray.exceptions.WorkerCrashedError):
        return Died("was killed", for_memory=True)
    return RuntimeError(f"a worker failed:\n{error}")


class _Board:
    """Where tasks leave what they have to say, and find whether to stop."""

    def __init__(self) -> None:
        self._said: list[Said] = []
        self._stopping = False

    def leave(self, said: list[Said]) -> bool:
        self._said += said
        return self._stopping

    def take(self) -> list[Said]:
        said, self._said = self._said, []
        return said

    def stop(self) -> None:
        self._stopping = True


@dataclass(slots=True)
class _Caller:
    """Progress of a task, which is left on the board now and then."""

    board: Any
    cohort: str
    stopping: bool = False
    _waiting: list[Said] = field(default_factory=list)
    _called: float = 0.0

    def note(self, text: str) -> None:
        self._waiting.append(Said(self.cohort, "note", text))

    def trained(self, member_steps: int) -> None:
        self._waiting.append(Said(self.cohort, "trained", member_steps))

    def skipped(self, member_steps: int) -> None:
        self._waiting.append(Said(self.cohort, "skipped", member_steps))

    def checkpoint(self, content: bytes) -> None:
        self._waiting.append(Said(self.cohort, "checkpoint", content))
        self.call()

    def should_stop(self) -> bool:
        if time.monotonic() - self._called > CALL_SECONDS:
            self.call()
        return self.stopping

    def call(self) -> None:
        self.stopping = ray.get(self.board.leave.remote(self._waiting))
        self._called, self._waiting = time.monotonic(), []


class _Sending(Store):
    """A study in a temporary folder, whose checkpoints are wanted elsewhere."""

    caller: _Caller

    def write_checkpoint(self, cohort_id: str, arrays: Mapping[str, Any], note: Mapping[str, Any]) -> None:
        super().write_checkpoint(cohort_id, arrays, note)
        self.caller.checkpoint(self.checkpoint_path(cohort_id).read_bytes())


_JOBS: dict[str, Job] = {}
"""Of this worker of Ray's, the last study's: data are loaded once."""


def _train(told: tuple[str, Setup], order: _Order, board: Any) -> End:
    """What a task does, on whatever machine."""
    (cohort,) = order.plan.cohorts
    caller = _Caller(board, cohort.id)
    caller.call()
    with tempfile.TemporaryDirectory(prefix="stability-") as scratch:
        try:
            end = _trained(told, order, Path(scratch, "study"), caller)
        except StabilityError as error:
            end = Refused(str(error))
        except (MemoryError, RuntimeError) as error:
            short = memory_shortage(error)
            if short is None:
                raise
            end = Refused(f"{short}; more cpus_per_cohort or fewer --workers leave more for each")
    caller.call()
    return end


def _trained(told: tuple[str, Setup], order: _Order, folder: Path, caller: _Caller) -> End:
    (token, setup), (cohort,) = told, order.plan.cohorts
    with _Sending.created(folder, study_yaml=order.study_yaml, plan=order.plan, environment={}) as store:
        assert isinstance(store, _Sending)
        store.caller = caller
        if order.checkpoint is not None:
            keep_checkpoint(store, cohort.id, order.checkpoint)
        if token not in _JOBS:
            _JOBS.clear()
            _JOBS[token] = setup.job(store, setup.layout.device(0), caller, caller.should_stop)
        job = _JOBS[token]
        job.store, job.progress, job.should_stop = store, caller, caller.should_stop
        end = job.attempt(cohort)
        return replace(end, files=cohort_parcel(store, cohort.id)) if isinstance(end, Finished) else end
