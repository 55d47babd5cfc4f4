"""With Ray for real: a cluster of this machine, and one of several node processes."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from small_studies import (
    RING_STEPS,
    Listener,
    StopAfter,
    result_bytes,
    ring_spec,
    run_small,
)

from stability.runner.engines.options import Cluster, RayOptions
from stability.runner.materials import Resources
from stability.runner.study import StudyRunner
from stability.store import Store

ray = pytest.importorskip("ray", reason="stability[ray] is not installed")
cluster_utils = pytest.importorskip("ray.cluster_utils")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

RAY = Cluster(RayOptions())
FOUR = "design.points=1"
"""Four runs in two cohorts."""


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("here") / "ring"
    assert run_small(ring_spec(FOUR), folder, resources=Resources("cpu", threads=1, workers=1))
    return folder


@pytest.fixture
def two_cores() -> Iterator[None]:
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
    yield
    ray.shutdown()


def run(folder: Path, listener: Listener, *, stop: StopAfter | None = None) -> bool:
    runner = StudyRunner(ring_spec(FOUR), folder, Resources(workers=None), listener, cluster=RAY)
    if stop is not None:
        runner.should_stop = stop
    return runner.run()


@pytest.mark.usefixtures("two_cores")
def test_tasks_train_what_one_process_trains_and_go_on_where_they_stopped(here: Path, tmp_path: Path) -> None:
    class FirstSteps(Listener):
        def trained(self, member_steps: int) -> None:
            super().trained(member_steps)
            stop.left = 0

    stop = StopAfter(10**9)
    assert not run(tmp_path / "r", FirstSteps(), stop=stop)
    assert len(Store.open(tmp_path / "r").finished()) < 2
    listener = Listener()
    assert run(tmp_path / "r", listener)
    assert result_bytes(tmp_path / "r") == result_bytes(here)
    assert sorted(listener.cohorts) == ["c0000", "c0001"]
    assert "2 cohorts at a time, on ray" in listener.notes
    assert sum(listener.steps) + sum(listener.skips) == 4 * RING_STEPS


@pytest.mark.usefixtures("two_cores")
def test_a_killed_task_is_trained_by_another(here: Path, tmp_path: Path) -> None:
    class Killer(Listener):
        killed = 0

        def trained(self, member_steps: int) -> None:
            super().trained(member_steps)
            if not self.killed:
                self.killed = next(_tasks())
                os.kill(self.killed, signal.SIGKILL)

    listener = Killer()
    assert run(tmp_path / "r", listener)
    assert any("was killed; another goes on with it" in note for note in listener.notes)
    assert result_bytes(tmp_path / "r") == result_bytes(here)


def test_what_a_lost_node_trained_is_trained_elsewhere(here: Path, tmp_path: Path) -> None:
    cluster = cluster_utils.Cluster(initialize_head=True, head_node_args={"num_cpus": 0})
    nodes = [cluster.add_node(num_cpus=1) for _ in range(2)]
    ray.init(cluster.address, log_to_driver=False)

    class Loser(Listener):
        def trained(self, member_steps: int) -> None:
            super().trained(member_steps)
            if nodes:
                cluster.remove_node(nodes.pop(), allow_graceful=False)
                nodes.clear()

    try:
        listener = Loser()
        assert run(tmp_path / "r", listener)
        assert result_bytes(tmp_path / "r") == result_bytes(here)
        assert any("another goes on" in note for note in listener.notes)
    finally:
        ray.shutdown()
        cluster.shutdown()


def _tasks() -> Iterator[int]:
    """Processes of Ray's that train."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and b"ray::_train" in _command(entry):
            yield int(entry.name)


def _command(process: Path) -> bytes:
    try:
        return (process / "cmdline").read_bytes()
    except OSError:
        return b""
