from __future__ import annotations

import pytest
import torch
from small_studies import small_spec

from stability.design.plan import make_plan
from stability.errors import StabilityError
from stability.runner import worker_layout as layout
from stability.runner.materials import Resources
from stability.runner.worker_layout import Layout, choose_devices, new_layout, old_layout

CPU = (torch.device("cpu"),)
AUTO = Resources("cpu", workers=None)
"""As the command line asks."""
LONG = "training.steps=4000"
"""Twelve runs, 48,000 steps: two cohorts."""


@pytest.fixture(autouse=True)
def _eight_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layout, "CORES", 8)


def test_a_small_study_trains_here_with_every_thread() -> None:
    assert new_layout(small_spec(), AUTO) == Layout(CPU, workers=1, threads=8)


def test_a_library_s_caller_is_not_surprised_by_processes() -> None:
    assert new_layout(small_spec(LONG), Resources("cpu")) == Layout(CPU, workers=1, threads=8)


def test_a_longer_one_is_shared_out_by_its_cohorts() -> None:
    assert new_layout(small_spec(LONG), AUTO) == Layout(CPU, workers=2, threads=4)
    many = small_spec(LONG, "design.points=8", "training.cohort_size=2")
    assert new_layout(many, AUTO) == Layout(CPU, workers=8, threads=1)


def test_a_search_is_laid_out_by_its_first_round() -> None:
    search = small_spec(LONG, "design.sampler=tpe", "design.points=64")
    found = new_layout(search, AUTO)
    assert found.workers * found.threads == 8
    assert found.workers > 1


@pytest.mark.parametrize(
    ("asked", "workers", "threads"),
    [
        (Resources("cpu", threads=1, workers=None), 2, 1),
        (Resources("cpu", threads=8, workers=None), 1, 8),
        (Resources("cpu", threads=3, workers=None), 2, 3),
        (Resources("cpu", threads=16, workers=None), 1, 16),
        (Resources("cpu", workers=1), 1, 8),
        (Resources("cpu", workers=2), 2, 4),
        (Resources("cpu", workers=2, threads=1), 2, 1),
        (Resources("cpu", workers=100), 2, 1),
    ],
)
def test_what_is_asked_for_is_done_up_to_the_number_of_cohorts(
    asked: Resources, workers: int, threads: int
) -> None:
    assert new_layout(small_spec(LONG), asked) == Layout(CPU, workers, threads)


@pytest.mark.parametrize(
    ("threads", "left", "asked", "workers"),
    [
        (1, 100_000, AUTO, 8),
        (4, 100_000, AUTO, 2),
        (1, 100, AUTO, 1),
        (1, 100, Resources(workers=3), 3),
        (1, 100_000, Resources("cpu", workers=3), 3),
    ],
)
def test_a_study_goes_on_with_the_threads_of_its_plan(
    threads: int, left: int, asked: Resources, workers: int
) -> None:
    plan = make_plan(small_spec(LONG), device="cpu", threads=threads)
    assert old_layout(plan, asked, member_steps=left) == Layout(CPU, workers, threads)


def test_workers_take_the_devices_in_turn() -> None:
    devices = tuple(torch.device("cuda", i) for i in range(2))
    five = Layout(devices, workers=5, threads=1)
    assert [five.device(worker).index for worker in range(5)] == [0, 1, 0, 1, 0]
    assert five.bounded(3) == Layout(devices, workers=3, threads=1)
    assert five.bounded(0).workers == 1


def test_devices_are_of_this_machine_and_of_one_kind(monkeypatch: pytest.MonkeyPatch) -> None:
    assert choose_devices("cpu") == CPU
    assert choose_devices("cpu, cpu") == CPU * 2
    with pytest.raises(StabilityError, match="--device cuda:7: not on this machine"):
        choose_devices("cpu,cuda:7")
    monkeypatch.setattr(layout, "choose_device", torch.device)
    assert choose_devices("cuda:0,cuda:1") == (torch.device("cuda:0"), torch.device("cuda:1"))
    with pytest.raises(StabilityError, match="--device cpu,cuda:0: devices of one kind, please, not cpu"):
        choose_devices("cpu,cuda:0")


def test_a_gpu_has_a_worker_each(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layout, "choose_device", torch.device)
    many = small_spec("design.points=64", "training.cohort_size=2")
    assert new_layout(many, Resources("cuda", workers=None)).workers == 1
    two = new_layout(many, Resources("cuda:0,cuda:1", workers=None))
    assert (two.workers, two.threads) == (2, 4)
    plan = make_plan(many, device="cuda:0", threads=4)
    assert old_layout(plan, Resources("cuda:0,cuda:1", workers=None), member_steps=10).workers == 2
    assert old_layout(plan, Resources(workers=None), member_steps=10**6).devices == (torch.device("cuda:0"),)
