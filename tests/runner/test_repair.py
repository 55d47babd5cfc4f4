from __future__ import annotations

import json
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from small_studies import (
    SMALL,
    Listener,
    StopAfter,
    outcomes_by_run,
    result_bytes,
    rows_by_run,
    run_small,
    small_spec,
)

from stability.design.rebuild_plan import rebuilt_plan
from stability.design.study_db import STUDY_DB
from stability.errors import StabilityError
from stability.runner.repair import check_study, repair_study
from stability.runner.study import relabel_study
from stability.spec.loader import dump_study
from stability.store import Store
from stability.store.repair.examine import Fault, Remedy

SEARCH = ("design={sampler: tpe, points: 2, seeds: 1}", "training.steps=4", "recording.evaluate_every=4")


@pytest.fixture
def folder(finished: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(finished, tmp_path / "r"))


def half(tmp_path: Path) -> Path:
    """One cohort finished, one at its second visit's step."""
    assert not run_small(small_spec(), tmp_path / "half", stop=StopAfter(7))
    return tmp_path / "half"


def flip(path: Path, place: float = 0.4) -> None:
    content = bytearray(path.read_bytes())
    content[int(place * (len(content) - 1))] ^= 1
    path.write_bytes(content)


def the_fault(folder: Path) -> Fault:
    (fault,) = check_study(folder).faults
    return fault


