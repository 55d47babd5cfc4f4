from __future__ import annotations

import json
import shutil
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from made_study import dying, file_bytes, make_cohort, plain

from stability.errors import StabilityError
from stability.outcomes import label
from stability.reading.frames import load
from stability.records import History
from stability.spec import Thresholds
from stability.store import FORMAT_VERSION, Store
from stability.store.lock import locked
from stability.store.repair.examine import examine_files
from stability.store.repair.migrate import migrate, older_version
from stability.store.seals import seal_text

FORMAT_1 = Path(__file__).parents[1] / "format1"
FIRST, SECOND = "c000-mlp", "c001-mlp"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(FORMAT_1, tmp_path / "old"))


def tables(folder: Path) -> dict[str, list[dict[str, object]]]:
    return {
        path.stem: pq.read_table(path).to_pylist() for path in (folder / "cohorts" / FIRST).glob("*.parquet")
    }


def test_an_older_folder_is_refused_with_what_to_do(folder: Path) -> None:
    with pytest.raises(StabilityError) as caught:
        Store.open(folder)
    assert str(caught.value) == (
        f"{folder}/plan.json: version: 1, this version of stability reads {FORMAT_VERSION}; "
        f"`stability status {folder} --repair` brings it up to that"
    )
    assert older_version(folder) == 1


def test_what_was_stored_stays_to_the_last_bit(folder: Path) -> None:
    before, files = tables(folder), file_bytes(folder)
    done = migrate(folder)
    assert done[0] == "kept the old plan as plan.json.v1"
    assert done[-1] == f"migrated from format 1 to {FORMAT_VERSION}"
    migrated = tables(folder)
    assert migrated.keys() == before.keys()
    for name, rows in before.items():
        for old, new in zip(rows, migrated[name] if name != "events" else rows, strict=True):
            kept = {
                column: new[column] for column in old.keys() & new.keys() - {"config", "outcome", "reason"}
            }
            assert plain(kept) == plain({column: old[column] for column in kept})
    after = file_bytes(folder)
    assert after["plan.json.v1"] == files["plan.json"]
    assert after["study.yaml"] == seal_text(files["study.yaml"].decode())
    same = {name for name in files if after.get(name) == files[name]}
    assert {Path(name).name for name in files.keys() - same} == {
        "plan.json", "environment.json", "study.yaml",
        "runs.parquet", "evaluations.parquet", "events.parquet", f"{SECOND}.safetensors",
    }  # fmt: skip


def test_a_migrated_folder_is_whole_and_reads_as_one_of_today(folder: Path) -> None:
    migrate(folder)
    store = Store.open(folder)
    assert examine_files(store).faults == ()
    runs = store.plan.cohorts[0].runs
    data, made = store.read_cohort(FIRST), make_cohort(runs)
    without_fid = Thresholds(measures=("precision", "modes", "diversity"))  # its excess cannot be derived
    results = [
        label(history, without_fid, horizon=store.plan.horizon, stopped=old.stopped)
        for history, old in zip(data.histories, made.results, strict=True)
    ]
    assert plain(data.results) == plain(results)
    assert plain(data.filmstrips) == plain(made.filmstrips)
    for old, new in zip(data.histories, made.histories, strict=True):
        assert plain(old.records) == plain(new.records)
        assert plain(known(old)) == plain(known(new))
    assert load(folder).runs["outcome"].tolist() == [result.outcome for result in data.results]
    assert {run.config.optimizer for run in store.plan.runs} == {"adam"}
    assert store.environment["migrated_from"] == 1


def known(history: History) -> list[dict[str, object]]:
    """What format 1 told of a visit; its metrics by size derive from the step alone there, too."""
    return [
        {"step": visit.step, "sized": visit.sized, "features": visit.features, "shares": visit.class_shares}
        for visit in history.evaluations
    ]


def test_what_was_not_measured_is_not_made_up(folder: Path) -> None:
    migrate(folder)
    rows = tables(folder)["evaluations"]
    new = ("confident_share", "class_agreement", "diversity_within")
    assert {name: {repr(row[name]) for row in rows} for name in new} == {
        "confident_share": {"nan"},
        "class_agreement": {"None"},
        "diversity_within": {"None"},
    }


def test_the_state_of_an_older_engine_is_moved_aside(folder: Path) -> None:
    old = (folder / "checkpoints" / f"{SECOND}.safetensors").read_bytes()
    migrate(folder)
    assert Store.open(folder).read_checkpoint(SECOND) is None
    assert (folder / "damaged" / f"{SECOND}.safetensors-1").read_bytes() == old


def test_a_cohort_that_cannot_be_read_is_moved_aside(folder: Path) -> None:
    path = folder / "cohorts" / FIRST / "evaluations.parquet"
    path.write_bytes(path.read_bytes()[:-1])
    done = migrate(folder)
    assert f"moved cohorts/{FIRST} to damaged/{FIRST}-1: " in done[2]
    assert Store.open(folder).finished() == set()


@pytest.mark.parametrize(
    "outcomes",
    [
        "outcomes: {persist: 5, stable_fid_ratio: 12.0}",
        "outcomes: {stable_fid_ratio: 12.0, persist: 5}",
        "outcomes:\n  progress: 0.05\n  persist: 5",
        "outcomes: {swing_high: 0.9, persist: 5, swing_low: 0.2}",
    ],
)
def test_the_first_plans_stopped_by_the_study_files_thresholds(folder: Path, outcomes: str) -> None:
    fields = json.loads((folder / "plan.json").read_text())
    del fields["stop_thresholds"]
    (folder / "plan.json").write_text(json.dumps(fields))
    with (folder / "study.yaml").open("a") as file:
        file.write(outcomes + "\n")
    migrate(folder)
    assert Store.open(folder).plan.stop_thresholds == Thresholds(persist=5)


def test_a_folder_of_today_is_left_alone(folder: Path) -> None:
    migrate(folder)
    before = file_bytes(folder)
    assert migrate(folder) == []
    assert {name for name in before if file_bytes(folder)[name] != before[name]} <= {".lock"}


def test_a_folder_in_use_is_not_migrated(folder: Path) -> None:
    with locked(folder / ".lock"), pytest.raises(StabilityError, match="in use by process"):
        migrate(folder)
    assert older_version(folder) == 1


def test_a_migration_cut_short_at_any_rename_is_old_or_new_and_can_be_begun_again(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = Path(shutil.copytree(folder, tmp_path / "whole"))
    migrate(whole)
    seen: list[int | None] = []
    for last in range(8):
        copy = Path(shutil.copytree(folder, tmp_path / str(last)))
        with monkeypatch.context() as patch:
            count = iter(range(100))
            patch.setattr(Path, "rename", dying(Path.rename, count, last))
            patch.setattr(Path, "replace", dying(Path.replace, count, last))
            with pytest.raises(KeyboardInterrupt):
                migrate(copy)
        if (copy / "labels").is_dir():
            assert Store.open(copy).finished() == {FIRST}
            assert plain(Store.open(copy).read_cohort(FIRST)) == plain(Store.open(whole).read_cohort(FIRST))
        seen.append(older_version(copy))
        migrate(copy)
        parts = {name: content for name, content in file_bytes(whole).items() if name != ".lock"}
        assert {name: file_bytes(copy)[name] for name in parts} == parts
    assert set(seen) == {1, None}
