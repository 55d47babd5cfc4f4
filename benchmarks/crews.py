"""Processes that work at once on the same task, and the clock beside them.

Whatever is compared runs in processes of its own, started once and set to work in turn, so that no side has
the other's threads or memory around it.
"""

from __future__ import annotations

import multiprocessing
import os
import re
import resource
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Protocol

import torch

from benchmarks.table import Sample


class Work(Protocol):
    """Something that was built, and can be done again and again."""

    def __call__(self, action: str, count: int) -> Any:
        """Do what the action says, so many times; return when it is done, the device's part included."""


class Task(Protocol):
    """What a process is told to build: may be pickled."""

    def begin(self) -> Work:
        """Build it."""


@dataclass(frozen=True, slots=True)
class Failure:
    """What a worker says instead of an answer."""

    text: str


class Crew:
    """Workers that hold the same task."""

    def __init__(self, size: int, threads: int | None = None) -> None:
        """Start them; `threads` is each one's number of torch threads, None is torch's own default."""
        context = multiprocessing.get_context("spawn")
        self.size = size
        self._pipes: list[Connection] = []
        self._processes = []
        for _ in range(size):
            ours, theirs = context.Pipe()
            process = context.Process(target=_serve, args=(theirs, threads), daemon=True)
            process.start()
            theirs.close()
            self._pipes.append(ours)
            self._processes.append(process)

    def take(self, task: Task) -> None:
        """Forget the last task and build this one."""
        self._ask(task)

    def do(self, action: str, count: int = 1) -> list[Any]:
        """Let all of them do it at once; return each one's answer."""
        return self._ask((action, count))

    def seconds(self, action: str, count: int = 1) -> float:
        """How long all of them take at once: they are waiting, so they begin together."""
        start = time.perf_counter()
        self.do(action, count)
        return time.perf_counter() - start

    def peak_bytes(self) -> int:
        """The most memory that any of them ever had."""
        return max(int(peak) for peak in self._ask("peak"))

    def close(self) -> None:
        """End them."""
        for pipe in self._pipes:
            pipe.close()
        for process in self._processes:
            process.join()

    def _ask(self, message: object) -> list[Any]:
        for pipe in self._pipes:
            pipe.send(message)
        answers = [pipe.recv() for pipe in self._pipes]
        for answer in answers:
            if isinstance(answer, Failure):
                raise RuntimeError(f"a worker failed:\n{answer.text}")
        return answers


@contextmanager
def crew(size: int, threads: int | None = None) -> Iterator[Crew]:
    """A crew that ends with the block."""
    made = Crew(size, threads)
    try:
        yield made
    finally:
        made.close()


@contextmanager
def variables_set(variables: Mapping[str, str]) -> Iterator[None]:
    """Environment variables of the processes that are started in the block."""
    before = dict(os.environ)
    os.environ.update(variables)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


@dataclass(frozen=True, slots=True)
class Job:
    """One side of a comparison: a round of it is `count` times the action."""

    crew: Crew
    action: str
    count: int
    units: float = 1.0
    """What the whole crew has done after one of `count`, such as steps of models."""

    def seconds(self) -> float:
        """Of one unit, by one more round."""
        return self.crew.seconds(self.action, self.count) / (self.count * self.units)


def in_turn(jobs: Sequence[Job], rounds: int) -> list[Sample]:
    """Seconds per unit of every job, each measured once in every round."""
    measured: list[list[float]] = [[] for _ in jobs]
    for _ in range(rounds):
        for job, values in zip(jobs, measured, strict=True):
            values.append(job.seconds())
    return [Sample(tuple(values)) for values in measured]


def long_enough(crew: Crew, action: str, seconds: float, multiple: int = 1) -> int:
    """How often an action must be done to take about so long, after a first time to warm up."""
    crew.do(action, multiple)
    once = crew.seconds(action, multiple)
    return multiple * max(1, round(seconds / once))


def synchronised(device: torch.device) -> None:
    """Wait until the device has done what it was told to."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()


def peak_bytes() -> int:
    """The most memory that this process ever had: on a GPU, what torch had of the GPU's."""
    if torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        return torch.cuda.max_memory_allocated()
    status = Path("/proc/self/status")
    if status.exists():  # its own; ru_maxrss also holds that of the process which started this one
        found = re.search(r"VmHWM:\s+(\d+) kB", status.read_text(encoding="utf-8"))
        if found:
            return 1024 * int(found[1])
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def _serve(pipe: Connection, threads: int | None) -> None:
    if threads is not None:
        torch.set_num_threads(threads)
    answer = _answering()
    while True:
        try:
            message = pipe.recv()
        except EOFError:
            return
        try:
            pipe.send(answer(message))
        except Exception:
            pipe.send(Failure(traceback.format_exc()))


def _answering() -> Callable[[Any], Any]:
    work: list[Work] = []

    def answer(message: Any) -> Any:
        if message == "peak":
            return peak_bytes()
        if isinstance(message, tuple):
            return work[0](*message)
        work.clear()
        work.append(message.begin())
        return None

    return answer
