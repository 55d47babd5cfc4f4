"""Processes that are set to work in turn."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from benchmarks.crews import Crew, Job, crew, in_turn, long_enough
from benchmarks.limits import LimitTask


@dataclass
class Clock:
    """A crew whose every action takes one second more than the one before."""

    log: list[str] = field(default_factory=list)

    def seconds(self, action: str, count: int = 1) -> float:
        self.log.append(action)
        return float(len(self.log))

    def do(self, action: str, count: int = 1) -> None:
        self.log.append(action)


def test_rounds_take_turns_and_times_are_per_unit() -> None:
    clock = Clock()
    jobs = [Job(clock, "a", count=1), Job(clock, "b", count=2, units=4)]
    first, second = in_turn(jobs, rounds=2)
    assert clock.log == ["a", "b", "a", "b"]
    assert first.values == (1.0, 3.0)
    assert second.values == (2 / 8, 4 / 8)


def test_counts_are_whole_multiples() -> None:
    assert long_enough(Clock(), "a", seconds=7.0, multiple=10) == 40  # the second call takes two seconds
    assert long_enough(Clock(), "a", seconds=0.1, multiple=10) == 10


@pytest.fixture(scope="module")
def pair() -> Iterator[Crew]:
    with crew(2, threads=1) as workers:
        yield workers


@pytest.mark.slow
def test_all_of_them_work(pair: Crew) -> None:
    pair.take(LimitTask("cpu", large=1000))
    assert pair.do("copy", 2) == [None, None]
    assert pair.seconds("torch.matmul 8 8 8", 1) > 0
    assert pair.peak_bytes() > 10**7


@pytest.mark.slow
def test_a_workers_failure_is_told_and_it_goes_on(pair: Crew) -> None:
    pair.take(LimitTask("cpu", large=1000))
    with pytest.raises(RuntimeError, match="ValueError"):
        pair.do("torch.matmul eight 8 8")
    assert pair.do("adam") == [None, None]
