"""With submitit for real, whose jobs are processes of this machine here."""

from __future__ import annotations

import logging
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from interrupted_job import HELD, STARTS, Held, Interrupted, arrange
from small_studies import RING_STEPS, Listener, StopAfter, result_bytes, ring_spec, run_small

from stability.runner.engines.options import Cluster, SlurmOptions
from stability.runner.engines.slurm_job import Order, TrainCohorts
from stability.runner.job import Setup
from stability.runner.materials import Resources
from stability.runner.study import StudyRunner
from stability.runner.worker_layout import Layout
from stability.store import Store
from stability.store.claims import claims, new_claim

submitit = pytest.importorskip("submitit", reason="stability[slurm] is not installed")
pytestmark = [  # submitit lets go of its processes without a look
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:subprocess .* is still running:ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

import patient_controller  # noqa: E402  # which imports submitit
import slurm_driver  # noqa: E402

from stability.runner.engines import slurm  # noqa: E402

FOUR = "design.points=1"
"""Four runs in two cohorts."""
FINISHED = {"end": "finished", "reason": ""}


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing lags behind on one machine."""
    monkeypatch.setattr(slurm, "LAG_SECONDS", 0.0)
    monkeypatch.setattr(slurm, "LOOK_SECONDS", 0.1)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(sys.path))
    logging.getLogger("submitit").setLevel(logging.CRITICAL)


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("here") / "ring"
    assert run_small(ring_spec(FOUR), folder, resources=Resources("cpu", threads=1, workers=1))
    return folder


def run(
    folder: Path,
    *overrides: str,
    listener: Listener | None = None,
    stop: Callable[[], bool] = lambda: False,
    detach: bool = False,
    **asked: Any,
) -> bool:
    options = SlurmOptions(cluster="local", **asked)
    runner = StudyRunner(
        ring_spec(FOUR, *overrides),
        folder,
        Resources(workers=None),
        listener or Listener(),
        should_stop=stop,
        cluster=Cluster(options, detach=detach),
    )
    return runner.run()


def test_jobs_keep_what_one_process_keeps(here: Path, tmp_path: Path) -> None:
    listener = Listener()
    assert run(tmp_path / "r", listener=listener, cohorts_per_job=2)
    assert result_bytes(tmp_path / "r") == result_bytes(here)
    assert sorted(listener.cohorts) == ["c0000", "c0001"]
    assert sum(listener.steps) + sum(listener.skips) == 4 * RING_STEPS
    assert claims(tmp_path / "r") == []
    assert len(list((tmp_path / "r" / "jobs" / "logs").glob("*_submitted.pkl"))) == 1


@pytest.fixture
def interrupted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Has one of the jobs be sent a signal in the midst of its training."""

    def arranged(number: int) -> None:
        monkeypatch.setattr(slurm, "TrainCohorts", Interrupted)
        for name, value in arrange(number, tmp_path / "once").items():
            monkeypatch.setenv(name, value)

    return arranged


def test_a_preempted_job_is_queued_again_and_goes_on_from_its_checkpoint(
    here: Path, tmp_path: Path, interrupted: Callable[[int], None]
) -> None:
    interrupted(signal.SIGUSR2)
    listener = Listener()
    assert run(tmp_path / "r", listener=listener)
    assert result_bytes(tmp_path / "r") == result_bytes(here)
    logs = (tmp_path / "r" / "jobs" / "logs").glob("*.out")
    assert any("Requeued job" in path.read_text() + path.with_suffix(".err").read_text() for path in logs)
    assert sum(listener.steps) + sum(listener.skips) == 4 * RING_STEPS


@pytest.mark.parametrize("starts", [2, 1], ids=["queued again", "not queued again"])
def test_a_job_whose_time_is_over_is_gone_on_with_from_its_checkpoint(
    here: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    interrupted: Callable[[int], None],
    starts: int,
) -> None:
    def start_patiently(command: list[str], **named: Any) -> subprocess.Popen[bytes]:
        return subprocess.Popen([command[0], patient_controller.__file__, command[-1]], **named)

    monkeypatch.setattr(submitit.local.local, "subprocess", SimpleNamespace(Popen=start_patiently))
    monkeypatch.setenv(STARTS, str(starts))
    interrupted(0)
    listener = Listener()
    assert run(tmp_path / "r", listener=listener, cohorts_per_job=2, time=10, grace=500)
    assert "going on with c0000 at step 10" in listener.notes
    assert result_bytes(tmp_path / "r") == result_bytes(here)
    assert sum(listener.steps) + sum(listener.skips) == 4 * RING_STEPS
    logs = tmp_path / "r" / "jobs" / "logs"
    assert "this job is timed-out" in "".join(path.read_text() for path in logs.glob("*.err"))
    assert len(list(logs.glob("*_submitted.pkl"))) == 3 - starts
    assert not any("another goes on with it" in note for note in listener.notes)


def test_what_a_killed_job_trained_is_trained_by_another(
    here: Path, tmp_path: Path, interrupted: Callable[[int], None]
) -> None:
    interrupted(signal.SIGKILL)
    listener = Listener()
    assert run(tmp_path / "r", listener=listener)
    assert result_bytes(tmp_path / "r") == result_bytes(here)
    assert any("another goes on with it" in note for note in listener.notes)


def test_a_job_writes_nothing_without_its_claim_and_trains_nothing_twice(tmp_path: Path) -> None:
    assert not run_small(ring_spec(FOUR), tmp_path / "r", stop=StopAfter(1))
    store, layout = Store.open(tmp_path / "r"), Layout((torch.device("cpu"),), 1, 1)
    setup = Setup(store.folder, None, ring_spec(FOUR), Resources("cpu"), "study.yaml", layout)
    held = [new_claim(store.folder, cohort.id) for cohort in store.plan.cohorts]
    orders = [Order.of(store, *both) for both in zip(store.plan.cohorts, held, strict=True)]
    later = new_claim(store.folder, "c0000")
    TrainCohorts(setup, orders)()
    assert store.finished() == {"c0001"}
    assert later.said() is None
    first = held[1].said()
    assert first is not None
    assert (first["end"], first["trained"] + first["skipped"]) == (FINISHED, 2 * RING_STEPS)
    TrainCohorts(setup, orders)()
    assert held[1].said() == first
    store.folder.rename(tmp_path / "elsewhere")
    TrainCohorts(setup, orders)()
    assert not store.folder.exists()


def test_a_job_says_why_it_cannot_train(tmp_path: Path) -> None:
    assert not run_small(ring_spec(FOUR), tmp_path / "r", stop=StopAfter(1))
    store, layout = Store.open(tmp_path / "r"), Layout((torch.device("cuda:77"),), 1, 1)
    setup = Setup(store.folder, None, ring_spec(FOUR), Resources("cuda:77"), "study.yaml", layout)
    claim = new_claim(store.folder, "c0000")
    TrainCohorts(setup, [Order.of(store, store.plan.cohorts[0], claim)])()
    said = claim.said()
    assert said is not None
    assert said["end"]["end"] == "refused"
    assert said["end"]["reason"].startswith("--device cuda:77: ")


def driver(folder: Path, where: str, *overrides: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, slurm_driver.__file__, str(folder), where, *overrides]
    return subprocess.Popen(command, stdout=subprocess.PIPE)


def test_jobs_outlive_a_killed_driver_and_are_not_started_twice(here: Path, tmp_path: Path) -> None:
    folder = tmp_path / "r"
    with driver(folder, "anywhere", FOUR) as process:
        assert process.stdout is not None
        while process.stdout.readline() != b"trained\n":
            assert process.poll() is None
        process.kill()
    begun = {claim.cohort for claim in claims(folder)} | Store.open(folder).finished()
    assert begun == {"c0000", "c0001"}
    listener = Listener()
    assert run(folder, listener=listener)
    assert result_bytes(folder) == result_bytes(here)
    assert len(list((folder / "jobs" / "logs").glob("*_submitted.pkl"))) == 2


@pytest.mark.full
def test_jobs_of_which_a_killed_driver_had_noted_nothing_give_way_to_others(
    here: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "r"
    with driver(folder, "unnoted", FOUR) as process:
        assert process.wait() == -signal.SIGKILL
    assert [claim.job for claim in claims(folder)] == [None, None]
    assert len(list((folder / "jobs" / "logs").glob("*_submitted.pkl"))) == 2
    assert run(folder)
    assert result_bytes(folder) == result_bytes(here)


@pytest.mark.full
def test_drivers_killed_ten_times_lose_nothing_and_train_nothing_twice(tmp_path: Path) -> None:
    folder, many, chance = tmp_path / "r", "design.points=8", random.Random(0)
    finished: list[dict[Path, tuple[int, int]]] = [{}]
    for _ in range(10):
        with driver(folder, "anywhere", many) as process:
            assert process.stdout is not None
            for _ in range(chance.randrange(12)):
                process.stdout.readline()
            time.sleep(2 * chance.random())
            process.kill()
        finished.append(written(folder))
        assert finished[-2].items() <= finished[-1].items()
    assert len(finished[5]) < len(finished[-1]), "the study was over too early for this to show anything"
    assert run(folder, many)
    assert finished[-1].items() <= written(folder).items()
    assert run_small(ring_spec(many), tmp_path / "here", resources=Resources("cpu", threads=1, workers=1))
    assert result_bytes(folder) == result_bytes(tmp_path / "here")


def written(folder: Path) -> dict[Path, tuple[int, int]]:
    """Every file of a finished cohort, by when it was written and its number on the disk."""
    there = {path: path.stat() for path in folder.glob("cohorts/c*/**/*") if path.is_file()}
    return {path: (stat.st_mtime_ns, stat.st_ino) for path, stat in there.items()}


@pytest.fixture
def held(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What holds up jobs that have trained a little, until it is removed."""
    file = tmp_path / "held"
    file.touch()
    monkeypatch.setattr(slurm, "TrainCohorts", Held)
    monkeypatch.setenv(HELD, str(file))
    return file


@pytest.mark.usefixtures("held")
def test_jobs_are_stopped_with_checkpoints_unless_they_are_left(here: Path, tmp_path: Path) -> None:
    folder, (stop, listener) = tmp_path / "r", stopping_at_the_first_steps()
    assert not run(folder, listener=listener, stop=stop, detach=True)
    left = [claim.job for claim in claims(folder)]
    assert len(left) == 2
    stop, listener = stopping_at_the_first_steps()
    assert not run(folder, listener=listener, stop=stop)
    assert claims(folder) == []
    assert all(gone(int(job)) for job in left if job)
    assert any((folder / "checkpoints").iterdir())
    assert run_small(ring_spec(FOUR), folder, resources=Resources("cpu", workers=1))
    assert result_bytes(folder) == result_bytes(here)


def test_a_job_that_ends_while_it_is_being_left_ends_once(
    here: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, held: Path
) -> None:
    folder, leave = tmp_path / "r", slurm.SlurmEngine.stop

    def leave_late(engine: slurm.SlurmEngine) -> None:
        leave(engine)
        held.unlink()
        deadline = time.monotonic() + 300
        while not all((claim.said() or {}).get("end") for claim in claims(folder)):
            assert time.monotonic() < deadline
            time.sleep(0.05)

    monkeypatch.setattr(slurm.SlurmEngine, "stop", leave_late)
    stop, listener = stopping_at_the_first_steps()
    assert not run(folder, listener=listener, stop=stop, detach=True)
    assert run(folder)
    assert result_bytes(folder) == result_bytes(here)


def stopping_at_the_first_steps() -> tuple[StopAfter, Listener]:
    stop = StopAfter(10**9)

    class FirstSteps(Listener):
        def trained(self, member_steps: int) -> None:
            super().trained(member_steps)
            stop.left = 0

    return stop, FirstSteps()


def gone(pid: int) -> bool:
    deadline = time.monotonic() + 300
    while time.monotonic() < deadline:
        try:
            os.kill(pid, 0)
        except OSError:
            return True
        if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
            return True
        time.sleep(0.1)
    return False
