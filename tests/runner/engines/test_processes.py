from __future__ import annotations

import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from small_studies import (
    RING,
    RING_STEPS,
    Listener,
    StopAfter,
    result_bytes,
    ring_spec,
    rows_by_run,
    run_small,
)

from stability.errors import StabilityError
from stability.runner import crew
from stability.runner.crew import Crew
from stability.runner.engines.processes import Processes
from stability.runner.job import Setup
from stability.runner.materials import Resources
from stability.runner.repair import check_study
from stability.runner.worker_layout import new_layout
from stability.store import Store
from stability.store.progress import study_status

pytestmark = pytest.mark.slow

TWO = Resources("cpu", threads=1, workers=2)


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The study as one process trains it."""
    folder = tmp_path_factory.mktemp("here") / "ring"
    assert run_small(ring_spec(), folder, resources=Resources("cpu", threads=1, workers=1))
    return folder


def test_two_workers_keep_what_one_process_keeps(here: Path, tmp_path: Path) -> None:
    listener = Listener()
    assert run_small(ring_spec(), tmp_path / "r", resources=TWO, listener=listener)
    assert result_bytes(tmp_path / "r") == result_bytes(here)
    assert sorted(listener.cohorts) == [f"c{i:04d}" for i in range(8)]
    assert sum(listener.steps) == 16 * RING_STEPS
    assert "2 processes at work" in listener.notes
    assert not multiprocessing.active_children()


def test_they_stop_when_told_and_go_on(here: Path, tmp_path: Path) -> None:
    class FirstSteps(Listener):
        def trained(self, member_steps: int) -> None:
            super().trained(member_steps)
            stop.left = 0

    stop = StopAfter(10**9)
    assert not run_small(ring_spec(), tmp_path / "r", resources=TWO, listener=FirstSteps(), stop=stop)
    store = Store.open(tmp_path / "r")
    assert len(store.finished()) < 8
    assert any((tmp_path / "r" / "checkpoints").iterdir())
    assert run_small(ring_spec(), tmp_path / "r", resources=Resources("cpu", workers=1))
    assert result_bytes(tmp_path / "r") == result_bytes(here)


def test_workers_write_into_no_other_study_than_their_owner_s(tmp_path: Path) -> None:
    assert not run_small(ring_spec(), tmp_path / "r", resources=TWO, stop=StopAfter(1))
    store = Store.open(tmp_path / "r")
    layout = new_layout(ring_spec(), TWO)
    setup = Setup(store.folder, b"another's", ring_spec(), TWO, "study.yaml", layout)
    with (
        store.lock(),
        Processes(setup, store) as engine,
        pytest.raises(StabilityError, match="was removed or replaced while it was written to"),
    ):
        Crew(engine, store, Listener(), lambda: False).train(store.plan.cohorts)
    assert not store.finished()


class Killer(Listener):
    """Kills a worker whenever one begins to train, `most` times."""

    def __init__(self, most: int, number: signal.Signals = signal.SIGKILL) -> None:
        super().__init__()
        self.left, self.number = most, number

    def trained(self, member_steps: int) -> None:
        super().trained(member_steps)
        if self.left:
            self.left -= 1
            for child in multiprocessing.active_children():
                os.kill(child.pid, self.number)  # type: ignore[arg-type]


def test_what_a_dead_worker_trained_is_trained_by_another(here: Path, tmp_path: Path) -> None:
    listener = Killer(1)
    assert run_small(ring_spec(), tmp_path / "r", resources=TWO, listener=listener)
    assert result_bytes(tmp_path / "r") == result_bytes(here)
    deaths = [note for note in listener.notes if "was killed by SIGKILL; another goes on" in note]
    assert 1 <= len(deaths) <= 2


def test_what_was_kept_before_a_worker_died_is_not_trained_again(here: Path, tmp_path: Path) -> None:
    assert not run_small(ring_spec(), tmp_path / "r", resources=TWO, stop=StopAfter(1))
    listener = Listener()
    layout = new_layout(ring_spec(), TWO)
    setup = Setup(tmp_path / "r", None, ring_spec(), TWO, "study.yaml", layout)
    store = Store.open(tmp_path / "r")
    shutil.copytree(here / "cohorts" / "c0000", tmp_path / "r" / "cohorts" / "c0000")
    with store.lock(), Processes(setup, store) as engine:
        assert Crew(engine, store, listener, lambda: False).train(store.plan.cohorts[:2])
    assert sorted(listener.cohorts) == ["c0000", "c0001"]
    assert sum(listener.steps) == 2 * RING_STEPS
    assert result_bytes(tmp_path / "r" / "cohorts" / "c0000") == result_bytes(here / "cohorts" / "c0000")


def test_a_cohort_that_is_killed_again_goes_on_in_two(
    here: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As it would be where Linux kills who takes too much memory."""
    monkeypatch.setattr(crew, "MOST_DEATHS", 1)
    listener = Killer(1)
    assert run_small(ring_spec(), tmp_path / "r", resources=TWO, listener=listener)
    splits = study_status(tmp_path / "r")["split"]
    assert 1 <= len(splits) <= 2
    assert splits[0]["reason"] == "the process that trained it was killed by SIGKILL, again"
    assert sum(listener.steps) + sum(listener.skips) == 16 * RING_STEPS
    for table in ("records", "evaluations", "events"):
        assert rows_by_run(tmp_path / "r", table) == rows_by_run(here, table)


