from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
from small_studies import Listener, StopAfter, rows_by_run, run_small, small_spec

from stability.errors import StabilityError
from stability.runner import job, splitting
from stability.runner.repair import check_study
from stability.runner.splitting import split
from stability.runner.trainer import CohortTrainer
from stability.store import Store
from stability.store.progress import study_status

pytestmark = pytest.mark.slow

TORCH = (
    "[enforce fail at alloc_cpu.cpp:127] err == 0. DefaultCPUAllocator: can't allocate memory: you tried to "
    "allocate 4294967296 bytes. Error code 12 (Cannot allocate memory)"
)
REASON = "not enough memory: can't allocate memory: you tried to allocate 4294967296 bytes."
MEASURED = ("records", "evaluations", "events")


class Hungry(CohortTrainer):
    """Has memory for a few runs, and runs out of it at the second visit."""

    room = 3
    at_step = 40

    def _visit(self) -> None:
        if self.step == self.at_step and len(self.tracks) > self.room:
            raise RuntimeError(TORCH)
        super()._visit()


@pytest.fixture
def hungry(monkeypatch: pytest.MonkeyPatch) -> type[Hungry]:
    monkeypatch.setattr(job, "CohortTrainer", Hungry)
    monkeypatch.setattr(Hungry, "room", 3)
    return Hungry


def test_what_takes_too_much_memory_is_trained_in_smaller_cohorts(
    finished: Path, tmp_path: Path, hungry: type[Hungry]
) -> None:
    folder, listener = tmp_path / "r", Listener()
    assert run_small(small_spec(), folder, listener=listener)
    store = Store.open(folder)
    assert [len(cohort.runs) for cohort in store.plan.cohorts] == [2] * 6
    assert [run for c in store.plan.cohorts for run in c.runs] == [run.run for run in store.plan.runs]
    assert sum(listener.steps) + sum(listener.skips) == 12 * 40
    for table in MEASURED:
        assert rows_by_run(folder, table) == rows_by_run(finished, table)
    assert check_study(folder).faults == ()


def test_a_split_is_told_and_kept(tmp_path: Path, hungry: type[Hungry]) -> None:
    folder, listener = tmp_path / "r", Listener()
    hungry.room = 4
    assert run_small(small_spec(), folder, listener=listener)
    names = [run.run for run in Store.open(folder).plan.runs]
    (one,) = study_status(folder)["split"]
    assert one == {"cohort": "c0000", "runs": names[:8], "into": ["c0002", "c0003"], "reason": one["reason"]}
    assert one["reason"].startswith(REASON)
    (told,) = [note for note in listener.notes if "start over" in note]
    assert told == f"c0000: {one['reason']}; its 8 runs start over as c0002 and c0003"
    assert listener.cohorts == ["c0002", "c0003", "c0001"]


def checkpointed(folder: Path) -> Store:
    """Half a study with a checkpoint of its first cohort, after step 30 of 40 and one run's stop."""
    assert not run_small(small_spec(), folder, stop=StopAfter(3))
    return Store.open(folder)


def test_a_split_cohort_goes_on_from_its_checkpoint(
    finished: Path, tmp_path: Path, hungry: type[Hungry]
) -> None:
    folder, listener = tmp_path / "r", Listener()
    checkpointed(folder)
    assert run_small(small_spec(), folder, listener=listener)
    assert [note.split("; ")[1] for note in listener.notes if note.startswith("c0000: ")] == [
        "its 8 runs go on as c0002 and c0003"
    ]
    assert [note for note in listener.notes if note.startswith("going on")] == [
        f"going on with {cohort} at step 30" for cohort in ("c0000", "c0002", "c0004", "c0005", "c0003")
    ] + [f"going on with {cohort} at step 30" for cohort in ("c0006", "c0007")]
    assert sum(listener.steps) + sum(listener.skips) == 12 * 40
    for table in MEASURED:
        assert rows_by_run(folder, table) == rows_by_run(finished, table)
    assert check_study(folder).faults == ()