def files(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_whole_study_is_left_alone(folder: Path) -> None:
    before = files(folder)
    found = check_study(folder)
    assert (found.faults, found.notes, found.files) == ((), (), len(before))
    done, again = repair_study(folder)
    assert (done, again) == ((), found)
    after = files(folder)
    assert {name for name in before if before[name] != after[name]} <= {str(folder / ".lock")}


def test_a_study_under_way_is_whole(tmp_path: Path) -> None:
    folder = half(tmp_path)
    assert (check_study(folder).faults, check_study(folder).notes) == ((), ())
    before = {name: content for name, content in files(folder).items() if not name.endswith(".lock")}
    assert repair_study(folder)[0] == ()
    assert {name: files(folder)[name] for name in before} == before


# --- cohorts and checkpoints ------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["records.parquet", "digests.json", "filmstrips/p000-minimax-s0.png"])
def test_a_damaged_cohort_is_kept_aside_and_trained_again(folder: Path, finished: Path, name: str) -> None:
    flip(folder / "cohorts" / "c0000" / name)
    assert the_fault(folder).file == f"cohorts/c0000/{name}"
    done, found = repair_study(folder)
    assert found.faults == ()
    if name == "digests.json":
        place = "cohorts/c0000/digests.json"
        assert done == (f"moved {place} to damaged/digests.json-1; wrote {place} anew",)
    else:
        assert done[0] == "moved cohorts/c0000 to damaged/c0000-1"
        assert (folder / "damaged" / "c0000-1" / name).is_file()
        assert Store.open(folder).finished() == {"c0001"}
    assert run_small(small_spec(), folder)
    assert check_study(folder).faults == ()
    shutil.rmtree(folder / "damaged")
    assert result_bytes(folder) == result_bytes(finished)
    assert outcomes_by_run(folder) == outcomes_by_run(finished)


def test_several_faults_are_repaired_at_once_and_damaged_parts_never_overwrite_each_other(
    folder: Path,
) -> None:
    for _ in range(2):
        flip(folder / "cohorts" / "c0000" / "records.parquet")
        (folder / "cohorts" / "c0000" / "events.parquet").unlink()
        (folder / "cohorts" / ".c0009.tmp-4194999").mkdir()
        assert len(check_study(folder).faults) == 3
        done, found = repair_study(folder)
        assert found.faults == ()
        assert done[0] == "cohorts/.c0009.tmp-4194999: removed"
        assert run_small(small_spec(), folder)
    assert sorted(path.name for path in (folder / "damaged").iterdir()) == ["c0000-1", "c0000-2"]


def test_a_damaged_checkpoint_is_moved_aside(tmp_path: Path, finished: Path) -> None:
    folder = half(tmp_path)
    flip(folder / "checkpoints" / "c0001.safetensors")
    assert the_fault(folder).lost == "how far 4 runs were"
    done, found = repair_study(folder)
    assert done == ("moved checkpoints/c0001.safetensors to damaged/c0001.safetensors-1",)
    assert found.faults == ()
    listener = Listener()
    assert run_small(small_spec(), folder, listener=listener)
    assert listener.notes == []
    assert rows_by_run(folder, "records") == rows_by_run(finished, "records")


def test_a_checkpoint_of_other_runs_is_found(tmp_path: Path) -> None:
    folder = half(tmp_path)
    assert not run_small(small_spec("training.cohort_size=2"), tmp_path / "other", stop=StopAfter(6))
    shutil.copy(tmp_path / "other" / "checkpoints" / "c0001.safetensors", folder / "checkpoints")
    assert the_fault(folder).wrong == "is of other runs"
    assert repair_study(folder)[1].faults == ()


def test_a_checkpoint_of_a_finished_cohort_is_removed(folder: Path, tmp_path: Path) -> None:
    shutil.copy(half(tmp_path) / "checkpoints" / "c0001.safetensors", folder / "checkpoints")
    assert the_fault(folder).remedy is Remedy.REMOVE
    assert repair_study(folder)[0] == ("checkpoints/c0001.safetensors: removed",)


# --- study.db ---------------------------------------------------------------------------------------------


def test_a_missing_or_damaged_study_db_is_written_anew(folder: Path) -> None:
    (folder / STUDY_DB).unlink()
    assert the_fault(folder).wrong == "is missing"
    assert repair_study(folder)[0] == (f"wrote {STUDY_DB} from the cohorts",)
    for place in (0.0, 0.002):
        flip(folder / STUDY_DB, place)
    assert the_fault(folder).wrong.startswith("damaged (")
    assert repair_study(folder)[1].faults == ()
    (folder / STUDY_DB).write_bytes((folder / STUDY_DB).read_bytes()[:5000])
    assert the_fault(folder).wrong.startswith("damaged (")
    assert repair_study(folder)[1].faults == ()


def test_a_study_db_that_says_something_else_is_found(folder: Path) -> None:
    with closing(sqlite3.connect(folder / STUDY_DB)) as database:
        database.execute("UPDATE trial_values SET value = value + 0.125 WHERE trial_id = 2")
        database.commit()
    assert the_fault(folder).wrong == "not what the finished cohorts say"
    assert repair_study(folder)[1].faults == ()


def test_a_study_db_behind_an_unfinished_study_is_a_note(folder: Path) -> None:
    (folder / "cohorts" / "c0001").rename(folder.parent / "c0001")
    found = check_study(folder)
    assert found.faults == ()
    assert found.notes == (f"{STUDY_DB}: older than the cohorts; it is written when the study is finished",)


# --- texts and the plan -----------------------------------------------------------------------------------


def test_a_lost_environment_is_begun_anew(tmp_path: Path, finished: Path) -> None:
    folder = half(tmp_path)
    flip(folder / "environment.json", 0.5)
    assert the_fault(folder).remedy is Remedy.RENEW
    done, found = repair_study(folder)
    assert done[0].startswith("moved environment.json to damaged/environment.json-1; wrote")
    assert found.faults == ()
    assert run_small(small_spec(), folder)
    environment = Store.open(folder).environment
    assert environment["lost"] == "what the study was started with"
    assert environment["dataset"] == Store.open(finished).environment["dataset"]
    assert rows_by_run(folder, "records") == rows_by_run(finished, "records")


def test_a_damaged_study_file_can_be_put_back_and_is_known_by_its_digest(folder: Path) -> None:
    text = Store.open(folder).study_yaml
    flip(folder / "study.yaml", 0.3)
    with pytest.raises(StabilityError, match=r"study\.yaml: damaged or edited.* --check` says more$"):
        run_small(small_spec(), folder)
    done, found = repair_study(folder)
    assert (done, [fault.remedy for fault in found.faults]) == ((), [Remedy.NONE])
    for other in ("steps: 40", "points: 2", "persist: 3", "every: 10"):
        name, value = other.split(": ")
        edited = text.replace(other, f"{name}: {int(value) + 1}")
        assert edited != text
        (folder / "study.yaml").write_text(edited)
        assert (the_fault(folder).file, the_fault(folder).remedy) == ("study.yaml", Remedy.NONE)
        assert repair_study(folder)[0] == ()
    (folder / "study.yaml").write_text(text)
    assert (the_fault(folder).lost, the_fault(folder).remedy) == ("nothing", Remedy.ADOPT)
    done, found = repair_study(folder)
    assert (done, found.faults) == (("sealed study.yaml",), ())
    assert Store.open(folder).study_yaml == text
    assert run_small(small_spec(), folder)


def test_a_relabelled_study_s_first_file_is_not_taken_for_the_last_one(folder: Path) -> None:
    first = Store.open(folder).study_yaml
    relabel_study(folder, ["outcomes.persist=4"])
    last = Store.open(folder).study_yaml
    (folder / "study.yaml").write_text(first)
    assert the_fault(folder).remedy is Remedy.NONE
    (folder / "study.yaml").write_text(last)
    assert the_fault(folder).remedy is Remedy.ADOPT


def test_a_study_file_of_ones_own_is_taken_in_place_of_a_lost_one(folder: Path) -> None:
    """The one that the study was begun with; not what is kept, which has every value written out."""
    (folder / "study.yaml").write_text(SMALL)
    assert repair_study(folder)[1].faults == ()
    assert Store.open(folder).study_yaml == dump_study(small_spec())
    for lost in ("study.yaml", "plan.json"):
        (folder / lost).unlink()
    (folder / "study.yaml").write_text(SMALL)
    done, found = repair_study(folder)
    assert (done, found.faults) == (("drew plan.json again from study.yaml", "sealed study.yaml"), ())
    assert run_small(small_spec(), folder)


@pytest.mark.parametrize("name", ["plan.json", "environment.json", "study.yaml"])
def test_a_text_cut_within_its_digest_is_sealed_again(folder: Path, name: str) -> None:
    whole = (folder / name).read_bytes()
    (folder / name).write_bytes(whole[:-1])
    assert the_fault(folder).file == name
    assert repair_study(folder) == ((f"sealed {name}",), check_study(folder))
    assert (folder / name).read_bytes() == whole


def test_a_damaged_plan_among_pending_changes_is_drawn_again(folder: Path, finished: Path) -> None:
    (folder / "labels").mkdir()
    shutil.copy(folder / "plan.json", folder / "labels")
    flip(folder / "labels" / "plan.json")
    done, found = repair_study(folder)
    assert done == ("moved plan.json to damaged/plan.json-1", "drew plan.json again from study.yaml")
    assert found.faults == ()
    assert (folder / "plan.json").read_bytes() == (finished / "plan.json").read_bytes()


@pytest.mark.parametrize("damage", ["flip", "remove", "empty"])
def test_a_lost_plan_is_drawn_again(tmp_path: Path, damage: str) -> None:
    folder = half(tmp_path)
    plan, whole = Store.open(folder).plan, (folder / "plan.json").read_bytes()
    if damage == "flip":
        flip(folder / "plan.json", 0.7)
    elif damage == "remove":
        (folder / "plan.json").unlink()
    else:
        (folder / "plan.json").write_bytes(b"")
    assert (the_fault(folder).file, the_fault(folder).remedy) == ("plan.json", Remedy.REBUILD)
    done, found = repair_study(folder)
    assert done[-1] == "drew plan.json again from study.yaml"
    assert found.faults == ()
    assert Store.open(folder).plan == plan
    assert (folder / "plan.json").read_bytes() == whole
    assert (damage == "remove") != (folder / "damaged" / "plan.json-1").exists()
    listener = Listener()
    assert run_small(small_spec(), folder, listener=listener)
    assert listener.notes == ["going on with c0001 at step 30"]


def test_every_flipped_bit_of_a_plan_is_noticed(folder: Path) -> None:
    whole = (folder / "plan.json").read_bytes()
    for place in range(0, len(whole), len(whole) // 150):
        flip(folder / "plan.json", place / (len(whole) - 1))
        assert (folder / "plan.json").read_bytes() != whole
        with pytest.raises(StabilityError):
            Store.open(folder)
        (folder / "plan.json").write_bytes(whole)


def test_a_lost_plan_of_an_extended_study_keeps_its_finished_cohorts(folder: Path) -> None:
    longer = small_spec("design.points=3", "design.seeds=3")
    assert not run_small(longer, folder, stop=StopAfter(6))
    finished, plan = Store.open(folder).finished(), Store.open(folder).plan
    assert len(finished) == 3
    (folder / "plan.json").unlink()
    done, found = repair_study(folder)
    assert found.faults == ()
    again = Store.open(folder)
    assert again.finished() == finished
    assert {run.run: run for run in again.plan.runs} == {run.run: run for run in plan.runs}
    assert set(done) <= {
        "drew plan.json again from study.yaml",
        "moved checkpoints/c0003.safetensors to damaged/c0003.safetensors-1",
        f"wrote {STUDY_DB} from the cohorts",
    }
    assert run_small(longer, folder)
    assert check_study(folder).faults == ()


def test_the_rules_of_stopping_survive_a_lost_plan(tmp_path: Path) -> None:
    spec = small_spec(
        "training.stop_on=[collapsed]", "outcomes.persist=1", "design.points=1", "design.seeds=1"
    )
    assert run_small(spec, tmp_path / "r")
    relabel_study(tmp_path / "r", ["outcomes.persist=9"])
    plan = Store.open(tmp_path / "r").plan
    (tmp_path / "r" / "plan.json").unlink()
    assert rebuilt_plan(tmp_path / "r") == plan
    environment = Store.open(half(tmp_path)).environment
    del environment["planned"]
    (tmp_path / "r" / "environment.json").write_text(json.dumps(environment))
    fault = the_fault(tmp_path / "r")
    assert fault.remedy is Remedy.NONE
    assert "does not say by which thresholds runs are stopped" in fault.repair


def test_a_lost_plan_of_a_search_is_lost(tmp_path: Path) -> None:
    assert run_small(small_spec(*SEARCH), tmp_path / "r")
    (tmp_path / "r" / "plan.json").write_text("{")
    fault = the_fault(tmp_path / "r")
    assert (fault.lost, fault.remedy) == ("which runs were planned", Remedy.NONE)
    assert "the points of a search follow from its results" in fault.repair
    assert repair_study(tmp_path / "r") == ((), check_study(tmp_path / "r"))


def test_an_older_format_is_brought_up(tmp_path: Path) -> None:
    old = Path(__file__).parents[1] / "store" / "format1"
    folder = Path(shutil.copytree(old, tmp_path / "r"))
    assert the_fault(folder).remedy is Remedy.MIGRATE
    done, found = repair_study(folder)
    assert "migrated from format 1 to 2" in done
    assert [fault.file for fault in found.faults] == ["study.yaml"]  # made up, so its plan is none of its own
    assert Store.open(folder).finished() == {"c000-mlp"}


def test_what_is_no_study_or_of_a_newer_format_is_told(tmp_path: Path, folder: Path) -> None:
    for check in (check_study, repair_study):
        with pytest.raises(StabilityError, match="no such results folder"):
            check(tmp_path / "none")
        (tmp_path / "empty").mkdir(exist_ok=True)
        with pytest.raises(StabilityError, match=r"not a study's results, it has no plan\.json"):
            check(tmp_path / "empty")
    fields = json.loads((folder / "plan.json").read_text()) | {"version": 99}
    fields.pop("sha256")
    (folder / "plan.json").write_text(json.dumps(fields))
    with pytest.raises(StabilityError, match="use the version that wrote it"):
        repair_study(folder)


def test_a_folder_in_use_is_examined_but_not_repaired(folder: Path) -> None:
    flip(folder / "cohorts" / "c0000" / "records.parquet")
    with Store.open(folder).lock():
        assert the_fault(folder).part == "cohorts/c0000"
        with pytest.raises(StabilityError, match="in use by process"):
            repair_study(folder)
    assert (folder / "cohorts" / "c0000").is_dir()
