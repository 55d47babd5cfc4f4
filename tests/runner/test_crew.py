from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from small_studies import Listener, StopAfter, run_small, small_spec

from stability.errors import StabilityError
from stability.runner.crew import Crew, Said
from stability.runner.ends import Died, End, Finished, Refused, Short, Stopped
from stability.store import PlannedCohort, Store
from stability.store.parcels import cohort_parcel
from stability.store.progress import study_status

KILLED = Died("was killed by SIGKILL", for_memory=True)
CRASHED = Died("was killed by SIGSEGV", for_memory=False)

Fate = End | Exception | Callable[[PlannedCohort], End]


@dataclass
class Fates:
    """An engine on which cohorts end as it is written, each in its turn."""

    fates: list[Fate]
    capacity: int = 2
    taken: list[str] = field(default_factory=list)
    most: int = 0
    told: bool = False
    says: list[Said] = field(default_factory=list)
    _open: list[tuple[PlannedCohort, Future[End]]] = field(default_factory=list)

    def submit(self, cohort: PlannedCohort) -> Future[End]:
        self.taken.append(cohort.id)
        self._open.append((cohort, Future()))
        self.most = max(self.most, len(self._open))
        return self._open[-1][1]

    def listen(self) -> Iterator[Said]:
        yield from self.says
        self.says = []
        cohort, future = self._open.pop(0)
        fate = Stopped() if self.told else self.fates.pop(0)
        if isinstance(fate, Exception):
            future.set_exception(fate)
        else:
            future.set_result(fate(cohort) if callable(fate) else fate)

    def stop(self) -> None:
        self.told = True


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """Planned and not begun: two cohorts, of eight runs and of four."""
    assert not run_small(small_spec(), tmp_path / "r", stop=StopAfter(1))
    for checkpoint in (tmp_path / "r" / "checkpoints").iterdir():
        checkpoint.unlink()
    return Store.open(tmp_path / "r")


def parcels(finished: Path) -> Callable[[PlannedCohort], End]:
    """A cohort is finished elsewhere, and comes back as bytes."""

    def end(cohort: PlannedCohort) -> End:
        there = Store.open(finished)
        return Finished(tuple(there.read_results(cohort.id)), cohort_parcel(there, cohort.id))

    return end


def train(store: Store, engine: Fates, *, stop: StopAfter | None = None) -> tuple[bool, Listener]:
    listener = Listener()
    with store.lock():
        return Crew(engine, store, listener, stop or (lambda: False)).train(store.plan.cohorts), listener


def test_as_many_are_under_way_as_the_engine_takes_and_parcels_are_kept(store: Store, finished: Path) -> None:
    engine = Fates([parcels(finished)] * 2)
    done, listener = train(store, engine)
    assert done
    assert engine.most == 2
    assert listener.cohorts == ["c0000", "c0001"]
    assert cohort_parcel(store, "c0001") == cohort_parcel(Store.open(finished), "c0001")


def test_a_parcel_that_arrives_damaged_is_not_kept(store: Store, finished: Path) -> None:
    def damaged(cohort: PlannedCohort) -> End:
        files = cohort_parcel(Store.open(finished), cohort.id)
        return Finished((), files | {"records.parquet": b"damaged"})

    with pytest.raises(StabilityError, match="c0000 arrived damaged, its digests are others"):
        train(store, Fates([damaged]))
    assert not store.finished()


def test_after_a_first_death_another_goes_on_and_what_was_told_is_taken_back(
    store: Store, finished: Path
) -> None:
    engine = Fates(
        [KILLED, parcels(finished), parcels(finished)], capacity=1, says=[Said("c0000", "trained", 80)]
    )
    done, listener = train(store, engine)
    assert done
    assert engine.taken == ["c0000", "c0000", "c0001"]
    assert listener.notes == ["the process that trained c0000 was killed by SIGKILL; another goes on with it"]
    assert sum(listener.steps) + sum(listener.skips) == 0


def test_what_gave_way_goes_on_and_counts_no_death(store: Store, finished: Path) -> None:
    engine = Fates([Stopped(), Stopped(), KILLED, *[parcels(finished)] * 2], capacity=1)
    assert train(store, engine)[0]
    assert engine.taken == ["c0000"] * 4 + ["c0001"]


@pytest.mark.parametrize(
    ("fates", "reason"),
    [
        ([KILLED, KILLED], "the process that trained it was killed by SIGKILL, again"),
        ([Short("no room")], "no room"),
    ],
)
def test_what_takes_too_much_memory_goes_on_in_two(store: Store, fates: list[Fate], reason: str) -> None:
    engine = Fates([*fates, Refused("enough")], capacity=1)
    with pytest.raises(StabilityError, match=r"^enough$"):
        train(store, engine)
    assert engine.taken[-1] == "c0002"
    (split,) = study_status(store.folder)["split"]
    assert split["into"] == ["c0002", "c0003"]
    assert split["reason"] == reason


def test_what_was_kept_when_it_died_again_is_not_split(store: Store, finished: Path) -> None:
    def kept_and_died(cohort: PlannedCohort) -> End:
        shutil.copytree(finished / "cohorts" / cohort.id, store.folder / "cohorts" / cohort.id)
        raise KILLED

    class Late(Fates):
        def listen(self) -> Iterator[Said]:
            cohort, future = self._open.pop(0)
            try:
                kept_and_died(cohort)
            except Died as death:
                future.set_exception(death)
            yield from ()

    engine = Late([], capacity=1)
    done, listener = train(store, engine)
    assert done
    assert engine.taken == listener.cohorts == ["c0000", "c0001"]
    assert listener.notes == []
    assert study_status(store.folder)["split"] == []


def test_a_crash_that_comes_again_ends_the_study(store: Store) -> None:
    with pytest.raises(
        StabilityError, match=r"r: the process that trained c0000 was killed by SIGSEGV, again$"
    ):
        train(store, Fates([CRASHED, CRASHED], capacity=1))


def test_a_failure_is_no_end(store: Store) -> None:
    with pytest.raises(RuntimeError, match="a traceback"):
        train(store, Fates([RuntimeError("a traceback")]))


def test_it_stops_when_told_and_keeps_the_checkpoints_that_came(store: Store) -> None:
    engine = Fates([Stopped()], says=[Said("c0000", "checkpoint", b"bytes")])
    done, _ = train(store, engine, stop=StopAfter(2))
    assert not done
    assert engine.told
    assert store.checkpoint_path("c0000").read_bytes() == b"bytes"