@pytest.mark.parametrize("stopped", [{}, {"stop_on": ["diverged"]}])
def test_parts_of_a_checkpoint_go_on_as_the_whole(tmp_path: Path, stopped: dict[str, list[str]]) -> None:
    """Down to single runs, also where some have left."""
    overrides = [f"training.{name}={value}" for name, value in stopped.items()]
    spec = small_spec("space.lr.high=1e+4", *overrides)
    assert run_small(spec, tmp_path / "whole")
    assert not run_small(spec, tmp_path / "parts", stop=StopAfter(3))
    store, listener = Store.open(tmp_path / "parts"), Listener()
    with store.lock():
        for _ in range(3):
            for cohort in [cohort for cohort in store.plan.cohorts if len(cohort.runs) > 1]:
                split(store, cohort, "for a test", listener)
    assert {len(cohort.runs) for cohort in store.plan.cohorts} == {1}
    listener = Listener()
    assert run_small(spec, tmp_path / "parts", listener=listener)
    assert len([note for note in listener.notes if "going on with" in note]) == 8
    for table in MEASURED:
        assert rows_by_run(tmp_path / "parts", table) == rows_by_run(tmp_path / "whole", table)


def test_killed_in_a_split_no_checkpoint_is_lost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = checkpointed(tmp_path / "r")
    with store.lock(), monkeypatch.context() as patch:
        patch.setattr(splitting, "share_checkpoints", lambda store: False)
        split(store, store.plan.cohorts[0], "for a test", Listener())
    listener = Listener()
    assert run_small(small_spec(), tmp_path / "r", listener=listener)
    assert [note for note in listener.notes if "at step" in note] == [
        "going on with c0002 at step 30",
        "going on with c0003 at step 30",
    ]
    assert check_study(tmp_path / "r").faults == ()


def test_without_the_memory_for_a_checkpoint_s_parts_they_start_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, listener = checkpointed(tmp_path / "r"), Listener()
    write, calls = Store.write_checkpoint, iter([True, False])

    def short(self: Store, *state: Any) -> None:
        if not next(calls):
            raise MemoryError
        write(self, *state)

    with store.lock(), monkeypatch.context() as patch:
        patch.setattr(Store, "write_checkpoint", short)
        split(store, store.plan.cohorts[0], "for a test", listener)
    assert listener.notes == ["c0000: for a test; its 8 runs start over as c0002 and c0003"]
    assert not list((tmp_path / "r" / "checkpoints").iterdir())
    assert run_small(small_spec(), tmp_path / "r")


def test_a_run_that_takes_too_much_alone_is_named_and_what_was_kept_stays(
    tmp_path: Path, hungry: type[Hungry]
) -> None:
    folder, listener = tmp_path / "r", Listener()
    hungry.room = 4
    run_small(small_spec(), folder, stop=StopAfter(12), listener=listener)
    assert listener.cohorts == ["c0002", "c0003"]
    hungry.room = 0
    with pytest.raises(
        StabilityError, match=rf"{folder}: p\S+ cannot be trained here, even alone: not enough"
    ):
        run_small(small_spec(), folder)
    assert Store.open(folder).finished() == {"c0002", "c0003"}
    assert check_study(folder).faults == ()
    hungry.room = 8
    assert run_small(small_spec(), folder)
    assert len(study_status(folder)["split"]) == 3


def test_a_split_study_is_extended_and_its_runs_stay(tmp_path: Path, hungry: type[Hungry]) -> None:
    folder = tmp_path / "r"
    assert run_small(small_spec(), folder)
    before = rows_by_run(folder, "runs")
    hungry.room = 8
    assert run_small(small_spec("design.seeds=3"), folder)
    after = rows_by_run(folder, "runs")
    assert len(after) == 18
    assert all(after[run] == rows for run, rows in before.items())


def test_nothing_of_a_split_is_left_half_done(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run_small(small_spec(), tmp_path / "r", stop=StopAfter(2))
    store = Store.open(tmp_path / "r")
    before = study_status(tmp_path / "r")

    def full(*_: Any, **__: Any) -> None:
        raise StabilityError("No space left on device")

    monkeypatch.setattr(Store, "extend", full)
    with pytest.raises(StabilityError, match="No space"):
        split(store, store.plan.cohorts[0], "not enough memory", Listener())
    assert study_status(tmp_path / "r") == before
    assert check_study(tmp_path / "r").faults == ()


def test_another_error_is_none_of_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")

    monkeypatch.setattr(CohortTrainer, "_visit", broken)
    with pytest.raises(RuntimeError, match="shapes cannot be multiplied"):
        run_small(small_spec(), tmp_path / "r")
    assert len(Store.open(tmp_path / "r").plan.cohorts) == 2


def test_a_lone_run_is_not_split(tmp_path: Path) -> None:
    run_small(small_spec(), tmp_path / "r", stop=StopAfter(1))
    store = Store.open(tmp_path / "r")
    cohort = dataclasses.replace(store.plan.cohorts[0], runs=store.plan.cohorts[0].runs[:1])
    with pytest.raises(StabilityError, match="even alone: the reason; smaller networks"):
        split(store, cohort, "the reason", Listener())
