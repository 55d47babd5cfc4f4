"""With Ray for real: a cluster of this machine, and one of several node processes."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from interrupted_job import arrange
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

import interrupted_task  # noqa: E402  # which imports Ray

from stability.runner.engines import ray as engine  # noqa: E402

RAY = Cluster(RayOptions())
FOUR = "design.points=1"
"""Four runs in two cohorts."""


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("here") / "ring"
    assert run_small(ring_spec(FOUR), folder, resources=Resources("cpu", threads=1, workers=1))
    return folder


@pytest.fixture(autouse=True)
def _once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What happens to a task happens to the first alone; they find what they are made of."""
    for name, value in arrange(signal.SIGKILL, tmp_path / "once").items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(sys.path))


@pytest.fixture
def two_cores(_once: None) -> Iterator[None]:
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
    yield
    ray.shutdown()


@pytest.fixture
def three_nodes(_once: None) -> Iterator[Any]:
    """The driver's own, which trains nothing, and two others."""
    cluster = cluster_utils.Cluster(initialize_head=True, head_node_args={"num_cpus": 0})
    for _ in range(2):
        cluster.add_node(num_cpus=1)
    ray.init(cluster.address, log_to_driver=False)
    yield cluster
    ray.shutdown()
    cluster.shutdown()


def run(folder: Path, listener: Listener, *, stop: StopAfter | None = None) -> bool:
    runner = StudyRunner(ring_spec(FOUR), folder, Resources(workers=None), listener, cluster=RAY)
    if stop is not None:
        runner.should_stop = stop
    return runner.run()


@pytest.mark.usefixtures("two_cores")
def test_tasks_train_what_one_process_trains_and_go_on_where_they_stopped(
    here: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class FirstSteps(Listener):
        def trained(self, member_steps: int) -> None:
            super().trained(member_steps)
            stop.left = 0

    stop = StopAfter(10**9)
    with monkeypatch.context() as patch:
        patch.setattr(engine, "_train", interrupted_task.patient)
        assert not run(tmp_path / "r", FirstSteps(), stop=stop)
    assert not Store.open(tmp_path / "r").finished()
    listener = Listener()
    assert run(tmp_path / "r", listener)
    assert result_bytes(tmp_path / "r") == result_bytes(here)
    assert sorted(listener.cohorts) == ["c0000", "c0001"]
    assert "2 cohorts at a time, on ray" in listener.notes
    assert any(note.startswith("going on with c000") for note in listener.notes)
    assert sum(listener.steps) + sum(listener.skips) == 4 * RING_STEPS


@pytest.mark.usefixtures("two_cores")
def test_what_a_killed_task_trained_another_goes_on_with(
    here: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "_train", interrupted_task.killed)
    listener = Listener()
    assert run(tmp_path / "r", listener)
    (told,) = [note for note in listener.notes if note.endswith(" was killed; another goes on with it")]
    assert f"going on with {told.split()[4]} at step 10" in listener.notes
    assert result_bytes(tmp_path / "r") == result_bytes(here)
    assert sum(listener.steps) + sum(listener.skips) == 4 * RING_STEPS


def test_what_a_lost_node_trained_another_goes_on_with(
    here: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, three_nodes: Any
) -> None:
    class Remover(Listener):
        def note(self, text: str) -> None:
            super().note(text)
            for node in list(three_nodes.worker_nodes):
                if text == interrupted_task.AT_WORK + node.node_id:
                    three_nodes.remove_node(node, allow_graceful=False)

    monkeypatch.setattr(engine, "_train", interrupted_task.stranded)
    listener = Remover()
    assert run(tmp_path / "r", listener)
    assert len(three_nodes.worker_nodes) == 1
    (told,) = [note for note in listener.notes if note.endswith(" is gone; another goes on")]
    assert f"going on with {told.split()[4]} at step 10" in listener.notes
    assert result_bytes(tmp_path / "r") == result_bytes(here)
    assert sum(listener.steps) + sum(listener.skips) == 4 * RING_STEPS
