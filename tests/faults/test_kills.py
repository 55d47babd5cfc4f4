"""SIGKILL at random instants and at every write, and equality with what was never interrupted."""

from __future__ import annotations

import os
import random
import shutil
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from commands import (
    TEMPORARY,
    Command,
    Commands,
    Standing,
    check_after_kill,
    measured,
    serving,
    temporary_names,
    wait_until_gone,
    workers_of,
    worst_faults,
)

from stability.runner.repair import check_study
from stability.store.folder import LOCK

STARTS = 3
"""Of each new study, so often its start is killed."""
STUDY = """\
name: kills
space:
  loss: [minimax, dragan, wgan-gp]
  optimizer: [adam, sgd]
  lr: {low: 1.0e-4, high: 1.0e+2, log: true}
fixed:
  {width: 8, batch_size: 8, latent_dim: 2, batchnorm: none, ema_decay: 0.9, dropout: 0.3,
   instance_noise: 0.05, packing: 2}
design: {points: 3, cross: [loss, optimizer]}
training: {steps: 45, stop_on: [diverged, saturated]}
recording: {every: 7, evaluate_every: 20, samples: 64, final_samples: 64, keep_weights: true}
outcomes: {persist: 2}
"""
"""Six cohorts of three runs, some of which leave in the middle; records fall between visits."""


@pytest.fixture(scope="module")
def commands(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Commands]:
    with serving(tmp_path_factory.mktemp("commands")) as commands:
        yield commands


@dataclass(slots=True)
class Pace:
    """How long the study takes when nobody interrupts it, at this moment on this machine."""

    until_plan: float
    whole: float
    lines: int
    """Of its log, with a checkpoint kept whenever that is possible."""
    cohorts: int