def test_a_run_that_is_killed_again_ends_the_study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crew, "MOST_DEATHS", 1)
    alone = ring_spec("training.cohort_size=1")
    with pytest.raises(StabilityError, match=r"p\S+ cannot be trained here, even alone: the process that"):
        run_small(alone, tmp_path / "r", resources=TWO, listener=Killer(1))
    assert not multiprocessing.active_children()
    assert check_study(tmp_path / "r").faults == ()


def test_a_cohort_that_crashes_its_workers_ends_the_study(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(crew, "MOST_DEATHS", 1)
    with pytest.raises(StabilityError, match=r"trained c\d+ was killed by SIGSEGV, again$"):
        run_small(ring_spec(), tmp_path / "r", resources=TWO, listener=Killer(1, signal.SIGSEGV))
    assert not multiprocessing.active_children()
    assert run_small(ring_spec("design.points=4"), tmp_path / "r", resources=Resources("cpu", workers=1))


SCRIPT = """\
import sys
from pathlib import Path
from small_studies import Listener
from stability.runner.worker_layout import new_layout
from stability.runner.materials import Resources
from stability.runner.study import StudyRunner
from stability.spec import parse_study

class Talker(Listener):
    def trained(self, member_steps):
        print("trained", flush=True)

if __name__ == "__main__":
    spec = parse_study(Path(sys.argv[1]).read_text())
    StudyRunner(spec, Path(sys.argv[2]), Resources("cpu", threads=1, workers=2), Talker()).run()
"""


def test_workers_end_with_the_process_that_started_them(here: Path, tmp_path: Path) -> None:
    (tmp_path / "study.yaml").write_text(RING.replace(f"steps: {RING_STEPS}", "steps: 100000"))
    (tmp_path / "main.py").write_text(SCRIPT)
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(Path(__file__).parents[1]), *sys.path])}
    with subprocess.Popen(
        [sys.executable, "main.py", "study.yaml", "r"], cwd=tmp_path, env=environment, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"trained\n"
        children = _children(process.pid)
        assert len(children) >= 2
        process.kill()
    deadline = time.monotonic() + 300
    while time.monotonic() < deadline and any(map(_lives, children)):
        time.sleep(0.05)
    assert not any(map(_lives, children))
    with Store.open(tmp_path / "r").lock():
        pass


def _children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
