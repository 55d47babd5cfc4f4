"""SIGINT and SIGTERM while worker processes train, start, or cannot stop, and before there is a plan."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

import torch
from commands import (
    ONE_THREAD,
    PATIENCE,
    Standing,
    is_alive,
    measured,
    wait_until_gone,
    workers_of,
    worst_faults,
)
from small_studies import run_small, small_spec

from stability.runner.materials import Resources
from stability.runner.repair import check_study

STUDY = """\
name: ring
dataset: ring
space:
  loss: [minimax, non-saturating]
  lr: {low: 1.0e-4, high: 1.0e-2, log: true}
fixed: {width: 8, batch_size: 16, latent_dim: 8}
design: {points: 2}
training: {steps: 600, cohort_size: 2}
recording: {every: 10, evaluate_every: 300, samples: 64, final_samples: 64}
"""
"""Two cohorts, one for each worker."""
ENDLESS = 1_000_000
"""Steps: however late a signal comes, the study is not finished."""
STOPPING = "stopping after this step; Ctrl-C again leaves at once"
STOPPED = "stopped; the same command goes on where this left off (r)"
AT_ONCE = "stopped at once; the same command goes on from the last checkpoint (r)"
CODES = {signal.SIGINT: 130, signal.SIGTERM: 143}
BEFORE = "stopped at once; the same command begins or goes on"
PROGRAM = """\
import sys
from stability.cli.app import main
class Finder:
    def find_spec(name, *places):
        if name == "stability.cli.display":
            print("here", flush=True)
sys.meta_path.insert(0, Finder)
"""
"""Says when the command begins to import what it needs, which is most of its start-up."""
TELLING = """\
sys.meta_path.remove(Finder)
from stability.cli.display import Display
trained = Display.trained
def told(self, member_steps):
    trained(self, member_steps)
    print("trained", flush=True)
Display.trained = told
"""
"""Says when a worker has told that it trains."""


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    """What the study measures, trained by one process."""
    return trained_here(tmp_path_factory.mktemp("uninterrupted"))


def trained_here(place: Path) -> dict[str, object]:
    """What the study measures when it begins or goes on in this process."""
    threads = torch.get_num_threads()
    try:
        spec = small_spec(text=STUDY)
        assert run_small(spec, place / "r", resources=Resources("cpu", threads=1, workers=1))
    finally:
        torch.set_num_threads(threads)
    assert check_study(place / "r").faults == ()
    return measured(place / "r")


@pytest.fixture(scope="module")
def imports(tmp_path_factory: pytest.TempPathFactory) -> float:
    """Seconds until there is a plan: most of them pass with imports, as they do in a worker."""
    place = study_in(tmp_path_factory.mktemp("imports")).parent
    with running(place, "--workers", "1") as process:
        wait_for_line(process, "here\n")
        start = time.monotonic()
        wait_for_line(process, "4 runs in 2 cohorts, 600 steps each, on cpu\n")
        return time.monotonic() - start


@contextmanager
def running(place: Path, *options: str) -> Iterator[subprocess.Popen[str]]:
    """The command as a process, the leader of a group of its own; nothing of it outlives the block."""
    program = f"{PROGRAM}{TELLING if '2' in options else ''}main()"
    process = subprocess.Popen(
        [sys.executable, "-c", program, "run", "study.yaml", "--out", "r", "--threads", "1", *options],
        cwd=place, env=os.environ | ONE_THREAD | {"XDG_CACHE_HOME": str(place / "cache")},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def wait_for_line(process: subprocess.Popen[str], wanted: str) -> None:
    assert process.stdout is not None
    while (line := process.stdout.readline()) != wanted:
        assert line, "it has ended"


def ended(process: subprocess.Popen[str]) -> tuple[int, list[str]]:
    """How it ended, and what it said on stderr."""
    error = process.communicate(timeout=PATIENCE)[1]
    return process.returncode, error.splitlines()


def study_in(place: Path, steps: int = 600) -> Path:
    (place / "study.yaml").write_text(STUDY.replace("steps: 600", f"steps: {steps}"))
    return place / "r"


@pytest.mark.parametrize(
    ("number", "whole_group"),
    [pytest.param(signal.SIGTERM, False, marks=pytest.mark.full), (signal.SIGINT, True)],
)
def test_workers_keep_checkpoints_leave_and_go_on(
    tmp_path: Path, uninterrupted: dict[str, object], number: signal.Signals, whole_group: bool
) -> None:
    folder = study_in(tmp_path)
    with running(tmp_path, "--workers", "2") as process:
        wait_for_line(process, "trained\n")
        workers = workers_of(process.pid)
        assert len(workers) == 2
        (os.killpg if whole_group else os.kill)(process.pid, number)
        assert ended(process) == (CODES[number], [STOPPING, STOPPED])
        assert not any(map(is_alive, workers))
    standing = Standing.of(folder)
    assert {*standing.steps, *standing.finished} == {"c0000", "c0001"}
    assert standing.steps
    assert all(step > 0 for step in standing.steps.values())
    assert trained_here(tmp_path) == uninterrupted


@pytest.mark.parametrize("number", [signal.SIGTERM, pytest.param(signal.SIGINT, marks=pytest.mark.full)])
def test_the_second_signal_leaves_at_once_and_takes_workers_along(
    tmp_path: Path, uninterrupted: dict[str, object], number: signal.Signals
) -> None:
    study_in(tmp_path)
    with running(tmp_path, "--workers", "2") as process:
        wait_for_line(process, "trained\n")
        workers = workers_of(process.pid)
        for worker in workers:  # so that nothing but the second signal can end this
            os.kill(worker, signal.SIGSTOP)
        process.send_signal(number)
        assert process.stderr is not None
        assert process.stderr.readline() == STOPPING + "\n"
        process.send_signal(number)
        assert ended(process) == (CODES[number], [AT_ONCE])
        assert len(workers) == 2
        assert not any(map(is_alive, workers))
    if number is signal.SIGTERM:
        assert trained_here(tmp_path) == uninterrupted


def test_ctrl_c_while_workers_are_starting(tmp_path: Path, imports: float) -> None:
    """They are interrupted, too, before they can say that they do not want to be."""
    study_in(tmp_path, ENDLESS)
    with running(tmp_path, "--workers", "2") as process:
        wait_for_line(process, "2 processes at work\n")
        time.sleep(0.3 * imports)
        workers = workers_of(process.pid)
        os.killpg(process.pid, signal.SIGINT)
        assert ended(process) == (130, [STOPPING, STOPPED])
        wait_until_gone(workers)
    assert check_study(tmp_path / "r").faults == ()


@pytest.mark.parametrize("share", [0.0, 0.3, 0.6, 0.9])
def test_a_signal_during_start_up_ends_it_with_its_code(tmp_path: Path, imports: float, share: float) -> None:
    study_in(tmp_path, ENDLESS)
    number = signal.SIGINT if share in {0.0, 0.6} else signal.SIGTERM
    with running(tmp_path, "--workers", "1") as process:
        wait_for_line(process, "here\n")
        time.sleep(share * imports)
        os.killpg(process.pid, number)
        code, error = ended(process)
    assert code == CODES[number]
    assert error in ([BEFORE], [STOPPING, STOPPED])
    assert not (tmp_path / "r").exists() or worst_faults(tmp_path / "r") == []
