from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from made_study import file_bytes, make_cohort, make_store, with_weights

from stability.errors import StabilityError
from stability.records import Outcome
from stability.spec.loader import dump_study, parse_study
from stability.store import Store
from stability.store.files import host_name
from stability.store.folder import with_study_digest
from stability.store.repair.examine import Examination, Fault, Remedy, examine_files
from stability.store.repair.unsealed import unsealed_study
from stability.store.seals import encode_digests, is_whole, seal_text

FIRST, SECOND = "c000-mlp", "c001-mlp"


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """One cohort finished with weights, the other under way."""
    store = make_store(tmp_path / "r", finish=0, environment={"threads": 2})
    store.write_cohort(FIRST, with_weights(make_cohort(store.plan.cohorts[0].runs)))
    store.write_checkpoint(SECOND, {"w": np.ones(3)}, {})
    return store


def examined(store: Store) -> Examination:
    before = file_bytes(store.folder)
    found = examine_files(Store.open(store.folder))
    assert file_bytes(store.folder) == before
    return found


def the_fault(store: Store) -> Fault:
    (fault,) = examined(store).faults
    assert all((fault.wrong, fault.lost, fault.repair))
    assert str(store.folder) not in fault.wrong
    return fault


def flip(path: Path, place: float) -> None:
    content = bytearray(path.read_bytes())
    content[int(place * (len(content) - 1))] ^= 1
    path.write_bytes(content)


def without_digests(store: Store) -> None:
    (store.folder / "cohorts" / FIRST / "digests.json").unlink()


def files_of(store: Store) -> list[Path]:
    return sorted(path for path in (store.folder / "cohorts" / FIRST).rglob("*") if path.is_file())


def test_a_whole_folder_has_no_fault(store: Store) -> None:
    found = examined(store)
    assert (found.faults, found.notes) == ((), ())
    assert found.files == len(file_bytes(store.folder))


def test_a_relabelled_study_is_whole(store: Store) -> None:
    results = {
        result.run: dataclasses.replace(result, outcome=Outcome.DOMINATED)
        for result in store.read_cohort(FIRST).results
    }
    store.relabel(results, study_yaml="name: made\n")
    assert examined(store).faults == ()
    assert {result.outcome for result in store.read_results(FIRST)} == {Outcome.DOMINATED}


@pytest.mark.parametrize("place", [0.0, 0.3, 0.5, 0.9, 1.0])
def test_a_flipped_bit_anywhere_in_a_cohort_is_found(store: Store, place: float) -> None:
    for path in files_of(store):
        whole = path.read_bytes()
        flip(path, place)
        fault = the_fault(store)
        assert fault.file == str(path.relative_to(store.folder))
        assert fault.part == f"cohorts/{FIRST}"
        assert fault.remedy is (Remedy.SEAL if path.name == "digests.json" else Remedy.ASIDE)
        path.write_bytes(whole)
    assert len(files_of(store)) == 4 + 1 + 4 + 5 + 5


@pytest.mark.parametrize("damage", [Path.unlink, lambda path: path.write_bytes(path.read_bytes()[:-20])])
def test_a_missing_or_cut_file_is_found(store: Store, damage: Callable[[Path], None]) -> None:
    for path in files_of(store):
        if path.name != "digests.json":
            whole = path.read_bytes()
            damage(path)
            assert the_fault(store).file == str(path.relative_to(store.folder))
            path.write_bytes(whole)
    assert examined(store).faults == ()