@dataclass(slots=True)
class Kills:
    """A study killed again and again in ever new folders, and what was met on the way."""

    commands: Commands
    study: Path
    pace: Pace
    chance: random.Random
    expected: dict[str, object]
    met: Counter[str] = field(default_factory=Counter)
    passes: int = 0
    workers: int = 1
    lives: int = 0
    """Of the study under way."""

    def until(self, count: int) -> None:
        """Go on until so many have been killed that had not finished, and the last study is whole, too."""
        while self.met["kills"] < count:
            self.passes += 1
            self._one_study(self.study.with_name(f"pass-{self.passes}"), count)

    def _one_study(self, folder: Path, count: int) -> None:
        standing, self.lives = Standing(), 0
        while True:
            self.lives += 1
            command = self._start(folder, count)
            killed = self.met["kills"] < count and self._kill(command, folder, standing)
            code = command.end()
            if not killed or code >= 0:
                break
            standing = check_after_kill(folder, standing, command)
            self.met["kills"] += 1
            self._note(folder, standing, command)
        assert code == 0, command.output()
        check_after_kill(folder, standing, command)
        assert measured(folder) == self.expected
        assert check_study(folder).faults == ()
        shutil.rmtree(folder)

    def _start(self, folder: Path, count: int) -> Command:
        """What is not to be killed any more needs no workers, which take seconds to start."""
        workers = self.workers if self.met["kills"] < count else 1
        return self.commands.start(
            "run", self.study, "--out", folder, "--threads", "1", "--workers", str(workers)
        )

    def _kill(self, command: Command, folder: Path, standing: Standing) -> bool:
        """Kill it at some instant; False if it had ended before."""
        left = self.pace.cohorts - len(standing.finished)
        if self.lives <= STARTS:
            kinds = (self._at_a_start, self._at_a_start, self._at_a_name("."))
        elif not standing.first_runs:
            kinds = (self._at_a_line,)  # else it might never have a plan
        elif left <= 1:
            kinds = (self._at_a_time, self._at_a_name("."), self._at_a_name("."), self._at_a_name("cohorts"))
        else:
            names = self._at_a_name("cohorts"), self._at_a_name("checkpoints")
            kinds = (self._at_a_time, self._at_a_line, *names)
        if not kinds[self.lives % len(kinds)](command, folder):
            return False
        command.kill()
        return True

    def _at_a_start(self, command: Command, folder: Path) -> bool:
        deadline = time.monotonic() + self.chance.uniform(0, self.pace.until_plan)
        new = not (folder / LOCK).exists()
        return command.wait_for(lambda: time.monotonic() >= deadline or (new and (folder / LOCK).exists()))

    def _at_a_time(self, command: Command, folder: Path) -> bool:
        return self._after(command, self.chance.uniform(0, self.pace.whole / 4))

    def _at_a_line(self, command: Command, folder: Path) -> bool:
        """Progress, and not time, says when, however slow the machine has become."""
        lines = self.chance.randint(1, max(2, self.pace.lines // self.workers // 5))
        return command.wait_for(lambda: len(command.log()) >= lines) and self._after(
            command, self.chance.uniform(0, 0.02)
        )

    def _at_a_name(self, place: str) -> Callable[[Command, Path], bool]:
        """While something is being written there."""

        def wait(command: Command, folder: Path) -> bool:
            return command.wait_for(lambda: any((folder / place).glob(TEMPORARY)))

        return wait

    def _after(self, command: Command, seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        return command.wait_for(lambda: time.monotonic() >= deadline)

    def _note(self, folder: Path, standing: Standing, command: Command) -> None:
        """Where the kill fell."""
        if not standing.first_runs:
            self.met["before there was a plan"] += 1
        elif command.log():
            self.met["once it trained"] += 1
        else:
            self.met["once there was a plan"] += 1
        for name in temporary_names(folder):
            self.met["writing " + name.partition(".tmp-")[0]] += 1


class WorkerKills(Kills):
    """The same with two workers: now one of them is killed and replaced, now who started them, now all."""

    def _kill(self, command: Command, folder: Path, standing: Standing) -> bool:
        if not (self._at_a_time if self.lives % 4 == 0 else self._at_a_line)(command, folder):
            return False
        victim = ("a worker", "its starter", "all")[self.lives % 3]
        if victim == "a worker" and not self._kill_worker(command, folder):
            return False
        workers = workers_of(command.pid)
        if victim == "all" and workers:
            command.kill_group()
        else:
            command.kill()
        self.met[victim] += 1
        wait_until_gone(workers)
        return True

    def _kill_worker(self, command: Command, folder: Path) -> bool:
        """One of them; another goes on with what it trained. False if the command has ended since."""
        workers = workers_of(command.pid)
        if not workers:
            return True
        os.kill(self.chance.choice(workers), signal.SIGKILL)
        command.deaths += 1
        self.met["kills"] += 1
        lines = len(command.log()) + self.chance.randint(1, 10)
        return command.wait_for(lambda: len(command.log()) >= lines)


def paced(commands: Commands, study: Path) -> tuple[Pace, dict[str, object]]:
    """The study uninterrupted, with the usual checkpoints: how long it takes, and what it measures."""
    folder, start = study.with_name("uninterrupted"), time.monotonic()
    command = commands.start(
        "run", study, "--out", folder, "--threads", "1", "--workers", "1", checkpoints=False
    )
    assert command.wait_for((folder / "plan.json").is_file)
    until_plan = time.monotonic() - start
    assert command.end() == 0, command.output()
    whole, log = time.monotonic() - start, command.log()
    assert all(line.startswith("trained") for line in log)
    cohorts = len(Standing.of(folder).finished)
    return Pace(until_plan, whole, 2 * len(log), cohorts), measured(folder)


def test_a_study_killed_again_and_again_measures_what_an_uninterrupted_one_does(
    commands: Commands, tmp_path: Path, full: bool
) -> None:
    count = 50 if full else 6
    study = tmp_path / "study.yaml"
    study.write_text(STUDY)
    paced(commands, study)  # computes the features of the real images, once
    shutil.rmtree(tmp_path / "uninterrupted")
    pace, expected = paced(commands, study)
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    kills = Kills(commands, study, pace, random.Random(seed), expected)
    kills.until(count)
    print(pace, kills.passes, kills.met)
    assert kills.met["once there was a plan"] + kills.met["once it trained"] >= count // 3
    assert not full or any(
        name.startswith(("writing cohorts/", "writing checkpoints/")) for name in kills.met
    )


RING = """\
name: ring
dataset: ring
space:
  loss: [minimax, non-saturating]
  batchnorm: [none, generator]
  lr: {low: 1.0e-4, high: 1.0e-2, log: true}
fixed: {width: 8, batch_size: 16, latent_dim: 8}
design: {points: 4, cross: [loss, batchnorm]}
training: {steps: 150, cohort_size: 4}
recording: {every: 7, evaluate_every: 50, samples: 64, final_samples: 64}
"""
"""Four cohorts of four runs."""


def test_workers_killed_with_and_without_who_started_them_measure_the_same(
    commands: Commands, tmp_path: Path, full: bool
) -> None:
    """Few, as each start takes the seconds that its workers need for their imports."""
    study = tmp_path / "study.yaml"
    study.write_text(RING)
    pace, expected = paced(commands, study)
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    kills = WorkerKills(commands, study, pace, random.Random(seed), expected, workers=2)
    kills.until(8 if full else 3)
    print(pace, kills.passes, kills.met)
    assert kills.met["once it trained"] >= (2 if full else 1)


TINY = """\
name: tiny
dataset: ring
space: {lr: {low: 1.0e-3, high: 1.0e-2}}
fixed: {width: 8, batch_size: 8, latent_dim: 2}
design: {points: 1}
training: {steps: 4}
recording: {every: 4, evaluate_every: 4, samples: 32, final_samples: 32}
"""


@pytest.fixture(scope="module")
def tiny(commands: Commands, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished study of one cohort, its file beside it; not to be written to."""
    folder = tmp_path_factory.mktemp("tiny") / "finished"
    study = folder.with_name("study.yaml")
    study.write_text(TINY)
    command = commands.start("run", study, "--out", folder, "--threads", "1")
    assert command.end() == 0, command.output()
    return folder


@pytest.mark.parametrize(
    ("begun", "words"),
    [
        (False, ("run", "../study.yaml", "--out", "r", "--threads", "1")),
        (True, ("run", "../study.yaml", "--out", "r", "--threads", "1", "--set", "design.seeds=2")),
        (True, ("relabel", "r", "--set", "outcomes.persist=7")),
    ],
    ids=["run", "extend", "relabel"],
)
def test_killed_at_any_write_the_same_command_goes_on(
    commands: Commands, tiny: Path, tmp_path: Path, begun: bool, words: tuple[str, ...], full: bool
) -> None:
    """At each, or at every seventh."""
    folder = tmp_path / "r"
    arguments = [
        {"r": str(folder), "../study.yaml": str(tiny.with_name("study.yaml"))}.get(word, word)
        for word in words
    ]
    expected: dict[str, object] = {}
    for k in range(0, 200, 1 if full else 7):  # 0: at none
        if begun:
            shutil.copytree(tiny, folder)
        command = commands.start(*arguments, die_at=k)
        if command.end() != -9:
            assert k == 0 or measured(folder) == expected
            expected = measured(folder)
            shutil.rmtree(folder)
            if k:
                break
            continue
        assert worst_faults(folder) == [], k
        command = commands.start(*arguments)
        assert command.end() == 0, (k, command.output())
        assert measured(folder) == expected, k
        assert check_study(folder).faults == (), k
        shutil.rmtree(folder)
    print("fewer than", k, "writes")
    assert 10 < k < 199
