"""Whoever writes for days finds out that the folder is not the one it was."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from made_study import STUDY, make_cohort, make_store, make_weights

from stability.errors import StabilityError
from stability.store import Store

MORE = "was removed or replaced while it was written to"


def _write_cohort(store: Store) -> None:
    cohort = store.plan.cohorts[1]
    store.write_cohort(cohort.id, make_cohort(cohort.runs))


WRITES: list[Callable[[Store], None]] = [
    _write_cohort,
    lambda store: store.write_checkpoint(store.plan.cohorts[1].id, make_weights(), {}),
    lambda store: store.drop_checkpoint(store.plan.cohorts[1].id),
    lambda store: store.replace_plan(store.plan),
    lambda store: store.replace_environment({"threads": 2}),
    lambda store: store.extend(store.plan, study_yaml=STUDY, environment={"threads": 2}),
    lambda store: store.relabel(
        {result.run: result for result in store.read_results(store.plan.cohorts[0].id)}, study_yaml=STUDY
    ),
]


@pytest.mark.parametrize("write", WRITES)
def test_nothing_is_written_into_another_study(tmp_path: Path, write: Callable[[Store], None]) -> None:
    store = make_store(tmp_path / "r", finish=1)
    with store.lock():
        store.folder.rename(tmp_path / "moved")
        shutil.copytree(tmp_path / "moved", store.folder)
        (store.folder / ".lock").write_text("another")
        with pytest.raises(StabilityError) as caught:
            write(store)
        assert str(caught.value) == f"{store.folder}: {MORE}"
        shutil.rmtree(store.folder)
        (tmp_path / "moved").rename(store.folder)
        write(store)


def test_a_folder_that_is_gone_is_told_as_such(tmp_path: Path) -> None:
    store = make_store(tmp_path / "r", finish=1)
    with store.lock():
        shutil.rmtree(store.folder)
        with pytest.raises(StabilityError, match=MORE):
            store.replace_plan(store.plan)
    assert not store.folder.exists()


def test_a_new_study_is_watched_as_well(tmp_path: Path) -> None:
    made = make_store(tmp_path / "made", finish=0)
    with Store.created(tmp_path / "r", study_yaml=STUDY, plan=made.plan, environment={}) as store:
        (store.folder / ".lock").write_text("another")
        with pytest.raises(StabilityError, match=MORE):
            store.replace_plan(store.plan)


def test_who_works_for_the_owner_goes_by_what_it_signed(tmp_path: Path) -> None:
    store = make_store(tmp_path / "r", finish=1)
    with store.lock():
        signed = store.signed
        other = Store.open(store.folder)
        with other.staying(signed):
            _write_cohort(other)
    (store.folder / ".lock").write_text("another")
    with pytest.raises(StabilityError, match=MORE), Store.open(store.folder).staying(signed):
        pytest.fail("it is another's")