def test_an_older_cohort_is_decoded_and_that_is_said(store: Store) -> None:
    without_digests(store)
    found = examined(store)
    assert found.faults == ()
    assert found.notes == (f"cohorts/{FIRST}: written without digests, so only decoded",)
    for path in files_of(store):
        whole = path.read_bytes()
        path.write_bytes(whole[: len(whole) // 2])
        assert the_fault(store).file == str(path.relative_to(store.folder))
        path.write_bytes(whole)


def test_a_loss_is_told_by_the_kind_of_file(store: Store) -> None:
    folder = store.folder / "cohorts" / FIRST
    words = {
        "records.parquet": "what is told of its 5 runs",
        "filmstrips/p0-minimax-s1.png": "the film of p0-minimax-s1",
        "weights/p0-hinge-s0.safetensors": "the weights of p0-hinge-s0",
        "latent/p0-hinge-s0.png": "the latent view of p0-hinge-s0",
    }
    for name, lost in words.items():
        whole = (folder / name).read_bytes()
        (folder / name).unlink()
        assert the_fault(store).lost == lost
        (folder / name).write_bytes(whole)


def test_a_cohort_of_other_runs_than_planned_is_found(store: Store) -> None:
    """Every file of it is whole, but the plan is another."""
    other = dataclasses.replace(store.plan.runs[0], seed=7)
    store.replace_plan(dataclasses.replace(store.plan, runs=(other, *store.plan.runs[1:])))
    fault = the_fault(store)
    assert (fault.file, fault.wrong) == (
        f"cohorts/{FIRST}/runs.parquet",
        f"{other.run} was trained otherwise than planned",
    )
    first, second = store.plan.cohorts
    swapped = (
        dataclasses.replace(first, runs=second.runs),
        dataclasses.replace(second, runs=first.runs),
    )
    store.replace_plan(dataclasses.replace(store.plan, cohorts=swapped))
    wrong = {fault.file.rpartition("/")[2]: fault.wrong for fault in examined(store).faults}
    assert wrong["runs.parquet"] == "does not hold the planned runs"
    assert "is no run of this cohort" in wrong["records.parquet"]


def test_files_that_do_not_belong_there_are_found(store: Store) -> None:
    (store.folder / "cohorts" / FIRST / "notes.txt").write_text("dear")
    assert the_fault(store).wrong == "does not belong here"
    (store.folder / "cohorts" / FIRST / "notes.txt").unlink()
    (store.folder / "cohorts" / "c7").mkdir()
    (store.folder / "checkpoints" / "c7.safetensors").touch()
    files = {(fault.file, fault.remedy) for fault in examined(store).faults}
    assert files == {("cohorts/c7", Remedy.ASIDE), ("checkpoints/c7.safetensors", Remedy.ASIDE)}


def test_a_file_in_a_cohorts_place_is_found(store: Store) -> None:
    (store.folder / "checkpoints" / f"{SECOND}.safetensors").unlink()
    (store.folder / "cohorts" / SECOND).write_text("no folder")
    assert the_fault(store).file == f"cohorts/{SECOND}"


@pytest.mark.parametrize("place", [0.0, 0.4, 1.0])
def test_a_damaged_checkpoint_is_found(store: Store, place: float) -> None:
    flip(store.folder / "checkpoints" / f"{SECOND}.safetensors", place)
    fault = the_fault(store)
    assert (fault.file, fault.remedy) == (f"checkpoints/{SECOND}.safetensors", Remedy.ASIDE)
    assert fault.lost == "how far 7 runs were"


def test_a_checkpoint_of_a_finished_cohort_is_left_over_and_cleared_by_the_next_writer(store: Store) -> None:
    """A writer may be killed between keeping a cohort and dropping its checkpoint."""
    store.write_checkpoint(FIRST, {"w": np.ones(3)}, {})
    assert the_fault(store).wrong == "its cohort is finished"
    with store.lock():
        assert examined(store).faults == ()
    assert store.read_checkpoint(SECOND) is not None


def test_what_a_killed_writer_left_is_told_and_what_a_living_one_prepares_is_not(store: Store) -> None:
    dead = 2**22 + 1  # above the largest pid there is
    (store.folder / "cohorts" / f".c9.tmp-{dead}").mkdir()
    (store.folder / f".plan.json.tmp-{dead}").touch()
    (store.folder / f".study.yaml.tmp-{os.getpid()}").touch()
    found = {(fault.file, fault.remedy) for fault in examined(store).faults}
    assert found == {
        (f"cohorts/.c9.tmp-{dead}", Remedy.REMOVE),
        (f".plan.json.tmp-{dead}", Remedy.REMOVE),
    }


def test_what_another_host_may_be_writing_is_no_fault_but_told(store: Store) -> None:
    (store.folder / ".plan.json.tmp-far-away-77").touch()
    assert examined(store).faults == ()
    said = "process 77 on far-away may still be writing, or may have been killed: ask there"
    assert said in examined(store).notes
    with store.lock():
        assert not list(store.folder.glob(".*.tmp-*"))


def test_a_process_of_another_host_is_not_looked_for_here(store: Store) -> None:
    (store.folder / "labels").mkdir()
    (store.folder / "study.yaml").rename(store.folder / "labels" / "study.yaml")
    dead = 2**22 + 1
    lock = store.folder / ".lock"
    lock.write_text(json.dumps({"pid": dead, "host": host_name(), "start": ""}))
    assert the_fault(store).file == "labels"
    lock.write_text(json.dumps({"pid": dead, "host": "far-away", "start": ""}))
    assert examined(store).faults == ()
    assert any(note.startswith(f"process {dead} on far-away") for note in examined(store).notes)


def test_changes_that_have_not_moved_are_told_and_read_all_the_same(store: Store) -> None:
    (store.folder / "labels").mkdir()
    (store.folder / "study.yaml").rename(store.folder / "labels" / "study.yaml")
    fault = the_fault(store)
    assert (fault.file, fault.lost, fault.remedy) == ("labels", "nothing", Remedy.SETTLE)


@pytest.mark.parametrize("name", ["study.yaml", "environment.json"])
def test_a_flip_in_a_text_is_found(store: Store, name: str) -> None:
    store.replace_environment({"python": "3.12", "threads": 2})
    flip(store.folder / name, 0.1)
    assert the_fault(store).file == name
    (store.folder / name).unlink()
    assert the_fault(store).wrong == "No such file or directory"


@pytest.mark.parametrize("lost", [1, 3, 40, 74])
def test_a_study_file_cut_within_its_digest_has_lost_nothing(store: Store, lost: int) -> None:
    path, whole = store.folder / "study.yaml", dump_study(parse_study(store.study_yaml))
    store.replace_environment(with_study_digest({}, whole))
    path.write_bytes(seal_text(whole)[:-lost])
    said = r"study\.yaml: .* no digest; `stability status \S+ --check` says more$"
    with pytest.raises(StabilityError, match=said):
        store.study_yaml  # noqa: B018
    assert (the_fault(store).file, the_fault(store).lost) == ("study.yaml", "nothing")
    assert the_fault(store).remedy is Remedy.ADOPT


def test_a_study_file_cut_before_its_digest_is_not_believed_wherever_it_ends(store: Store) -> None:
    whole = dump_study(parse_study(store.study_yaml)).encode()
    store.replace_environment(with_study_digest({}, whole.decode()))
    path, found = store.folder / "study.yaml", []
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        with pytest.raises(StabilityError, match=r"study\.yaml: "):
            store.study_yaml  # noqa: B018
        found.append(unsealed_study(store))
    spec = parse_study(whole.decode())
    assert all(study is None or study == spec for study in found)
    assert not any(found[: whole.index(b"design:")])  # beyond there are nothing but defaults
    path.write_bytes(whole)
    assert unsealed_study(store) == spec


def test_a_study_file_put_there_by_hand_is_known(store: Store) -> None:
    text = "name: losses\ndesign: {points: 3}\nspace: {lr: {low: 1.0e-3, high: 2.0e-3}}\n"
    (store.folder / "study.yaml").write_text(text)
    assert unsealed_study(store) is None
    assert (the_fault(store).file, the_fault(store).remedy) == ("study.yaml", Remedy.NONE)
    store.replace_environment(with_study_digest({}, dump_study(parse_study(text))))
    assert unsealed_study(store) == parse_study(text)
    (store.folder / "study.yaml").write_text(text + "outcomes: {persist: 5}\n")
    assert unsealed_study(store) is None


@pytest.mark.parametrize("name", ["plan.json", "environment.json"])
def test_a_json_file_without_its_digest_is_whole_and_can_be_sealed(store: Store, name: str) -> None:
    store.replace_environment({"python": "3.12", "threads": 2})
    path = store.folder / name
    path.write_bytes(path.read_bytes()[:-1])
    assert is_whole(path.read_bytes()) is None
    assert (the_fault(store).file, the_fault(store).lost, the_fault(store).remedy) == (
        name, "nothing", Remedy.SEAL,
    )  # fmt: skip


def test_damage_among_pending_changes_is_named_where_it_is(store: Store) -> None:
    place = store.folder / "labels" / FIRST
    place.mkdir(parents=True)
    (store.folder / "cohorts" / FIRST / "runs.parquet").rename(place / "runs.parquet")
    flip(place / "runs.parquet", 0.5)
    pending, damaged = examined(store).faults
    assert (pending.file, pending.remedy) == ("labels", Remedy.SETTLE)
    assert (damaged.file, damaged.part) == (f"labels/{FIRST}/runs.parquet", f"cohorts/{FIRST}")


def test_a_digest_of_a_file_that_is_not_there_is_a_missing_file(store: Store) -> None:
    path = store.folder / "cohorts" / FIRST / "digests.json"
    path.write_bytes(encode_digests({**(store.digests(FIRST) or {}), "films/x.png": "0" * 64}))
    assert (the_fault(store).file, the_fault(store).wrong) == (f"cohorts/{FIRST}/films/x.png", "is missing")


def test_what_a_writer_does_last_is_no_fault_while_it_is_there(store: Store) -> None:
    first = store.plan.cohorts[0].id
    (store.folder / "checkpoints").mkdir(exist_ok=True)
    (store.folder / "checkpoints" / f"{first}.safetensors").write_bytes(b"kept a moment ago")
    (store.folder / "labels").mkdir()
    for writer, faults in ((os.getppid(), 0), (os.getpid(), 2), (2**22 + 1, 2), (-1, 2), ("one", 2)):
        (store.folder / ".lock").write_text(json.dumps({"pid": writer, "host": host_name()}))
        assert len(examine_files(store).faults) == faults
