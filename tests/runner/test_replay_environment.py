"""What `replay` names of what could change records: threads, versions and device, each by itself."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from small_studies import Listener, run_small, small_spec

from stability.runner.materials import Resources
from stability.runner.replay import replay
from stability.store import Store

RUN = "p000-minimax-s0"
SHORT = ("space.loss=[minimax]", "design.points=1", "design.seeds=1", "training.steps=4")


@pytest.fixture(scope="module")
def short(_small_world: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("results") / "short"
    assert run_small(small_spec(*SHORT, "recording.evaluate_every=4"), folder)
    return folder


def changes(folder: Path, **resources: Any) -> tuple[str, ...]:
    return replay(folder, RUN, Resources(**resources), Listener()).environment_changes


@pytest.mark.parametrize(
    ("path", "was"),
    [
        (("threads",), 96),
        (("device",), "NVIDIA H100"),
        (("python",), "3.2"),
        (("stability",), "0.0"),
        (("libraries", "torch"), "1.0"),
        (("builds", "cuda"), "9.9"),
        (("processor_name",), "an abacus"),
        (("arithmetic", "float32_matmul"), "medium"),
    ],
)
def test_each_change_is_named_and_nothing_else(
    short: Path, tmp_path: Path, path: tuple[str, ...], was: object
) -> None:
    folder = Path(shutil.copytree(short, tmp_path / "r"))
    store = Store.open(folder)
    environment = store.environment
    inner = environment
    for name in path[:-1]:
        inner = inner[name]
    now, inner[path[-1]] = inner[path[-1]], was
    store.replace_environment(environment)
    assert changes(folder) == (f"{'.'.join(path)}: {was} -> {now}",)


def test_other_threads_are_named(short: Path) -> None:
    assert changes(short) == ()
    before = torch.get_num_threads()
    planned = Store.open(short).plan.threads
    try:
        assert changes(short, threads=planned + 1) == (f"threads: {planned} -> {planned + 1}",)
    finally:
        torch.set_num_threads(before)
